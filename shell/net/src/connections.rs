//! The Network Connections of one runner, each in a numbered place.
//!
//! The rule: a place that is used again gets a new generation, so that a name of an old connection names nothing.

use martlet_session::ConnectionId;

use crate::Connection;

/// Places in one page of the table. Pages never move, so a growing table leaves no emptied ones behind.
const PAGE: usize = 64;

/// A table of connections.
#[derive(Debug, Default)]
pub struct Connections {
    pages: Vec<Box<[Place; PAGE]>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug, Default)]
struct Place {
    connection: Option<Connection>,
    generation: u32,
}

impl Connections {
    /// Gives a connection its place and name.
    pub fn insert(&mut self, connection: Connection) -> ConnectionId {
        if self.free.is_empty() {
            self.add_page();
        }
        let slot = self.free.pop().expect("a page was added");
        let place = self.place(slot).expect("free places are places");
        place.connection = Some(connection);
        let id = ConnectionId { slot, generation: place.generation };
        self.len += 1;
        id
    }

    /// The connection in this place, with its whole name.
    #[inline]
    pub fn at(&mut self, slot: u32) -> Option<(ConnectionId, &mut Connection)> {
        let place = self.place(slot)?;
        let id = ConnectionId { slot, generation: place.generation };
        Some((id, place.connection.as_mut()?))
    }

    /// The connection with this name, unless it is gone.
    #[inline]
    pub fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.at(id.slot).filter(|(current, _)| *current == id).map(|(_, connection)| connection)
    }

    /// Takes the connection with this name out.
    pub fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let place = self.place(id.slot)?;
        if place.generation != id.generation {
            return None;
        }
        let connection = place.connection.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.slot);
        self.len -= 1;
        Some(connection)
    }

    /// The names of all connections.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        let places = self.pages.iter().flat_map(|page| page.iter()).zip(0..);
        let occupied = places.filter(|(place, _)| place.connection.is_some());
        occupied.map(|(place, slot)| ConnectionId { slot, generation: place.generation })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn place(&mut self, slot: u32) -> Option<&mut Place> {
        let slot = slot as usize;
        self.pages.get_mut(slot / PAGE).map(|page| &mut page[slot % PAGE])
    }

    fn add_page(&mut self) {
        let first = self.pages.len() * PAGE;
        self.pages.push(Box::new(std::array::from_fn(|_| Place::default())));
        let slots = first..first + PAGE;
        // The lowest is used first: low places are those whose buffers exist already.
        self.free.extend(
            slots.rev().map(|slot| u32::try_from(slot).expect("descriptors are numbered with fewer bits")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Opening;
    use martlet_record::Time;
    use mio::net::{TcpListener, TcpStream};

    #[test]
    fn a_place_used_again_has_another_name() {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let peer = listener.local_addr().unwrap();
        let connection =
            || Connection::new(TcpStream::connect(peer).unwrap(), Opening::new(peer, Time::START));
        let mut table = Connections::default();
        let first: Vec<_> = (0..PAGE + 1).map(|_| table.insert(connection())).collect();
        assert_eq!(table.ids().collect::<Vec<_>>(), first);
        assert!(table.remove(first[1]).is_some());
        assert!(table.remove(first[1]).is_none());
        let again =
            (0..PAGE).map(|_| table.insert(connection())).find(|id| id.slot == first[1].slot).unwrap();
        assert_ne!(again, first[1]);
        assert!(table.get(first[1]).is_none() && table.get(again).is_some());
        assert_eq!(table.len(), PAGE + 1);
    }
}

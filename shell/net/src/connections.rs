//! The Network Connections of one runner, each in a numbered place.
//!
//! The rule: a place that is used again gets a new generation, so that a name of an old connection names nothing.

use martlet_session::ConnectionId;

use crate::Connection;

/// A table of connections.
#[derive(Debug, Default)]
pub struct Connections {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    connection: Option<Connection>,
    generation: u32,
}

impl Connections {
    /// Gives a connection its place and name.
    pub fn insert(&mut self, connection: Connection) -> ConnectionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { connection: None, generation: 0 });
            u32::try_from(self.places.len() - 1).expect("descriptors are numbered with fewer bits")
        });
        let place = &mut self.places[slot as usize];
        place.connection = Some(connection);
        ConnectionId { slot, generation: place.generation }
    }

    /// The connection in this place, with its whole name.
    #[inline]
    pub fn at(&mut self, slot: u32) -> Option<(ConnectionId, &mut Connection)> {
        let place = self.places.get_mut(slot as usize)?;
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
        let place = self.places.get_mut(id.slot as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let connection = place.connection.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(connection)
    }

    /// The names of all connections.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        let occupied = self.places.iter().zip(0..).filter(|(place, _)| place.connection.is_some());
        occupied.map(|(place, slot)| ConnectionId { slot, generation: place.generation })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

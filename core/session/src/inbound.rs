//! QoS 2 Packet Identifiers the Client has not released yet.

use martlet_packet::PacketId;

/// Marks of received QoS 2 Messages: while one is set, the same identifier is the same Message [MQTT-4.3.3-10].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct InboundIds {
    /// Ascending; identifiers mostly come and go in order, so both ends are cheap.
    ids: Vec<u16>,
}

impl InboundIds {
    /// Sets the mark; false when it was set already.
    pub fn insert(&mut self, id: PacketId) -> bool {
        match self.ids.binary_search(&id.get()) {
            Ok(_) => false,
            Err(place) => {
                self.ids.insert(place, id.get());
                true
            }
        }
    }

    /// Is the mark set?
    pub fn contains(&self, id: PacketId) -> bool {
        self.ids.binary_search(&id.get()).is_ok()
    }

    /// Clears the mark; false when it was not set.
    pub fn remove(&mut self, id: PacketId) -> bool {
        let found = self.ids.binary_search(&id.get());
        if let Ok(place) = found {
            self.ids.remove(place);
        }
        found.is_ok()
    }

    /// Those that are set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PacketId> {
        self.ids.iter().filter_map(|id| PacketId::new(*id))
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// None is set.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

//! The Server's Messages of QoS 2: which were handed on and are not yet released. Outlives Connections.

use std::collections::HashSet;

use martlet_packet::PacketId;

/// Identifiers of QoS 2 Messages whose PUBREL has not come.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    unreleased: HashSet<PacketId>,
}

/// What a PUBLISH of QoS 2 is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// To be handed on.
    New,
    /// Handed on already: only answered. [MQTT-4.3.3-10]
    Duplicate,
    /// More than the Receive Maximum. [MQTT-3.3.4-7]
    TooMany,
}

impl Incoming {
    pub(crate) fn receive(&mut self, packet_id: PacketId, receive_maximum: u16) -> Arrival {
        if self.unreleased.contains(&packet_id) {
            return Arrival::Duplicate;
        }
        if self.unreleased.len() >= usize::from(receive_maximum) {
            return Arrival::TooMany;
        }
        self.unreleased.insert(packet_id);
        Arrival::New
    }

    /// PUBREL came; false when nothing of this identifier is known.
    pub(crate) fn release(&mut self, packet_id: PacketId) -> bool {
        self.unreleased.remove(&packet_id)
    }

    /// The Session ended.
    pub(crate) fn clear(&mut self) {
        self.unreleased.clear();
    }
}

//! Packet Identifiers of our own requests. None is given out while it is in use. [MQTT-2.2.1-3]

use std::collections::HashSet;

use martlet_packet::PacketId;

/// The identifiers in use.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    last: u16,
    in_use: HashSet<PacketId>,
}

impl PacketIds {
    /// Takes the next free identifier; none when all are in use.
    pub(crate) fn take(&mut self) -> Option<PacketId> {
        let candidates = (1..=u16::MAX).map(|step| self.last.wrapping_add(step)).filter_map(PacketId::new);
        let free = candidates.into_iter().find(|id| !self.in_use.contains(id))?;
        self.last = free.get();
        self.in_use.insert(free);
        Some(free)
    }

    /// Gives an identifier back.
    pub(crate) fn free(&mut self, packet_id: PacketId) {
        self.in_use.remove(&packet_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_wrap_and_skip_those_in_use() {
        let mut ids = PacketIds::default();
        for number in 1..=u16::MAX {
            assert_eq!(ids.take().map(PacketId::get), Some(number));
        }
        assert_eq!(ids.take(), None);
        for number in [7, 3] {
            ids.free(PacketId::new(number).unwrap());
        }
        assert_eq!([(); 3].map(|()| ids.take().map(PacketId::get)), [Some(3), Some(7), None]);
    }
}

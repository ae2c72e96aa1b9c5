//! SUBSCRIBE and UNSUBSCRIBE packets that await their answer. They end with their Connection.

use martlet_packet::PacketId;

/// Which answer a request awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Subscribe,
    Unsubscribe,
}

/// Requests not yet answered: at most [`Requests::MAXIMUM`].
#[derive(Debug, Default)]
pub(crate) struct Requests(Vec<Request>);

#[derive(Debug)]
struct Request {
    packet_id: PacketId,
    kind: Kind,
    filters: usize,
}

impl Requests {
    const MAXIMUM: usize = 64;

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= Self::MAXIMUM
    }

    pub(crate) fn push(&mut self, packet_id: PacketId, kind: Kind, filters: usize) {
        self.0.push(Request { packet_id, kind, filters });
    }

    /// Takes the request that is answered, and returns how many Topic Filters it had.
    pub(crate) fn answer(&mut self, packet_id: PacketId, kind: Kind) -> Option<usize> {
        let at = self.0.iter().position(|request| request.packet_id == packet_id && request.kind == kind)?;
        Some(self.0.swap_remove(at).filters)
    }

    /// Gives up all requests.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = PacketId> {
        self.0.drain(..).map(|request| request.packet_id)
    }
}

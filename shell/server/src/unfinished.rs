//! Memory for packets that have begun to arrive and are not whole.
//!
//! Each connection may fill it up to the Maximum Packet Size, so many together could fill any machine: what all of them
//! hold is counted, and whoever goes beyond the limit is refused. Strangers share a small part of it.

use std::cmp::max;

use martlet_net::{Connection, Frames, Phase};
use martlet_packet::ReasonCode;
use martlet_session::{ConnectionId, Violation};

use crate::runner::Runner;

/// Bytes all connections without a Session may hold.
const OPENING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes all others may hold, or two of the largest packets if that is more.
const OPEN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What connections hold.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    opening: usize,
    open: usize,
}

impl Unfinished {
    fn of(&mut self, connection: &Connection) -> &mut usize {
        if matches!(connection.phase, Phase::Opening(_)) { &mut self.opening } else { &mut self.open }
    }

    /// This connection holds something now.
    pub(crate) fn hold(&mut self, connection: &Connection) {
        *self.of(connection) += connection.kept();
    }

    /// What this connection holds is of no use any more.
    pub(crate) fn forget(&mut self, connection: &mut Connection) {
        self.release(connection);
        drop(connection.take_kept());
    }

    /// What this connection holds is about to be used, or gone with it.
    pub(crate) fn release(&mut self, connection: &Connection) {
        *self.of(connection) -= connection.kept();
    }
}

impl Runner {
    /// Takes what a connection held, with what came now.
    #[inline]
    pub(crate) fn take_frames<'a>(&mut self, id: ConnectionId, bytes: &'a [u8]) -> Option<Frames<'a>> {
        let connection = self.connections.get(id)?;
        self.unfinished.release(connection);
        Some(connection.frames(bytes))
    }

    /// Holds what is left for later, unless too much is held already.
    #[inline]
    pub(crate) fn keep(&mut self, id: ConnectionId, frames: Frames<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        if matches!(connection.phase, Phase::Closing { .. }) {
            return;
        }
        connection.keep(frames);
        if connection.kept() > 0 {
            self.unfinished.hold(connection);
            self.refuse_beyond_limit(id);
        }
    }

    fn refuse_beyond_limit(&mut self, id: ConnectionId) {
        let largest = self.shared.node.settings.maximum_packet_size as usize;
        let is_open_full = self.unfinished.open > max(OPEN_BYTES_MAX, largest.saturating_mul(2));
        let is_opening_full = self.unfinished.opening > OPENING_BYTES_MAX;
        if !is_open_full && !is_opening_full {
            return;
        }
        let Some(connection) = self.connections.get(id) else { return };
        let text = "the node's memory for packets that are not whole is used up; send it again later";
        let why = Violation::new(ReasonCode::QuotaExceeded, text);
        let (slot, home) = (connection.session_slot, connection.home);
        match connection.phase {
            Phase::Opening(_) if is_opening_full => self.refuse(id, &[], why),
            Phase::Open if is_open_full => {
                let Some(shard) = self.shards.step(home) else { return };
                shard.refuse(slot, id, why, self.now, &mut self.out);
            }
            _ => {}
        }
    }
}

//! Bytes to sockets: each connection that got some is written once a turn.

use martlet_net::{Flushed, Phase};
use martlet_packet::ReasonCode;
use martlet_session::{ConnectionId, Violation};

use crate::runner::Runner;

/// A connection that took all may get more at once, so often; what it gets then waits for the next turn.
const ROUNDS: usize = 4;

impl Runner {
    /// Writes what was decided in this turn, and what sockets can take again.
    pub(crate) fn flush(&mut self) {
        let mut again = std::mem::take(&mut self.unflushed);
        again.drain(..).for_each(|slot| self.flush_one(slot));
        for _ in 0..ROUNDS {
            let dirty = self.out.take_dirty();
            if dirty.is_empty() {
                self.unflushed = again;
                return self.out.recycle_dirty(dirty);
            }
            for slot in &dirty {
                self.flush_one(*slot);
            }
            self.out.recycle_dirty(dirty);
        }
        self.unflushed = self.out.take_dirty();
    }

    /// Writes one connection, unless its socket was full and has not said otherwise.
    pub(crate) fn flush_one(&mut self, slot: u32) {
        let Some((id, connection)) = self.connections.at(slot) else { return };
        if connection.is_blocked() {
            return;
        }
        let Some(outgoing) = self.out.waiting_mut(slot) else { return self.flush_own(id) };
        let waited = outgoing.len();
        let flushed = connection.flush(outgoing, self.now.time);
        let took = waited - outgoing.len();
        self.bytes_sent += took as u64;
        match flushed {
            Flushed::All => self.flushed(id),
            Flushed::Blocked => {
                if let Err(error) = connection.watch_writable(self.poll.registry(), Self::token(id)) {
                    return self.fail_write(id, &error);
                }
            }
            Flushed::Failed(error) => return self.fail_write(id, &error),
        }
        // Whoever is left unread cannot be heard: what it takes shows that it is there.
        let is_unread = self.connections.get(id).is_some_and(|connection| connection.is_paused);
        if took > 0 && (is_unread || self.shared.node.settings.taking_is_life) {
            self.tell_taken(id);
        }
        self.read_again(id);
    }

    /// Writes what the layers of a connection have to say themselves, where no packet waits.
    pub(crate) fn flush_own(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id).filter(|connection| connection.wants_write()) else {
            return;
        };
        match connection.flush_own() {
            Flushed::All => self.flushed(id),
            Flushed::Blocked => {
                if let Err(error) = connection.watch_writable(self.poll.registry(), Self::token(id)) {
                    self.fail_write(id, &error);
                }
            }
            Flushed::Failed(error) => self.fail_write(id, &error),
        }
    }

    /// A connection that was left unread for what it owed is read again once it took enough.
    fn read_again(&mut self, id: ConnectionId) {
        let owes_much = self.owes_much(id.slot);
        if let Some(connection) = self.connections.get(id)
            && connection.is_paused
            && !owes_much
        {
            connection.is_paused = false;
            self.queue(id);
        }
    }

    /// The socket took everything: there may be more behind it.
    fn flushed(&mut self, id: ConnectionId) {
        self.out.reclaim(id.slot);
        let Some(connection) = self.connections.get(id) else { return };
        match connection.phase {
            Phase::Open => {
                let (slot, home) = (connection.session_slot, connection.home);
                if let Some(shard) = self.shards.step(home) {
                    shard.drained(slot, id, self.now, &mut self.out);
                }
            }
            Phase::Closing { linger } => self.close(id, linger),
            Phase::Opening(_) | Phase::Connecting | Phase::Lingering { .. } => {}
        }
    }

    /// Tells the core that a connection is alive although nothing it sent was read.
    pub(crate) fn tell_taken(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let (slot, home) = (connection.session_slot, connection.home);
        if let Some(shard) = self.shards.step(home) {
            shard.took(slot, id, self.now);
        }
    }

    fn fail_write(&mut self, id: ConnectionId, error: &std::io::Error) {
        let text = format!("the Network Connection failed: {error}");
        self.lose(id, Violation::new(ReasonCode::UnspecifiedError, text));
    }
}

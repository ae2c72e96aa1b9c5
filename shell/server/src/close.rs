//! The end of connections: written out, heard out, dropped.
//!
//! A socket that is closed while the peer still sends is reset by the kernel, and what was written last is lost with it:
//! so a connection that was told why it must go is heard out first, for a bounded time.

use martlet_net::{Connection, Phase, Received};
use martlet_packet::ReasonCode;
use martlet_session::{ConnectionId, Violation};

use crate::runner::Runner;

/// How often a connection that was told to go, and still sends, gets more time.
const LINGER_ROUNDS: u8 = 5;

impl Runner {
    /// Closes what the core gave up in this turn, and what took too long to be closed.
    pub(crate) fn close_given_up(&mut self) {
        while let Some(closing) = self.out.closing.pop() {
            self.begin_close(closing.connection, &closing.why);
        }
        let connections = &mut self.connections;
        self.closings.forget_while(|id| !connections.get(id).is_some_and(|it| is_closing(it)));
        self.lingerings.forget_while(|id| connections.get(id).is_none());
        while let Some(id) = self.closings.pop_due(self.now.time) {
            if self.connections.get(id).is_some_and(|it| is_closing(it)) {
                self.remove(id);
            }
        }
        while let Some(id) = self.lingerings.pop_due(self.now.time) {
            self.linger_on(id);
        }
    }

    fn begin_close(&mut self, id: ConnectionId, why: &Violation) {
        let Some(connection) = self.connections.get(id) else { return };
        if matches!(connection.phase, Phase::Lingering { .. }) {
            return;
        }
        let linger = hears_out(why);
        self.unfinished.forget(connection);
        connection.phase = Phase::Closing { linger };
        let has_own_words = connection.wants_write();
        if has_own_words || self.out.waiting(id).is_some_and(|outgoing| !outgoing.is_empty()) {
            self.closings.push(id, self.now.time);
            self.flush_one(id.slot);
        } else {
            self.close(id, linger);
        }
    }

    /// All is written.
    pub(crate) fn close(&mut self, id: ConnectionId, linger: bool) {
        let Some(connection) = self.connections.get(id) else { return };
        // A plain connection that is not heard out says nothing by it; what lies on others has last words of its own.
        let has_ended = (linger || connection.is_layered()) && connection.close_our_side().is_err();
        if !linger || connection.is_half_closed || has_ended {
            return self.remove(id);
        }
        connection.phase = Phase::Lingering { heard: false, rounds: LINGER_ROUNDS };
        self.lingerings.push(id, self.now.time);
        // The system may have spoken of bytes that were not read then.
        self.queue(id);
    }

    /// Whoever still sends is still reading what was written before our side was closed: it gets more time.
    fn linger_on(&mut self, id: ConnectionId) {
        match self.connections.get(id).map(|connection| &mut connection.phase) {
            Some(Phase::Lingering { heard, rounds }) if *heard && *rounds > 0 => {
                (*heard, *rounds) = (false, *rounds - 1);
                self.lingerings.push(id, self.now.time);
            }
            _ => self.remove(id),
        }
    }

    /// Throws away what the peer of a closed connection still sends, until it closes too.
    pub(crate) fn discard(&mut self, id: ConnectionId, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get(id) else { return };
        match connection.read(buffer) {
            Received::Bytes { more, .. } => {
                if let Phase::Lingering { heard, .. } = &mut connection.phase {
                    *heard = true;
                }
                if more {
                    self.queue(id);
                }
            }
            Received::Nothing => {}
            Received::End | Received::Failed(_) => self.remove(id),
        }
    }

    /// Drops a connection, its socket and what waited for it.
    pub(crate) fn remove(&mut self, id: ConnectionId) {
        // The socket is closed last: whoever sees that finds the place free.
        let Some(closed) = self.connections.remove(id) else { return };
        self.unfinished.release(&closed);
        self.news.forget(id.slot);
        self.out.forget(id.slot);
        self.shared.leave(usize::from(closed.listener));
    }
}

fn is_closing(connection: &Connection) -> bool {
    matches!(connection.phase, Phase::Closing { .. })
}

/// Whoever left by itself, or was silent for long, sends nothing more.
pub(crate) fn hears_out(why: &Violation) -> bool {
    why.reason.is_error() && why.reason != ReasonCode::KeepAliveTimeout
}

//! The end of a node, in good order: nothing more is read, what was promised is committed and sent, then every Client
//! is told and its connection closed, and the store is written down so that the next start is quick.

use std::time::Duration;

use martlet_net::Phase;
use martlet_packet::ReasonCode;
use martlet_record::Time;
use martlet_session::Violation;

use crate::runner::Runner;

/// How long Clients may take to read what waits for them.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the journal may take before Clients are told anyway.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopping {
    /// The node runs.
    No,
    /// It was told to end.
    Asked,
    /// Commits and mail under way are waited for.
    Settling {
        /// But not longer than until then.
        until: Time,
    },
    /// Clients were told; their connections are written out.
    Leaving {
        /// But not longer than until then.
        until: Time,
    },
}

impl Stopping {
    /// When to go on whatever happens.
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::No | Self::Asked => None,
            Self::Settling { until } | Self::Leaving { until } => Some(until),
        }
    }

    /// Clients are read: to the end of the turn in which the node was told to end, with what has come by then.
    pub(crate) fn reads_on(self) -> bool {
        matches!(self, Self::No | Self::Asked)
    }
}

impl Runner {
    /// Goes on with the end, if there is one.
    pub(crate) fn stop_when_asked(&mut self) {
        match self.stopping {
            Stopping::No | Stopping::Leaving { .. } => {}
            Stopping::Asked => {
                self.acceptor = None;
                self.hand_over();
                self.shared.rest();
                self.stopping = Stopping::Settling { until: after(self.now.time, COMMIT_TIMEOUT) };
            }
            Stopping::Settling { until } => {
                let is_settled =
                    self.shared.all_rest() && self.shared.journal.is_idle() && self.mailbox().is_empty();
                if is_settled || until <= self.now.time {
                    self.say_goodbye();
                    self.hand_over();
                    self.shared.leave_for_good();
                    self.stopping = Stopping::Leaving { until: after(self.now.time, FLUSH_TIMEOUT) };
                }
            }
        }
    }

    /// Nothing is read from Clients any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping != Stopping::No
    }

    /// It is asked again and again whether all have come to rest.
    pub(crate) fn is_settling(&self) -> bool {
        match self.stopping {
            Stopping::No | Stopping::Asked => false,
            Stopping::Settling { .. } => true,
            Stopping::Leaving { .. } => !self.shared.is_written_down(),
        }
    }

    /// All is done, or there is no more time.
    pub(crate) fn is_finished(&self) -> bool {
        match self.stopping {
            Stopping::Leaving { until } => {
                let is_done = self.connections.is_empty() && self.shared.is_written_down();
                is_done || until <= self.now.time
            }
            _ => false,
        }
    }

    fn say_goodbye(&mut self) {
        let why = Violation::new(ReasonCode::ServerShuttingDown, "the server is shutting down");
        for shard in self.shards.step_all() {
            shard.disconnect_all(&why, self.now, &mut self.out);
        }
        // Whoever has no Session yet is not waited for.
        let all: Vec<_> = self.connections.ids().collect();
        for id in all {
            if self.connections.get(id).is_some_and(|it| matches!(it.phase, Phase::Opening(_))) {
                self.remove(id);
            }
        }
    }
}

fn after(now: Time, duration: Duration) -> Time {
    now.after_seconds(duration.as_secs())
}

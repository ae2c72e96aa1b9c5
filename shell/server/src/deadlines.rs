//! Connections that are given up after a time that is the same for all of them.

use std::collections::VecDeque;
use std::time::Duration;

use martlet_record::Time;
use martlet_session::ConnectionId;

/// Deadlines in the order they were set, which is the order they fall due.
#[derive(Debug)]
pub(crate) struct Deadlines {
    after_millis: u64,
    queue: VecDeque<(Time, ConnectionId)>,
}

impl Deadlines {
    pub(crate) fn after(duration: Duration) -> Self {
        let after_millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { after_millis, queue: VecDeque::new() }
    }

    /// The deadline of what begins now.
    pub(crate) fn from(&self, now: Time) -> Time {
        now.after_millis(self.after_millis)
    }

    pub(crate) fn push(&mut self, connection: ConnectionId, now: Time) {
        self.queue.push_back((self.from(now), connection));
    }

    /// Forgets those in front that are over for other reasons, so that nobody wakes up for them.
    pub(crate) fn forget_while(&mut self, mut is_over: impl FnMut(ConnectionId) -> bool) {
        while self.queue.pop_front_if(|(_, connection)| is_over(*connection)).is_some() {}
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.queue.front().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<ConnectionId> {
        self.queue.pop_front_if(|(at, _)| *at <= now).map(|(_, connection)| connection)
    }
}

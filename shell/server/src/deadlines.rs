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

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { slot, generation: 0 }
    }

    #[test]
    fn deadlines_fall_due_in_order_and_those_that_are_over_wake_nobody() {
        let mut deadlines = Deadlines::after(Duration::from_millis(10));
        let at = Time::from_millis;
        (0..3).for_each(|slot| deadlines.push(connection(slot), at(u64::from(slot))));
        assert_eq!(deadlines.pop_due(at(9)), None);
        deadlines.forget_while(|it| it == connection(0));
        assert_eq!(deadlines.next(), Some(at(11)));
        assert_eq!(deadlines.pop_due(at(12)), Some(connection(1)));
        assert_eq!(deadlines.pop_due(at(12)), Some(connection(2)));
        assert_eq!(deadlines.next(), None);
    }
}

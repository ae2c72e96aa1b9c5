//! What a batch named last, and the steps from it to what it names next.

use std::sync::Arc;

use martlet_topic::SubscriptionFilter;

use crate::{Ordinal, Place, SessionNumber, ShardId};

/// Sessions a shard can count: what [`SessionNumber`] leaves beside the shard.
const COUNTS: i64 = (u64::MAX / ShardId::COUNT as u64) as i64 + 1;

/// Named last. Who writes and who reads begin alike and step alike.
pub(super) struct Last {
    session: SessionNumber,
    ordinal: Ordinal,
    place: Place,
    /// Named last among those of copies: the next is often the same.
    pub(super) share: Option<Arc<SubscriptionFilter>>,
    /// The same of Subscription Identifiers.
    pub(super) subscription_ids: Option<Arc<[u32]>>,
}

/// A step to another Session.
#[derive(Clone, Copy)]
pub(super) struct SessionStep {
    count: i64,
    /// Where it goes, if it leaves the shard.
    pub(super) shard: Option<ShardId>,
}

impl Last {
    /// A batch of this shard, which begins here, named nothing yet.
    pub(super) fn new(shard: ShardId, start: Place) -> Self {
        Self {
            session: SessionNumber::of(shard, 0),
            ordinal: Ordinal(0),
            place: start,
            share: None,
            subscription_ids: None,
        }
    }

    pub(super) fn step_to_session(&mut self, session: SessionNumber) -> SessionStep {
        let shard = (session.shard() != self.session.shard()).then(|| session.shard());
        let count = count(session) - count(self.session);
        self.session = session;
        SessionStep { count, shard }
    }

    /// `None` when no Session has that number.
    pub(super) fn take_session_step(&mut self, step: SessionStep) -> Option<SessionNumber> {
        let shard = step.shard.unwrap_or(self.session.shard());
        let count =
            count(self.session).checked_add(step.count).filter(|count| (0..COUNTS).contains(count))?;
        self.session = SessionNumber::of(shard, count.unsigned_abs());
        Some(self.session)
    }

    pub(super) fn step_to_ordinal(&mut self, ordinal: Ordinal) -> u64 {
        let from = std::mem::replace(&mut self.ordinal, ordinal);
        difference(from.0, ordinal.0)
    }

    pub(super) fn take_ordinal_step(&mut self, step: u64) -> Ordinal {
        self.ordinal = Ordinal(add(self.ordinal.0, step));
        self.ordinal
    }

    pub(super) fn step_to_place(&mut self, place: Place) -> u64 {
        let from = std::mem::replace(&mut self.place, place);
        difference(from.to_bits(), place.to_bits())
    }

    /// `None` when there is no such place.
    pub(super) fn take_place_step(&mut self, step: u64) -> Option<Place> {
        self.place = Place::from_bits(add(self.place.to_bits(), step))?;
        Some(self.place)
    }
}

impl SessionStep {
    /// The step of the count, and one bit: whether the shard follows.
    pub(super) fn to_number(self) -> u64 {
        zigzag(self.count) << 1 | u64::from(self.shard.is_some())
    }

    /// The step without its shard, and whether the shard follows.
    pub(super) fn from_number(number: u64) -> (Self, bool) {
        (Self { count: unzigzag(number >> 1), shard: None }, number & 1 == 1)
    }
}

/// What must be added to come from one number to the other; short when they are close, in either direction.
pub(super) fn difference(from: u64, to: u64) -> u64 {
    zigzag(to.wrapping_sub(from).cast_signed())
}

/// The other number again.
pub(super) fn add(from: u64, difference: u64) -> u64 {
    from.wrapping_add(unzigzag(difference).cast_unsigned())
}

fn count(session: SessionNumber) -> i64 {
    session.count().cast_signed()
}

/// Small numbers of either sign become small numbers: 0, -1, 1, -2, …
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_are_small_numbers_and_all_come_back() {
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
        for (from, to) in [(0, u64::MAX), (u64::MAX, 0), (7, 7), (1 << 63, 1)] {
            assert_eq!(add(from, difference(from, to)), to);
        }
    }

    #[test]
    fn a_step_beyond_the_last_session_is_none() {
        let mut last = Last::new(ShardId::new(5), Place::new(1, 0));
        let back = SessionStep { count: -1, shard: None };
        assert_eq!(last.take_session_step(back), None);
        let far = SessionStep { count: COUNTS - 1, shard: Some(ShardId::new(63)) };
        assert_eq!(last.take_session_step(far), Some(SessionNumber(u64::MAX)));
        assert_eq!(last.take_session_step(SessionStep { count: 1, shard: None }), None);
    }
}

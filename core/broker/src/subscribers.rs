//! The Subscriptions to one Topic Filter: few mostly, sometimes a hundred thousand.

use hashbrown::HashMap;
use martlet_record::SessionNumber;

use crate::routes::Subscriber;

/// From so many on an index finds them by number.
const INDEXED_FROM: usize = 32;

/// Subscriptions to one Topic Filter, one for each Session at most.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    list: Vec<Subscriber>,
    index: Option<Box<HashMap<SessionNumber, usize, foldhash::fast::FixedState>>>,
}

impl Subscribers {
    /// Adds a Subscription or replaces the Session's.
    pub(crate) fn insert(&mut self, subscriber: Subscriber) {
        if let Some(place) = self.place(subscriber.session) {
            self.list[place] = subscriber;
            return;
        }
        if let Some(index) = &mut self.index {
            index.insert(subscriber.session, self.list.len());
        }
        self.list.push(subscriber);
        if self.index.is_none() && self.list.len() >= INDEXED_FROM {
            let places = self.list.iter().enumerate().map(|(place, other)| (other.session, place));
            self.index = Some(Box::new(places.collect()));
        }
    }

    /// Removes a Session's Subscription.
    pub(crate) fn remove(&mut self, session: SessionNumber) -> bool {
        let Some(place) = self.place(session) else { return false };
        self.list.swap_remove(place);
        if let Some(index) = &mut self.index {
            index.remove(&session);
            if let Some(moved) = self.list.get(place) {
                index.insert(moved.session, place);
            }
        }
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.list.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn place(&self, session: SessionNumber) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&session).copied(),
            None => self.list.iter().position(|subscriber| subscriber.session == session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_packet::QoS;
    use martlet_record::ShardId;

    fn subscriber(number: u64) -> Subscriber {
        Subscriber {
            session: SessionNumber(number),
            shard: ShardId::new(0),
            slot: 0,
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            persistent: false,
            upgrades: false,
            merges: false,
            id: None,
        }
    }

    #[test]
    fn all_are_found_whatever_was_removed_before() {
        let mut subscribers = Subscribers::default();
        (0..100).for_each(|number| subscribers.insert(subscriber(number)));
        subscribers.insert(subscriber(7));
        assert_eq!(subscribers.iter().count(), 100);
        for number in (0..100).step_by(3) {
            assert!(subscribers.remove(SessionNumber(number)));
            assert!(!subscribers.remove(SessionNumber(number)));
        }
        let mut left: Vec<_> = subscribers.iter().map(|subscriber| subscriber.session.0).collect();
        left.sort_unstable();
        assert_eq!(left, (0..100).filter(|number| number % 3 != 0).collect::<Vec<_>>());
    }
}

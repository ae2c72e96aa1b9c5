//! The Subscriptions of one Session.

use std::collections::BTreeMap;

use martlet_packet::SubscriptionOptions;
use martlet_topic::SubscriptionFilter;

/// From so many on they lie in a tree: inserting in front of a long list moves all of it.
const TREE_FROM: usize = 64;

/// What a Client asked for with one Topic Filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Subscription Options.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub id: Option<u32>,
}

/// All Subscriptions of a Session, by filter: there is at most one for each [MQTT-3.8.4-3].
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Sorted by filter; empty once there is a tree.
    few: Vec<(SubscriptionFilter, Subscription)>,
    #[expect(clippy::box_collection, reason = "8 bytes instead of 24 in each Session, and rarely there")]
    many: Option<Box<BTreeMap<SubscriptionFilter, Subscription>>>,
}

impl Subscriptions {
    /// Makes or replaces a Subscription; returns the one that was there.
    pub fn insert(&mut self, filter: SubscriptionFilter, subscription: Subscription) -> Option<Subscription> {
        if let Some(many) = &mut self.many {
            return many.insert(filter, subscription);
        }
        match self.place(&filter) {
            Ok(place) => return Some(std::mem::replace(&mut self.few[place].1, subscription)),
            Err(place) => self.few.insert(place, (filter, subscription)),
        }
        if self.few.len() >= TREE_FROM {
            self.many = Some(Box::new(std::mem::take(&mut self.few).into_iter().collect()));
        }
        None
    }

    /// Deletes a Subscription; returns it if it was there.
    pub fn remove(&mut self, filter: &SubscriptionFilter) -> Option<Subscription> {
        match &mut self.many {
            Some(many) => many.remove(filter),
            None => self.place(filter).ok().map(|place| self.few.remove(place).1),
        }
    }

    /// The Subscription to `filter`.
    pub fn get(&self, filter: &SubscriptionFilter) -> Option<&Subscription> {
        match &self.many {
            Some(many) => many.get(filter),
            None => self.place(filter).ok().map(|place| &self.few[place].1),
        }
    }

    /// All, by filter.
    pub fn iter(&self) -> impl Iterator<Item = (&SubscriptionFilter, &Subscription)> {
        let few = self.few.iter().map(|(filter, subscription)| (filter, subscription));
        few.chain(self.many.iter().flat_map(|many| many.iter()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.few.len() + self.many.as_ref().map_or(0, |many| many.len())
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place(&self, filter: &SubscriptionFilter) -> Result<usize, usize> {
        self.few.binary_search_by(|(other, _)| other.cmp(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_packet::QoS;
    use martlet_topic::Limits;

    /// [MQTT-3.8.4-3]
    #[test]
    fn few_or_many_there_is_one_for_each_filter_and_they_come_in_order() {
        let filter = |number: u32| {
            SubscriptionFilter::parse(&format!("t/{number:04}"), &Limits::default()).expect("a legal filter")
        };
        let options = SubscriptionOptions::new(QoS::AtMostOnce);
        let mut subscriptions = Subscriptions::default();
        for number in (0..200).rev() {
            assert!(subscriptions.insert(filter(number), Subscription { options, id: None }).is_none());
            assert!(subscriptions.insert(filter(number), Subscription { options, id: Some(1) }).is_some());
        }
        assert_eq!(subscriptions.len(), 200);
        assert!(subscriptions.iter().map(|(filter, _)| filter.clone()).eq((0..200).map(filter)));
        assert!(subscriptions.iter().all(|(_, subscription)| subscription.id == Some(1)));
        assert!(subscriptions.remove(&filter(7)).is_some());
        assert!(subscriptions.get(&filter(7)).is_none() && subscriptions.get(&filter(8)).is_some());
    }
}

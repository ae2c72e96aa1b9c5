//! The Subscriptions of one Session.

use martlet_packet::SubscriptionOptions;
use martlet_topic::SubscriptionFilter;

/// What a Client asked for with one Topic Filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Subscription Options.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub id: Option<u32>,
}

/// All Subscriptions of a Session, sorted by filter: there is at most one for each [MQTT-3.8.4-3].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriptions {
    sorted: Vec<(SubscriptionFilter, Subscription)>,
}

impl Subscriptions {
    /// Makes or replaces a Subscription; returns the one that was there.
    pub fn insert(&mut self, filter: SubscriptionFilter, subscription: Subscription) -> Option<Subscription> {
        match self.sorted.binary_search_by(|(other, _)| other.cmp(&filter)) {
            Ok(place) => Some(std::mem::replace(&mut self.sorted[place].1, subscription)),
            Err(place) => {
                self.sorted.insert(place, (filter, subscription));
                None
            }
        }
    }

    /// Deletes a Subscription; returns it if it was there.
    pub fn remove(&mut self, filter: &SubscriptionFilter) -> Option<Subscription> {
        let place = self.sorted.binary_search_by(|(other, _)| other.cmp(filter)).ok()?;
        Some(self.sorted.remove(place).1)
    }

    /// The Subscription to `filter`.
    pub fn get(&self, filter: &SubscriptionFilter) -> Option<&Subscription> {
        let place = self.sorted.binary_search_by(|(other, _)| other.cmp(filter)).ok()?;
        Some(&self.sorted[place].1)
    }

    /// All, by filter.
    pub fn iter(&self) -> impl Iterator<Item = &(SubscriptionFilter, Subscription)> {
        self.sorted.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

//! What one shard remembers of matching: Topic Name to an interned set of destinations.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};
use martlet_record::ShardId;
use martlet_topic::TopicName;

use crate::Overlap;
use crate::destinations::{Destinations, Recipient};
use crate::routes::{Routes, Stamp, Stripes, Subscriber};

/// Topic Names remembered; when there are more, all are forgotten at once, which costs a match each.
const TOPICS_MAX: usize = 4096;
/// Bytes remembered, of Topic Names and of sets of receivers; likewise.
const BYTES_MAX: usize = 1024 * 1024;
/// A longer Topic Name is matched each time.
const TOPIC_BYTES_MAX: usize = 1024;

/// The matches of one shard's publishers.
#[derive(Debug)]
pub(crate) struct RouteCache {
    topics: HashTable<Cached>,
    interned: HashSet<Arc<Destinations>, FixedState>,
    overlap: Overlap,
    matched: Vec<Subscriber>,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    hash: u64,
    topic: Box<str>,
    stripes: Stripes,
    stamp: Stamp,
    destinations: Arc<Destinations>,
}

impl RouteCache {
    pub(crate) fn new(overlap: Overlap) -> Self {
        Self {
            topics: HashTable::new(),
            interned: HashSet::with_hasher(FixedState::default()),
            overlap,
            matched: Vec::new(),
            bytes: 0,
        }
    }

    /// From here overlapping Subscriptions bring this.
    pub(crate) fn set_overlap(&mut self, overlap: Overlap) {
        if self.overlap != overlap {
            *self = Self::new(overlap);
        }
    }

    /// Who gets Messages under this Topic Name.
    pub(crate) fn destinations(&mut self, routes: &Routes, topic: TopicName<'_>) -> Arc<Destinations> {
        let hash = routes.hash(topic.as_str());
        let same = |cached: &Cached| cached.hash == hash && *cached.topic == *topic.as_str();
        if let Some(cached) = self.topics.find(hash, same)
            && routes.stamp(cached.stripes) == cached.stamp
        {
            return Arc::clone(&cached.destinations);
        }
        if topic.as_str().len() > TOPIC_BYTES_MAX {
            return Arc::new(self.matching(routes, topic));
        }
        if self.topics.len() >= TOPICS_MAX || self.bytes >= BYTES_MAX {
            *self = Self::new(self.overlap);
        }
        self.bytes += size_of::<Cached>() + topic.as_str().len();
        let stripes = routes.stripes(topic.as_str(), hash);
        let stamp = routes.stamp(stripes);
        let destinations = self.matching(routes, topic);
        let destinations = self.intern(destinations);
        let fresh = Cached {
            hash,
            topic: topic.as_str().into(),
            stripes,
            stamp,
            destinations: Arc::clone(&destinations),
        };
        match self.topics.find_mut(hash, same) {
            Some(stale) => *stale = fresh,
            None => {
                self.topics.insert_unique(hash, fresh, |cached| cached.hash);
            }
        }
        destinations
    }

    fn matching(&mut self, routes: &Routes, topic: TopicName<'_>) -> Destinations {
        let mut groups = Vec::new();
        self.matched.clear();
        let matched = &mut self.matched;
        routes.for_each_match(
            topic,
            |subscriber| matched.push(*subscriber),
            |group| groups.push(Arc::clone(group)),
        );
        let denied = routes.permits.retain_receivers(topic, matched, |subscriber| subscriber.session);
        matched.sort_by_key(|subscriber| (subscriber.shard, subscriber.slot, subscriber.session));
        let all_merge = self.overlap == Overlap::Merged;
        let recipients = matched
            .chunk_by(|a, b| a.session == b.session && (all_merge || a.merges))
            .map(|same| (same[0].shard, merge(same)))
            .collect();
        Destinations { denied, ..Destinations::new(recipients, groups) }
    }

    fn intern(&mut self, destinations: Destinations) -> Arc<Destinations> {
        if let Some(known) = self.interned.get(&destinations) {
            return Arc::clone(known);
        }
        let recipients = destinations.shards.iter().map(|(_, recipients)| recipients.len()).sum::<usize>();
        self.bytes += recipients * size_of::<Recipient>() + size_of::<Destinations>();
        let destinations = Arc::new(destinations);
        self.interned.insert(Arc::clone(&destinations));
        destinations
    }
}

impl Destinations {
    /// Sessions with their home shards, sorted by shard, and groups.
    pub(crate) fn new(recipients: Vec<(ShardId, Recipient)>, groups: Vec<Arc<crate::shared::Group>>) -> Self {
        let upgrades = recipients.iter().any(|(_, recipient)| recipient.upgrades && recipient.persistent);
        let has_persistent = recipients.iter().any(|(_, recipient)| recipient.persistent);
        let mut shards: Vec<(ShardId, Vec<Recipient>)> = Vec::new();
        for (shard, recipient) in recipients {
            match shards.last_mut() {
                Some((last, group)) if *last == shard => group.push(recipient),
                _ => shards.push((shard, vec![recipient])),
            }
        }
        let shards = shards.into_iter().map(|(shard, recipients)| (shard, recipients.into_boxed_slice()));
        Self { shards: shards.collect(), groups: groups.into(), has_persistent, upgrades, denied: 0 }
    }
}

/// One copy for all matching Subscriptions of a Session: the highest QoS [MQTT-3.3.4-2], all identifiers
/// [MQTT-3.3.4-4], RETAIN kept if any keeps it.
fn merge(same: &[Subscriber]) -> Recipient {
    let merged = merge_all(same.iter());
    let others: Vec<_> = same.iter().filter(|subscriber| !subscriber.no_local).collect();
    let own = match others.len() {
        0 => crate::destinations::Own::Nothing,
        all if all == same.len() => crate::destinations::Own::Same,
        _ => crate::destinations::Own::Reduced(Box::new(merge_all(others.into_iter()))),
    };
    Recipient { own, ..merged }
}

fn merge_all<'a>(same: impl Iterator<Item = &'a Subscriber>) -> Recipient {
    let mut ids: Vec<u32> = Vec::new();
    let merged = same.fold(None, |merged: Option<Recipient>, subscriber| {
        ids.extend(subscriber.id);
        let mut recipient = merged.unwrap_or_else(|| subscriber.recipient(None));
        recipient.qos = recipient.qos.max(subscriber.qos);
        recipient.retain_as_published |= subscriber.retain_as_published;
        Some(recipient)
    });
    let mut merged = merged.expect("there is at least one Subscription");
    merged.own = crate::destinations::Own::Same;
    ids.sort_unstable();
    merged.subscription_ids = (!ids.is_empty()).then(|| Arc::from(ids));
    merged
}

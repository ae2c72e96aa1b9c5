//! Who wants what: the node-wide index of all Subscriptions.
//!
//! Sessions own their Subscriptions; this can be rebuilt from them. It is read on every cache miss and written on every
//! SUBSCRIBE. Its one rule: a version is read before matching and bumped inside the write lock, so that whoever caches
//! a match knows when it may be stale.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use martlet_packet::QoS;
use martlet_record::{SessionNumber, ShardId};
use martlet_topic::{FilterMap, SubscriptionFilter, TopicFilter, TopicName};

use crate::destinations::{Destinations, Own, Recipient};
use crate::permits::Permits;
use crate::shared::Group;
use crate::subscribers::Subscribers;
use crate::sync::{AtomicU32, Ordering, RwLock};

const EXACT_TABLES: usize = 64;
const EXACT_VERSIONS: usize = 4096;
const WILD_VERSIONS: usize = 256;

/// One Subscription, as routing needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscriber {
    /// Whose.
    pub session: SessionNumber,
    /// Its home.
    pub shard: ShardId,
    /// Where its home keeps it.
    pub slot: u32,
    /// Maximum QoS.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// The Session is persistent.
    pub persistent: bool,
    /// A copy has the QoS of the Subscription, even if the Message has a lower one.
    pub upgrades: bool,
    /// The Session gets one copy for all its Subscriptions, even where others get one for each.
    pub merges: bool,
    /// Subscription Identifier.
    pub id: Option<u32>,
}

/// All routes of a node.
#[derive(Debug)]
pub struct Routes {
    exact: Box<[ExactTable]>,
    wild: RwLock<FilterMap<Entry>>,
    versions: Versions,
    hasher: FixedState,
    /// Who of those may not receive everything.
    pub(crate) permits: Permits,
}

type ExactTable = RwLock<HashMap<Box<str>, Entry, FixedState>>;

/// Subscriptions to one Topic Filter.
#[derive(Debug, Default)]
struct Entry {
    subscribers: Subscribers,
    groups: BTreeMap<Arc<SubscriptionFilter>, Arc<Group>>,
}

/// Counters that say when a cached match may be stale.
#[derive(Debug)]
struct Versions {
    exact: Box<[AtomicU32]>,
    wild: Box<[AtomicU32]>,
    everywhere: AtomicU32,
}

/// The versions a match of one Topic Name depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([u32; 4]);

/// Which versions those are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripes {
    exact: u16,
    first_level: u16,
    two_levels: u16,
}

impl Routes {
    /// No routes. The seed keeps strangers from choosing topics that collide.
    pub fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let table = |_| RwLock::new(HashMap::with_hasher(hasher.clone()));
        let versions = |count: usize| (0..count).map(|_| AtomicU32::new(0)).collect();
        Self {
            exact: (0..EXACT_TABLES).map(table).collect(),
            wild: RwLock::new(FilterMap::new(seed)),
            versions: Versions {
                exact: versions(EXACT_VERSIONS),
                wild: versions(WILD_VERSIONS),
                everywhere: AtomicU32::new(0),
            },
            hasher,
            permits: Permits::new(seed),
        }
    }

    /// Makes or replaces a Subscription.
    pub fn insert(&self, filter: &SubscriptionFilter, subscriber: Subscriber) {
        self.change(&filter.filter, |entry| {
            if !filter.is_shared() {
                return entry.subscribers.insert(subscriber);
            }
            match entry.groups.get_mut(filter) {
                Some(group) => *group = Arc::new(group.with(subscriber)),
                None => {
                    let filter = Arc::new(filter.clone());
                    let group = Group::new(Arc::clone(&filter)).with(subscriber);
                    entry.groups.insert(filter, Arc::new(group));
                }
            }
        });
    }

    /// Deletes a Session's Subscription.
    pub fn remove(&self, filter: &SubscriptionFilter, session: SessionNumber) {
        self.change(&filter.filter, |entry| {
            if !filter.is_shared() {
                entry.subscribers.remove(session);
                return;
            }
            let Some(group) = entry.groups.get_mut(filter) else { return };
            *group = Arc::new(group.without(session));
            if group.is_empty() {
                entry.groups.remove(filter);
            }
        });
    }

    /// Something about a Subscription to this filter changed that matches remembered elsewhere depend on.
    pub(crate) fn touch(&self, filter: &TopicFilter) {
        if filter.has_wildcard() {
            self.bump_wild(filter);
        } else {
            let hash = self.hash(filter.as_str());
            self.versions.exact[usize::from(stripe(hash, EXACT_VERSIONS))].fetch_add(1, Ordering::Release);
        }
    }

    /// The group of a Shared Subscription, while it has members.
    pub fn group(&self, filter: &SubscriptionFilter) -> Option<Arc<Group>> {
        let find = |entry: &Entry| entry.groups.get(filter).cloned();
        if filter.filter.has_wildcard() {
            return self.wild.read().get(&filter.filter).and_then(find);
        }
        let topic = filter.filter.as_str();
        self.exact_table(self.hash(topic)).read().get(topic).and_then(find)
    }

    /// The hash of a Topic Name, for whoever keeps matches.
    pub fn hash(&self, topic: &str) -> u64 {
        self.hasher.hash_one(topic)
    }

    /// Which versions a match of this Topic Name depends on.
    pub fn stripes(&self, topic: &str, hash: u64) -> Stripes {
        let (first, two) = leading_levels(topic);
        Stripes {
            exact: stripe(hash, EXACT_VERSIONS),
            first_level: stripe(self.hash(first), WILD_VERSIONS),
            two_levels: stripe(self.hash(two), WILD_VERSIONS),
        }
    }

    /// Those versions now. Read before matching.
    pub fn stamp(&self, stripes: Stripes) -> Stamp {
        let load = |version: &AtomicU32| version.load(Ordering::Acquire);
        Stamp([
            load(&self.versions.exact[usize::from(stripes.exact)]),
            load(&self.versions.wild[usize::from(stripes.first_level)]),
            load(&self.versions.wild[usize::from(stripes.two_levels)]),
            load(&self.versions.everywhere),
        ])
    }

    /// All Subscriptions that match, each given to `subscriber`, and all groups that have one.
    pub fn for_each_match(
        &self,
        topic: TopicName<'_>,
        mut subscriber: impl FnMut(&Subscriber),
        mut group: impl FnMut(&Arc<Group>),
    ) {
        let mut visit = |entry: &Entry| {
            entry.subscribers.iter().for_each(&mut subscriber);
            entry.groups.values().for_each(&mut group);
        };
        let table = self.exact_table(self.hash(topic.as_str()));
        if let Some(entry) = table.read().get(topic.as_str()) {
            visit(entry);
        }
        self.wild.read().for_each_wildcard(topic, visit);
    }

    fn exact_table(&self, hash: u64) -> &ExactTable {
        &self.exact[usize::from(stripe(hash >> 16, EXACT_TABLES))]
    }

    fn change(&self, filter: &TopicFilter, change: impl FnOnce(&mut Entry)) {
        if filter.has_wildcard() {
            let mut wild = self.wild.write();
            let entry = wild.entry_or_insert_with(filter, Entry::default);
            change(entry);
            if entry.is_empty() {
                wild.remove(filter);
            }
            self.bump_wild(filter);
        } else {
            let topic = filter.as_str();
            let hash = self.hash(topic);
            let mut table = self.exact_table(hash).write();
            let entry = table.entry(topic.into()).or_default();
            change(entry);
            if entry.is_empty() {
                table.remove(topic);
            }
            self.versions.exact[usize::from(stripe(hash, EXACT_VERSIONS))].fetch_add(1, Ordering::Release);
        }
    }

    /// A wildcard filter makes only those matches stale that share its literal first levels.
    fn bump_wild(&self, filter: &TopicFilter) {
        let is_wild = |level: &str| level == "+" || level == "#";
        let (first, two) = leading_levels(filter.as_str());
        let second = filter.levels().nth(1);
        let version = if is_wild(first) {
            &self.versions.everywhere
        } else {
            let literal = if second.is_none_or(is_wild) { first } else { two };
            &self.versions.wild[usize::from(stripe(self.hash(literal), WILD_VERSIONS))]
        };
        version.fetch_add(1, Ordering::Release);
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_empty()
    }
}

impl Subscriber {
    /// As it gets a Message when no other Subscription of its Session matches.
    pub fn recipient(&self, share: Option<Arc<SubscriptionFilter>>) -> Recipient {
        Recipient {
            session: self.session,
            slot: self.slot,
            qos: self.qos,
            retain_as_published: self.retain_as_published,
            persistent: self.persistent,
            upgrades: self.upgrades,
            own: if self.no_local { Own::Nothing } else { Own::Same },
            subscription_ids: self.id.map(|id| Arc::from([id])),
            share,
        }
    }

    /// It alone, as a set of destinations.
    pub fn alone(&self, share: Option<Arc<SubscriptionFilter>>) -> Destinations {
        Destinations::new(vec![(self.shard, self.recipient(share))], Vec::new())
    }
}

/// The first level of a topic, and its first two (or its only one) with what stands between.
fn leading_levels(topic: &str) -> (&str, &str) {
    let Some(first) = memchr::memchr(b'/', topic.as_bytes()) else { return (topic, topic) };
    let second = memchr::memchr(b'/', &topic.as_bytes()[first + 1..]);
    (&topic[..first], second.map_or(topic, |second| &topic[..first + 1 + second]))
}

fn stripe(hash: u64, count: usize) -> u16 {
    u16::try_from(hash % count as u64).expect("there are fewer stripes")
}

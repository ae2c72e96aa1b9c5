//! The last Message of each Topic Name that asked to be kept: a node-wide striped table.
//!
//! Each change takes a version from one counter under its stripe's lock, so that whoever folds changes in any order can
//! keep the newest (and remembers deletions, which leave nothing here).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use martlet_record::{Message, MessageRef, RetainedSource, ShardId, Time};
use martlet_topic::{Limits, NameMap, TopicFilter, TopicName};

use crate::permits::Source;
use crate::sync::RwLock;

const STRIPES: usize = 16;

/// All retained messages of a node.
#[derive(Debug)]
pub struct Retained {
    stripes: Box<[RwLock<Stripe>]>,
    version: AtomicU64,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Stripe {
    names: NameMap<Arc<Message>>,
    /// Who published them, where that is remembered.
    sources: HashMap<Box<str>, RetainedSource, FixedState>,
    /// Since the last checkpoint.
    deleted: Vec<Deleted>,
}

/// A retained message that was deleted.
#[derive(Debug)]
pub(crate) struct Deleted {
    pub(crate) topic: Box<str>,
    pub(crate) version: u64,
}

impl Retained {
    /// None.
    pub fn new(seed: u64) -> Self {
        Self {
            stripes: (0..STRIPES)
                .map(|_| {
                    RwLock::new(Stripe {
                        names: NameMap::new(seed),
                        sources: HashMap::with_hasher(FixedState::with_seed(seed)),
                        deleted: Vec::new(),
                    })
                })
                .collect(),
            version: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Bytes they have.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts what is kept now instead of what was.
    fn count_in(&self, kept: &Message, before: Option<&Message>) {
        self.bytes.fetch_add(kept.size(), Ordering::Relaxed);
        match before {
            Some(before) => self.bytes.fetch_sub(before.size(), Ordering::Relaxed),
            None => self.count.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is there one under this Topic Name?
    pub fn contains(&self, topic: TopicName<'_>) -> bool {
        self.stripe(topic).read().names.get(topic).is_some()
    }

    /// Is this still the version that is kept?
    pub fn is_current(&self, topic: TopicName<'_>, version: u64) -> bool {
        self.stripe(topic).read().names.get(topic).is_some_and(|kept| kept.version == version)
    }

    /// Replaces the retained message of a Topic Name [MQTT-3.3.1-5]; an empty payload deletes it [MQTT-3.3.1-6].
    /// Returns the version of the change and what is kept now.
    pub fn replace(&self, topic: TopicName<'_>, message: &MessageRef<'_>) -> (u64, Option<Arc<Message>>) {
        let (version, kept, ()) = self.replace_and(topic, message, || ());
        (version, kept)
    }

    /// As [`Retained::replace`], and does `then` before anybody can read the change. A publisher matches there, so that
    /// to each new Subscription the change is either retained or live, and never both.
    pub fn replace_and<T>(
        &self,
        topic: TopicName<'_>,
        message: &MessageRef<'_>,
        then: impl FnOnce() -> T,
    ) -> (u64, Option<Arc<Message>>, T) {
        self.replace_by(topic, message, None, then)
    }

    /// As [`Retained::replace_and`], and remembers who published.
    pub fn replace_by<T>(
        &self,
        topic: TopicName<'_>,
        message: &MessageRef<'_>,
        source: Option<Source<'_>>,
        then: impl FnOnce() -> T,
    ) -> (u64, Option<Arc<Message>>, T) {
        let mut names = self.stripe(topic).write();
        names.remember(topic, source.filter(|_| !message.payload.is_empty()));
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        if message.payload.is_empty() {
            if let Some(gone) = names.names.remove(topic) {
                self.count.fetch_sub(1, Ordering::Relaxed);
                self.bytes.fetch_sub(gone.size(), Ordering::Relaxed);
                names.deleted.push(Deleted { topic: topic.as_str().into(), version });
            }
            return (version, None, then());
        }
        let kept = Arc::new(MessageRef { version, ..*message }.to_message());
        self.count_in(&kept, names.names.insert(topic, Arc::clone(&kept)).as_deref());
        (version, Some(kept), then())
    }

    /// Puts back what a record says, unless something newer is there.
    pub fn restore(&self, topic: TopicName<'_>, version: u64, message: Arc<Message>) {
        self.restore_version(version);
        let mut message = Arc::unwrap_or_clone(message);
        message.version = version;
        let mut names = self.stripe(topic).write();
        if names.names.get(topic).is_some_and(|kept| kept.version > version) {
            return;
        }
        let message = Arc::new(message);
        self.count_in(&message, names.names.insert(topic, Arc::clone(&message)).as_deref());
    }

    /// The last version that was given.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// No version up to this one is given again.
    pub fn restore_version(&self, version: u64) {
        self.version.fetch_max(version, Ordering::Relaxed);
    }

    /// The part of the table that a shard writes down for a checkpoint, and what was deleted there since the one before:
    /// an older change may still come later in the log.
    pub(crate) fn snapshot(&self, shard: ShardId) -> (Vec<Arc<Message>>, Vec<Deleted>) {
        let Some(stripe) = self.stripes.get(shard.index()) else { return Default::default() };
        let mut names = stripe.write();
        // What the node says of itself is said anew after a restart.
        let all = names.names.iter().map(|(_, message)| message);
        let kept = all.filter(|message| !message.topic().starts_with("$SYS/")).cloned().collect();
        (kept, std::mem::take(&mut names.deleted))
    }

    /// All that match a filter and are not expired, by Topic Name.
    pub fn matching(&self, filter: &TopicFilter, now: Time) -> Vec<Arc<Message>> {
        self.matching_after(filter, now, || ())
    }

    /// As [`Retained::matching`], and does `first` before, while nothing that matches can change. A subscriber makes its
    /// route there. (Locks are taken in the order retained, routes.)
    pub fn matching_after(&self, filter: &TopicFilter, now: Time, first: impl FnOnce()) -> Vec<Arc<Message>> {
        let mut found: Vec<Arc<Message>> = Vec::new();
        let mut keep = |message: &Arc<Message>| {
            if !message.is_expired(now) {
                found.push(Arc::clone(message));
            }
        };
        match TopicName::parse(filter.as_str(), &Limits::UNLIMITED) {
            Ok(topic) => {
                let names = self.stripe(topic).read();
                first();
                names.names.get(topic).into_iter().for_each(&mut keep);
            }
            Err(_) => {
                let stripes: Vec<_> = self.stripes.iter().map(RwLock::read).collect();
                first();
                stripes
                    .iter()
                    .for_each(|names| names.names.for_each_match(filter, |_, message| keep(message)));
            }
        }
        found.sort_by(|a, b| a.topic().cmp(b.topic()));
        found
    }

    /// Who published what is retained under this Topic Name, if somebody remembers.
    pub(crate) fn source(&self, topic: TopicName<'_>) -> Option<RetainedSource> {
        self.stripe(topic).read().sources.get(topic.as_str()).cloned()
    }

    /// Puts back who published this version, if it is the one that is kept.
    pub(crate) fn restore_source(&self, topic: TopicName<'_>, version: u64, source: &RetainedSource) {
        let mut names = self.stripe(topic).write();
        if names.names.get(topic).is_some_and(|kept| kept.version == version) {
            names.remember(topic, Some(source.into()));
        }
    }

    /// Asks `may` about whoever published what is retained under this Topic Name; true when nobody remembers.
    pub(crate) fn ask_source(&self, topic: TopicName<'_>, may: impl FnOnce(Source<'_>) -> bool) -> bool {
        self.stripe(topic).read().sources.get(topic.as_str()).is_none_or(|source| may(source.into()))
    }

    fn stripe(&self, topic: TopicName<'_>) -> &RwLock<Stripe> {
        let home = ShardId::home_of(topic.as_str());
        &self.stripes[home.index() % STRIPES]
    }
}

impl Stripe {
    /// Notes who published, if that is to be remembered.
    fn remember(&mut self, topic: TopicName<'_>, source: Option<Source<'_>>) {
        let Some(source) = source else {
            if !self.sources.is_empty() {
                self.sources.remove(topic.as_str());
            }
            return;
        };
        // Mostly it is the same as before.
        if self.sources.get(topic.as_str()).is_none_or(|known| Source::from(known) != source) {
            self.sources.insert(topic.as_str().into(), source.to_record());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TopicName<'_> {
        TopicName::parse(text, &Limits::UNLIMITED).expect("a legal name")
    }

    fn message<'a>(topic: &'a str, payload: &'a [u8]) -> MessageRef<'a> {
        MessageRef { retain: true, ..MessageRef::new(topic, payload) }
    }

    fn payloads(retained: &Retained, filter: &str) -> Vec<Vec<u8>> {
        let filter = TopicFilter::parse(filter, &Limits::UNLIMITED).expect("a legal filter");
        let found = retained.matching(&filter, Time::START);
        found.iter().map(|message| message.view().payload.to_vec()).collect()
    }

    /// [MQTT-3.3.1-5]
    #[test]
    fn the_newest_replaces_the_one_before() {
        let retained = Retained::new(1);
        retained.replace(name("a/b"), &message("a/b", b"1"));
        retained.replace(name("a/b"), &message("a/b", b"2"));
        assert_eq!(payloads(&retained, "a/b"), [b"2"]);
        assert_eq!(payloads(&retained, "a/+"), [b"2"]);
        assert_eq!(retained.len(), 1);
    }

    /// [MQTT-3.3.1-6]
    #[test]
    fn an_empty_payload_deletes() {
        let retained = Retained::new(1);
        retained.replace(name("a"), &message("a", b"1"));
        retained.replace(name("a"), &message("a", b""));
        assert!(payloads(&retained, "#").is_empty());
        assert!(retained.is_empty());
    }

    #[test]
    fn what_is_put_back_gives_way_to_what_is_newer() {
        let retained = Retained::new(1);
        let message = |payload| Arc::new(message("a", payload).to_message());
        retained.restore(name("a"), 5, message(b"new"));
        retained.restore(name("a"), 3, message(b"old"));
        assert_eq!(payloads(&retained, "a"), [b"new"]);
        let next = retained.replace(name("a"), &self::message("a", b"x")).0;
        assert!(next > 5);
    }
}

//! Subscriptions made while publishers look for their receivers: every order of the steps, tried one by one.
//!
//! What is checked is [`Routes`], [`RouteCache`] and [`Retained`] themselves, on the locks and counters of a checker. Run by
//! `cargo xtask test --loom`, which is `RUSTFLAGS="--cfg loom" cargo test -p martlet-broker --lib --release interleavings`.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use martlet_packet::QoS;
use martlet_record::{MessageRef, SessionNumber, ShardId, Time};
use martlet_topic::{Limits, SubscriptionFilter, TopicName};

use crate::cache::RouteCache;
use crate::routes::{Routes, Subscriber};
use crate::{Overlap, Retained};

const TOPIC: &str = "a/b";

/// One for each counter that can make a match of [`TOPIC`] stale.
const FILTERS: [&str; 4] = ["a/b", "a/+", "a/b/#", "+/b"];

const FIRST: SessionNumber = SessionNumber(7);
const SECOND: SessionNumber = SessionNumber(8);

fn subscriber(session: SessionNumber) -> Subscriber {
    Subscriber {
        session,
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

fn insert(routes: &Routes, filter: &str, session: SessionNumber) {
    routes.insert(&parse(filter), subscriber(session));
}

fn parse(filter: &str) -> SubscriptionFilter {
    SubscriptionFilter::parse(filter, &Limits::default()).expect("a legal filter")
}

fn topic() -> TopicName<'static> {
    TopicName::parse(TOPIC, &Limits::default()).expect("a legal name")
}

fn message(payload: &[u8]) -> MessageRef<'_> {
    MessageRef { retain: true, ..MessageRef::new(TOPIC, payload) }
}

/// A shard that publishes to [`TOPIC`].
struct Publisher {
    routes: Arc<Routes>,
    cache: RouteCache,
}

impl Publisher {
    fn new(routes: &Arc<Routes>) -> Self {
        Self { routes: Arc::clone(routes), cache: RouteCache::new(Overlap::Merged) }
    }

    fn reaches(&mut self, session: SessionNumber) -> bool {
        let destinations = self.cache.destinations(&self.routes, topic());
        let mut recipients = destinations.shards.iter().flat_map(|(_, recipients)| recipients.iter());
        recipients.any(|recipient| recipient.session == session)
    }
}

/// Changes the routes in one thread while another publishes, and expects that whoever publishes after the change has
/// returned acts on it, however much of it was remembered before.
fn every_order(change: fn(&Routes, &str), prepare: fn(&Routes, &str), is_reached: bool) {
    for filter in FILTERS {
        loom::model(move || {
            let routes = Arc::new(Routes::new(1));
            prepare(&routes, filter);
            let returned = Arc::new(AtomicBool::new(false));
            let subscriber = thread::spawn({
                let (routes, returned) = (Arc::clone(&routes), Arc::clone(&returned));
                move || {
                    change(&routes, filter);
                    returned.store(true, Ordering::Release);
                }
            });
            let mut publisher = Publisher::new(&routes);
            for _ in 0..2 {
                let must = returned.load(Ordering::Acquire);
                let reaches = publisher.reaches(FIRST);
                assert!(!must || reaches == is_reached, "{filter}: an old match was used after the change");
            }
            subscriber.join().expect("it does not panic");
            assert_eq!(publisher.reaches(FIRST), is_reached, "{filter}: an old match was kept for good");
        });
    }
}

#[test]
fn a_subscription_counts_once_it_is_made() {
    every_order(|routes, filter| insert(routes, filter, FIRST), |_, _| (), true);
}

#[test]
fn a_subscription_does_not_count_once_it_is_deleted() {
    let remove = |routes: &Routes, filter: &str| routes.remove(&parse(filter), FIRST);
    every_order(remove, |routes, filter| insert(routes, filter, FIRST), false);
}

/// What one shard acted on, all do that are asked later: else two Messages, the second published because of the first,
/// could reach a subscriber without the first.
#[test]
fn a_subscription_that_one_shard_saw_is_seen_by_all_others() {
    for filter in FILTERS {
        loom::model(move || {
            let routes = Arc::new(Routes::new(1));
            let seen = Arc::new(AtomicBool::new(false));
            let subscriber = thread::spawn({
                let routes = Arc::clone(&routes);
                move || insert(&routes, filter, FIRST)
            });
            let first_to_see = thread::spawn({
                let (mut publisher, seen) = (Publisher::new(&routes), Arc::clone(&seen));
                move || seen.store(publisher.reaches(FIRST), Ordering::Release)
            });
            let mut publisher = Publisher::new(&routes);
            publisher.reaches(FIRST);
            if seen.load(Ordering::Acquire) {
                assert!(publisher.reaches(FIRST), "{filter}: another shard knew of it before");
            }
            subscriber.join().expect("it does not panic");
            first_to_see.join().expect("it does not panic");
        });
    }
}

#[test]
fn subscriptions_made_at_once_do_not_hide_each_other() {
    for other in FILTERS {
        loom::model(move || {
            let routes = Arc::new(Routes::new(1));
            let both = [(FILTERS[0], FIRST), (other, SECOND)].map(|(filter, session)| {
                let routes = Arc::clone(&routes);
                thread::spawn(move || insert(&routes, filter, session))
            });
            let mut publisher = Publisher::new(&routes);
            publisher.reaches(FIRST);
            both.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
            assert!(
                publisher.reaches(FIRST) && publisher.reaches(SECOND),
                "{other}: a match was kept for good"
            );
        });
    }
}

/// A new subscriber gets a change of a retained message retained or live, not both and not neither.
#[test]
fn a_retained_change_reaches_a_new_subscriber_once() {
    for filter in ["a/b", "a/+"] {
        loom::model(move || {
            let (routes, retained) = (Arc::new(Routes::new(1)), Arc::new(Retained::new(1)));
            retained.replace(topic(), &message(b"older"));
            let publisher = thread::spawn({
                let (mut publisher, retained) = (Publisher::new(&routes), Arc::clone(&retained));
                move || retained.replace_and(topic(), &message(b"newer"), || publisher.reaches(FIRST)).2
            });
            let made = parse(filter);
            let insert = || routes.insert(&made, subscriber(FIRST));
            let replayed = retained.matching_after(&made.filter, Time::START, insert);
            let is_live = publisher.join().expect("it does not panic");
            let is_replayed = replayed.iter().any(|kept| kept.view().payload == b"newer");
            assert_ne!(is_live, is_replayed, "{filter}");
        });
    }
}

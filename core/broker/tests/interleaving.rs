//! A retained message is replaced by one runner while another makes a Subscription: every order of their four steps.
//!
//! The publisher replaces, then matches; the subscriber inserts its route, then reads. Whatever comes between, the newer
//! message is the last thing the subscriber hears. The steps are composed by hand from the tables themselves; the shards
//! take each two of them at once, so that nothing is heard twice either.

use std::sync::Arc;

use martlet_broker::{Dialect, Retained, Routes, Settings, Subscriber};
use martlet_packet::{Packet, Publish, QoS};
use martlet_record::{MemoryJournal, Message, MessageRef, SessionNumber, ShardId, Time};
use martlet_simulator::{World, connect, publish_qos, subscribe};
use martlet_topic::{Limits, SubscriptionFilter, TopicName};

const TOPIC: &str = "a/b";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Replace,
    Match,
    Insert,
    Read,
}

/// All orders that keep those of the publisher and of the subscriber.
const ORDERS: [[Step; 4]; 6] = {
    use Step::{Insert, Match, Read, Replace};
    [
        [Replace, Match, Insert, Read],
        [Replace, Insert, Match, Read],
        [Replace, Insert, Read, Match],
        [Insert, Replace, Match, Read],
        [Insert, Replace, Read, Match],
        [Insert, Read, Replace, Match],
    ]
};

/// The tables of a node, and what is on its way to the subscriber.
struct Play {
    routes: Routes,
    retained: Retained,
    filter: SubscriptionFilter,
    /// What the subscriber's turn brings it.
    replayed: Vec<Arc<Message>>,
    /// What the publisher sends to the subscriber's runner, which reads its mail when the turn is over.
    mail: Vec<&'static [u8]>,
}

impl Play {
    /// A node that keeps one message.
    fn new(filter: &str) -> Self {
        let play = Self {
            routes: Routes::new(1),
            retained: Retained::new(1),
            filter: SubscriptionFilter::parse(filter, &Limits::default()).expect("a legal filter"),
            replayed: Vec::new(),
            mail: Vec::new(),
        };
        play.replace(b"1");
        play
    }

    fn take(&mut self, step: Step, payload: &'static [u8]) {
        match step {
            Step::Replace => self.replace(payload),
            Step::Match => self.mail.extend(find(&self.routes).then_some(payload)),
            Step::Insert => self.routes.insert(&self.filter, subscriber()),
            Step::Read => self.replayed = self.retained.matching(&self.filter.filter, Time::START),
        }
    }

    fn replace(&self, payload: &[u8]) {
        self.retained.replace(topic(), &message(payload));
    }

    /// Both steps of the publisher, as a shard takes them.
    fn publish(&mut self, payload: &'static [u8]) {
        let Self { routes, retained, mail, .. } = self;
        let (.., is_live) = retained.replace_and(topic(), &message(payload), || find(routes));
        mail.extend(is_live.then_some(payload));
    }

    /// Both steps of the subscriber, as a shard takes them.
    fn subscribe(&mut self) {
        let Self { routes, retained, filter, .. } = self;
        let insert = || routes.insert(filter, subscriber());
        self.replayed = retained.matching_after(&filter.filter, Time::START, insert);
    }

    fn heard(&self) -> Vec<Vec<u8>> {
        let replayed = self.replayed.iter().map(|message| message.view().payload.to_vec());
        replayed.chain(self.mail.iter().map(|payload| payload.to_vec())).collect()
    }
}

fn message(payload: &[u8]) -> MessageRef<'_> {
    MessageRef { retain: true, ..MessageRef::new(TOPIC, payload) }
}

/// Is the subscriber there?
fn find(routes: &Routes) -> bool {
    let mut found = false;
    routes.for_each_match(topic(), |_| found = true, |_| ());
    found
}

fn topic() -> TopicName<'static> {
    TopicName::parse(TOPIC, &Limits::default()).expect("a legal name")
}

fn subscriber() -> Subscriber {
    Subscriber {
        session: SessionNumber(7),
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

/// What a subscriber hears in each order, for a filter without and with a wildcard.
fn heard_in_each_order(payload: &'static [u8]) -> impl Iterator<Item = ([Step; 4], Vec<Vec<u8>>)> {
    let all = ["a/b", "a/+"].into_iter().flat_map(|filter| ORDERS.map(|order| (filter, order)));
    all.map(move |(filter, order)| {
        let mut play = Play::new(filter);
        order.iter().for_each(|step| play.take(*step, payload));
        (order, play.heard())
    })
}

#[test]
fn a_newer_retained_message_is_the_last_thing_a_new_subscriber_hears() {
    for (order, heard) in heard_in_each_order(b"2") {
        assert_eq!(heard.last().map(Vec::as_slice), Some(&b"2"[..]), "{order:?}: {heard:?}");
        let older = heard.iter().position(|payload| payload == b"1");
        assert!(older.is_none_or(|place| place == 0), "{order:?}: {heard:?}");
    }
}

/// A deletion is never undone: what was deleted is not the last thing heard.
#[test]
fn a_deleted_retained_message_is_not_the_last_thing_a_new_subscriber_hears() {
    for (order, heard) in heard_in_each_order(b"") {
        assert_ne!(heard.last().map(Vec::as_slice), Some(&b"1"[..]), "{order:?}: {heard:?}");
    }
}

#[test]
fn a_change_is_heard_once_where_both_take_their_two_steps_at_once() {
    for filter in ["a/b", "a/+"] {
        let (mut before, mut after) = (Play::new(filter), Play::new(filter));
        before.publish(b"2");
        before.subscribe();
        assert_eq!(before.heard(), [b"2"]);
        after.subscribe();
        after.publish(b"2");
        assert_eq!(after.heard(), [b"1", b"2"]);
    }
}

fn retained(payload: &[u8], qos: u8, packet_id: u16) -> Packet<'_> {
    let Packet::Publish(message) = publish_qos(TOPIC, payload, qos, packet_id) else { unreachable!() };
    Packet::Publish(Publish { retain: true, ..message })
}

/// What a kept reader hears whose SUBSCRIBE waits for its commit while the retained message is replaced.
fn heard_while_waiting(older: u8, newer: u8, subscribed: u8, is_log_backwards: bool) -> Vec<String> {
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), MemoryJournal::with_delay(20));
    let reader = world.join(connect("reader").kept(3600));
    let writer = world.join(connect("writer"));
    world.send(writer, retained(b"1", older, 1));
    world.hush();
    if is_log_backwards {
        world.submit_backwards();
    }
    world.post(reader, subscribe(1, &[(TOPIC, subscribed)]));
    if !is_log_backwards {
        world.turn();
    }
    world.post(writer, retained(b"2", newer, 2));
    world.settle();
    let heard = world.hears(reader).into_iter();
    heard.filter_map(|line| line.split('\'').nth(1).map(str::to_owned)).collect()
}

/// A Subscription of a kept Session brings its retained messages at its commit, perhaps after a newer one came live.
#[test]
fn what_was_replaced_before_the_commit_of_a_subscription_does_not_come_after_the_newer() {
    for (older, newer, subscribed) in (0..27).map(|number| (number / 9, number / 3 % 3, number % 3)) {
        for is_log_backwards in [false, true] {
            let heard = heard_while_waiting(older, newer, subscribed, is_log_backwards);
            assert!(
                heard == ["1", "2"] || heard == ["2"],
                "{older} {newer} {subscribed} {is_log_backwards}: {heard:?}"
            );
        }
    }
}

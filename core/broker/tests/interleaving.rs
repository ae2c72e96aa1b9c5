//! A retained message is replaced by one runner while another makes a Subscription: every order of their four steps.
//!
//! The publisher replaces, then matches; the subscriber inserts its route, then reads. Whatever comes between, the newer
//! message is the last thing the subscriber hears. The steps are composed by hand from the tables themselves.

use std::sync::Arc;

use martlet_broker::{Retained, Routes, Subscriber};
use martlet_packet::QoS;
use martlet_record::{Message, MessageRef, SessionNumber, ShardId, Time};
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
            Step::Match => {
                let mail = &mut self.mail;
                self.routes.for_each_match(topic(), |_| mail.push(payload), |_| ());
            }
            Step::Insert => self.routes.insert(&self.filter, subscriber()),
            Step::Read => self.replayed = self.retained.matching(&self.filter.filter, Time::START),
        }
    }

    fn replace(&self, payload: &[u8]) {
        let message = MessageRef {
            topic: TOPIC,
            properties: &[],
            payload,
            qos: QoS::AtMostOnce,
            retain: true,
            publisher: SessionNumber::NODE,
            expires: None,
            version: 0,
        };
        self.retained.replace(topic(), &message);
    }

    fn heard(&self) -> Vec<Vec<u8>> {
        let replayed = self.replayed.iter().map(|message| message.view().payload.to_vec());
        replayed.chain(self.mail.iter().map(|payload| payload.to_vec())).collect()
    }
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

//! Random Clients and what they do, and everything that must survive of it, in words.

#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Settings, Shard};
use martlet_packet::{
    Ack, Disconnect, Packet, PropertiesBuf, Property, Publish, QoS, ReasonCode, SubscriptionOptions,
};
use martlet_record::{Body, CheckpointNumber, KeptCopy, KeptProgress, Now, Record, Time};
use martlet_simulator::{
    Client, ReadableJournal, World, connect, options, puback, pubcomp, publish_qos, pubrec, pubrel,
    subscribe_with, unsubscribe,
};
use martlet_topic::{Limits, TopicFilter, TopicName};
use proptest::prelude::*;

pub(crate) const CLIENTS: [&str; 4] = ["ann", "ben", "cat", "dan"];
const TOPICS: [&str; 5] = ["a", "a/b", "c", "$delayed/7/a/b", "$delayed/30/c"];
const FILTERS: [&str; 5] = ["a", "a/#", "+", "$share/g/a/#", "$share/g/c"];

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Connect { client: usize, clean: bool, expiry: u32, will: bool },
    Cut { client: usize },
    Leave { client: usize, expiry: Option<u32> },
    Subscribe { client: usize, filter: usize, qos: u8 },
    Unsubscribe { client: usize, filter: usize },
    Publish { client: usize, topic: usize, qos: u8, retain: bool, expiry: Option<u32>, empty: bool },
    Answer { client: usize, refuse: bool },
    Release { client: usize },
    Pass { seconds: u64 },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS.len();
    prop_oneof![
        3 => (client.clone(), any::<bool>(), prop_oneof![Just(0_u32), 1..200_u32, Just(u32::MAX)], any::<bool>())
            .prop_map(|(client, clean, expiry, will)| Step::Connect { client, clean, expiry, will }),
        1 => client.clone().prop_map(|client| Step::Cut { client }),
        1 => (client.clone(), proptest::option::of(0..50_u32))
            .prop_map(|(client, expiry)| Step::Leave { client, expiry }),
        4 => (client.clone(), 0..FILTERS.len(), 0..=2_u8)
            .prop_map(|(client, filter, qos)| Step::Subscribe { client, filter, qos }),
        1 => (client.clone(), 0..FILTERS.len())
            .prop_map(|(client, filter)| Step::Unsubscribe { client, filter }),
        8 => (client.clone(), 0..TOPICS.len(), 0..=2_u8, any::<bool>(), proptest::option::of(1..60_u32), any::<bool>())
            .prop_map(|(client, topic, qos, retain, expiry, empty)| Step::Publish {
                client, topic, qos, retain, expiry, empty,
            }),
        4 => (client.clone(), prop::bool::weighted(0.1))
            .prop_map(|(client, refuse)| Step::Answer { client, refuse }),
        2 => client.prop_map(|client| Step::Release { client }),
        2 => (1..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// Every combination of options comes up, each with the same filter and QoS always.
fn asked(filter: usize, qos: u8) -> (SubscriptionOptions, Option<u32>) {
    let options = SubscriptionOptions {
        no_local: filter == 2 && qos == 1,
        retain_as_published: (filter + usize::from(qos)).is_multiple_of(2),
        ..options(qos)
    };
    (options, (filter != 0).then_some(u32::from(qos) + 1))
}

/// Settings of a dialect with every limit small enough to be met.
pub(crate) fn narrow(dialect: Dialect) -> Settings {
    let mut settings = Settings::new(dialect);
    settings.queue.messages = 3;
    settings.queue.memory_bytes = 500;
    settings.send.in_flight = 2;
    settings.send.read_ahead.messages = 2;
    settings
}

/// A world with its Clients' own view of who is connected.
pub(crate) struct Play<J: ReadableJournal> {
    pub(crate) world: World<J>,
    pub(crate) online: [Option<Client>; CLIENTS.len()],
    /// Messages the Clients said they have, and Messages they said they do not want.
    pub(crate) had: u64,
    pub(crate) refused: u64,
    next_id: u16,
    unreleased: [Vec<u16>; CLIENTS.len()],
}

impl<J: ReadableJournal> Play<J> {
    pub(crate) fn new(world: World<J>) -> Self {
        let online = [None; CLIENTS.len()];
        Self { world, online, had: 0, refused: 0, next_id: 0, unreleased: Default::default() }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect { client, clean, expiry, will } => self.connect(client, clean, expiry, will),
            Step::Pass { seconds } => self.world.pass(seconds),
            Step::Cut { client }
            | Step::Leave { client, .. }
            | Step::Subscribe { client, .. }
            | Step::Unsubscribe { client, .. }
            | Step::Publish { client, .. }
            | Step::Answer { client, .. }
            | Step::Release { client } => {
                if let Some(peer) = self.online[client] {
                    self.act(client, peer, step);
                }
            }
        }
        self.look_around();
    }

    /// Whoever was closed by the node is gone.
    pub(crate) fn look_around(&mut self) {
        for online in &mut self.online {
            *online = online.filter(|peer| !self.world.is_closed(*peer));
        }
    }

    fn connect(&mut self, client: usize, clean: bool, expiry: u32, will: bool) {
        let mut connecting = connect(CLIENTS[client]).keep_alive(0).kept(expiry);
        connecting.clean_start = clean;
        if will {
            connecting = connecting.will("a/b", b"gone", QoS::AtLeastOnce, false, 10);
        }
        if clean {
            self.unreleased[client].clear();
        }
        self.online[client] = Some(self.world.join(connecting));
    }

    fn act(&mut self, client: usize, peer: Client, step: &Step) {
        self.next_id = self.next_id % 1000 + 1;
        match *step {
            Step::Cut { .. } => {
                self.world.cut(peer);
                self.online[client] = None;
            }
            Step::Leave { expiry, .. } => {
                let mut properties = PropertiesBuf::default();
                if let Some(expiry) = expiry {
                    properties.push(Property::SessionExpiryInterval(expiry));
                }
                let properties = properties.as_properties();
                let leave = Disconnect { reason: ReasonCode::NormalDisconnection, properties };
                self.world.send(peer, Packet::Disconnect(leave));
            }
            Step::Subscribe { filter, qos, .. } => {
                let (options, subscription_id) = asked(filter, qos);
                let subscribe = subscribe_with(self.next_id, &[(FILTERS[filter], options)], subscription_id);
                self.world.send(peer, subscribe);
            }
            Step::Unsubscribe { filter, .. } => {
                self.world.send(peer, unsubscribe(self.next_id, &[FILTERS[filter]]));
            }
            Step::Publish { topic, qos, retain, expiry, empty, .. } => {
                let payload: &[u8] = if empty { b"" } else { b"text" };
                let Packet::Publish(message) = publish_qos(TOPICS[topic], payload, qos, self.next_id) else {
                    unreachable!()
                };
                let message = Publish { retain, message_expiry: expiry, ..message };
                self.world.send(peer, Packet::Publish(message));
                if qos == 2 {
                    self.unreleased[client].push(self.next_id);
                }
            }
            Step::Answer { refuse, .. } => self.answer(peer, refuse),
            Step::Release { .. } => {
                for id in std::mem::take(&mut self.unreleased[client]) {
                    self.world.send(peer, pubrel(id));
                }
            }
            Step::Connect { .. } | Step::Pass { .. } => {}
        }
    }

    /// Answers everything heard, one step of its flow each.
    fn answer(&mut self, peer: Client, refuse: bool) {
        for line in self.world.hears(peer) {
            let words: Vec<&str> = line.split(' ').collect();
            let id = |word: &str| word.trim_start_matches('#').parse::<u16>().expect("an identifier");
            let answer = match words[..] {
                ["PUBLISH", _, "q1", number, ..] => puback(id(number)),
                ["PUBLISH", _, "q2", number, ..] => pubrec(id(number)),
                ["PUBREL", number, ..] => pubcomp(id(number)),
                _ => continue,
            };
            let answer = match answer {
                Packet::PubAck(ack) if refuse => {
                    Packet::PubAck(Ack { reason: ReasonCode::NotAuthorized, ..ack })
                }
                answer => answer,
            };
            if self.world.is_closed(peer) {
                return;
            }
            match answer {
                Packet::PubAck(_) if refuse => self.refused += 1,
                Packet::PubAck(_) | Packet::PubComp(_) => self.had += 1,
                _ => {}
            }
            self.world.send(peer, answer);
        }
    }
}

/// The lines of [`Shard::durable_state`] of all shards.
pub(crate) fn durable_state(shards: &[Shard]) -> Vec<String> {
    shards.iter().flat_map(Shard::durable_state).collect()
}

/// All retained messages, with their versions.
pub(crate) fn retained(node: &Node) -> Vec<(String, Vec<u8>, u64)> {
    let all = TopicFilter::parse("#", &Limits::default()).expect("a legal filter");
    let found = node.retained.matching(&all, Time::START);
    found.iter().map(|m| (m.topic().to_owned(), m.view().payload.to_vec(), m.version)).collect()
}

/// Everything that must survive, to the last detail: what the shards would write down for a checkpoint, and who gets what
/// is published. No checkpoint can follow.
pub(crate) fn everything(node: &Node, shards: &mut [Shard]) -> Vec<String> {
    let mut lines: Vec<_> = shards.iter_mut().flat_map(written_down).collect();
    lines.extend(["a", "a/b", "a/b/c", "c"].map(|topic| routes(node, topic)));
    lines.sort();
    lines
}

fn written_down(shard: &mut Shard) -> Vec<String> {
    shard.write_down(CheckpointNumber(u64::MAX), usize::MAX, Now::default(), &mut Outbox::default());
    let records = shard.take_batch(Now::default()).map(|batch| batch.records).unwrap_or_default();
    records.into_iter().filter_map(in_words).collect()
}

fn in_words(record: Record) -> Option<String> {
    match record {
        // Where the log was then, how long a Client had been gone, numbers of Sessions that the log never heard of: those
        // are not the same.
        Record::Kept(mut kept) => {
            kept.entered = martlet_record::Position(0);
            kept.absent = kept.absent.map(|_| 0);
            Some(format!("{kept:?}"))
        }
        Record::Snapshotted { delayed, .. } => (delayed > 0).then(|| format!("{delayed} delayed so far")),
        Record::KeptCopies { session, copies } => {
            let copies: Vec<_> = copies.iter().map(copy_in_words).collect();
            (!copies.is_empty()).then(|| format!("copies of {session:?}: {}", copies.join(" ")))
        }
        Record::Retained { topic, version, body: Some(body) } => {
            Some(format!("retained {topic} {version} {}", body_in_words(&body)))
        }
        // Deletions are remembered from one checkpoint to the next.
        Record::Retained { body: None, .. } => None,
        Record::Delayed(delayed) => {
            Some(format!("delayed {:?} {:?} {}", delayed.number, delayed.due, body_in_words(&delayed.body)))
        }
        other => panic!("no part of a checkpoint: {other:?}"),
    }
}

fn copy_in_words(copy: &KeptCopy) -> String {
    let KeptCopy { ordinal, progress, body, qos, retain, subscription_ids, share } = copy;
    let body = body.as_ref().map(body_in_words);
    let share = share.as_ref().map(ToString::to_string);
    // After a restart a QoS 2 copy may be taken for sent that was not.
    let progress = match progress {
        KeptProgress::Queued | KeptProgress::Sent if *qos == QoS::ExactlyOnce => "not received".to_owned(),
        progress => format!("{progress:?}"),
    };
    format!("({ordinal:?} {progress} {body:?} {qos:?} {retain} {subscription_ids:?} {share:?})")
}

fn body_in_words(body: &Body) -> String {
    match (body.stored(), body.held()) {
        (Some(stored), _) => format!("{stored:?}"),
        (None, Some(message)) => format!("{:?}", message.view()),
        (None, None) => unreachable!("a body is held or stored"),
    }
}

fn routes(node: &Node, topic: &str) -> String {
    let name = TopicName::parse(topic, &Limits::default()).expect("a legal name");
    let (mut alone, mut shared) = (Vec::new(), Vec::new());
    node.routes.for_each_match(
        name,
        |one| alone.push((one.session, one.qos, one.persistent)),
        |group| {
            let members = group.members().iter().map(|member| member.subscriber.session);
            shared.extend(members.map(|session| (session, group.filter.to_string())));
        },
    );
    alone.sort();
    shared.sort();
    format!("{topic} goes to {alone:?} and to one of {shared:?}")
}

/// What only one of two states says.
pub(crate) fn difference(one: &[String], other: &[String]) -> Vec<String> {
    let only = |these: &[String], those: &[String], mark: &str| {
        let lines = these.iter().filter(|line| !those.contains(line));
        lines.map(|line| format!("{mark} {line}")).collect::<Vec<_>>()
    };
    [only(one, other, "first:"), only(other, one, "second:")].concat()
}

/// The same, of a node that was started for the purpose.
pub(crate) fn everything_of((node, mut shards): (Arc<Node>, Vec<Shard>)) -> Vec<String> {
    everything(&node, &mut shards)
}

//! The fold never decides again: after every commit, replaying the journal gives the live state.

use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery, Settings, Shard};
use martlet_packet::{Disconnect, Packet, PropertiesBuf, Property, Publish, QoS, ReasonCode};
use martlet_record::{MemoryJournal, Time};
use martlet_session::Overflow;
use martlet_simulator::{
    Client, World, connect, puback, pubcomp, publish_qos, pubrec, pubrel, subscribe, unsubscribe,
};
use martlet_topic::{Limits, TopicFilter};
use proptest::prelude::*;

const CLIENTS: [&str; 4] = ["ann", "ben", "cat", "dan"];
const TOPICS: [&str; 3] = ["a", "a/b", "c"];
const FILTERS: [&str; 5] = ["a", "a/#", "+", "$share/g/a/#", "$share/g/c"];

#[derive(Debug, Clone)]
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
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

/// A world with its Clients' own view of who is connected.
struct Play {
    world: World,
    online: [Option<Client>; CLIENTS.len()],
    next_id: u16,
    unreleased: [Vec<u16>; CLIENTS.len()],
}

impl Play {
    fn new(overflow: Overflow) -> Self {
        let mut settings = Settings::new(Dialect::NATIVE);
        settings.queue.messages = 3;
        settings.queue.overflow = overflow;
        settings.send.in_flight = 2;
        let world = World::with_journal(settings, MemoryJournal::new().remembering());
        Self { world, online: [None; CLIENTS.len()], next_id: 0, unreleased: Default::default() }
    }

    fn take(&mut self, step: &Step) {
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
        for client in 0..CLIENTS.len() {
            // Whoever was closed by the node is gone.
            let closed = self.online[client].is_some_and(|peer| self.world.is_closed(peer));
            if closed {
                self.online[client] = None;
            }
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
                self.world.send(peer, subscribe(self.next_id, &[(FILTERS[filter], qos)]));
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
                    Packet::PubAck(martlet_packet::Ack { reason: ReasonCode::NotAuthorized, ..ack })
                }
                answer => answer,
            };
            self.world.send(peer, answer);
        }
    }

    /// What the live node would lose by dying now, and what its journal gives back.
    fn compare(&mut self) {
        let node = Arc::new(Node::new(self.world.node.settings.clone(), 42));
        let mut recovery = Recovery::new(Arc::clone(&node));
        self.world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
        let live: Vec<_> = self.world.shards().iter().flat_map(Shard::durable_state).collect();
        let folded: Vec<_> = recovery.shards().iter().flat_map(Shard::durable_state).collect();
        assert_eq!(folded, live);
        recovery.finish(self.world.now(), &mut Outbox::default());
        assert_eq!(retained(&node), retained(&self.world.node));
    }
}

fn retained(node: &Node) -> Vec<(String, Vec<u8>, u64)> {
    let all = TopicFilter::parse("#", &Limits::default()).expect("a legal filter");
    let found = node.retained.matching(&all, Time::START);
    found.iter().map(|m| (m.topic().to_owned(), m.view().payload.to_vec(), m.version)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_gives_back_the_live_state_after_every_step(
        steps in prop::collection::vec(step(), 1..60),
        oldest in any::<bool>(),
    ) {
        let mut play = Play::new(if oldest { Overflow::DropOldest } else { Overflow::DropNewest });
        for step in &steps {
            play.take(step);
            play.compare();
        }
        prop_assert!(play.world.counters().ledger.is_balanced(), "{:?}", play.world.counters().ledger);
    }
}

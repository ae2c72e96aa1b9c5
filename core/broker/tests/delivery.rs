//! Whatever comes between: every Message reaches whoever was promised it, in its order, and with QoS 2 once.
//!
//! Steps of random Clients are interleaved with the turns of a slow log, which holds what memory does not. Two readers watch: one that is kept and
//! comes back again and again, and one that is not kept and never leaves. Others come and go beside them, so that
//! Messages are journaled at one time and not at another.

use std::collections::{BTreeMap, BTreeSet};

use martlet_broker::{Dialect, Settings};
use martlet_packet::Property;
use martlet_simulator::{
    Client, MemoryLog, World, connect, puback, pubcomp, publish_qos, pubrec, pubrel, subscribe, unsubscribe,
};
use proptest::prelude::*;

const TOPICS: [&str; 2] = ["t/a", "t/b"];
/// What the kept reader asks for, and the other: so that the second topic is journaled only for those who pass by.
const READERS: [&str; 2] = ["t/a", "t/+"];
const PUBLISHERS: usize = 2;
const PASSERS_BY: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Publish {
        publisher: usize,
        topic: usize,
        qos: u8,
    },
    Turn,
    Read {
        reader: usize,
    },
    /// The kept reader's Network Connection breaks, or is taken over, and it comes back.
    ComeBack {
        cut: bool,
        receive_maximum: u16,
        expiry: u32,
    },
    /// Somebody else is there, kept or not.
    PassBy {
        who: usize,
        expiry: u32,
        cut: bool,
    },
    Subscribe {
        who: usize,
        qos: u8,
    },
    Unsubscribe {
        who: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PASSERS_BY;
    prop_oneof![
        8 => (0..PUBLISHERS, 0..TOPICS.len(), 1..=2_u8)
            .prop_map(|(publisher, topic, qos)| Step::Publish { publisher, topic, qos }),
        8 => Just(Step::Turn),
        4 => (0..2_usize).prop_map(|reader| Step::Read { reader }),
        1 => (any::<bool>(), 1..5_u16, 1..4000_u32)
            .prop_map(|(cut, receive_maximum, expiry)| Step::ComeBack { cut, receive_maximum, expiry }),
        1 => (who.clone(), prop_oneof![Just(0_u32), Just(3600)], any::<bool>())
            .prop_map(|(who, expiry, cut)| Step::PassBy { who, expiry, cut }),
        2 => (who.clone(), 0..=2_u8).prop_map(|(who, qos)| Step::Subscribe { who, qos }),
        1 => who.prop_map(|who| Step::Unsubscribe { who }),
    ]
}

/// A subscriber by the book, with what it knows of its Session.
struct Reader {
    client: Client,
    /// QoS 2 Packet Identifiers it answered with PUBREC and not yet with PUBCOMP.
    unreleased: BTreeSet<u16>,
    /// Payloads by publisher, topic and QoS, in the order they came first.
    had: BTreeMap<String, Vec<u32>>,
}

impl Reader {
    fn new(client: Client) -> Self {
        Self { client, unreleased: BTreeSet::new(), had: BTreeMap::new() }
    }

    /// Reads and answers what came; false when nothing did.
    fn read(&mut self, world: &mut World<MemoryLog>) -> bool {
        let heard = world.hears(self.client);
        for line in heard.iter().filter(|line| line.starts_with("PUB")) {
            let mut words = line.split([' ', '#']).filter(|word| !word.is_empty());
            match (words.next(), words.next(), words.next()) {
                (Some("PUBREL"), Some(id), _) => {
                    let id = id.parse().expect("an identifier");
                    self.unreleased.remove(&id);
                    world.post(self.client, pubcomp(id));
                }
                (Some("PUBLISH"), Some(topic), Some(qos)) => {
                    let id = words.next().and_then(|id| id.parse().ok()).expect("an identifier");
                    let payload = line.split('\'').nth(1).expect("a payload");
                    self.receive(world, topic, qos, id, line.contains(" dup "), payload);
                }
                _ => {}
            }
        }
        !heard.is_empty()
    }

    fn receive(
        &mut self,
        world: &mut World<MemoryLog>,
        topic: &str,
        qos: &str,
        id: u16,
        dup: bool,
        payload: &str,
    ) {
        let is_known = if qos == "q2" {
            world.post(self.client, pubrec(id));
            !self.unreleased.insert(id)
        } else {
            world.post(self.client, puback(id));
            false
        };
        let (publisher, number) = payload.split_once(' ').expect("publisher and number");
        let number = number.parse().expect("a number");
        let had = self.had.entry(format!("{publisher} {topic} {qos}")).or_default();
        if is_known {
            assert!(had.contains(&number), "identifier {id} means another Message now");
        } else if qos == "q1" && had.contains(&number) {
            assert!(dup, "{topic} {number} came twice, the second time without DUP");
        } else {
            had.push(number);
        }
    }
}

/// A publisher by the book, with what it sent.
struct Publisher {
    client: Client,
    next_id: u16,
    sent: BTreeMap<String, Vec<u32>>,
}

impl Publisher {
    fn publish(&mut self, world: &mut World<MemoryLog>, name: usize, topic: &str, qos: u8) {
        let number = u32::from(self.next_id);
        world.post(self.client, publish_qos(topic, format!("{name} {number}").as_bytes(), qos, self.next_id));
        self.sent.entry(format!("{name} {topic} q{qos}")).or_default().push(number);
        self.next_id += 1;
    }

    fn release(&self, world: &mut World<MemoryLog>) {
        for line in world.hears(self.client) {
            assert!(!line.starts_with("DISCONNECT"), "{line}");
            if let Some(id) = line.strip_prefix("PUBREC ") {
                let id = id.split(' ').next().and_then(|id| id.parse().ok()).expect("an identifier");
                world.post(self.client, pubrel(id));
            }
        }
    }
}

struct Play {
    world: World<MemoryLog>,
    readers: [Reader; 2],
    publishers: [Publisher; PUBLISHERS],
    passers_by: [Option<Client>; PASSERS_BY],
}

impl Play {
    fn new(delay: u64, reads: usize, kept_publisher: bool) -> Self {
        let mut settings = Settings::new(Dialect::NATIVE);
        settings.queue.memory_bytes = 1_000;
        settings.send.read_ahead.messages = 3;
        let mut world = World::logged(settings, delay);
        world.read_slowly(reads);
        let readers = [connect("kept").kept(3600), connect("volatile")];
        let readers = std::array::from_fn(|place| {
            let client = world.join(readers[place].clone().keep_alive(0));
            world.send(client, subscribe(1, &[(READERS[place], 2)]));
            Reader::new(client)
        });
        let expiries = [if kept_publisher { 3600 } else { 0 }, 0];
        let publishers = [0, 1].map(|name| {
            let client = world.join(connect(&format!("publisher-{name}")).kept(expiries[name]).keep_alive(0));
            Publisher { client, next_id: 1, sent: BTreeMap::new() }
        });
        world.hush();
        Self { world, readers, publishers, passers_by: [None; PASSERS_BY] }
    }

    fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match *step {
            Step::Publish { publisher, topic, qos } => {
                self.publishers[publisher].publish(world, publisher, TOPICS[topic], qos);
            }
            Step::Turn => {
                world.turn();
                self.publishers.iter().for_each(|publisher| publisher.release(world));
            }
            Step::Read { reader } => {
                self.readers[reader].read(world);
            }
            Step::ComeBack { cut, receive_maximum, expiry } => {
                let reader = &mut self.readers[0];
                reader.read(world);
                if cut {
                    world.break_off(reader.client);
                }
                let connecting = connect("kept").kept(expiry).keep_alive(0);
                reader.client = world.dial(connecting.with(&Property::ReceiveMaximum(receive_maximum)));
            }
            Step::PassBy { who, expiry, cut } => {
                if let Some(client) = self.passers_by[who].filter(|_| cut) {
                    world.break_off(client);
                }
                let connecting = connect(&format!("passer-by-{who}")).kept(expiry).keep_alive(0);
                self.passers_by[who] = Some(world.dial(connecting));
            }
            Step::Subscribe { who, qos } => {
                if let Some(client) = self.passers_by[who] {
                    world.post(client, subscribe(1, &[("t/b", qos), ("$share/g/t/+", qos)]));
                }
            }
            Step::Unsubscribe { who } => {
                if let Some(client) = self.passers_by[who] {
                    world.post(client, unsubscribe(2, &["t/b", "$share/g/t/+"]));
                }
            }
        }
    }

    /// Lets everything come to its end.
    fn finish(&mut self) {
        let world = &mut self.world;
        loop {
            world.settle();
            self.publishers.iter().for_each(|publisher| publisher.release(world));
            let mut something = false;
            for reader in &mut self.readers {
                something |= reader.read(world);
            }
            if !something {
                return world.settle();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// [MQTT-4.5.0-1] [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT-4.3.3-10]
    #[test]
    fn everything_arrives_in_order_and_with_qos_2_once(
        steps in prop::collection::vec(step(), 0..120),
        delay in 1..12_u64,
        reads in 0..4_usize,
        kept_publisher in any::<bool>(),
    ) {
        let mut play = Play::new(delay, reads, kept_publisher);
        steps.iter().for_each(|step| play.take(step));
        play.finish();
        let sent: BTreeMap<_, _> = play.publishers.iter().flat_map(|publisher| publisher.sent.clone()).collect();
        prop_assert_eq!(&play.readers[1].had, &sent);
        let of_the_first: BTreeMap<_, _> = sent.into_iter().filter(|(key, _)| key.contains(READERS[0])).collect();
        prop_assert_eq!(&play.readers[0].had, &of_the_first);
    }
}

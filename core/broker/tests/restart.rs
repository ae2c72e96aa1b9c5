//! A node that dies at any moment, with all that was not in its log: Clients that go by the book lose nothing they were
//! promised, keep their order, and get what was sent with QoS 2 once.

use std::collections::{BTreeMap, BTreeSet};

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish};
use martlet_session::ReadAhead;
use martlet_simulator::{
    Client, MemoryLog, World, connect, puback, pubcomp, publish_qos, pubrec, pubrel, subscribe,
};
use proptest::prelude::*;

const PUBLISHERS: usize = 2;
/// One alone, and two that share.
const READERS: [&str; 3] = ["alone", "shared-1", "shared-2"];
const FILTERS: [&str; 3] = ["t", "$share/g/s", "$share/g/s"];

#[derive(Debug, Clone)]
enum Step {
    Publish { publisher: usize, shared: bool, qos: u8 },
    Turns { count: usize },
    Read { reader: usize },
    Leave { reader: usize },
    ComeBack { reader: usize, receive_maximum: u16 },
    Checkpoint,
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    let reader = 0..READERS.len();
    prop_oneof![
        8 => (0..PUBLISHERS, any::<bool>(), 1..=2_u8)
            .prop_map(|(publisher, shared, qos)| Step::Publish { publisher, shared, qos }),
        8 => (1..4_usize).prop_map(|count| Step::Turns { count }),
        4 => reader.clone().prop_map(|reader| Step::Read { reader }),
        1 => reader.clone().prop_map(|reader| Step::Leave { reader }),
        2 => (reader, 1..5_u16).prop_map(|(reader, receive_maximum)| Step::ComeBack { reader, receive_maximum }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Die),
    ]
}

/// What a line says: the packet, its identifier, and of a PUBLISH its QoS and payload.
fn words(line: &str) -> Option<(&str, u16, &str, &str)> {
    let mut words = line.split(' ');
    let packet = words.next()?;
    if packet != "PUBLISH" {
        let id = words.next()?.parse().ok()?;
        return Some((packet, id, "", ""));
    }
    let (qos, id) = (words.nth(1)?, words.next()?.strip_prefix('#')?.parse().ok()?);
    Some((packet, id, qos, line.split('\'').nth(1)?))
}

/// A publisher that sends again what is not finished, in its order [MQTT-4.4.0-1], and uses each identifier again as soon
/// as it may.
struct Publisher {
    client: Client,
    name: usize,
    count: u32,
    unfinished: Vec<(u16, Unfinished)>,
    /// Payloads by topic and QoS.
    sent: BTreeMap<(bool, u8), Vec<String>>,
}

enum Unfinished {
    Published { shared: bool, qos: u8, payload: String },
    Released,
}

impl Publisher {
    fn new(world: &mut World<MemoryLog>, name: usize) -> Self {
        let client = Self::dial(world, name);
        world.settle();
        Self { client, name, count: 0, unfinished: Vec::new(), sent: BTreeMap::new() }
    }

    fn dial(world: &mut World<MemoryLog>, name: usize) -> Client {
        world.dial(connect(&format!("publisher-{name}")).kept(3600).keep_alive(0))
    }

    fn publish(&mut self, world: &mut World<MemoryLog>, shared: bool, qos: u8) {
        self.count += 1;
        let payload = format!("{} {}", self.name, self.count);
        self.sent.entry((shared, qos)).or_default().push(payload.clone());
        let is_free = |id: &u16| self.unfinished.iter().all(|(used, _)| used != id);
        let id = (1..).find(is_free).expect("there are not so many");
        self.unfinished.push((id, Unfinished::Published { shared, qos, payload }));
        self.send(world, self.unfinished.len() - 1, false);
    }

    fn send(&self, world: &mut World<MemoryLog>, place: usize, dup: bool) {
        let (id, unfinished) = &self.unfinished[place];
        match unfinished {
            Unfinished::Released => world.post(self.client, pubrel(*id)),
            Unfinished::Published { shared, qos, payload } => {
                let topic = if *shared { "s" } else { "t" };
                let Packet::Publish(publish) = publish_qos(topic, payload.as_bytes(), *qos, *id) else {
                    return;
                };
                world.post(self.client, Packet::Publish(Publish { dup, ..publish }));
            }
        }
    }

    /// Takes the answers that came.
    fn read(&mut self, world: &mut World<MemoryLog>) {
        for line in world.hears(self.client) {
            let Some((packet, id, ..)) = words(&line) else { continue };
            let Some(place) = self.unfinished.iter().position(|(used, _)| *used == id) else { continue };
            match packet {
                "PUBACK" | "PUBCOMP" => drop(self.unfinished.remove(place)),
                "PUBREC" => {
                    self.unfinished[place].1 = Unfinished::Released;
                    self.send(world, place, false);
                }
                _ => {}
            }
        }
    }

    fn come_back(&mut self, world: &mut World<MemoryLog>) {
        self.read(world);
        self.client = Self::dial(world, self.name);
        (0..self.unfinished.len()).for_each(|place| self.send(world, place, true));
    }
}

/// A reader that answers what it reads, and knows a QoS 2 Message by its identifier until that is released.
struct Reader {
    name: usize,
    client: Option<Client>,
    unreleased: BTreeSet<u16>,
    /// Payloads by QoS, in the order they came first.
    had: BTreeMap<u8, Vec<String>>,
}

impl Reader {
    fn new(world: &mut World<MemoryLog>, name: usize) -> Self {
        let mut reader = Self { name, client: None, unreleased: BTreeSet::new(), had: BTreeMap::new() };
        reader.come_back(world, 10);
        if let Some(client) = reader.client {
            world.post(client, subscribe(1, &[(FILTERS[name], 2)]));
        }
        world.settle();
        reader
    }

    fn come_back(&mut self, world: &mut World<MemoryLog>, receive_maximum: u16) {
        self.read(world);
        let connecting = connect(READERS[self.name]).kept(3600).keep_alive(0);
        self.client = Some(world.dial(connecting.with(&Property::ReceiveMaximum(receive_maximum))));
    }

    /// Reads and answers what came; false when nothing did.
    fn read(&mut self, world: &mut World<MemoryLog>) -> bool {
        let Some(client) = self.client else { return false };
        let lines = world.hears(client);
        for (packet, id, qos, payload) in lines.iter().filter_map(|line| words(line)) {
            match (packet, qos) {
                ("PUBREL", _) => {
                    self.unreleased.remove(&id);
                    world.post(client, pubcomp(id));
                }
                ("PUBLISH", "q1") => {
                    let had = self.had.entry(1).or_default();
                    if !had.iter().any(|other| other == payload) {
                        had.push(payload.to_owned());
                    }
                    world.post(client, puback(id));
                }
                ("PUBLISH", _) => {
                    if self.unreleased.insert(id) {
                        self.had.entry(2).or_default().push(payload.to_owned());
                    }
                    world.post(client, pubrec(id));
                }
                _ => {}
            }
        }
        lines.iter().any(|line| line != "closed")
    }

    /// What it had of a publisher, with one QoS.
    fn had_of(&self, publisher: usize, qos: u8) -> Vec<String> {
        let is_its = |payload: &&String| payload.starts_with(&format!("{publisher} "));
        self.had.get(&qos).into_iter().flatten().filter(is_its).cloned().collect()
    }
}

struct Play {
    world: World<MemoryLog>,
    publishers: Vec<Publisher>,
    readers: Vec<Reader>,
}

impl Play {
    fn new(delay: u64, reads: usize) -> Self {
        let mut settings = Settings::new(Dialect::NATIVE);
        settings.queue.memory_bytes = 1_000;
        settings.send.read_ahead = ReadAhead { messages: 3, bytes: 10_000 };
        let mut world = World::logged(settings, delay);
        world.read_slowly(reads);
        let readers = (0..READERS.len()).map(|name| Reader::new(&mut world, name)).collect();
        let publishers = (0..PUBLISHERS).map(|name| Publisher::new(&mut world, name)).collect();
        Self { world, publishers, readers }
    }

    fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match *step {
            Step::Publish { publisher, shared, qos } => {
                self.publishers[publisher].publish(world, shared, qos)
            }
            Step::Turns { count } => {
                world.turns(count);
                self.publishers.iter_mut().for_each(|publisher| publisher.read(world));
            }
            Step::Read { reader } => {
                self.readers[reader].read(world);
            }
            Step::Leave { reader } => {
                let reader = &mut self.readers[reader];
                reader.read(world);
                reader.client.take().into_iter().for_each(|client| world.break_off(client));
            }
            Step::ComeBack { reader, receive_maximum } => {
                self.readers[reader].come_back(world, receive_maximum);
            }
            Step::Checkpoint => world.journal().begin_checkpoint(),
            Step::Die => self.die(),
        }
    }

    /// The node dies and starts again; who was there comes back.
    fn die(&mut self) {
        let world = &mut self.world;
        world.crash();
        self.publishers.iter_mut().for_each(|publisher| publisher.come_back(world));
        for reader in self.readers.iter_mut().filter(|reader| reader.client.is_some()) {
            reader.come_back(world, 10);
        }
    }

    /// Everybody is there until nobody hears anything more.
    fn finish(&mut self) {
        let world = &mut self.world;
        self.readers.iter_mut().for_each(|reader| reader.come_back(world, 10));
        let mut something = true;
        while something {
            world.settle();
            self.publishers.iter_mut().for_each(|publisher| publisher.read(world));
            something =
                self.readers.iter_mut().filter_map(|reader| reader.read(world).then_some(())).count() > 0;
        }
        world.settle();
    }

    fn check(&self) {
        for Publisher { name, sent, unfinished, .. } in &self.publishers {
            assert!(unfinished.is_empty(), "publisher {name} waits for an answer");
            for qos in [1, 2] {
                let of = |shared| sent.get(&(shared, qos)).cloned().unwrap_or_default();
                assert_eq!(self.readers[0].had_of(*name, qos), of(false), "publisher {name}, QoS {qos}");
                let mut shared: Vec<_> =
                    self.readers[1..].iter().flat_map(|reader| reader.had_of(*name, qos)).collect();
                shared.sort_by_key(|payload| of(true).iter().position(|sent| sent == payload));
                if qos == 1 {
                    shared.dedup();
                }
                assert_eq!(shared, of(true), "shared, publisher {name}, QoS {qos}");
            }
        }
        assert_eq!((self.world.counters().ledger.stored, self.world.counters().ledger.in_flight), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// [MQTT-4.4.0-1] [MQTT-4.6.0-5] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-10]
    #[test]
    fn nothing_that_was_promised_dies_with_the_node(
        steps in prop::collection::vec(step(), 0..150),
        delay in 1..8_u64,
        reads in 0..3_usize,
    ) {
        let mut play = Play::new(delay, reads);
        steps.iter().for_each(|step| play.take(step));
        play.finish();
        play.check();
    }
}

//! A whole broker over the real log: Clients do what they like, and then the power fails.
//!
//! Besides what holds for every life: what a recovered node knows is what the fold of every batch from the very first on
//! knows, checkpoints or not; and no Client was told of anything that is not there any more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery, Settings, Shard};
use martlet_packet::{Packet, Publish, QoS, ReasonCode};
use martlet_record::{
    Batch, CheckpointNumber, Completion, Damaged, Journal, Message, Now, Position, Record, Room, Stored,
};
use martlet_session::Overflow;
use martlet_simulator::{
    Client, ReadableJournal, World, connect, disconnect, puback, puback_of, pubcomp, publish_qos, pubrec,
    pubrel, subscribe, unsubscribe,
};

use crate::books::{Books, Commit};
use crate::history::{Failure, Plan};
use crate::life::{End, Ended, Life, Recovered, recover};
use crate::process::Driver;
use crate::{Chance, Disk};

const CLIENTS: [&str; 4] = ["ann", "ben", "cat", "dan"];
const TOPICS: [&str; 4] = ["a", "a/b", "c", "$delayed/7/a/b"];
const FILTERS: [&str; 5] = ["a", "a/#", "+", "$share/g/a/#", "$share/g/c"];
/// Bytes of a payload that is written in parts.
const LONG_BYTES: usize = 1500;
/// The seed of every node: what it chooses by chance is chosen alike again.
const NODE: u64 = 42;

/// Lives the history of this seed with a broker; gives back how many ends it had. `tick` hears of each.
pub fn broker_history(seed: u64, plan: &Plan, tick: &mut dyn FnMut()) -> Result<usize, Failure> {
    let mut chance = Chance::of(seed, 1);
    let settings = narrow(&mut chance);
    let (mut disk, mut contents, mut past) = (Disk::default(), BTreeMap::new(), Vec::new());
    let mut now = Now::at_millis(1000);
    let mut ends = 0;
    for life in 0..plan.lives {
        let failed = |step, end, broken, commits| Failure { seed, life, step, end, broken, commits };
        let found = recover(&disk, &chance).map_err(|broken| failed(0, End::Kill, broken, Vec::new()))?;
        let mut play = Play::new(&settings, disk, found, contents, now, Chance::new(chance.number()));
        for _ in 0..=chance.below(plan.turns) {
            if plan.has_faults {
                play.change_faults();
            }
            play.turn();
        }
        if chance.once_in(2) {
            play.rest();
        }
        let (over, told) = play.into_life();
        let expected = Expected::new(&settings, &past, &over);
        let mut also = |found: &Recovered, end, step, commits| {
            expected.check(&settings, found, commits)?;
            told.check(end, step, &over, commits)
        };
        let mut count = || {
            ends += 1;
            tick();
        };
        let next = over
            .end_in_many_ways(plan.cuts, &mut chance, &mut also, &mut count)
            .map_err(|(step, end, broken)| failed(step, end, broken, over.commits.clone()))?;
        let Some(Ended { commits, left, .. }) = next else { break };
        contents = over.contents_of(commits);
        past.extend(
            over.commits[..commits].iter().map(|commit| (Arc::clone(&commit.batch), commit.position)),
        );
        disk = left;
        now = Now::at_millis(over.now.time.as_millis() + chance.below(5000));
    }
    Ok(ends)
}

/// Every limit is small enough to be met.
fn narrow(chance: &mut Chance) -> Settings {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.queue.messages = 5;
    settings.queue.memory_bytes = 500;
    settings.queue.overflow = *chance.one_of(&[Overflow::Spill, Overflow::DropOldest, Overflow::DropNewest]);
    settings.send.in_flight = 2;
    settings.send.read_ahead.messages = 2;
    settings
}

/// The real log as the journal of a world.
struct LogJournal {
    driver: Driver,
    chance: Chance,
}

impl Journal for LogJournal {
    fn submit(&mut self, batch: Batch) {
        self.driver.reach(batch.at);
        self.driver.submit(batch);
    }

    fn completed(&mut self) -> Vec<Completion> {
        let millis = *self.chance.one_of(&[0, 1, 30]);
        self.driver.pass(millis);
        if self.chance.once_in(2) {
            self.driver.run_job(self.chance.once_in(2));
        }
        self.driver.step()
    }

    fn room(&self) -> Room {
        self.driver.log().room()
    }

    fn is_idle(&self) -> bool {
        self.driver.log().is_idle()
    }

    fn checkpoint(&self) -> Option<CheckpointNumber> {
        self.driver.log().checkpoint()
    }
}

impl ReadableJournal for LogJournal {
    fn read(&mut self, stored: Stored, now: Now) -> Option<Arc<Message>> {
        self.driver.log().read(&[stored], now).pop()?.ok().map(Arc::new)
    }
}

/// What Clients were told, and when.
#[derive(Default)]
struct Told {
    /// Payloads of acknowledged Messages, with the steps of the disk before.
    acknowledged: Vec<(usize, Vec<u8>)>,
}

/// Clients at a world.
struct Play {
    world: World<LogJournal>,
    chance: Chance,
    online: [Option<Client>; CLIENTS.len()],
    /// Packets heard and not yet looked at.
    heard: [Vec<String>; CLIENTS.len()],
    unreleased: [Vec<u16>; CLIENTS.len()],
    /// Payloads by the identifiers they were published with.
    published: HashMap<(usize, u16), Vec<u8>>,
    count: u16,
    told: Told,
}

impl Play {
    fn new(
        settings: &Settings,
        began: Disk,
        found: Recovered,
        contents: BTreeMap<martlet_record::Place, Arc<Message>>,
        now: Now,
        mut chance: Chance,
    ) -> Self {
        let node = Arc::new(Node::new(settings.clone(), NODE));
        let recovery = fold(&node, &found, now).expect("it was folded before");
        let mut out = Outbox::default();
        let mut shards = recovery.finish(now, &mut out);
        let books = Books::new(found.files.clone(), began, found.model.clone(), contents);
        let driver = Driver::new(found, books, now);
        let mut journal = LogJournal { driver, chance: Chance::new(chance.number()) };
        for shard in out.journaling {
            shards[shard.index()].take_batch(now).into_iter().for_each(|batch| journal.submit(batch));
        }
        let mut world = World::restarted_with_journal(node, shards, journal);
        world.be_impatient(1);
        world.pass_millis(now.time.as_millis() - world.now().time.as_millis());
        Self {
            world,
            chance,
            online: [None; CLIENTS.len()],
            heard: Default::default(),
            unreleased: Default::default(),
            published: HashMap::new(),
            count: 0,
            told: Told::default(),
        }
    }

    /// Some Clients act, in one turn of the node or in several.
    fn turn(&mut self) {
        for _ in 0..=self.chance.below(3) {
            let client = self.chance.index(CLIENTS.len());
            match self.online[client] {
                Some(peer) => self.act(client, peer),
                None => self.come(client),
            }
        }
        if self.chance.once_in(20) {
            self.world.journal().driver.request_checkpoint();
        }
        if self.chance.once_in(6) {
            let millis = *self.chance.one_of(&[10, 1000, 9000]);
            self.world.pass_millis(millis);
        } else {
            self.world.settle();
        }
        self.listen();
    }

    /// The disk fills up or breaks, and the node hears of it.
    fn change_faults(&mut self) {
        self.world.journal().driver.change_faults(&mut self.chance);
        self.tell_room();
    }

    fn tell_room(&mut self) {
        let room = self.world.journal().room();
        if room != self.world.node.room() {
            self.world.set_room(room);
        }
    }

    /// Everything that is under way comes to its end.
    fn rest(&mut self) {
        self.world.journal().driver.mend();
        self.world.be_impatient(usize::MAX);
        self.world.settle();
        self.listen();
    }

    fn into_life(mut self) -> (Life, Told) {
        let now = self.world.now();
        let told = std::mem::take(&mut self.told);
        // The world goes on as it likes; what it did is written down.
        let life = self.world.journal().driver.life(now);
        (life, told)
    }

    fn come(&mut self, client: usize) {
        let expiry = *self.chance.one_of(&[0, 5, 100, u32::MAX, u32::MAX]);
        let mut connecting = connect(CLIENTS[client]).keep_alive(0).kept(expiry);
        connecting.clean_start = self.chance.once_in(8);
        if self.chance.once_in(3) {
            connecting = connecting.will("a/b", b"gone", QoS::AtLeastOnce, false, 10);
        }
        if connecting.clean_start {
            self.unreleased[client].clear();
        }
        self.heard[client].clear();
        self.online[client] = Some(self.world.dial(connecting));
    }

    fn act(&mut self, client: usize, peer: Client) {
        self.count += 1;
        let id = self.count;
        match self.chance.below(16) {
            0 => {
                self.world.break_off(peer);
                self.online[client] = None;
            }
            1 if self.chance.once_in(2) => {
                self.world.post(peer, disconnect(ReasonCode::NormalDisconnection));
            }
            1..=3 => {
                let (filter, qos) = (*self.chance.one_of(&FILTERS), *self.chance.one_of(&[0, 1, 2]));
                self.world.post(peer, subscribe(id, &[(filter, qos)]));
            }
            4 if self.chance.once_in(2) => {
                let filter = *self.chance.one_of(&FILTERS);
                self.world.post(peer, unsubscribe(id, &[filter]));
            }
            4..=9 => self.publish(client, peer, id),
            10 | 11 => {
                for id in std::mem::take(&mut self.unreleased[client]) {
                    self.world.post(peer, pubrel(id));
                }
            }
            _ => self.answer(client, peer),
        }
    }

    fn publish(&mut self, client: usize, peer: Client, id: u16) {
        let retain = self.chance.once_in(4);
        let mut payload = format!("{} {id}", self.chance.number()).into_bytes();
        if self.chance.once_in(10) {
            payload.resize(LONG_BYTES, b'.');
        } else if retain && self.chance.once_in(4) {
            payload.clear();
        }
        let qos = *self.chance.one_of(&[0, 1, 1, 2]);
        let topic = *self.chance.one_of(&TOPICS);
        let Packet::Publish(publish) = publish_qos(topic, &payload, qos, id) else { unreachable!() };
        let message_expiry = self.chance.once_in(5).then_some(20);
        self.world.post(peer, Packet::Publish(Publish { retain, message_expiry, ..publish }));
        if qos == 2 {
            self.unreleased[client].push(id);
        }
        if !payload.is_empty() {
            self.published.insert((client, id), payload);
        }
    }

    /// Answers some of what was heard, one step of its flow each.
    fn answer(&mut self, client: usize, peer: Client) {
        let count = self.chance.index(self.heard[client].len() + 1);
        for line in self.heard[client].drain(..count).collect::<Vec<_>>() {
            let words: Vec<&str> = line.split(' ').collect();
            let answer = match words[..] {
                ["PUBLISH", _, "q1", number, ..] if self.chance.once_in(8) => {
                    puback_of(identifier(number), ReasonCode::NotAuthorized)
                }
                ["PUBLISH", _, "q1", number, ..] => puback(identifier(number)),
                ["PUBLISH", _, "q2", number, ..] => pubrec(identifier(number)),
                ["PUBREL", number, ..] => pubcomp(identifier(number)),
                _ => continue,
            };
            self.world.post(peer, answer);
        }
    }

    /// Hears what came, and who was closed.
    fn listen(&mut self) {
        for client in 0..CLIENTS.len() {
            let Some(peer) = self.online[client] else { continue };
            for line in self.world.hears(peer) {
                let words: Vec<&str> = line.split(' ').collect();
                if let ["PUBACK" | "PUBREC", number] = words[..]
                    && let Some(payload) = self.published.remove(&(client, identifier(number)))
                {
                    let steps = self.world.journal().driver.steps();
                    self.told.acknowledged.push((steps, payload));
                }
                self.heard[client].push(line);
            }
            if self.world.is_closed(peer) {
                self.online[client] = None;
            }
        }
    }
}

fn identifier(word: &str) -> u16 {
    word.trim_start_matches('#').parse().expect("an identifier")
}

impl Told {
    /// No Client was told of a Message that is not there.
    fn check(&self, end: End, step: usize, life: &Life, commits: usize) -> Result<(), String> {
        let payloads = |commits: &[Commit]| -> HashSet<Vec<u8>> {
            let messages = commits.iter().flat_map(|commit| published(&commit.batch));
            messages.map(|message| message.view().payload.to_vec()).collect()
        };
        let (there, lost) = (payloads(&life.commits[..commits]), payloads(&life.commits[commits..]));
        let is_lost = |payload: &Vec<u8>| lost.contains(payload) && !there.contains(payload);
        let mut told = self.acknowledged.iter().filter(|(steps, _)| *steps <= step);
        match told.find(|(_, payload)| is_lost(payload)) {
            None => Ok(()),
            Some((steps, payload)) => {
                let text = String::from_utf8_lossy(payload);
                Err(format!("'{text}' was acknowledged after {steps} steps and is lost by a {end:?}"))
            }
        }
    }
}

/// The Messages this batch brought from their publishers. One that was passed on from a member of a Shared Subscription to
/// another may have been in the memory of a Session that is not kept.
fn published(batch: &Batch) -> impl Iterator<Item = &Arc<Message>> {
    batch.records.iter().filter_map(|record| match record {
        Record::Published(published) => {
            let mut copies = published.copies.iter().flat_map(|(_, copies)| copies);
            let is_from_publisher = published.mark.is_some() || copies.any(|copy| copy.share.is_none());
            published.body.held().filter(|_| is_from_publisher)
        }
        Record::Delayed(delayed) => delayed.body.held(),
        _ => None,
    })
}

/// What shards know after so many batches of a life, from the very first batch on.
struct Expected(Vec<Vec<String>>);

impl Expected {
    fn new(settings: &Settings, past: &[(Arc<Batch>, Position)], life: &Life) -> Self {
        let mut recovery = Recovery::new(Arc::new(Node::new(settings.clone(), NODE)));
        past.iter().for_each(|(batch, position)| recovery.fold(batch, *position));
        let mut after = vec![durable_state(&recovery)];
        for commit in &life.commits {
            recovery.fold(&commit.batch, commit.position);
            after.push(durable_state(&recovery));
        }
        Self(after)
    }

    fn check(&self, settings: &Settings, found: &Recovered, commits: usize) -> Result<(), String> {
        let node = Arc::new(Node::new(settings.clone(), NODE));
        let recovery = fold(&node, found, Now::at_millis(0))?;
        let (expected, state) = (&self.0[commits], durable_state(&recovery));
        if *expected != state {
            let missing = expected.iter().filter(|line| !state.contains(line));
            let missing: String = missing.map(|line| format!("\n  - {line}")).collect();
            let extra = state.iter().filter(|line| !expected.contains(line));
            let extra: String = extra.map(|line| format!("\n  + {line}")).collect();
            return Err(format!("the broker knows something else:{missing}{extra}"));
        }
        Ok(())
    }
}

fn durable_state(recovery: &Recovery) -> Vec<String> {
    recovery.shards().iter().flat_map(Shard::durable_state).collect()
}

/// The broker's own fold of what was found.
fn fold(node: &Arc<Node>, found: &Recovered, now: Now) -> Result<Recovery, String> {
    let begin = if found.has_checkpoint { Recovery::from_checkpoint } else { Recovery::new };
    let mut recovery = begin(Arc::clone(node));
    found.batches.iter().for_each(|(batch, position)| recovery.fold(batch, *position));
    let unread = recovery.unread();
    for (stored, read) in unread.iter().zip(found.opened.read(&unread, now)) {
        let read = read.map_err(|error| format!("{stored:?} cannot be read: {error}"))?;
        recovery.read(*stored, Ok::<_, Damaged>(Arc::new(read)));
    }
    Ok(recovery)
}

//! A broker that makes it all up: it decides at random, writes every kind of record, and knows all it has decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_packet::{PacketId, QoS, SubscriptionOptions};
use martlet_record::{
    Batch, BatchNumber, Body, CheckpointNumber, CopyRecord, DelayedNumber, DelayedRecord, Ending, KeptCopy,
    Message, MessageRef, Need, Now, Ordinal, Position, PublishRecord, Record, ReplayedCopy, SessionNumber,
    SessionRecord, Settled, ShardId, Stored, SubscribeRecord, WallTime, WillRecord,
};
use martlet_topic::{Limits, SubscriptionFilter};

use crate::Chance;
use crate::{Fold, Model};

const TOPICS: [&str; 4] = ["a", "b/c", "d", "retained/long/topic"];
const FILTERS: [&str; 4] = ["#", "a/+", "$share/g/b/#", "$queue/d"];
const SHARDS: [u8; 4] = [0, 1, 40, 63];
const SESSIONS: usize = 6;
const DELAYED: usize = 4;
/// Copies a Session is given before it only settles.
const COPIES: usize = 12;
/// Bytes of a payload like all others: with them a frame is about as long as a sector.
const ALIKE_BYTES: usize = 400;
/// Copies a snapshot writes in one record.
const SLICE: usize = 3;
/// Messages kept in memory though nothing names them any more.
const HELD: usize = 8;

/// What was committed so far, and what may be decided next.
#[derive(Debug, Clone)]
pub struct Story {
    chance: Chance,
    /// What is committed.
    fold: Fold,
    /// Messages at hand.
    held: Vec<Arc<Message>>,
    batches: BTreeMap<ShardId, u64>,
    opened: BTreeMap<ShardId, u64>,
    delayed: BTreeMap<ShardId, u64>,
    version: u64,
    published: u64,
    /// The longest payload it makes up.
    payload_max: usize,
    /// All it decides takes the same number of bytes.
    is_monotonous: bool,
}

impl Story {
    /// A story that begins with nothing. Payloads are at most so long.
    pub fn new(chance: Chance, payload_max: usize) -> Self {
        Self {
            chance,
            fold: Fold::default(),
            held: Vec::new(),
            batches: BTreeMap::new(),
            opened: BTreeMap::new(),
            delayed: BTreeMap::new(),
            version: 0,
            published: 0,
            payload_max,
            is_monotonous: false,
        }
    }

    /// A story in which all batches have the same length, so that one fits exactly where another was.
    pub fn monotonous(chance: Chance) -> Self {
        Self { is_monotonous: true, ..Self::new(chance, 0) }
    }

    /// The story of a process that begins with what another left: it knows nothing else, and no number returns.
    #[must_use]
    pub fn restarted(&self, chance: Chance, model: Model) -> Self {
        Self { chance, fold: Fold::from(model), held: Vec::new(), ..self.clone() }
    }

    /// A batch is committed: its Messages have places.
    pub fn committed(&mut self, batch: &Batch, position: Position) {
        self.fold.fold(batch, position);
        let bodies = batch.records.iter().flat_map(Record::bodies).filter_map(Body::held);
        self.held.extend(bodies.cloned());
        if self.held.len() > HELD {
            let first = self.held.len() - HELD;
            self.held.drain(..first);
        }
    }

    /// What is decided next.
    pub fn next(&mut self, now: Now) -> Batch {
        if self.is_monotonous {
            return self.next_alike(now);
        }
        let session = self.some_session();
        let shard = session.map_or(ShardId::new(*self.chance.one_of(&SHARDS)), SessionNumber::shard);
        let mut records = Vec::new();
        for _ in 0..=self.chance.below(3) {
            self.decide(shard, session, now, &mut records);
        }
        let need = self.some_need();
        self.batch(shard, records, need, now)
    }

    /// A retained message like all others.
    fn next_alike(&mut self, now: Now) -> Batch {
        self.version += 1;
        self.published += 1;
        let (topic, payload) =
            (format!("{}", self.published % 8), format!("{:0ALIKE_BYTES$}", self.published));
        let message = Arc::new(MessageRef::new(&topic, payload.as_bytes()).to_message());
        let (version, body) = (self.version, Some(message.into()));
        let need = self.some_need();
        let record = Record::Retained { topic: topic.into(), version, body };
        self.batch(ShardId::new(SHARDS[0]), vec![record], need, now)
    }

    fn some_need(&mut self) -> Need {
        match self.chance.below(8) {
            0 | 1 => Need::Lazy,
            2 => Need::Written,
            3 => Need::SyncedSoon,
            _ => Need::Synced,
        }
    }

    /// All that a shard holds, for a checkpoint. Everything that was submitted must be committed.
    pub fn snapshot(&mut self, shard: ShardId, checkpoint: CheckpointNumber, now: Now) -> Batch {
        let mut records = Vec::new();
        for (number, session) in &self.fold.model.sessions {
            if number.shard() == shard {
                records.push(Record::Kept(session.to_kept(self.fold.position())));
                let copies: Vec<_> = session.copies.values().cloned().collect();
                let slices = copies.chunks(SLICE).map(<[KeptCopy]>::to_vec);
                records.extend(slices.map(|copies| Record::KeptCopies { session: *number, copies }));
            }
        }
        if shard == ShardId::new(SHARDS[0]) {
            records.extend(self.kept_messages());
        }
        let opened = self.opened.get(&shard).copied().unwrap_or_default();
        let delayed = self.delayed.get(&shard).copied().unwrap_or_default();
        records.push(Record::Snapshotted { checkpoint, opened, delayed, version: 0 });
        self.batch(shard, records, Need::Lazy, now)
    }

    fn batch(&mut self, shard: ShardId, records: Vec<Record>, need: Need, at: Now) -> Batch {
        let number = self.batches.entry(shard).or_default();
        *number += 1;
        Batch { shard, number: BatchNumber(*number), records, need, at }
    }

    fn decide(&mut self, shard: ShardId, session: Option<SessionNumber>, now: Now, out: &mut Vec<Record>) {
        let Some(session) = session else {
            return self.open(shard, out);
        };
        match self.chance.below(24) {
            0 => self.open(shard, out),
            1 if self.chance.once_in(3) => {
                out.push(Record::Ended { session, why: Ending::CleanStart, entered: Position(0) })
            }
            1 => out.push(Record::Disconnected { session, expiry: 7, will_discarded: true, at: now.wall }),
            2 => {
                let terms = self.terms(session);
                out.push(Record::Resumed(terms));
            }
            3 => self.subscribe(session, out),
            4 => {
                let filter = filter(self.chance.one_of(&FILTERS));
                out.push(Record::Unsubscribed { session, filter });
            }
            5 => self.delay(shard, now, out),
            6 => self.publish_delayed(out),
            7 => out.push(Record::Released { session, packet_id: self.packet_id() }),
            8 => self.delete_retained(out),
            9..=13 => self.answer(session, out),
            _ if self.copies(session).len() > COPIES => self.answer(session, out),
            14 => self.publish_again(session, out),
            _ => self.publish(now, out),
        }
    }

    fn open(&mut self, shard: ShardId, out: &mut Vec<Record>) {
        if self.sessions().len() < SESSIONS {
            let opened = self.opened.entry(shard).or_default();
            *opened += 1;
            let session = SessionNumber::of(shard, *opened);
            out.push(Record::Opened(self.terms(session)));
        }
    }

    fn terms(&mut self, session: SessionNumber) -> SessionRecord {
        let will = self.chance.once_in(2).then(|| WillRecord {
            message: Arc::new(MessageRef::new("will", b"gone").to_message()),
            expiry: Some(9),
            delay: 5,
        });
        let client_id = format!("client-{}", session.0).into();
        SessionRecord { session, client_id, expiry: 60, will }
    }

    fn subscribe(&mut self, session: SessionNumber, out: &mut Vec<Record>) {
        let bodies = self.fold.model.retained.values().map(|(_, body)| *body);
        let bodies: Vec<Stored> = bodies.filter(|_| self.chance.once_in(2)).collect();
        let replayed = bodies.into_iter().map(|stored| {
            let qos = *self.chance.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce]);
            ReplayedCopy { body: self.body_of(stored), qos }
        });
        let replayed = replayed.collect();
        out.push(Record::Subscribed(SubscribeRecord {
            session,
            slot: 0,
            filter: filter(self.chance.one_of(&FILTERS)),
            options: SubscriptionOptions::new(QoS::AtLeastOnce),
            subscription_id: self.chance.once_in(2).then_some(7),
            replayed,
        }));
    }

    /// To some Sessions, and sometimes retained as well.
    fn publish(&mut self, now: Now, out: &mut Vec<Record>) {
        let message: Body = self.message(now).into();
        if self.chance.once_in(4) {
            self.version += 1;
            let (topic, version) = (held(&message).topic().into(), self.version);
            out.push(Record::Retained { topic, version, body: Some(message.clone()) });
        }
        let published = self.addressed(message);
        out.push(Record::Published(published));
    }

    /// A Message that was published before, to others: named by its place, or held in memory all the time.
    fn publish_again(&mut self, session: SessionNumber, out: &mut Vec<Record>) {
        let copies = self.copies(session);
        let named = copies.iter().filter_map(|copy| copy.body.as_ref()?.stored()).next();
        let body = match named.filter(|_| self.chance.once_in(2)) {
            Some(stored) => self.body_of(stored),
            None if self.held.is_empty() => return,
            None => Arc::clone(self.chance.one_of(&self.held)).into(),
        };
        let passed_from = Some(session);
        out.push(Record::Published(PublishRecord { passed_from, ..self.addressed(body) }));
    }

    fn addressed(&mut self, body: Body) -> PublishRecord {
        let mut sessions = self.sessions();
        sessions.retain(|_| !self.chance.once_in(3));
        let copy = |session, chance: &mut Chance| CopyRecord {
            session,
            slot: 0,
            qos: *chance.one_of(&[QoS::AtLeastOnce, QoS::ExactlyOnce]),
            retain: chance.once_in(2),
            subscription_ids: chance.once_in(3).then(|| [1, 2].into()),
            share: chance.once_in(4).then(|| Arc::new(filter(FILTERS[2]))),
        };
        let copies: Vec<_> = sessions.iter().map(|session| copy(*session, &mut self.chance)).collect();
        let by_home = copies.chunk_by(|one, next| one.session.shard() == next.session.shard());
        let copies = by_home.map(|copies| (copies[0].session.shard(), copies.to_vec())).collect();
        let mark = self.some_session().filter(|_| self.chance.once_in(3));
        let will_of = self.some_session().filter(|_| self.chance.once_in(9));
        let mark = mark.map(|session| (session, self.packet_id()));
        PublishRecord { body, copies, mark, will_of, was_delayed: None, passed_from: None }
    }

    fn delay(&mut self, shard: ShardId, now: Now, out: &mut Vec<Record>) {
        if self.fold.model.delayed.len() >= DELAYED {
            return self.publish_delayed(out);
        }
        let count = self.delayed.entry(shard).or_default();
        *count += 1;
        let number = DelayedNumber::of(shard, *count);
        let (due, body) = (WallTime(now.wall.0 + 10_000), self.message(now).into());
        out.push(Record::Delayed(DelayedRecord { number, due, body, mark: None }));
    }

    fn publish_delayed(&mut self, out: &mut Vec<Record>) {
        let Some((number, (_, stored))) = self.fold.model.delayed.first_key_value() else { return };
        let (was_delayed, stored) = (Some(*number), *stored);
        let body = self.body_of(stored);
        out.push(Record::Published(PublishRecord { was_delayed, ..self.addressed(body) }));
    }

    fn delete_retained(&mut self, out: &mut Vec<Record>) {
        self.version += 1;
        let topic = (*self.chance.one_of(&TOPICS)).into();
        out.push(Record::Retained { topic, version: self.version, body: None });
    }

    /// A Client answers some of what it was sent.
    fn answer(&mut self, session: SessionNumber, out: &mut Vec<Record>) {
        let copies = self.copies(session);
        let Some(first) = copies.first().map(|copy| copy.ordinal) else { return };
        match self.chance.below(6) {
            0 => out.push(Record::Sent { session, up_to: copies[self.chance.index(copies.len())].ordinal }),
            1 => {
                let ordinal = copies[self.chance.index(copies.len())].ordinal;
                out.push(Record::Received { session, slot: 0, ordinal });
            }
            2 => {
                let ordinal = copies[self.chance.index(copies.len())].ordinal;
                out.push(Record::Settled { session, ordinal, how: Settled::Expired });
            }
            _ => {
                let count = self.chance.index(copies.len()) as u64;
                let ordinals = (first.0..=first.0 + count).map(Ordinal);
                out.extend(ordinals.map(|ordinal| Record::Settled {
                    session,
                    ordinal,
                    how: Settled::Delivered,
                }));
            }
        }
    }

    fn message(&mut self, now: Now) -> Arc<Message> {
        self.published += 1;
        let head = format!("{}:", self.published);
        let len = match self.chance.below(8) {
            0 => self.chance.index(self.payload_max + 1),
            1 => self.chance.index(self.payload_max / 8 + 1),
            _ => self.chance.index(60),
        };
        let letter = u8::try_from(self.published % 26).expect("below 26") + b'a';
        let payload: Vec<u8> =
            head.bytes().chain(std::iter::repeat(letter)).take(len.max(head.len())).collect();
        let expires = self.chance.once_in(4).then(|| now.time.after_seconds(100));
        let view = MessageRef::new(self.chance.one_of(&TOPICS), &payload);
        let (qos, retain) = (QoS::AtLeastOnce, self.chance.once_in(2));
        Arc::new(MessageRef { properties: b"", qos, retain, expires, ..view }.to_message())
    }

    /// A body that is in the log: as its place, or at hand if it still is.
    fn body_of(&mut self, stored: Stored) -> Body {
        let at_hand = self.held.iter().find(|message| message.place() == Some(stored.place)).cloned();
        match at_hand.filter(|_| self.chance.once_in(2)) {
            Some(message) => Body::Held(message),
            None => Body::Stored(stored),
        }
    }

    fn packet_id(&mut self) -> PacketId {
        let number = u16::try_from(self.chance.below(5) + 1).expect("at most five");
        PacketId::new(number).expect("at least one")
    }

    fn some_session(&mut self) -> Option<SessionNumber> {
        let sessions = self.sessions();
        (!sessions.is_empty() && !self.chance.once_in(12)).then(|| *self.chance.one_of(&sessions))
    }

    fn sessions(&self) -> Vec<SessionNumber> {
        self.fold.model.sessions.keys().copied().collect()
    }

    /// The copies of a Session, oldest first.
    fn copies(&self, session: SessionNumber) -> Vec<KeptCopy> {
        let session = self.fold.model.sessions.get(&session);
        session.map(|session| session.copies.values().cloned().collect()).unwrap_or_default()
    }

    /// Retained and delayed Messages, for a snapshot.
    fn kept_messages(&self) -> Vec<Record> {
        let retained = self.fold.model.retained.iter().map(|(topic, (version, body))| Record::Retained {
            topic: topic.clone(),
            version: *version,
            body: Some(Body::Stored(*body)),
        });
        let delayed = self.fold.model.delayed.iter().map(|(number, (due, body))| {
            let (number, due, body) = (*number, *due, Body::Stored(*body));
            Record::Delayed(DelayedRecord { number, due, body, mark: None })
        });
        let deleted = self.fold.deleted().iter().map(|(topic, version)| Record::Retained {
            topic: topic.clone(),
            version: *version,
            body: None,
        });
        retained.chain(deleted).chain(delayed).collect()
    }
}

fn held(body: &Body) -> &Arc<Message> {
    body.held().expect("it was just made")
}

fn filter(text: &str) -> SubscriptionFilter {
    SubscriptionFilter::parse(text, &Limits::default()).expect("a filter")
}

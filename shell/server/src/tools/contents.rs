//! What a store holds, client by client.
//!
//! The rule: nothing here knows how records become Sessions. The fold is the broker's own ([`Recovery`]), and what it
//! came to is what its shards write down, as they do for a checkpoint. Only Wills are taken out first, for folding ends
//! as a start does, and a start sends them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery, Settings, Shard};
use martlet_record::{
    Batch, Body, CheckpointNumber, CopyRecord, DelayedNumber, KeptCopy, KeptProgress, KeptSession, Now,
    Ordinal, Position, PublishRecord, Record, SessionNumber, Stored, Time, WallTime,
};

/// Records and copies that a shard writes down at a time.
const SLICE: usize = 65_536;
/// Far enough from the beginning of the clock that all moments before the end of the log have a name on it.
const NOW: Now = Now { time: Time::from_millis(1 << 52), wall: WallTime(0) };

/// What a store holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Sessions, by Client Identifier.
    pub(crate) queues: Vec<Queue>,
    /// Retained messages, by Topic Name.
    pub(crate) retained: Vec<(Box<str>, Stored)>,
    /// Delayed messages, with when they are due; the next first.
    pub(crate) delayed: Vec<(WallTime, Stored)>,
}

/// A Session and what waits for it.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) session: KeptSession,
    /// Its Client was connected when the log ended.
    pub(crate) is_connected: bool,
    /// What is in flight, then what was never sent, in the order of the queue.
    pub(crate) copies: Vec<KeptCopy>,
}

/// Whose a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder<'a> {
    /// It waits for this Client.
    Client(&'a str),
    /// It is retained under this Topic Name.
    Retained(&'a str),
    /// It is published then.
    Delayed(WallTime),
}

impl Contents {
    /// Every body that is needed, as often as somebody needs it.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (Stored, Holder<'_>)> {
        let queued = self.queues.iter().flat_map(|queue| {
            let holder = Holder::Client(queue.client_id());
            queue.bodies().map(move |stored| (stored, holder))
        });
        let retained = self.retained.iter().map(|(topic, stored)| (*stored, Holder::Retained(topic)));
        let delayed = self.delayed.iter().map(|(due, stored)| (*stored, Holder::Delayed(*due)));
        queued.chain(retained).chain(delayed)
    }

    /// The Clients of Sessions.
    pub(crate) fn clients(&self) -> HashMap<SessionNumber, &str> {
        self.queues.iter().map(|queue| (queue.session.terms.session, queue.client_id())).collect()
    }
}

impl Queue {
    /// Whose it is.
    pub(crate) fn client_id(&self) -> &str {
        &self.session.terms.client_id
    }

    /// Bodies that are still needed: one that the Client has is not.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = Stored> + '_ {
        self.copies.iter().filter_map(|copy| copy.body.as_ref()?.stored())
    }
}

/// Contents in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    recovery: Recovery,
    /// Where records are missing: the positions behind.
    gaps: VecDeque<u64>,
    retained: BTreeMap<Box<str>, (u64, Option<Stored>)>,
    delayed: BTreeMap<DelayedNumber, (WallTime, Stored)>,
}

impl Fold {
    /// Nothing is known yet, but where records are missing.
    pub(crate) fn new(begins_at_checkpoint: bool, lost: &[Range<u64>]) -> Self {
        let node = Arc::new(Node::new(Settings::new(Dialect::NATIVE), 0));
        let begin = if begins_at_checkpoint { Recovery::from_checkpoint } else { Recovery::new };
        Self {
            recovery: begin(node),
            gaps: lost.iter().map(|gap| gap.end).collect(),
            retained: BTreeMap::new(),
            delayed: BTreeMap::new(),
        }
    }

    /// Takes the next batch of the log.
    pub(crate) fn take(&mut self, mut batch: Batch, position: Position) {
        for record in &mut batch.records {
            take_will(record);
            self.note(record);
        }
        while self.gaps.pop_front_if(|behind| *behind <= position.0).is_some() {
            self.recovery.gap();
        }
        self.recovery.fold(&batch, position);
    }

    /// What is retained and delayed, the broker's fold keeps only with its body at hand.
    fn note(&mut self, record: &Record) {
        match record {
            Record::Retained { topic, version, body } => {
                let stored = body.as_ref().and_then(Body::stored);
                match self.retained.get_mut(topic) {
                    Some((newest, _)) if *newest > *version => {}
                    Some(newest) => *newest = (*version, stored),
                    None => drop(self.retained.insert(topic.clone(), (*version, stored))),
                }
            }
            Record::Delayed(delayed) => {
                let stored = delayed.body.stored();
                self.delayed.extend(stored.map(|stored| (delayed.number, (delayed.due, stored))));
            }
            Record::Published(PublishRecord { was_delayed: Some(number), .. }) => {
                self.delayed.remove(number);
            }
            _ => {}
        }
    }

    /// The log is at its end.
    pub(crate) fn finish(self) -> Contents {
        let mut out = Outbox::default();
        let mut shards = self.recovery.finish(NOW, &mut out);
        let first = FirstRecords::of(&mut shards);
        let mut queues: Vec<_> =
            shards.into_iter().flat_map(|shard| write_down(shard, &first, &mut out)).collect();
        queues.sort_unstable_by(|one, other| one.client_id().cmp(other.client_id()));
        let retained = self.retained.into_iter();
        let mut delayed: Vec<_> = self.delayed.into_values().collect();
        delayed.sort_unstable();
        Contents {
            queues,
            retained: retained.filter_map(|(topic, (_, stored))| Some((topic, stored?))).collect(),
            delayed,
        }
    }
}

/// What shards record first when they begin to live again.
#[derive(Debug, Default)]
struct FirstRecords {
    /// Sessions whose Clients were connected.
    connected: HashSet<SessionNumber>,
    /// Copies that another member of their Shared Subscription gets.
    passed_on: HashMap<SessionNumber, Vec<KeptCopy>>,
}

impl FirstRecords {
    fn of(shards: &mut [Shard]) -> Self {
        let mut first = Self::default();
        for record in
            shards.iter_mut().filter_map(|shard| shard.take_batch(NOW)).flat_map(|batch| batch.records)
        {
            match record {
                Record::Disconnected { session, .. } => drop(first.connected.insert(session)),
                Record::Published(published) => first.pass_on(published),
                _ => {}
            }
        }
        first
    }

    fn pass_on(&mut self, published: PublishRecord) {
        for copy in published.copies.into_iter().flat_map(|(_, copies)| copies) {
            let CopyRecord { session, qos, retain, subscription_ids, share, .. } = copy;
            let (ordinal, progress, body) =
                (Ordinal(u64::MAX), KeptProgress::Queued, Some(published.body.clone()));
            let copy = KeptCopy { ordinal, progress, body, qos, retain, subscription_ids, share };
            self.passed_on.entry(session).or_default().push(copy);
        }
    }
}

/// All Sessions of a shard.
fn write_down(mut shard: Shard, first: &FirstRecords, out: &mut Outbox) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    while shard.write_down(CheckpointNumber(1), SLICE, NOW, out) {
        for record in shard.take_batch(NOW).into_iter().flat_map(|batch| batch.records) {
            match record {
                Record::Kept(session) => {
                    let is_connected = first.connected.contains(&session.terms.session);
                    queues.push(Queue { session, is_connected, copies: Vec::new() });
                }
                // The slices of a Session follow it.
                Record::KeptCopies { copies, .. } => {
                    if let Some(queue) = queues.last_mut() {
                        queue.copies.extend(copies);
                    }
                }
                _ => {}
            }
        }
    }
    for queue in &mut queues {
        let passed_on = first.passed_on.get(&queue.session.terms.session);
        queue.copies.extend(passed_on.into_iter().flatten().cloned());
    }
    queues
}

fn take_will(record: &mut Record) {
    match record {
        Record::Opened(terms) | Record::Resumed(terms) => terms.will = None,
        Record::Kept(kept) => kept.terms.will = None,
        _ => {}
    }
}

//! Batches that wait to be written.
//!
//! The rule: a shard's batches stay in their order. Those of other shards pass a batch whose Messages must be written
//! apart, before it; that shard's own wait behind it.

use std::collections::VecDeque;
use std::sync::Arc;

use martlet_record::{Batch, Body, CopyRecord, Message, Need, Record, SessionRecord, Stored, Time};

/// Lazy batches ride with others, at the latest after so many milliseconds …
const LAZY_MS: u64 = 100;
/// … or once there are so many bytes of them.
const LAZY_BYTES: usize = 256 << 10;

/// A batch, and what must be known of it on its way: it is looked through once.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(crate) batch: Arc<Batch>,
    /// Bytes it takes at most, as far as that can be said before it is written.
    pub(crate) weight: usize,
    /// Bytes of the longest of its Messages that are not in the log yet; zero when all are.
    pub(crate) longest: usize,
    /// It holds a Message that is in the log already.
    pub(crate) holds_written: bool,
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) batch: Arc<Batch>,
    pub(crate) weight: usize,
    /// Some of its Messages go before it.
    pub(crate) is_apart: bool,
    since: Time,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    ready: VecDeque<Waiting>,
    apart: VecDeque<Waiting>,
    /// Shards with a batch in `apart`, as bits.
    held: u64,
    /// Of those that are ready: how many somebody waits for, and bytes.
    urgent: usize,
    bytes: usize,
    /// Of those that are ready: how many wait for the disk to have them.
    to_sync: usize,
    /// Ready, and some of its Messages went before it.
    ready_apart: usize,
}

impl Weighed {
    pub(crate) fn new(batch: Batch) -> Self {
        let (mut longest, mut holds_written) = (0, false);
        let weight = weigh(&batch, |message| match message.place() {
            None => longest = longest.max(message.encoded_len()),
            Some(_) => holds_written = true,
        });
        Self { batch: Arc::new(batch), weight, longest, holds_written }
    }
}

impl Waiting {
    pub(crate) fn new(weighed: Weighed, is_apart: bool, since: Time) -> Self {
        let Weighed { batch, weight, .. } = weighed;
        Self { batch, weight, is_apart, since }
    }

    fn is_urgent(&self) -> bool {
        // A checkpoint waits for a batch whose Messages are written already.
        self.batch.need > Need::Lazy || self.is_apart
    }
}

impl Queue {
    pub(crate) fn push(&mut self, waiting: Waiting) {
        let shard = 1 << waiting.batch.shard.index();
        if waiting.is_apart || self.held & shard != 0 {
            self.held |= shard;
            self.apart.push_back(waiting);
        } else {
            self.push_ready(waiting);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.apart.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.ready.len() + self.apart.len()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.apart.iter().map(|waiting| waiting.weight).sum::<usize>()
    }

    /// Must something be written now?
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// When something must be written.
    pub(crate) fn due(&self) -> Option<Time> {
        let first = self.ready.front()?;
        let waits = self.urgent == 0 && self.bytes < LAZY_BYTES;
        Some(if waits { first.since.after_millis(LAZY_MS) } else { Time::START })
    }

    /// Does something wait for the disk to have it?
    pub(crate) fn needs_sync(&self) -> bool {
        self.to_sync > 0
    }

    pub(crate) fn first(&self) -> Option<&Waiting> {
        self.ready.front()
    }

    pub(crate) fn take_first(&mut self) -> Option<Waiting> {
        let first = self.ready.pop_front()?;
        self.urgent -= usize::from(first.is_urgent());
        self.bytes -= first.weight;
        self.to_sync -= usize::from(first.batch.need == Need::Synced);
        self.ready_apart -= usize::from(first.is_apart);
        Some(first)
    }

    /// The next batch some of whose Messages are to be written before it.
    pub(crate) fn first_apart(&self) -> Option<&Waiting> {
        self.apart.front()
    }

    /// Is there a batch whose Messages were written, and itself not yet?
    pub(crate) fn has_ready_apart(&self) -> bool {
        self.ready_apart > 0
    }

    /// Its Messages are written: it goes where the others are, and what waited behind it only.
    pub(crate) fn release_apart(&mut self) {
        let mut released = self.apart.pop_front();
        while let Some(mut waiting) = released {
            // What was written before it, it only names.
            waiting.weight = weigh(&waiting.batch, |_| {});
            self.push_ready(waiting);
            released = self.apart.pop_front_if(|next| !next.is_apart);
        }
        self.held = self.apart.iter().fold(0, |held, next| held | 1 << next.batch.shard.index());
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.ready.iter().chain(&self.apart)
    }

    /// Empties it.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Waiting> {
        let old = std::mem::take(self);
        old.ready.into_iter().chain(old.apart)
    }

    fn push_ready(&mut self, waiting: Waiting) {
        self.urgent += usize::from(waiting.is_urgent());
        self.bytes += waiting.weight;
        self.to_sync += usize::from(waiting.batch.need == Need::Synced);
        self.ready_apart += usize::from(waiting.is_apart);
        self.ready.push_back(waiting);
    }
}

/// Bytes of a copy, and of a Subscription Identifier or a Packet Identifier.
const COPY: usize = 24;
const ID: usize = 5;

/// Bytes a batch takes in the log, or a little more; `held` hears of the Messages it holds.
pub(crate) fn weigh<'a>(batch: &'a Batch, mut held: impl FnMut(&'a Arc<Message>)) -> usize {
    const BATCH: usize = 32;
    const BODY: usize = 24;
    let mut weigh_body = |body: &'a Body| {
        let Body::Held(message) = body else { return BODY };
        held(message);
        if message.place().is_some() { BODY } else { BODY + message.encoded_len() }
    };
    let weigh_all = |record: &'a Record| {
        // By far the most of them have one body, or none.
        let bodies = match record {
            Record::Published(published) => weigh_body(&published.body),
            Record::Settled { .. } | Record::Sent { .. } => 0,
            other => other.bodies().map(&mut weigh_body).sum(),
        };
        weigh_record(record) + bodies
    };
    BATCH + batch.records.iter().map(weigh_all).sum::<usize>()
}

/// Bytes of a record but for the Messages it names.
fn weigh_record(record: &Record) -> usize {
    const RECORD: usize = 48;
    RECORD
        + match record {
            Record::Opened(opened) | Record::Resumed(opened) => weigh_terms(opened),
            Record::Subscribed(made) => made.filter.to_string().len(),
            Record::Unsubscribed { filter, .. } => filter.to_string().len(),
            Record::Published(published) => {
                let weigh = |copies: &'_ Vec<CopyRecord>| {
                    weigh_copies(copies.iter().map(|copy| (&copy.subscription_ids, &copy.share)))
                };
                published.copies.iter().map(|(_, copies)| weigh(copies)).sum()
            }
            Record::Retained { topic, .. } => topic.len(),
            Record::RetainedBy { topic, source, .. } => {
                topic.len() + source.client_id.len() + source.username.as_deref().map_or(0, str::len)
            }
            Record::Kept(kept) => {
                let filters = kept.subscriptions.iter().map(|(filter, ..)| COPY + filter.to_string().len());
                weigh_terms(&kept.terms) + kept.inbound.len() * ID + filters.sum::<usize>()
            }
            Record::KeptCopies { copies, .. } => {
                weigh_copies(copies.iter().map(|copy| (&copy.subscription_ids, &copy.share)))
            }
            Record::Disconnected { .. }
            | Record::Ended { .. }
            | Record::Delayed(_)
            | Record::Sent { .. }
            | Record::Received { .. }
            | Record::Settled { .. }
            | Record::Released { .. }
            | Record::Snapshotted { .. } => 0,
        }
}

fn weigh_terms(terms: &SessionRecord) -> usize {
    const WILL: usize = 24;
    terms.client_id.len() + terms.will.as_ref().map_or(0, |will| WILL + will.message.encoded_len())
}

type Ids = Option<Arc<[u32]>>;

/// A Shared Subscription is written once for all copies in a row that were chosen for it.
fn weigh_copies<'a, S: ToString + 'a>(copies: impl Iterator<Item = (&'a Ids, &'a Option<Arc<S>>)>) -> usize {
    let mut last: Option<&Arc<S>> = None;
    let mut weight = 0;
    for (ids, share) in copies {
        weight += COPY + ids.as_ref().map_or(0, |ids| ids.len() * ID);
        if let Some(share) = share {
            let is_new = last.is_none_or(|last| !Arc::ptr_eq(last, share));
            weight += if is_new { share.to_string().len() } else { 0 };
            last = Some(share);
        }
    }
    weight
}

/// The bodies a batch names that are in the log already.
pub(crate) fn named(batch: &Batch) -> impl Iterator<Item = Stored> + '_ {
    batch.records.iter().flat_map(Record::bodies).filter_map(Body::stored)
}

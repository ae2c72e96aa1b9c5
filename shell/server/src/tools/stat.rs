//! A store in figures, and who holds what.

use martlet_disk::{OpenError, Recovered};
use martlet_record::{KeptProgress, Now, Place, Stored, WallTime};

use super::contents::{Contents, Queue};
use super::sizes::Sizes;
use super::{Progress, Store};

/// Queues that are named: the longest.
const QUEUES_MAX: usize = 10;

/// A store in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The version of its format.
    pub format: u32,
    /// When it was made.
    pub created: WallTime,
    /// Its files.
    pub sizes: Sizes,
    /// Bytes of the log that were written; the rest of its segments is room.
    pub written_bytes: u64,
    /// What a start reads.
    pub recovered: Recovered,
    /// A start begins at a checkpoint; else it reads the whole log.
    pub begins_at_checkpoint: bool,
    /// Everything that is kept.
    pub totals: Totals,
    /// The longest queues, the longest first.
    pub queues: Vec<QueueStat>,
    /// The Message that waits longest.
    pub oldest: Option<Oldest>,
}

/// Everything that is kept, in sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Messages that somebody needs, each once.
    pub live: Amount,
    /// Sessions whose Clients were connected when the log ended.
    pub connected: u64,
    /// The other Sessions.
    pub absent: u64,
    /// What waits for Sessions, each Message as often as it waits.
    pub waiting: Amount,
    /// How many of those were sent, and are not finished.
    pub in_flight: u64,
    /// Retained messages.
    pub retained: Amount,
    /// Delayed messages.
    pub delayed: Amount,
    /// When the next of them is due.
    pub next_due: Option<WallTime>,
}

/// Messages and their bytes in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many.
    pub messages: u64,
    /// Bytes, with Topic Names, properties and checksums.
    pub bytes: u64,
}

/// What waits for one Session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStat {
    /// Whose.
    pub client_id: Box<str>,
    /// Its Client was connected when the log ended.
    pub is_connected: bool,
    /// What waits, in flight or not.
    pub waiting: Amount,
    /// How many of those were sent, and are not finished.
    pub in_flight: u64,
    /// When the oldest was written; `None` when only a copy of it is left, or nothing that its Client has not.
    pub oldest: Option<WallTime>,
}

/// The Message that waits longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// For whom. Of many it is the one with the longest queue.
    pub client_id: Box<str>,
    /// For how many others too.
    pub others: u64,
    /// Its Topic Name, if it can be read.
    pub topic: Option<String>,
    /// When it was written; `None` when only a copy of it is left.
    pub written: Option<WallTime>,
    /// Where it was written.
    pub place: Place,
}

impl Store {
    /// The store in figures.
    pub fn stat(&self, progress: Progress<'_>) -> Result<Stat, OpenError> {
        let (contents, recovered) = self.contents(progress)?;
        let mut longest: Vec<_> = contents.queues.iter().filter(|queue| !queue.copies.is_empty()).collect();
        longest.sort_by_key(|queue| std::cmp::Reverse(queue.copies.len()));
        let holders = Holders::of(&longest);
        longest.truncate(QUEUES_MAX);
        let firsts: Vec<_> = longest.iter().map(|queue| queue.bodies().min()).collect();
        let asked = firsts.iter().flatten().chain(holders.iter().map(|holders| &holders.stored));
        let written = self.written(asked.map(|stored| stored.place).collect(), progress)?;
        let queues = longest.into_iter().zip(firsts);
        Ok(Stat {
            format: self.inspection.format(),
            created: self.inspection.created(),
            sizes: self.sizes,
            written_bytes: written.bytes,
            recovered,
            begins_at_checkpoint: self.inspection.origin().is_some(),
            totals: Totals::of(&contents),
            queues: queues
                .map(|(queue, first)| QueueStat::of(queue, first.and_then(|first| written.at(first))))
                .collect(),
            oldest: holders.map(|holders| self.oldest(&holders, written.at(holders.stored))),
        })
    }

    fn oldest(&self, holders: &Holders<'_>, written: Option<WallTime>) -> Oldest {
        let message = self.inspection.read(&[holders.stored], Now::default()).pop();
        Oldest {
            client_id: holders.first.into(),
            others: holders.others,
            topic: message.and_then(Result::ok).map(|message| message.topic().to_owned()),
            written,
            place: holders.stored.place,
        }
    }
}

impl Stat {
    /// Bytes of the log that were written and that nobody needs: acknowledgements, and Messages that are finished. They
    /// are given back with checkpoints.
    pub fn dead_bytes(&self) -> u64 {
        self.written_bytes.saturating_sub(self.totals.live.bytes)
    }
}

impl Totals {
    fn of(contents: &Contents) -> Self {
        let queues = &contents.queues;
        let mut live: Vec<_> = contents.bodies().map(|(stored, _)| stored).collect();
        live.sort_unstable();
        live.dedup();
        let connected = queues.iter().filter(|queue| queue.is_connected).count();
        let waiting = queues.iter().map(waiting_for);
        Self {
            live: Amount::of(live.into_iter()),
            connected: connected as u64,
            absent: (queues.len() - connected) as u64,
            waiting: waiting.fold(Amount::default(), Amount::plus),
            in_flight: queues.iter().map(in_flight_of).sum(),
            retained: Amount::of(contents.retained.iter().map(|(_, stored)| *stored)),
            delayed: Amount::of(contents.delayed.iter().map(|(_, stored)| *stored)),
            next_due: contents.delayed.first().map(|(due, _)| *due),
        }
    }
}

impl Amount {
    fn of(bodies: impl Iterator<Item = Stored>) -> Self {
        let one = |stored: Stored| Self { messages: 1, bytes: stored.len.into() };
        bodies.map(one).fold(Self::default(), Self::plus)
    }

    fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }
}

impl QueueStat {
    fn of(queue: &Queue, oldest: Option<WallTime>) -> Self {
        Self {
            client_id: queue.client_id().into(),
            is_connected: queue.is_connected,
            waiting: waiting_for(queue),
            in_flight: in_flight_of(queue),
            oldest,
        }
    }
}

/// Who waits for the oldest Message.
struct Holders<'a> {
    stored: Stored,
    first: &'a str,
    others: u64,
}

impl<'a> Holders<'a> {
    /// The longest queue comes first.
    fn of(queues: &[&'a Queue]) -> Option<Self> {
        let mut found: Option<Self> = None;
        for queue in queues {
            let Some(stored) = queue.bodies().min() else { continue };
            match &mut found {
                Some(oldest) if oldest.stored < stored => {}
                Some(oldest) if oldest.stored == stored => oldest.others += 1,
                _ => found = Some(Self { stored, first: queue.client_id(), others: 0 }),
            }
        }
        found
    }
}

/// A copy whose body the Client has, and of which only the last words are missing, counts: its Packet Identifier waits.
fn waiting_for(queue: &Queue) -> Amount {
    Amount { messages: queue.copies.len() as u64, ..Amount::of(queue.bodies()) }
}

fn in_flight_of(queue: &Queue) -> u64 {
    queue.copies.iter().filter(|copy| copy.progress != KeptProgress::Queued).count() as u64
}

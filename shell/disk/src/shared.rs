//! What those who submit, the thread that commits and those who hear of commits share.
//!
//! The rules: batches leave the intake in the order they came; what became of them is put out in the order of the log.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_record::{Batch, CheckpointNumber, Completion, Need, Room};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::Stats;
use crate::waiting::Weighed;

/// Bytes that may wait before publishers do.
const WAITING_BYTES: usize = 16 << 20;
/// How long a batch may wait before publishers do, in milliseconds.
const LAG_MS: u64 = 250;

/// The way in and the way out.
pub(crate) struct Shared {
    intake: Mutex<Intake>,
    arrived: Condvar,
    completed: Mutex<Vec<Completion>>,
    has_completed: AtomicBool,
    /// Held while completions are handed out.
    taker: Mutex<()>,
    /// Batches submitted and not handed out.
    unsettled: AtomicUsize,
    /// There are batches in the intake that nobody was woken for.
    has_left_some: AtomicBool,
    /// Bytes of batches in the intake, and of those the log has and has not written.
    bytes_here: AtomicUsize,
    bytes_in_log: AtomicUsize,
    /// When the oldest of them was submitted, in milliseconds since the start and one; zero when there is none.
    oldest: AtomicU64,
    room: AtomicU8,
    checkpoint: AtomicU64,
    told: Mutex<Told>,
    wake: Box<dyn Fn() + Send + Sync>,
    started: Instant,
}

#[derive(Debug, Default)]
struct Intake {
    batches: Vec<Weighed>,
    /// When the first of them came.
    since: Option<Instant>,
    wants_checkpoint: bool,
    is_closing: bool,
    /// There is something to be done but for batches.
    has_news: bool,
    /// The thread that commits sleeps.
    is_awaited: bool,
}

/// What is told to whoever asks.
#[derive(Debug, Default)]
struct Told {
    stats: Stats,
    trouble: Option<String>,
}

/// What came in since the last look.
pub(crate) struct Taken {
    pub(crate) since: Option<Instant>,
    pub(crate) wants_checkpoint: bool,
    pub(crate) is_closing: bool,
}

impl Shared {
    pub(crate) fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            intake: Mutex::default(),
            arrived: Condvar::new(),
            completed: Mutex::default(),
            has_completed: AtomicBool::new(false),
            taker: Mutex::default(),
            unsettled: AtomicUsize::new(0),
            has_left_some: AtomicBool::new(false),
            bytes_here: AtomicUsize::new(0),
            bytes_in_log: AtomicUsize::new(0),
            oldest: AtomicU64::new(0),
            room: AtomicU8::new(room_number(Room::Open)),
            checkpoint: AtomicU64::new(0),
            told: Mutex::default(),
            wake,
            started: Instant::now(),
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes batches; says how safe the one must be that must be safest. `None`: there was none.
    pub(crate) fn push(&self, batches: impl Iterator<Item = Batch>) -> Option<Need> {
        let mut intake = self.intake.lock();
        let before = intake.batches.len();
        let (mut bytes, mut need) = (0, Need::Lazy);
        intake.batches.extend(batches.map(Weighed::new).inspect(|weighed| {
            bytes += weighed.weight;
            need = need.max(weighed.batch.need);
        }));
        let count = intake.batches.len() - before;
        if count == 0 {
            return None;
        }
        self.unsettled.fetch_add(count, Ordering::Relaxed);
        self.bytes_here.fetch_add(bytes, Ordering::Relaxed);
        if need < Need::Synced {
            self.has_left_some.store(true, Ordering::Relaxed);
        }
        if intake.since.is_none() {
            let now = Instant::now();
            intake.since = Some(now);
            self.note_oldest(now);
        }
        Some(need)
    }

    /// Whoever completed the one before may just have said that nothing waits.
    fn note_oldest(&self, since: Instant) {
        let at = self.millis(since) + 1;
        let _ = self.oldest.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Are there batches that nobody was woken for? Whoever pushed them must see to them.
    pub(crate) fn has_left_some(&self) -> bool {
        self.has_left_some.load(Ordering::Relaxed)
    }

    /// Does nothing wait to be taken?
    pub(crate) fn is_empty(&self) -> bool {
        self.intake.lock().batches.is_empty()
    }

    /// Takes what came in. Only whoever holds the log may: that keeps the order.
    pub(crate) fn take(&self, batches: &mut Vec<Weighed>) -> Taken {
        let mut intake = self.intake.lock();
        std::mem::swap(&mut intake.batches, batches);
        self.bytes_here.store(0, Ordering::Relaxed);
        self.has_left_some.store(false, Ordering::Relaxed);
        let since = intake.since.take();
        since.into_iter().for_each(|since| self.note_oldest(since));
        Taken {
            since,
            wants_checkpoint: std::mem::take(&mut intake.wants_checkpoint),
            is_closing: intake.is_closing,
        }
    }

    /// Waits until there is something to be done, at most so long.
    pub(crate) fn wait(&self, patience: Option<Duration>) {
        let mut intake = self.intake.lock();
        let has_work = intake.has_news || !intake.batches.is_empty();
        if !has_work && patience != Some(Duration::ZERO) {
            intake.is_awaited = true;
            match patience {
                Some(patience) => drop(self.arrived.wait_for(&mut intake, patience)),
                None => self.arrived.wait(&mut intake),
            }
            intake.is_awaited = false;
        }
        intake.has_news = false;
    }

    /// There is something to be done: the thread that commits is woken if it sleeps.
    pub(crate) fn announce(&self) {
        self.announce_in(self.intake.lock());
    }

    pub(crate) fn request_checkpoint(&self) {
        let mut intake = self.intake.lock();
        intake.wants_checkpoint = true;
        self.announce_in(intake);
    }

    pub(crate) fn close(&self) {
        let mut intake = self.intake.lock();
        intake.is_closing = true;
        self.announce_in(intake);
    }

    fn announce_in(&self, mut intake: MutexGuard<'_, Intake>) {
        intake.has_news = true;
        if std::mem::take(&mut intake.is_awaited) {
            drop(intake);
            self.arrived.notify_one();
        }
    }

    /// Puts out what became of batches. `oldest` is when the oldest was submitted that is not completed; so many bytes
    /// still wait in the log.
    pub(crate) fn complete(
        &self,
        completions: &mut Vec<Completion>,
        oldest: Option<Instant>,
        bytes_in_log: usize,
    ) {
        self.bytes_in_log.store(bytes_in_log, Ordering::Relaxed);
        if completions.is_empty() {
            return;
        }
        self.oldest.store(oldest.map_or(0, |at| self.millis(at) + 1), Ordering::Relaxed);
        self.completed.lock().append(completions);
        self.has_completed.store(true, Ordering::Release);
    }

    /// Is there anything to hand out?
    pub(crate) fn has_completed(&self) -> bool {
        self.has_completed.load(Ordering::Acquire)
    }

    /// Hands out, in the order of the log, what became of batches.
    pub(crate) fn hand_out(&self, hand_out: impl FnMut(Completion)) {
        if !self.has_completed() {
            return;
        }
        let _only = self.taker.lock();
        let completed = {
            let mut completed = self.completed.lock();
            self.has_completed.store(false, Ordering::Release);
            std::mem::take(&mut *completed)
        };
        let count = completed.len();
        completed.into_iter().for_each(hand_out);
        self.unsettled.fetch_sub(count, Ordering::Release);
    }

    /// Is there no batch whose fate was not handed out yet?
    pub(crate) fn is_idle(&self) -> bool {
        self.unsettled.load(Ordering::Acquire) == 0
    }

    /// May publishers be read?
    pub(crate) fn room(&self) -> Room {
        match self.told_room() {
            Room::Open if self.waiting_bytes() > WAITING_BYTES || self.lags() => Room::Reserve,
            room => room,
        }
    }

    /// What was told of the room last.
    pub(crate) fn told_room(&self) -> Room {
        room_from(self.room.load(Ordering::Relaxed))
    }

    fn waiting_bytes(&self) -> usize {
        self.bytes_here.load(Ordering::Relaxed) + self.bytes_in_log.load(Ordering::Relaxed)
    }

    fn lags(&self) -> bool {
        let oldest = self.oldest.load(Ordering::Relaxed);
        oldest > 0 && self.millis(Instant::now()) > oldest - 1 + LAG_MS
    }

    /// The checkpoint under way.
    pub(crate) fn checkpoint(&self) -> Option<CheckpointNumber> {
        let number = self.checkpoint.load(Ordering::Acquire);
        (number > 0).then_some(CheckpointNumber(number))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.told.lock().stats
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.told.lock().trouble.clone()
    }

    /// Tells how things stand; true when the room or the checkpoint is another than before.
    pub(crate) fn tell(
        &self,
        room: Room,
        checkpoint: Option<CheckpointNumber>,
        stats: Stats,
        trouble: impl FnOnce() -> Option<String>,
    ) -> bool {
        let number = room_number(room);
        let has_changed = self.room.swap(number, Ordering::Relaxed) != number;
        let checkpoint = checkpoint.map_or(0, |checkpoint| checkpoint.0);
        let is_new = self.checkpoint.swap(checkpoint, Ordering::AcqRel) != checkpoint;
        let mut told = self.told.lock();
        told.stats = stats;
        if has_changed || room != Room::Open {
            told.trouble = trouble();
        }
        has_changed || is_new
    }

    /// Wakes whoever must hear of commits, of another room or of a checkpoint.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("unsettled", &self.unsettled).finish_non_exhaustive()
    }
}

const ROOMS: [Room; 4] = [Room::Open, Room::Reserve, Room::DrainOnly, Room::Failed];

fn room_number(room: Room) -> u8 {
    room as u8
}

fn room_from(number: u8) -> Room {
    ROOMS[usize::from(number)]
}

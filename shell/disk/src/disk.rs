//! The log with threads around it: one that commits, one that helps it, and those that read bodies back.
//!
//! The rules: whoever submits never waits for the disk; completions are handed out in the order of the log, to one
//! taker at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use martlet_record::{Batch, CheckpointNumber, Completion, Message, Need, Now, Room, Stored, Time};
use parking_lot::{Condvar, Mutex};

use crate::commit::Committer;
use crate::fetch::{Fetches, read_fetches};
use crate::files::Files;
use crate::waiting::{LAZY_BYTES, LAZY_MS};
use crate::{OpenError, Opened, ReadError, Stats};

/// Bytes that may wait before publishers do.
const WAITING_BYTES: usize = 16 << 20;
/// How long a batch may wait before publishers do, in milliseconds.
const LAG_MS: u64 = 250;
/// How long a lazy batch may lie there before anybody looks.
const LAZY: Duration = Duration::from_millis(LAZY_MS);
/// Threads that read bodies back.
const READERS: usize = 2;

/// The journal of a node, on its disk.
#[derive(Debug)]
pub struct Disk {
    shared: Arc<Shared>,
    fetches: Arc<Fetches>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What whoever submits and the thread that commits share.
pub(crate) struct Shared {
    intake: Mutex<Intake>,
    arrived: Condvar,
    completed: Mutex<Vec<Completion>>,
    has_completed: AtomicBool,
    /// Held while completions are handed out.
    taker: Mutex<()>,
    /// Batches submitted and not handed out.
    unsettled: AtomicUsize,
    /// Bytes of batches that are not completed.
    bytes: AtomicUsize,
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
    batches: Vec<Batch>,
    /// When the first of them came.
    since: Option<Instant>,
    wants_checkpoint: bool,
    is_closing: bool,
    has_news: bool,
    is_awaited: bool,
    /// Whoever waits looks again before something lazy is late.
    looks_soon: bool,
    /// Bytes that came in.
    bytes: usize,
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

impl<F: Files> Opened<F> {
    /// Starts the threads. `wake` is called by them when completions wait, when the room is another, or when a
    /// checkpoint begins or is complete; it must not block.
    pub fn start(self, wake: Box<dyn Fn() + Send + Sync>) -> Result<Disk, OpenError> {
        let log = self.into_log(Time::START)?;
        let shelf = Arc::clone(log.shelf());
        let shared = Arc::new(Shared::new(wake));
        let fetches = Arc::new(Fetches::default());
        let mut threads = Vec::new();
        for _ in 0..READERS {
            let (shelf, fetches) = (Arc::clone(&shelf), Arc::clone(&fetches));
            threads.push(spawn("disk read", move || read_fetches(&*shelf, &fetches))?);
        }
        let (committer, helpers) = Committer::new(log, Arc::clone(&shared));
        for (name, helper) in ["disk help", "disk sync"].into_iter().zip(helpers) {
            threads.push(spawn(name, move || helper.run())?);
        }
        threads.push(spawn("disk commit", move || committer.run())?);
        Ok(Disk { shared, fetches, threads: Mutex::new(threads) })
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(OpenError::io("a thread of the disk"))
}

impl Disk {
    /// Takes batches. Those of one shard are committed in the order they came.
    pub fn submit(&self, batches: impl Iterator<Item = Batch>) {
        let shared = &*self.shared;
        let mut intake = shared.intake.lock();
        let before = intake.batches.len();
        let mut bytes = 0;
        let mut is_lazy = true;
        intake.batches.extend(batches.inspect(|batch| {
            bytes += bytes_of(batch);
            is_lazy &= batch.need == Need::Lazy;
        }));
        intake.bytes += bytes;
        let count = intake.batches.len() - before;
        if count == 0 {
            return;
        }
        shared.unsettled.fetch_add(count, Ordering::Relaxed);
        shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if intake.since.is_none() {
            let now = Instant::now();
            intake.since = Some(now);
            let at = shared.millis(now) + 1;
            let _ = shared.oldest.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
        }
        // What is lazy alone is no reason to wake anybody.
        if is_lazy && intake.looks_soon && intake.bytes < LAZY_BYTES {
            intake.has_news = true;
        } else {
            shared.announce(intake);
        }
    }

    /// Hands out, in the order of the log, what became of batches.
    pub fn completed(&self, hand_out: impl FnMut(Completion)) {
        let shared = &*self.shared;
        if !shared.has_completed.load(Ordering::Acquire) {
            return;
        }
        let _only = shared.taker.lock();
        let completed = {
            let mut completed = shared.completed.lock();
            shared.has_completed.store(false, Ordering::Release);
            std::mem::take(&mut *completed)
        };
        let count = completed.len();
        completed.into_iter().for_each(hand_out);
        shared.unsettled.fetch_sub(count, Ordering::Release);
    }

    /// Is there no batch whose fate was not handed out yet?
    pub fn is_idle(&self) -> bool {
        self.shared.unsettled.load(Ordering::Acquire) == 0
    }

    /// May publishers be read?
    pub fn room(&self) -> Room {
        let shared = &*self.shared;
        match room_from(shared.room.load(Ordering::Relaxed)) {
            Room::Open if shared.bytes.load(Ordering::Relaxed) > WAITING_BYTES || shared.lags() => {
                Room::Reserve
            }
            room => room,
        }
    }

    /// What is wrong, and how it is mended.
    pub fn trouble(&self) -> Option<String> {
        self.shared.told.lock().trouble.clone()
    }

    /// The checkpoint under way: every shard writes down what it holds, once.
    pub fn checkpoint(&self) -> Option<CheckpointNumber> {
        let number = self.shared.checkpoint.load(Ordering::Acquire);
        (number > 0).then_some(CheckpointNumber(number))
    }

    /// Asks for a checkpoint, whether there is a reason or not.
    pub fn request_checkpoint(&self) {
        let mut intake = self.shared.intake.lock();
        intake.wants_checkpoint = true;
        self.shared.announce(intake);
    }

    /// Reads bodies back and answers from another thread, in the order asked for.
    pub fn fetch(&self, wanted: Vec<Stored>, now: Now, reply: Reply) {
        self.fetches.push(wanted, now, reply);
    }

    /// What is known about the log.
    pub fn stats(&self) -> Stats {
        self.shared.told.lock().stats
    }

    /// Writes everything that waits, brings it to the disk and ends the threads. Completions can still be taken.
    pub fn close(&self) {
        {
            let mut intake = self.shared.intake.lock();
            intake.is_closing = true;
            self.shared.announce(intake);
        }
        self.fetches.close();
        for thread in self.threads.lock().drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Hears what became of each body it asked for.
pub type Reply = Box<dyn FnOnce(Vec<(Stored, Result<Message, ReadError>)>) + Send>;

impl Drop for Disk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}

impl Shared {
    fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            intake: Mutex::default(),
            arrived: Condvar::new(),
            completed: Mutex::default(),
            has_completed: AtomicBool::new(false),
            taker: Mutex::default(),
            unsettled: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
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

    fn lags(&self) -> bool {
        let oldest = self.oldest.load(Ordering::Relaxed);
        oldest > 0 && self.millis(Instant::now()) > oldest - 1 + LAG_MS
    }

    /// Something is in: the thread that commits is woken if it sleeps.
    fn announce(&self, mut intake: parking_lot::MutexGuard<'_, Intake>) {
        intake.has_news = true;
        if std::mem::take(&mut intake.is_awaited) {
            drop(intake);
            self.arrived.notify_one();
        }
    }

    /// A job is done.
    pub(crate) fn announce_job(&self) {
        self.announce(self.intake.lock());
    }

    /// Waits until something comes in, at most so long, and takes it.
    pub(crate) fn take(&self, patience: Option<Duration>, batches: &mut Vec<Batch>) -> Taken {
        let mut intake = self.intake.lock();
        if !intake.has_news && patience != Some(Duration::ZERO) {
            intake.is_awaited = true;
            intake.looks_soon = patience.is_some_and(|patience| patience <= LAZY);
            match patience {
                Some(patience) => drop(self.arrived.wait_for(&mut intake, patience)),
                None => self.arrived.wait(&mut intake),
            }
            intake.is_awaited = false;
        }
        intake.looks_soon = false;
        intake.bytes = 0;
        intake.has_news = false;
        std::mem::swap(&mut intake.batches, batches);
        let since = intake.since.take();
        if let Some(since) = since {
            // Whoever completed the one before may just have said that nothing waits.
            let at = self.millis(since) + 1;
            let _ = self.oldest.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
        }
        Taken {
            since,
            wants_checkpoint: std::mem::take(&mut intake.wants_checkpoint),
            is_closing: intake.is_closing,
        }
    }

    /// Puts completions out; `oldest` is when the oldest batch was submitted that is not completed.
    pub(crate) fn complete(&self, completions: &mut Vec<Completion>, oldest: Option<Instant>) {
        if completions.is_empty() {
            return;
        }
        let bytes = completions.iter().map(|completion| bytes_of(&completion.batch)).sum();
        self.completed.lock().append(completions);
        self.has_completed.store(true, Ordering::Release);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.oldest.store(oldest.map_or(0, |at| self.millis(at) + 1), Ordering::Relaxed);
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

    pub(crate) fn wake(&self) {
        (self.wake)();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("unsettled", &self.unsettled).finish_non_exhaustive()
    }
}

/// Bytes a batch is counted with while it waits.
fn bytes_of(batch: &Batch) -> usize {
    const RECORD: usize = 64;
    batch.message_bytes() + batch.records.len() * RECORD
}

const ROOMS: [Room; 4] = [Room::Open, Room::Reserve, Room::DrainOnly, Room::Failed];

fn room_number(room: Room) -> u8 {
    room as u8
}

fn room_from(number: u8) -> Room {
    ROOMS[usize::from(number)]
}

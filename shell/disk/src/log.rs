//! The log itself, step by step: no thread, no clock.
//!
//! Whoever drives it submits batches, calls [`Log::step`] when something was submitted or [`Log::due`] has come, and runs
//! the [`Job`]s it hands out, wherever it likes, one after the other. The one rule: nothing is reported as committed
//! before it is as safe as it was asked to be, and after a failed write or sync nothing is reported as committed at all.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use martlet_record::{
    Batch, CheckpointNumber, Completion, Message, Need, Now, Outcome, Position, Room, Stored, Time,
};

use crate::apart::Part;
use crate::checkpoint::Checkpoints;
use crate::compact::Compaction;
use crate::files::Files;
use crate::frame::{HEADER, Kind};
use crate::job::{Done, Job, Report, Task};
use crate::read::read_all;
use crate::shelf::Shelf;
use crate::supply::{Order, Supply};
use crate::waiting::{Queue, Waiting, Weighed};
use crate::writer::Writer;
use crate::{ReadError, Settings, Stats};

/// How long after the last frame one more says that the disk has it, in milliseconds.
const MARK_MS: u64 = 100;

/// A log that is open for writing.
#[derive(Debug)]
pub struct Log<F: Files> {
    pub(crate) files: Arc<F>,
    pub(crate) settings: Settings,
    pub(crate) shelf: Arc<Shelf<F>>,
    pub(crate) writer: Writer<F>,
    pub(crate) supply: Supply<F>,
    pub(crate) queue: Queue,
    pub(crate) part: Option<Part>,
    /// Some of the Messages of the first batch that waits for its own are written.
    pub(crate) has_begun_apart: bool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) compaction: Compaction,
    pub(crate) jobs: Vec<Job<F>>,
    /// Taken from the queue, and nobody knows yet whether the disk has them.
    in_flight: Vec<Arc<Batch>>,
    /// Something waits for the next segment.
    needs_next: bool,
    /// Since when something is to be synced soon.
    dirty_since: Option<Time>,
    /// A sync is under way elsewhere. Until its fate is known there is no other: the system tells a failure only once.
    is_syncing: bool,
    /// Something waits for that.
    awaits_sync: bool,
    wrote_at: Time,
    is_closing: bool,
    failure: Option<String>,
    /// How long recovery took.
    pub(crate) recovery: Duration,
}

impl<F: Files> Log<F> {
    pub(crate) fn new(
        files: Arc<F>,
        settings: Settings,
        shelf: Arc<Shelf<F>>,
        writer: Writer<F>,
        supply: Supply<F>,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            files,
            settings,
            shelf,
            writer,
            supply,
            queue: Queue::default(),
            part: None,
            has_begun_apart: false,
            checkpoints,
            compaction: Compaction::default(),
            jobs: Vec::new(),
            in_flight: Vec::new(),
            needs_next: false,
            dirty_since: None,
            is_syncing: false,
            awaits_sync: false,
            wrote_at: Time::START,
            is_closing: false,
            failure: None,
            recovery: Duration::ZERO,
        }
    }

    /// Takes a batch. What became of it is told by a later step, in the order of the log.
    pub fn submit(&mut self, batch: Batch, now: Now) {
        self.take_in(Weighed::new(batch), now.time);
    }

    /// The same with a batch that was weighed already; `since` is when it came.
    pub(crate) fn take_in(&mut self, weighed: Weighed, since: Time) {
        let Weighed { weight, longest, holds_written, .. } = weighed;
        let is_apart = longest > self.settings.part_bytes()
            || (longest > 0 && weight > self.settings.group_bytes())
            || (holds_written && self.has_lost_bodies(&weighed.batch));
        self.queue.push(Waiting::new(weighed, is_apart, since));
    }

    /// Writes what waits, as far as that takes one write and nothing else: no sync, and no other segment. Whoever
    /// submits and must not wait for the disk may call it; whatever is left, [`Log::due`] says.
    pub fn write(&mut self, now: Now, done: &mut Vec<Completion>) {
        if self.failure.is_none()
            && self.takes_only_a_write(now.time)
            && let Err(error) = self.write_group(now, done)
        {
            self.fail(&error);
        }
        if self.failure.is_some() {
            self.give_up(done);
        }
    }

    fn takes_only_a_write(&self, now: Time) -> bool {
        self.queue.is_due(now)
            && !self.queue.needs_sync()
            && !self.is_blocked()
            && self.queue.first().is_some_and(|first| self.writer.fits(first.weight))
    }

    /// Does what is to be done now: at most one frame of batches, and a slice of whatever else is under way.
    pub fn step(&mut self, now: Now, done: &mut Vec<Completion>) {
        if self.failure.is_none()
            && let Err(error) = self.try_step(now, done)
        {
            self.fail(&error);
        }
        if self.failure.is_some() {
            self.give_up(done);
        }
    }

    fn try_step(&mut self, now: Now, done: &mut Vec<Completion>) -> io::Result<()> {
        self.write_part(now)?;
        if self.queue.is_due(now.time) || self.is_closing {
            self.write_group(now, done)?;
        }
        self.order_sync(now);
        self.advance_checkpoint(now)?;
        self.compact(now)?;
        self.say_what_is_durable(now)?;
        self.order_supplies(now);
        Ok(())
    }

    /// When [`Log::step`] is to be called though nothing was submitted and no job was done. A moment that has passed
    /// already means: again, at once.
    pub fn due(&self) -> Option<Time> {
        if self.failure.is_some() {
            return (!self.queue.is_empty()).then_some(Time::START);
        }
        let part = self.queue.first_apart().filter(|_| !self.is_blocked()).map(|_| Time::START);
        let queue = self.queue.due().map(|due| if self.is_closing { Time::START } else { due });
        let queue = queue.filter(|_| !self.is_blocked());
        let sync = self.dirty_since.filter(|_| !self.is_syncing);
        let sync = sync.map(|since| since.after_millis(millis(self.settings.sync_interval)));
        let mark = self.writer.can_say_more().then(|| self.wrote_at.after_millis(MARK_MS));
        let must_sync = self.is_closing && !self.writer.is_synced() && !self.is_blocked();
        let mark = mark.or(must_sync.then_some(Time::START));
        let others = [self.checkpoint_due(), self.compaction_due(), self.supply_due()];
        [part, queue, sync, mark].into_iter().chain(others).flatten().min()
    }

    /// Does what was submitted wait for a job?
    pub(crate) fn is_blocked(&self) -> bool {
        self.needs_next || self.awaits_sync
    }

    /// Work for another thread, in the order it must be done.
    pub fn take_jobs(&mut self) -> Vec<Job<F>> {
        std::mem::take(&mut self.jobs)
    }

    /// Hears of a job that is done.
    pub fn finish(&mut self, done: Done<F>, now: Now) {
        let finished = match done.0 {
            Report::Made(made) => self.supply.made(made, now.time),
            Report::Named(named) => named.map(|next| self.supply.named(next)),
            Report::Synced(synced) => {
                self.is_syncing = false;
                synced.map(|up_to| self.writer.synced(up_to))
            }
            Report::Removed(removed) => removed.map(|()| self.supply.removed()),
            Report::GaveBack(spares) => spares.map(|spares| self.supply.gave_back(spares)),
            Report::Weighed(weighed) => {
                self.weighed(weighed);
                Ok(())
            }
            Report::Gathered(gathered) => {
                self.compaction.gathered(gathered);
                Ok(())
            }
        };
        self.needs_next = false;
        self.awaits_sync = false;
        if let Err(error) = finished {
            self.fail(&error);
        }
    }

    /// May publishers be read? Whether too much waits is for others to say.
    pub fn room(&self) -> Room {
        match (&self.failure, self.supply.shortage()) {
            (Some(_), _) => Room::Failed,
            (None, Some(_)) => Room::DrainOnly,
            (None, None) => Room::Open,
        }
    }

    /// What is wrong, and how it is mended.
    pub fn trouble(&self) -> Option<String> {
        let failed = self.failure.as_ref().map(|failure| {
            format!(
                "the disk failed ({failure}): nothing is acknowledged any more. Mend the disk and start again: \
                 what was acknowledged until then is read back"
            )
        });
        failed.or_else(|| {
            let shortage = self.supply.shortage()?;
            Some(format!("the disk is full: new Messages are refused, queues drain. {shortage}"))
        })
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Is there nothing that waits to be written?
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The last position of the log.
    pub fn position(&self) -> Position {
        self.writer.position()
    }

    /// The checkpoint under way: shards are to write themselves down.
    pub fn checkpoint(&self) -> Option<CheckpointNumber> {
        self.checkpoints.under_way()
    }

    /// Asks for a checkpoint, whether there is a reason or not.
    pub fn request_checkpoint(&mut self) {
        self.checkpoints.request();
    }

    /// From now on nothing waits to ride along.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    /// Was everything written that is ever to be, once closed?
    pub fn is_closed(&self) -> bool {
        let is_written = self.queue.is_empty() && self.writer.is_synced() && !self.writer.can_say_more();
        self.is_closing && (self.failure.is_some() || is_written)
    }

    /// Reports what will not be written any more as unknown: this is the end.
    pub fn abandon(&mut self, done: &mut Vec<Completion>) {
        self.give_up(done);
    }

    /// Reads bodies back, in the order asked for.
    pub fn read(&self, wanted: &[Stored], now: Now) -> Vec<Result<Message, ReadError>> {
        read_all(&*self.shelf, wanted, now)
    }

    /// Where bodies are read.
    pub(crate) fn shelf(&self) -> &Arc<Shelf<F>> {
        &self.shelf
    }

    /// What is known about the log.
    pub fn stats(&self) -> Stats {
        let segments = self.shelf.count() + self.supply.count();
        let written = self.writer.written;
        Stats {
            segments: segments as u64,
            disk_bytes: segments as u64 * u64::from(self.settings.segment_bytes),
            position: self.writer.position(),
            frames: written.frames,
            written_bytes: written.bytes,
            syncs: written.syncs,
            waiting: self.queue.len() as u64,
            checkpoint: self.checkpoints.last(),
            recovery: self.recovery,
            ..Stats::default()
        }
    }

    /// Writes one frame of what waits.
    fn write_group(&mut self, now: Now, done: &mut Vec<Completion>) -> io::Result<()> {
        if self.queue.needs_sync() && !self.may_sync() {
            return Ok(());
        }
        let weight = self.take_group(now.time)?;
        let Some(need) = self.in_flight.iter().map(|batch| batch.need).max() else { return Ok(()) };
        let (batches, checkpoints) = (&self.in_flight, &mut self.checkpoints);
        self.writer.append(Kind::Batches, now.wall, |base, out| {
            for batch in batches {
                batch.encode(base, out, &mut |stored| checkpoints.mark(stored));
                checkpoints.note(batch);
            }
            debug_assert!(out.len() <= weight + HEADER, "{} bytes were thought to be {weight}", out.len());
        })?;
        self.wrote_at = now.time;
        match need {
            Need::Synced => self.sync()?,
            Need::SyncedSoon => self.dirty_since = Some(self.dirty_since.unwrap_or(now.time)),
            Need::Written | Need::Lazy => {}
        }
        let position = self.writer.position();
        done.extend(self.in_flight.drain(..).map(|batch| Completion {
            batch,
            position,
            outcome: Outcome::Committed,
        }));
        Ok(())
    }

    /// Takes as many batches as go into one frame, and says what they weigh.
    fn take_group(&mut self, now: Time) -> io::Result<usize> {
        let mut weight = 0;
        while let Some(first) = self.queue.first() {
            let with_first = weight + first.weight;
            let fits = match self.in_flight.is_empty() {
                true => self.make_room(with_first, now)?,
                false => with_first <= self.settings.group_bytes() && self.writer.fits(with_first),
            };
            if !fits {
                break;
            }
            weight = with_first;
            self.in_flight.extend(self.queue.take_first().map(|first| first.batch));
        }
        Ok(weight)
    }

    /// Sees to it that a frame with such a body can be written; false: as soon as the next segment is ready. What was let
    /// in is never turned away: whoever submits asked for room first, and the reserve holds what was under way.
    pub(crate) fn make_room(&mut self, body: usize, now: Time) -> io::Result<bool> {
        if self.writer.fits(body) {
            return Ok(true);
        }
        if !self.may_sync() {
            return Ok(false);
        }
        let Some(next) = self.supply.take_next(now) else {
            self.needs_next = true;
            return Ok(false);
        };
        self.writer.enter(next)?;
        self.dirty_since = None;
        Ok(true)
    }

    /// Lets another thread bring to the disk what is to be there soon.
    fn order_sync(&mut self, now: Now) {
        let is_due =
            self.dirty_since.is_some_and(|since| now.time.since(since) >= self.settings.sync_interval);
        if is_due && !self.is_syncing {
            self.dirty_since = None;
            self.is_syncing = true;
            let (file, up_to) = self.writer.to_sync();
            self.order(Task::Sync { file, up_to });
        }
    }

    /// Is no sync under way? Otherwise whoever asks must come back when it is over.
    pub(crate) fn may_sync(&mut self) -> bool {
        self.awaits_sync |= self.is_syncing;
        !self.is_syncing
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()?;
        self.dirty_since = None;
        Ok(())
    }

    /// A frame says what the disk has at the moment it is written, and that is always less than itself. So one more
    /// is written when nothing else is: the damage of a frame that nobody spoke of would pass for one that was torn.
    fn say_what_is_durable(&mut self, now: Now) -> io::Result<()> {
        let is_time = self.is_closing || self.wrote_at.after_millis(MARK_MS) <= now.time;
        if self.is_closing && self.queue.is_empty() && self.may_sync() {
            self.sync()?;
        }
        if self.queue.is_empty() && is_time && self.writer.can_say_more() {
            self.writer.mark(now.wall)?;
        }
        Ok(())
    }

    /// When something is to be done about room.
    fn supply_due(&self) -> Option<Time> {
        self.supply.due(self.needs_next_soon())
    }

    fn needs_next_soon(&self) -> bool {
        self.needs_next || self.writer.is_half_full()
    }

    fn order_supplies(&mut self, now: Now) {
        let needs_next = self.needs_next_soon();
        let number = self.writer.segment() + 1;
        let Some(order) = self.supply.order(needs_next, number, now.time) else { return };
        self.order(match order {
            Order::Name(spare, number) => Task::Name { spare, number },
            Order::Remove(spare) => Task::Remove(spare),
            Order::Make { spare, is_needed } => {
                let segments = self.shelf.count() + self.supply.count();
                Task::Make { spare, segments, settings: self.settings.clone(), is_needed }
            }
        });
    }

    pub(crate) fn order(&mut self, task: Task<F>) {
        self.jobs.push(Job { files: Arc::clone(&self.files), task });
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure.get_or_insert(error.to_string());
    }

    /// Nobody knows what became of what is under way, and nobody will before a restart.
    fn give_up(&mut self, done: &mut Vec<Completion>) {
        self.part = None;
        self.has_begun_apart = false;
        let waiting = self.queue.take_all().map(|waiting| waiting.batch);
        let position = self.writer.position();
        let lost = self.in_flight.drain(..).chain(waiting);
        done.extend(lost.map(|batch| Completion { batch, position, outcome: Outcome::Unknown }));
    }

    /// Does a batch name a Message in memory whose place in the log was given back?
    fn has_lost_bodies(&self, batch: &Batch) -> bool {
        batch.records.iter().flat_map(martlet_record::Record::bodies).any(|body| {
            let held = body.held().and_then(|message| message.stored());
            held.is_some_and(|stored| self.is_lost(stored))
        })
    }

    /// Is a body that was in the log no longer there? Nobody needed it when a checkpoint was complete: its segment may be
    /// given back, and where its parts are may be forgotten.
    pub(crate) fn is_lost(&self, stored: Stored) -> bool {
        let is_in_parts = stored.len as usize > self.settings.part_bytes();
        let is_forgotten = is_in_parts && self.shelf.whereabouts(stored.place).is_none();
        is_forgotten || (stored.place.segment() < self.writer.segment() && !self.shelf.holds(stored))
    }

    /// A frame was written now.
    pub(crate) fn wrote(&mut self, now: Now) {
        self.wrote_at = now.time;
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

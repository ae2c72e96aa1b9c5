//! Checkpoints: where recovery may begin, and what segments are given back after.
//!
//! A checkpoint is `Began`, everything the shards hold, written by them as ordinary batches among others, the
//! whereabouts of bodies that moved, and `Complete`. The rules: frames say that a checkpoint counts only when the disk
//! has all of it; a segment is given back only when the disk has a frame that says so; and only when it lies before the
//! checkpoint and no record since the beginning named a body in it.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;

use martlet_record::{Batch, CheckpointNumber, Now, Place, Record, ShardId, Stored, Time};

use crate::files::Files;
use crate::frame::Kind;
use crate::job::Task;
use crate::liveness::{Marks, Weighed};
use crate::log::{Log, millis};
use crate::shelf::list;
use crate::waiting::named;
use crate::{LastCheckpoint, Settings};

/// The log may grow by so many segments, or so many times what the last checkpoint took.
const GROWTH: u64 = 4;
/// The time between checkpoints on a full disk, in milliseconds.
const FULL_MS: u64 = 1000;

#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// The newest that began.
    newest: CheckpointNumber,
    under_way: Option<UnderWay>,
    is_requested: bool,
    last: LastCheckpoint,
    /// When the last was complete, or this process began.
    ended_at: Time,
    /// How far the log had grown when the last one began, and when it was complete.
    grown_at_begin: u64,
    grown_at_end: u64,
    /// Copies settled and retained messages replaced since the last began: bodies somebody needs no more.
    let_go: u64,
    /// A Session ended since: nobody counted its copies.
    has_ended: bool,
    /// Bodies moved since the last was complete: their old places can be given back.
    pub(crate) has_moved: bool,
}

#[derive(Debug)]
struct UnderWay {
    number: CheckpointNumber,
    begins: Place,
    began_at: Time,
    /// Something had been let go since the one before: more may be given back than what that one found.
    is_of_use: bool,
    stage: Stage,
    marks: Marks,
    /// Named after the marks were taken away.
    late: HashSet<Stored>,
}

#[derive(Debug)]
enum Stage {
    /// These shards have not written all they hold, as bits.
    Shards(u64),
    /// It is being found out what segments hold.
    Weighing,
    /// The whereabouts of these bodies are still to be written; some of them stand in the next frame.
    Listing { weighed: Weighed, missing: VecDeque<Place>, list: Vec<u8> },
}

impl Checkpoints {
    /// Goes on after a recovery.
    pub(crate) fn new(newest: CheckpointNumber, now: Time) -> Self {
        Self { newest, ended_at: now, ..Self::default() }
    }

    pub(crate) fn under_way(&self) -> Option<CheckpointNumber> {
        self.under_way.as_ref().map(|under_way| under_way.number)
    }

    pub(crate) fn request(&mut self) {
        self.is_requested = true;
    }

    pub(crate) fn last(&self) -> LastCheckpoint {
        self.last
    }

    /// A record names this body.
    pub(crate) fn mark(&mut self, stored: Stored) {
        let Some(under_way) = &mut self.under_way else { return };
        match under_way.stage {
            Stage::Shards(_) => under_way.marks.add(stored),
            Stage::Weighing | Stage::Listing { .. } => under_way.late(stored),
        }
    }

    /// A batch is written.
    pub(crate) fn note(&mut self, batch: &Batch) {
        // Shards write retained messages down as if they were new.
        let is_snapshot = self.under_way.is_some();
        for record in &batch.records {
            match record {
                Record::Settled { .. } => self.let_go += 1,
                Record::Retained { .. } if !is_snapshot => self.let_go += 1,
                Record::Ended { .. } => self.has_ended = true,
                Record::Snapshotted { checkpoint, .. } => self.snapshotted(*checkpoint, batch.shard),
                _ => {}
            }
        }
    }

    fn snapshotted(&mut self, checkpoint: CheckpointNumber, shard: ShardId) {
        let under_way = self.under_way.as_mut().filter(|under_way| under_way.number == checkpoint);
        if let Some(UnderWay { stage: Stage::Shards(missing), .. }) = under_way {
            *missing &= !(1 << shard.index());
        }
    }
}

impl UnderWay {
    fn late(&mut self, stored: Stored) {
        if stored.place < self.begins {
            self.late.insert(stored);
        }
    }
}

impl<F: Files> Log<F> {
    /// Begins a checkpoint, or brings the one under way forward.
    pub(crate) fn advance_checkpoint(&mut self, now: Now) -> io::Result<()> {
        let Some(mut under_way) = self.checkpoints.under_way.take() else {
            return if self.is_checkpoint_due(now.time) { self.begin_checkpoint(now) } else { Ok(()) };
        };
        if matches!(under_way.stage, Stage::Listing { .. }) {
            return self.list_or_complete(under_way, now);
        }
        if matches!(under_way.stage, Stage::Shards(0)) {
            let marks = std::mem::take(&mut under_way.marks);
            under_way.stage = Stage::Weighing;
            let segment_bytes = u64::from(self.settings.segment_bytes);
            self.order(Task::Weigh { shelf: Arc::clone(&self.shelf), marks, segment_bytes });
        }
        self.checkpoints.under_way = Some(under_way);
        Ok(())
    }

    /// When something is to be done about checkpoints.
    pub(crate) fn checkpoint_due(&self) -> Option<Time> {
        match self.checkpoints.under_way.as_ref().map(|under_way| &under_way.stage) {
            Some(Stage::Shards(0) | Stage::Listing { .. }) => (!self.is_blocked()).then_some(Time::START),
            Some(Stage::Shards(_) | Stage::Weighing) => None,
            None if self.is_blocked() || self.must_wait_with_checkpoint() => None,
            None => self.next_checkpoint(),
        }
    }

    fn is_checkpoint_due(&self, now: Time) -> bool {
        !self.must_wait_with_checkpoint() && self.next_checkpoint().is_some_and(|due| due <= now)
    }

    /// Does a checkpoint wait for Messages that are being written apart? Theirs is one side of it or the other.
    pub(crate) fn wants_checkpoint(&self, now: Time) -> bool {
        self.checkpoints.under_way.is_none() && self.next_checkpoint().is_some_and(|due| due <= now)
    }

    /// All parts of a Message, and the record that names it, are on one side of the beginning.
    fn must_wait_with_checkpoint(&self) -> bool {
        self.part.is_some() || self.has_begun_apart || self.queue.has_ready_apart()
    }

    /// When the next one begins, as things stand.
    fn next_checkpoint(&self) -> Option<Time> {
        let checkpoints = &self.checkpoints;
        let Settings { segment_bytes, checkpoint_interval, .. } = &self.settings;
        let segment_bytes = u64::from(*segment_bytes);
        let grown = self.writer.grown - checkpoints.grown_at_begin;
        if checkpoints.is_requested || grown >= GROWTH * segment_bytes.max(checkpoints.last.bytes) {
            return Some(Time::START);
        }
        let grown = self.writer.grown - checkpoints.grown_at_end;
        let is_full = self.supply.shortage().is_some();
        let sealed = self.shelf.count() > 1;
        let least = if is_full { 1 } else { checkpoints.last.bodies / GROWTH };
        let is_let_go = checkpoints.has_ended || checkpoints.let_go >= least.max(1);
        let is_worth_it = sealed
            && (checkpoints.has_moved
                || grown >= segment_bytes.max(checkpoints.last.bytes)
                || (grown > 0 && is_let_go));
        if !is_worth_it {
            return None;
        }
        let pause = if is_full { FULL_MS } else { millis(*checkpoint_interval) };
        Some(checkpoints.ended_at.after_millis(pause))
    }

    fn begin_checkpoint(&mut self, now: Now) -> io::Result<()> {
        if !self.make_room(size_of::<u64>(), now.time)? {
            return Ok(());
        }
        let number = CheckpointNumber(self.checkpoints.newest.0 + 1);
        let grown_before = self.writer.grown;
        let begins = self.writer.append(Kind::Began, now.wall, |_, out| {
            out.extend_from_slice(&number.0.to_le_bytes());
        })?;
        self.wrote(now);
        // What it copies away would have to be told twice.
        self.compaction.stop();
        let checkpoints = &mut self.checkpoints;
        checkpoints.newest = number;
        checkpoints.grown_at_begin = grown_before;
        checkpoints.is_requested = false;
        let is_of_use = std::mem::take(&mut checkpoints.let_go) > 0;
        let is_of_use = std::mem::take(&mut checkpoints.has_ended) || is_of_use;
        checkpoints.under_way = Some(UnderWay {
            number,
            begins,
            began_at: now.time,
            is_of_use,
            stage: Stage::Shards(u64::MAX >> (u64::BITS as usize - ShardId::COUNT)),
            marks: Marks::new(begins),
            late: HashSet::new(),
        });
        Ok(())
    }

    /// It is known what segments hold.
    pub(crate) fn weighed(&mut self, weighed: Weighed) {
        if let Some(under_way) = &mut self.checkpoints.under_way {
            let missing = weighed.moved.iter().copied().collect();
            under_way.stage = Stage::Listing { weighed, missing, list: Vec::new() };
        }
    }

    /// Writes the whereabouts of bodies, one frame at a time, and then that it is complete.
    fn list_or_complete(&mut self, mut under_way: UnderWay, now: Now) -> io::Result<()> {
        self.fill_list(&mut under_way);
        let Stage::Listing { list, .. } = &mut under_way.stage else { unreachable!("the caller looked") };
        let body = if list.is_empty() { size_of::<u64>() } else { list.len() };
        if !self.make_room(body, now.time)? {
            self.checkpoints.under_way = Some(under_way);
            return Ok(());
        }
        if list.is_empty() && !self.may_sync() {
            self.checkpoints.under_way = Some(under_way);
            return Ok(());
        }
        if list.is_empty() {
            return self.complete_checkpoint(under_way, now);
        }
        self.writer.append(Kind::Whereabouts, now.wall, |_, out| out.append(list))?;
        self.wrote(now);
        self.checkpoints.under_way = Some(under_way);
        Ok(())
    }

    fn fill_list(&self, under_way: &mut UnderWay) {
        let Stage::Listing { weighed, missing, list } = &mut under_way.stage else { return };
        if missing.is_empty() && list.is_empty() {
            // Who names a body so late keeps its segment, and must find it there.
            let before = under_way.begins;
            let waiting = self.queue.iter().flat_map(|waiting| named(&waiting.batch));
            under_way.late.extend(waiting.filter(|stored| stored.place < before));
            let listed: HashSet<Place> = weighed.moved.iter().copied().collect();
            let late = under_way.late.iter().map(|stored| stored.place);
            let has_moved = |name: &Place| !listed.contains(name) && self.shelf.whereabouts(*name).is_some();
            missing.extend(late.filter(has_moved));
            weighed.moved.extend(missing.iter());
        }
        while list.len() < self.settings.part_bytes() / 2
            && let Some(name) = missing.pop_front()
        {
            if let Some(whereabouts) = self.shelf.whereabouts(name) {
                list::put(name, &whereabouts, list);
            }
        }
    }

    fn complete_checkpoint(&mut self, under_way: UnderWay, now: Now) -> io::Result<()> {
        self.sync()?;
        self.writer.set_origin(under_way.begins);
        self.writer.append(Kind::Complete, now.wall, |_, out| {
            out.extend_from_slice(&under_way.number.0.to_le_bytes());
        })?;
        self.wrote(now);
        self.sync()?;
        let Stage::Listing { weighed, .. } = under_way.stage else { unreachable!("all is listed") };
        self.give_back(&weighed, under_way.begins, &under_way.late);
        let checkpoints = &mut self.checkpoints;
        checkpoints.last = LastCheckpoint {
            number: under_way.number,
            at: now.wall,
            took: now.time.since(under_way.began_at),
            bytes: self.writer.grown - checkpoints.grown_at_begin,
            bodies: weighed.bodies,
            live_bytes: weighed.live.values().sum(),
        };
        checkpoints.ended_at = now.time;
        checkpoints.grown_at_end = self.writer.grown;
        checkpoints.has_moved = false;
        if under_way.is_of_use {
            self.choose_sparse(weighed.sparse);
        }
        Ok(())
    }

    /// Gives back what lies before the checkpoint and holds nothing anybody named since.
    fn give_back(&mut self, weighed: &Weighed, begins: Place, late: &HashSet<Stored>) {
        let named_late = late.iter().flat_map(|stored| self.shelf.spans(*stored));
        let kept: HashSet<u32> = named_late.map(|span| span.place.segment()).collect();
        let numbers = self.shelf.numbers().into_iter().filter(|number| {
            *number < begins.segment() && !weighed.live.contains_key(number) && !kept.contains(number)
        });
        let mut segments = Vec::new();
        for number in numbers {
            segments.extend(self.shelf.segment(number).map(|file| (number, file)));
            self.shelf.take(number);
        }
        let listed: HashSet<Place> = weighed.moved.iter().copied().collect();
        self.shelf.retain_moved(|name| name >= begins || listed.contains(&name));
        if !segments.is_empty() {
            let count = segments.len().min(self.supply.welcome());
            let welcome = (0..count).map(|_| self.supply.new_spare(true)).collect();
            let bytes = u64::from(self.settings.segment_bytes);
            self.order(Task::GiveBack { segments, welcome, bytes });
        }
    }
}

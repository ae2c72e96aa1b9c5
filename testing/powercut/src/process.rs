//! A process that lives off its story: it submits, steps the log, does its jobs sooner or later, and lets time pass.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use martlet_disk::{Job, Log};
use martlet_record::{Batch, CheckpointNumber, Message, Now, Outcome, Place, Room, ShardId, Time, WallTime};

use crate::books::Books;
use crate::disk::Disk;
use crate::life::{Life, Recovered};
use crate::{Chance, Faults, SimulatedFiles, Story};

/// The wall clock when the other one began, in milliseconds.
const BEGAN: u64 = 1_800_000_000_000;
/// Batches under way at most.
const IN_FLIGHT: usize = 8;
/// Shards that write themselves down in one turn.
const SHARDS: usize = 24;
/// Steps after which a log that gets nowhere is given what it lacks.
const PATIENCE: usize = 30;
/// Bytes that are left when a disk is nearly full.
const SCARCE_BYTES: u64 = 12_000;

/// A moment on both clocks.
pub fn moment(time: Time) -> Now {
    Now { time, wall: WallTime(BEGAN + time.as_millis()) }
}

/// A process that lives.
#[derive(Debug)]
pub struct Process {
    files: SimulatedFiles,
    log: Log<SimulatedFiles>,
    jobs: VecDeque<Job<SimulatedFiles>>,
    chance: Chance,
    story: Story,
    books: Books,
    now: Now,
    /// The checkpoint under way, and how many shards have written themselves down.
    snapshot: (CheckpointNumber, usize),
    /// The disk fills up and breaks now and then.
    has_faults: bool,
}

impl Process {
    /// Goes on with a store that was recovered from this disk; `contents` lies in the places it names.
    pub fn new(
        began: Disk,
        found: Recovered,
        contents: BTreeMap<Place, Arc<Message>>,
        story: Story,
        now: Now,
        chance: Chance,
    ) -> Self {
        let books = Books::new(found.files.clone(), began, found.model, contents);
        let log = found.opened.into_log(now.time).expect("no fault was asked for");
        let files = found.files;
        let snapshot = (CheckpointNumber(0), 0);
        Self { files, log, jobs: VecDeque::new(), chance, story, books, now, snapshot, has_faults: false }
    }

    /// From here the disk fills up and breaks now and then.
    pub fn have_faults(&mut self) {
        self.has_faults = true;
    }

    /// Lives so many turns.
    pub fn live(&mut self, turns: usize) {
        for _ in 0..turns {
            if self.has_faults {
                self.change_faults();
            }
            self.turn();
        }
    }

    /// Comes to rest: everything is written and on the disk.
    pub fn rest(&mut self) {
        self.files.set_faults(Faults::default());
        self.log.close();
        while !self.log.is_closed() {
            self.pass(100);
            self.step();
            self.run_jobs();
        }
        self.run_jobs();
    }

    /// The log, for a look.
    pub fn log(&self) -> &Log<SimulatedFiles> {
        &self.log
    }

    /// It is over.
    pub fn into_life(self) -> (Life, Story) {
        (self.books.into_life(self.now), self.story)
    }

    fn turn(&mut self) {
        for _ in 0..self.chance.below(4) {
            if self.books.waiting() < IN_FLIGHT {
                let batch = self.story.next(self.now);
                self.submit(batch);
            }
        }
        match self.chance.below(40) {
            0 => self.log.request_checkpoint(),
            1..=4 => self.pass(1000),
            5..=12 => self.pass(20),
            _ => self.pass(1),
        }
        self.step();
        if self.chance.once_in(2) {
            self.run_job();
        }
        self.write_down();
    }

    fn change_faults(&mut self) {
        match self.chance.below(60) {
            0 => {
                let capacity = self.files.disk().used() + self.chance.below(SCARCE_BYTES);
                self.files.set_faults(Faults { capacity: Some(capacity), ..Faults::default() });
            }
            1..=3 => self.files.set_faults(Faults::default()),
            4 if self.chance.once_in(8) => {
                let broken = [self.files.calls() + self.chance.below(5)].into();
                self.files.set_faults(Faults { capacity: None, broken });
            }
            _ => {}
        }
    }

    /// Writes down what some shards hold for the checkpoint under way, when nothing else is under way.
    fn write_down(&mut self) {
        let Some(checkpoint) = self.log.checkpoint() else { return };
        if self.snapshot.0 != checkpoint {
            self.snapshot = (checkpoint, 0);
        }
        let done = self.snapshot.1;
        if done == ShardId::COUNT || self.chance.once_in(3) {
            return;
        }
        self.drain();
        if self.log.room() == Room::Failed {
            return;
        }
        for shard in ShardId::all().skip(done).take(SHARDS) {
            let batch = self.story.snapshot(shard, checkpoint, self.now);
            self.submit(batch);
        }
        self.snapshot.1 = (done + SHARDS).min(ShardId::COUNT);
        self.drain();
    }

    fn drain(&mut self) {
        for count in 0.. {
            if self.log.is_idle() {
                break;
            }
            if count == PATIENCE {
                self.files.set_faults(Faults::default());
            }
            self.pass(100);
            self.step();
            self.run_jobs();
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = moment(self.now.time.after_millis(millis));
    }

    fn submit(&mut self, batch: Batch) {
        self.books.submit(&batch);
        self.log.submit(batch, self.now);
    }

    fn step(&mut self) {
        let mut done = Vec::new();
        self.log.step(self.now, &mut done);
        for completion in done {
            self.books.completed(&completion);
            if completion.outcome == Outcome::Committed {
                self.story.committed(&completion.batch, completion.position);
            }
        }
        self.jobs.extend(self.log.take_jobs());
    }

    fn run_jobs(&mut self) {
        while !self.jobs.is_empty() {
            self.run_job();
        }
    }

    fn run_job(&mut self) {
        if let Some(job) = self.jobs.pop_front() {
            self.log.finish(job.run(), self.now);
            self.jobs.extend(self.log.take_jobs());
        }
    }
}

//! A process that lives off its story: it submits, steps the log, does its jobs sooner or later, and lets time pass.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use martlet_disk::{Job, Log};
use martlet_record::{
    Batch, CheckpointNumber, Completion, Message, Now, Outcome, Place, Room, ShardId, Time, WallTime,
};

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

/// A log, and all that is done with it: the same for every life.
#[derive(Debug)]
pub struct Driver {
    files: SimulatedFiles,
    log: Log<SimulatedFiles>,
    jobs: VecDeque<Job<SimulatedFiles>>,
    books: Books,
    now: Now,
}

impl Driver {
    /// Goes on with a store that was recovered.
    pub fn new(found: Recovered, books: Books, now: Now) -> Self {
        let log = found.opened.into_log(now.time).expect("no fault was asked for");
        Self { files: found.files, log, jobs: VecDeque::new(), books, now }
    }

    /// The log.
    pub fn log(&self) -> &Log<SimulatedFiles> {
        &self.log
    }

    /// Steps of the disk so far.
    pub fn steps(&self) -> usize {
        self.files.steps()
    }

    /// Time passes.
    pub fn pass(&mut self, millis: u64) {
        let Now { time, wall } = self.now;
        self.now = Now { time: time.after_millis(millis), wall: WallTime(wall.0 + millis) };
    }

    /// It is at least this late.
    pub fn reach(&mut self, now: Now) {
        if self.now.time < now.time {
            self.now = now;
        }
    }

    /// Hands a batch to the log.
    pub fn submit(&mut self, batch: Batch) {
        self.books.submit(&batch);
        self.log.submit(batch, self.now);
    }

    /// One step of the log, and what became of batches by it.
    pub fn step(&mut self) -> Vec<Completion> {
        let mut done = Vec::new();
        self.log.step(self.now, &mut done);
        done.iter().for_each(|completion| self.books.completed(completion));
        if self.log.room() == Room::DrainOnly {
            self.books.is_full();
        }
        self.jobs.extend(self.log.take_jobs());
        done
    }

    /// Does a job, if there is one: the next, or one that need not wait for it.
    pub fn run_job(&mut self, is_hurried: bool) {
        let soon = self.jobs.iter().position(|job| is_hurried && job.is_soon());
        if let Some(job) = self.jobs.remove(soon.unwrap_or_default()) {
            self.log.finish(job.run(), self.now);
            self.jobs.extend(self.log.take_jobs());
        }
    }

    /// Now and then the disk fills up or breaks, or there is room again.
    pub fn change_faults(&self, chance: &mut Chance) {
        match chance.below(60) {
            0 => {
                let capacity = self.files.disk().used() + chance.below(SCARCE_BYTES);
                self.files.set_faults(Faults { capacity: Some(capacity), ..Faults::default() });
            }
            1..=3 => self.mend(),
            4 if chance.once_in(8) => {
                let broken = [self.files.calls() + chance.below(5)].into();
                self.files.set_faults(Faults { capacity: None, broken });
            }
            _ => {}
        }
    }

    /// There is room again, and nothing breaks any more.
    pub fn mend(&self) {
        self.files.set_faults(Faults::default());
    }

    /// Asks for a checkpoint.
    pub fn request_checkpoint(&mut self) {
        self.log.request_checkpoint();
    }

    /// The life so far.
    pub fn life(&self, now: Now) -> Life {
        self.books.life(now)
    }
}

/// A process that lives off its story.
#[derive(Debug)]
pub struct Process {
    driver: Driver,
    chance: Chance,
    story: Story,
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
        let books = Books::new(found.files.clone(), began, found.model.clone(), contents);
        let driver = Driver::new(found, books, now);
        Self { driver, chance, story, snapshot: (CheckpointNumber(0), 0), has_faults: false }
    }

    /// From here the disk fills up and breaks now and then.
    pub fn have_faults(&mut self) {
        self.has_faults = true;
    }

    /// Lives so many turns.
    pub fn live(&mut self, turns: usize) {
        for _ in 0..turns {
            if self.has_faults {
                self.driver.change_faults(&mut self.chance);
            }
            self.turn();
        }
    }

    /// Comes to rest: everything is written and on the disk.
    pub fn rest(&mut self) {
        self.driver.mend();
        self.driver.log.close();
        while !self.log().is_closed() {
            self.advance();
        }
    }

    /// The log, for a look.
    pub fn log(&self) -> &Log<SimulatedFiles> {
        &self.driver.log
    }

    /// It is over.
    pub fn into_life(self) -> (Life, Story) {
        (self.driver.life(self.driver.now), self.story)
    }

    fn turn(&mut self) {
        for _ in 0..self.chance.below(4) {
            if self.driver.books.waiting() < IN_FLIGHT {
                let batch = self.story.next(self.driver.now);
                self.driver.submit(batch);
            }
        }
        match self.chance.below(40) {
            0 => self.driver.request_checkpoint(),
            1..=4 => self.driver.pass(1000),
            5..=12 => self.driver.pass(20),
            _ => self.driver.pass(1),
        }
        self.step();
        if self.chance.once_in(2) {
            self.driver.run_job(self.chance.once_in(2));
        }
        self.write_down();
    }

    /// Writes down what some shards hold for the checkpoint under way, when nothing else is under way.
    fn write_down(&mut self) {
        let Some(checkpoint) = self.log().checkpoint() else { return };
        if self.snapshot.0 != checkpoint {
            self.snapshot = (checkpoint, 0);
        }
        let done = self.snapshot.1;
        if done == ShardId::COUNT || self.chance.once_in(3) {
            return;
        }
        self.drain();
        if self.log().room() == Room::Failed {
            return;
        }
        for shard in ShardId::all().skip(done).take(SHARDS) {
            let batch = self.story.snapshot(shard, checkpoint, self.driver.now);
            self.driver.submit(batch);
        }
        self.snapshot.1 = (done + SHARDS).min(ShardId::COUNT);
        self.drain();
    }

    fn drain(&mut self) {
        for count in 0.. {
            if self.log().is_idle() {
                break;
            }
            if count == PATIENCE {
                self.driver.mend();
            }
            self.advance();
        }
    }

    /// Time for whatever is lazy, and for all jobs.
    fn advance(&mut self) {
        self.driver.pass(100);
        self.step();
        while !self.driver.jobs.is_empty() {
            self.driver.run_job(false);
        }
    }

    fn step(&mut self) {
        for completion in self.driver.step() {
            if completion.outcome == Outcome::Committed {
                self.story.committed(&completion.batch, completion.position);
            }
        }
    }
}

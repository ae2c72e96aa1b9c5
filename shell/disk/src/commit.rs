//! Commits: by the thread that may wait for the disk, and by whoever submits what needs no sync.
//!
//! The rule: whoever has the log takes all that came in, in the order it came, and looks again after it let go of the
//! log. So nothing is left behind, and nobody waits for another to be through with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use martlet_record::{Completion, Now, Time, WallTime};
use parking_lot::Mutex;

use crate::files::Files;
use crate::job::{Done, Job};
use crate::shared::{Shared, Taken};
use crate::stats::Latency;
use crate::waiting::Weighed;
use crate::{Log, Stats};

/// What a thread that must not wait may do with the log, whatever files it is on.
pub(crate) trait Commit: std::fmt::Debug + Send + Sync {
    /// Commits what came in and needs no sync, unless somebody else is at the log: then it is left to them.
    fn commit_here(&self);

    /// How things stand, unless somebody else is at the log.
    fn stats(&self) -> Option<Stats>;
}

/// The log, and those who commit.
#[derive(Debug)]
pub(crate) struct Committer<F: Files> {
    driver: Mutex<Driver<F>>,
    shared: Arc<Shared>,
}

/// Drives the log.
#[derive(Debug)]
struct Driver<F: Files> {
    log: Log<F>,
    shared: Arc<Shared>,
    /// The way to those who help; `None`: this is over.
    helpers: Option<Helpers<F>>,
    done: Receiver<Done<F>>,
    /// Jobs the helpers have.
    ordered: usize,
    /// Batches that are not completed, by when they came in.
    ages: VecDeque<(Instant, usize)>,
    latency: Latency,
    /// When the thread that commits looks again by itself; `None`: never.
    looks_at: Option<Time>,
    // Empty between two commits: kept for their memory.
    taken: Vec<Weighed>,
    completions: Vec<Completion>,
}

/// Where jobs go: those that may take long, and those that are to be done soon.
#[derive(Debug)]
struct Helpers<F: Files> {
    jobs: Sender<Job<F>>,
    soon: Sender<Job<F>>,
}

/// Does the jobs of the log.
pub(crate) struct Helper<F: Files> {
    shared: Arc<Shared>,
    jobs: Receiver<Job<F>>,
    done: Sender<Done<F>>,
}

impl<F: Files> Helper<F> {
    pub(crate) fn run(self) {
        while let Ok(job) = self.jobs.recv() {
            if self.done.send(job.run()).is_err() {
                return;
            }
            self.shared.announce();
        }
    }
}

impl<F: Files> Committer<F> {
    /// With one helper for what may take long, and one for what is to be done soon.
    pub(crate) fn new(log: Log<F>, shared: Arc<Shared>) -> (Self, [Helper<F>; 2]) {
        let (jobs, to_do) = channel();
        let (soon, to_do_soon) = channel();
        let (finished, done) = channel();
        let helper = |jobs| Helper { shared: Arc::clone(&shared), jobs, done: finished.clone() };
        let threads = [helper(to_do), helper(to_do_soon)];
        let driver = Driver {
            log,
            shared: Arc::clone(&shared),
            helpers: Some(Helpers { jobs, soon }),
            done,
            ordered: 0,
            ages: VecDeque::new(),
            latency: Latency::default(),
            looks_at: Some(Time::START),
            taken: Vec::new(),
            completions: Vec::new(),
        };
        (Self { driver: Mutex::new(driver), shared }, threads)
    }

    /// Commits until the disk is closed.
    pub(crate) fn run(&self) {
        // Room is set aside before anybody asks.
        let mut patience = Some(Duration::ZERO);
        loop {
            self.shared.wait(patience);
            let mut driver = self.driver.lock();
            let has_news = driver.step();
            patience = driver.patience();
            let is_over = driver.is_over();
            drop(driver);
            if has_news {
                self.shared.wake();
            }
            if is_over {
                return;
            }
        }
    }
}

impl<F: Files> Commit for Committer<F> {
    fn commit_here(&self) {
        while let Some(mut driver) = self.driver.try_lock().filter(|driver| !driver.is_over()) {
            driver.write();
            drop(driver);
            // Somebody may have come while the log was taken, and left it to this one.
            if self.shared.is_empty() {
                return;
            }
        }
    }

    fn stats(&self) -> Option<Stats> {
        self.driver.try_lock().map(|driver| driver.stats())
    }
}

impl<F: Files> Driver<F> {
    /// Does all that is to be done; true when somebody must hear of it.
    fn step(&mut self) -> bool {
        let now = self.now();
        let taken = self.take(now);
        if taken.is_closing {
            self.log.close();
        }
        self.finish_jobs(now);
        self.log.step(now, &mut self.completions);
        self.hand_out_jobs();
        let is_stuck = self.ordered == 0 && self.patience() != Some(Duration::ZERO);
        if taken.is_closing && (self.log.is_closed() || is_stuck) {
            self.helpers = None;
            self.log.abandon(&mut self.completions);
        }
        self.looks_at = self.log.due();
        let has_completed = self.complete();
        let log = &self.log;
        let has_changed = self.shared.tell(log.room(), log.checkpoint(), self.stats(), || log.trouble());
        has_completed || has_changed
    }

    /// Nothing is committed any more.
    fn is_over(&self) -> bool {
        self.helpers.is_none()
    }

    /// Writes what needs nothing else. The thread that commits is woken if there is more to be done, and soon.
    fn write(&mut self) {
        let now = self.now();
        self.take(now);
        self.log.write(now, &mut self.completions);
        self.complete();
        let due = self.log.due();
        let is_sooner = due.is_some_and(|due| self.looks_at.is_none_or(|looks_at| due < looks_at));
        if is_sooner || self.log.room() != self.shared.told_room() {
            self.looks_at = due;
            self.shared.announce();
        }
    }

    fn take(&mut self, now: Now) -> Taken {
        let taken = self.shared.take(&mut self.taken);
        self.ages.extend(taken.since.map(|since| (since, self.taken.len())));
        // What is lazy has waited already.
        let since = taken.since.map_or(now.time, |since| Time::from_millis(self.shared.millis(since)));
        self.taken.drain(..).for_each(|weighed| self.log.take_in(weighed, since));
        if taken.wants_checkpoint {
            self.log.request_checkpoint();
        }
        taken
    }

    fn finish_jobs(&mut self, now: Now) {
        while let Ok(done) = self.done.try_recv() {
            self.ordered -= 1;
            self.log.finish(done, now);
        }
    }

    fn hand_out_jobs(&mut self) {
        let Some(helpers) = &self.helpers else { return };
        for job in self.log.take_jobs() {
            let helper = if job.is_soon() { &helpers.soon } else { &helpers.jobs };
            if helper.send(job).is_ok() {
                self.ordered += 1;
            }
        }
    }

    /// Puts out what is completed; true if there was anything.
    fn complete(&mut self) -> bool {
        let has_completed = !self.completions.is_empty();
        self.age(self.completions.len());
        let oldest = self.ages.front().map(|(since, _)| *since);
        self.shared.complete(&mut self.completions, oldest, self.log.waiting_bytes());
        has_completed
    }

    /// So many batches are completed.
    fn age(&mut self, mut count: usize) {
        if let Some((since, _)) = self.ages.front().filter(|_| count > 0) {
            self.latency.add(since.elapsed());
        }
        while let Some((_, left)) = self.ages.front_mut() {
            let these = count.min(*left);
            *left -= these;
            count -= these;
            if *left > 0 {
                break;
            }
            self.ages.pop_front();
        }
    }

    fn stats(&self) -> Stats {
        Stats { latency: self.latency, ..self.log.stats() }
    }

    /// How long nothing is to be done, unless something comes in.
    fn patience(&self) -> Option<Duration> {
        let now = Time::from_millis(self.shared.millis(Instant::now()));
        self.log.due().map(|due| due.since(now))
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            time: Time::from_millis(self.shared.millis(Instant::now())),
            wall: WallTime(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

//! The thread that commits and the one that helps it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use martlet_record::{Batch, Completion, Now, Time, WallTime};

use crate::disk::Shared;
use crate::files::Files;
use crate::job::{Done, Job};
use crate::stats::Latency;
use crate::{Log, Stats};

/// Drives the log.
pub(crate) struct Committer<F: Files> {
    log: Log<F>,
    shared: Arc<Shared>,
    jobs: Sender<Job<F>>,
    soon: Sender<Job<F>>,
    done: Receiver<Done<F>>,
    /// Jobs the helper has.
    ordered: usize,
    /// Batches that are not completed, by when they came in.
    ages: VecDeque<(Instant, usize)>,
    latency: Latency,
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
            self.shared.announce_job();
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
        let helpers = [helper(to_do), helper(to_do_soon)];
        let (ages, latency) = (VecDeque::new(), Latency::default());
        (Self { log, shared, jobs, soon, done, ordered: 0, ages, latency }, helpers)
    }

    /// Commits until the disk is closed.
    pub(crate) fn run(mut self) {
        let mut batches = Vec::new();
        let mut completions = Vec::new();
        // Room is set aside before anybody asks.
        let mut patience = Some(Duration::ZERO);
        loop {
            let taken = self.shared.take(patience, &mut batches);
            self.ages.extend(taken.since.map(|since| (since, batches.len())));
            let now = self.now();
            self.take_in(&mut batches, taken.since, now);
            if taken.wants_checkpoint {
                self.log.request_checkpoint();
            }
            if taken.is_closing {
                self.log.close();
            }
            self.log.step(now, &mut completions);
            self.hand_out_jobs();
            self.tell(&mut completions);
            patience = self.patience();
            let is_stuck = self.ordered == 0 && patience != Some(Duration::ZERO);
            if taken.is_closing && (self.log.is_closed() || is_stuck) {
                break;
            }
        }
        self.log.abandon(&mut completions);
        self.tell(&mut completions);
    }

    fn take_in(&mut self, batches: &mut Vec<Batch>, since: Option<Instant>, now: Now) {
        // What is lazy has waited already.
        let time = since.map_or(now.time, |since| Time::from_millis(self.shared.millis(since)));
        batches.drain(..).for_each(|batch| self.log.submit(batch, Now { time, ..now }));
        while let Ok(done) = self.done.try_recv() {
            self.ordered -= 1;
            self.log.finish(done, now);
        }
    }

    fn hand_out_jobs(&mut self) {
        for job in self.log.take_jobs() {
            let helper = if job.is_soon() { &self.soon } else { &self.jobs };
            if helper.send(job).is_ok() {
                self.ordered += 1;
            }
        }
    }

    fn tell(&mut self, completions: &mut Vec<Completion>) {
        let has_completed = !completions.is_empty();
        self.age(completions.len());
        let oldest = self.ages.front().map(|(since, _)| *since);
        self.shared.complete(completions, oldest);
        let log = &self.log;
        let stats = Stats { latency: self.latency, ..log.stats() };
        let has_changed = self.shared.tell(log.room(), log.checkpoint(), stats, || log.trouble());
        if has_completed || has_changed {
            self.shared.wake();
        }
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

//! The log with threads around it: one that commits, two that help it, and those that read bodies back.
//!
//! What needs no sync is written by whoever submitted it, unless somebody else is at the log: a commit wakes no thread
//! then. The rules: whoever submits never waits for the disk to have anything; completions are handed out in the order of
//! the log, to one taker at a time, and never by the call that commits.

use std::sync::Arc;
use std::thread::JoinHandle;

use martlet_record::{Batch, CheckpointNumber, Completion, Message, Need, Now, Room, Stored, Time};
use parking_lot::Mutex;

use crate::commit::{Commit, Committer};
use crate::fetch::{Fetches, read_fetches};
use crate::files::Files;
use crate::shared::Shared;
use crate::{OpenError, Opened, ReadError, Stats};

/// Threads that read bodies back.
const READERS: usize = 2;

/// The journal of a node, on its disk.
#[derive(Debug)]
pub struct Disk {
    shared: Arc<Shared>,
    /// Commits for whoever submits.
    commit: Arc<dyn Commit>,
    fetches: Arc<Fetches>,
    threads: Mutex<Vec<JoinHandle<()>>>,
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
        let committer = Arc::new(committer);
        let commit: Arc<dyn Commit> = Arc::clone(&committer) as _;
        threads.push(spawn("disk commit", move || committer.run())?);
        Ok(Disk { shared, commit, fetches, threads: Mutex::new(threads) })
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(OpenError::io("a thread of the disk"))
}

impl Disk {
    /// Takes batches. Those of one shard are committed in the order they came.
    ///
    /// Whoever submits calls [`Disk::commit`] afterwards: nobody else may do it.
    pub fn submit(&self, batches: impl Iterator<Item = Batch>) {
        if self.shared.push(batches) == Some(Need::Synced) {
            self.shared.announce();
        }
    }

    /// Writes what was submitted and needs no sync. It may be completed when this returns, and then nobody is woken:
    /// [`Disk::has_completed`] says so.
    pub fn commit(&self) {
        if self.shared.has_left_some() {
            self.commit.commit_here();
        }
    }

    /// Is there anything to hand out?
    pub fn has_completed(&self) -> bool {
        self.shared.has_completed()
    }

    /// Hands out, in the order of the log, what became of batches.
    pub fn completed(&self, hand_out: impl FnMut(Completion)) {
        self.shared.hand_out(hand_out);
    }

    /// Is there no batch whose fate was not handed out yet?
    pub fn is_idle(&self) -> bool {
        self.shared.is_idle()
    }

    /// May publishers be read?
    pub fn room(&self) -> Room {
        self.shared.room()
    }

    /// What is wrong, and how it is mended.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble()
    }

    /// The checkpoint under way: every shard writes down what it holds, once.
    pub fn checkpoint(&self) -> Option<CheckpointNumber> {
        self.shared.checkpoint()
    }

    /// Asks for a checkpoint, whether there is a reason or not.
    pub fn request_checkpoint(&self) {
        self.shared.request_checkpoint();
    }

    /// Reads bodies back and answers from another thread, in the order asked for.
    pub fn fetch(&self, wanted: Vec<Stored>, now: Now, reply: Reply) {
        self.fetches.push(wanted, now, reply);
    }

    /// What is known about the log.
    pub fn stats(&self) -> Stats {
        let stats = self.commit.stats();
        // Whoever came in the meantime left it to this thread.
        self.commit();
        stats.unwrap_or_else(|| self.shared.stats())
    }

    /// Writes everything that waits, brings it to the disk and ends the threads. Completions can still be taken.
    pub fn close(&self) {
        self.shared.close();
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

//! Bodies that are asked for while the log runs.

use std::collections::VecDeque;

use martlet_record::{Now, Stored};
use parking_lot::{Condvar, Mutex};

use crate::disk::Reply;
use crate::files::Files;
use crate::read::read_all;
use crate::shelf::Shelf;

/// What is asked for, and not yet read.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    fetches: VecDeque<Fetch>,
    is_closing: bool,
}

struct Fetch {
    wanted: Vec<Stored>,
    now: Now,
    reply: Reply,
}

impl Fetches {
    pub(crate) fn push(&self, wanted: Vec<Stored>, now: Now, reply: Reply) {
        self.waiting.lock().fetches.push_back(Fetch { wanted, now, reply });
        self.arrived.notify_one();
    }

    /// What was asked for is answered, and then there is no more.
    pub(crate) fn close(&self) {
        self.waiting.lock().is_closing = true;
        self.arrived.notify_all();
    }

    fn next(&self) -> Option<Fetch> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(fetch) = waiting.fetches.pop_front() {
                return Some(fetch);
            }
            if waiting.is_closing {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}

/// Answers until it is closed.
pub(crate) fn read_fetches<F: Files>(shelf: &Shelf<F>, fetches: &Fetches) {
    while let Some(Fetch { wanted, now, reply }) = fetches.next() {
        let read = read_all(shelf, &wanted, now);
        reply(wanted.into_iter().zip(read).collect());
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Waiting").field("fetches", &self.fetches.len()).finish()
    }
}

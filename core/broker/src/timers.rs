//! When a shard must look at a Session again, although nothing came for it.
//!
//! Each Session has at most one entry that counts; activity only moves its deadline, and an entry that comes too early
//! is put back. Entries of Sessions that are gone are swept out before they are many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use martlet_record::{SessionNumber, Time};

/// Deadlines of one shard's Sessions.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
}

/// A Session to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) at: Time,
    pub(crate) slot: u32,
    pub(crate) session: SessionNumber,
}

impl Timers {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.heap.push(Reverse(entry));
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next Session that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Entry> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Far more entries than Sessions are left over from those that are gone.
    pub(crate) fn is_overgrown(&self, sessions: usize) -> bool {
        self.heap.len() > 2 * sessions + 64
    }

    /// Keeps the entries that still count.
    pub(crate) fn sweep(&mut self, counts: impl Fn(&Entry) -> bool) {
        self.heap.retain(|Reverse(entry)| counts(entry));
    }
}

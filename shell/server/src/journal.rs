//! The journal of the node, shared by its runners.
//!
//! The rule: completions reach every runner they concern in log order, because they are handed out under the same lock
//! that takes them from the journal.

use std::sync::atomic::{AtomicBool, Ordering};

use martlet_record::{Batch, Completion, Journal, MemoryJournal, Room};
use parking_lot::Mutex;

/// A journal several runners submit to.
#[derive(Debug, Default)]
pub(crate) struct NodeJournal {
    journal: Mutex<MemoryJournal>,
    /// So that runners of volatile Sessions never meet at the lock.
    is_busy: AtomicBool,
    is_full: AtomicBool,
}

impl NodeJournal {
    pub(crate) fn submit(&self, batches: impl Iterator<Item = Batch>) {
        let mut journal = self.journal.lock();
        batches.for_each(|batch| journal.submit(batch));
        self.publish_state(&journal);
    }

    /// Hands out, in log order, what became of batches.
    pub(crate) fn collect(&self, hand_out: impl FnMut(Completion)) {
        if self.is_idle() {
            return;
        }
        let mut journal = self.journal.lock();
        journal.completed().into_iter().for_each(hand_out);
        self.publish_state(&journal);
    }

    /// No batch waits for its fate.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_busy.load(Ordering::Acquire)
    }

    /// May Clients that publish be read?
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full.load(Ordering::Relaxed)
    }

    fn publish_state(&self, journal: &MemoryJournal) {
        self.is_busy.store(!journal.is_idle(), Ordering::Release);
        self.is_full.store(journal.room() != Room::Open, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_record::{BatchNumber, Need, Now, ShardId};

    #[test]
    fn batches_come_back_once_in_the_order_they_were_submitted() {
        let journal = NodeJournal::default();
        assert!(journal.is_idle());
        let batch = |number| Batch {
            shard: ShardId::new(1),
            number: BatchNumber(number),
            records: Vec::new(),
            need: Need::Synced,
            at: Now::default(),
        };
        journal.submit([batch(1), batch(2)].into_iter());
        journal.submit([batch(3)].into_iter());
        assert!(!journal.is_idle());
        let mut numbers = Vec::new();
        journal.collect(|completion| numbers.push(completion.batch.number.0));
        assert_eq!(numbers, [1, 2, 3]);
        assert!(journal.is_idle());
        journal.collect(|_| panic!("nothing is left"));
    }
}

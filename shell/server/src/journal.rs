//! The journal of the node, shared by its runners: on disk, or in memory for nodes that keep nothing.
//!
//! The rule: completions reach every runner they concern in log order, because they are handed out under the same lock
//! that takes them from the journal, or by the one thread that commits.

use std::sync::atomic::{AtomicBool, Ordering};

use martlet_disk::Disk;
use martlet_record::{Batch, Completion, Journal, MemoryJournal, Room};
use parking_lot::Mutex;

/// A journal several runners submit to.
#[derive(Debug)]
pub(crate) enum NodeJournal {
    Memory(InMemory),
    Disk(Disk),
}

/// A journal that ends with the process. Its batches are complete once somebody asks.
#[derive(Debug, Default)]
pub(crate) struct InMemory {
    journal: Mutex<MemoryJournal>,
    /// So that runners of volatile Sessions never meet at the lock.
    is_busy: AtomicBool,
    is_full: AtomicBool,
}

impl NodeJournal {
    pub(crate) fn submit(&self, batches: impl Iterator<Item = Batch>) {
        match self {
            Self::Memory(memory) => memory.submit(batches),
            Self::Disk(disk) => disk.submit(batches),
        }
    }

    /// Writes what was submitted and nobody else was asked to.
    pub(crate) fn commit(&self) {
        self.disk().into_iter().for_each(Disk::commit);
    }

    /// Hands out, in log order, what became of batches.
    pub(crate) fn collect(&self, hand_out: impl FnMut(Completion)) {
        match self {
            Self::Memory(memory) => memory.collect(hand_out),
            Self::Disk(disk) => disk.completed(hand_out),
        }
    }

    /// Must it be asked in the next turn what became of batches? One on disk says so itself, but for what was committed
    /// by whoever submitted it.
    pub(crate) fn must_be_asked(&self) -> bool {
        match self {
            Self::Memory(memory) => !memory.is_idle(),
            Self::Disk(disk) => disk.has_completed(),
        }
    }

    /// No batch waits for its fate.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Memory(memory) => memory.is_idle(),
            Self::Disk(disk) => disk.is_idle(),
        }
    }

    /// What it takes at the moment.
    pub(crate) fn room(&self) -> Room {
        match self {
            Self::Memory(memory) if memory.is_full.load(Ordering::Relaxed) => Room::Reserve,
            Self::Memory(_) => Room::Open,
            Self::Disk(disk) => disk.room(),
        }
    }

    /// Much waits to be written: what can wait should.
    pub(crate) fn is_pressed(&self) -> bool {
        matches!(self.room(), Room::Reserve | Room::Failed)
    }

    /// The store, if there is one.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(disk),
        }
    }
}

impl InMemory {
    fn submit(&self, batches: impl Iterator<Item = Batch>) {
        let mut journal = self.journal.lock();
        batches.for_each(|batch| journal.submit(batch));
        self.publish_state(&journal);
    }

    fn collect(&self, hand_out: impl FnMut(Completion)) {
        if self.is_idle() {
            return;
        }
        let mut journal = self.journal.lock();
        journal.completed().into_iter().for_each(hand_out);
        self.publish_state(&journal);
    }

    fn is_idle(&self) -> bool {
        !self.is_busy.load(Ordering::Acquire)
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
        let journal = InMemory::default();
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

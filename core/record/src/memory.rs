//! A journal that forgets at the end of the process.
//!
//! It keeps the one rule that matters to those who use it: a batch completes in a later turn, never at once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{Batch, Completion, Journal, Outcome, Room};

/// Batches that may wait before publishers do.
const ROOM_BATCHES: usize = 4096;

/// A journal in memory. Each batch completes `delay` turns after the one it was submitted in.
#[derive(Debug)]
pub struct MemoryJournal {
    waiting: VecDeque<(u64, Batch)>,
    turn: u64,
    delay: u64,
    history: Option<Vec<Arc<Batch>>>,
}

impl MemoryJournal {
    /// A journal whose batches complete in the next turn.
    pub fn new() -> Self {
        Self::with_delay(1)
    }

    /// A journal that takes `turns` turns (at least one) to commit.
    pub fn with_delay(turns: u64) -> Self {
        Self { waiting: VecDeque::new(), turn: 0, delay: turns.max(1), history: None }
    }

    /// The same, and it remembers what it committed so that a test can replay it.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.history = Some(Vec::new());
        self
    }

    /// All that was committed, in log order; empty unless it was told to remember.
    pub fn history(&self) -> &[Arc<Batch>] {
        self.history.as_deref().unwrap_or_default()
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal for MemoryJournal {
    fn submit(&mut self, batch: Batch) {
        self.waiting.push_back((self.turn + self.delay, batch));
    }

    fn completed(&mut self) -> Vec<Completion> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.turn += 1;
        let ready = self.waiting.iter().take_while(|(due, _)| *due <= self.turn).count();
        let batches = self.waiting.drain(..ready).map(|(_, batch)| Arc::new(batch));
        let completions: Vec<_> =
            batches.map(|batch| Completion { batch, outcome: Outcome::Committed }).collect();
        if let Some(history) = &mut self.history {
            history.extend(completions.iter().map(|completion| Arc::clone(&completion.batch)));
        }
        completions
    }

    fn room(&self) -> Room {
        if self.waiting.len() < ROOM_BATCHES { Room::Open } else { Room::Reserve }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNumber, ShardId};

    fn batch(number: u64) -> Batch {
        Batch { shard: ShardId::new(0), number: BatchNumber(number), records: Vec::new() }
    }

    #[test]
    fn a_batch_completes_after_its_delay_and_in_order() {
        let mut journal = MemoryJournal::with_delay(3);
        journal.submit(batch(1));
        assert!(journal.completed().is_empty());
        journal.submit(batch(2));
        assert!(journal.completed().is_empty());
        let numbers = |done: Vec<Completion>| done.iter().map(|c| c.batch.number.0).collect::<Vec<_>>();
        assert_eq!(numbers(journal.completed()), [1]);
        assert_eq!(numbers(journal.completed()), [2]);
        assert!(journal.is_idle());
    }

    #[test]
    fn a_full_journal_asks_publishers_to_wait() {
        let mut journal = MemoryJournal::with_delay(100);
        (0..ROOM_BATCHES as u64).for_each(|number| journal.submit(batch(number)));
        assert_eq!(journal.room(), Room::Reserve);
    }
}

//! A journal that forgets at the end of the process.
//!
//! It keeps the one rule that matters to those who use it: a batch completes in a later turn, never at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::{
    Batch, Body, CheckpointNumber, Completion, Journal, Message, Outcome, Place, Position, Record, Room,
    Stored,
};

/// Batches that may wait before publishers do.
const ROOM_BATCHES: usize = 4096;

/// A journal in memory. Each batch completes `delay` turns after the one it was submitted in.
#[derive(Debug)]
pub struct MemoryJournal {
    waiting: VecDeque<(u64, Batch)>,
    turn: u64,
    delay: u64,
    position: u64,
    history: Option<Vec<Completion>>,
    bodies: Option<BTreeMap<Place, Arc<Message>>>,
    checkpoint: Option<CheckpointNumber>,
}

impl MemoryJournal {
    /// A journal whose batches complete in the next turn.
    pub fn new() -> Self {
        Self::with_delay(1)
    }

    /// A journal that takes `turns` turns (at least one) to commit.
    pub fn with_delay(turns: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            turn: 0,
            delay: turns.max(1),
            position: 0,
            history: None,
            bodies: None,
            checkpoint: None,
        }
    }

    /// The same, and it remembers what it committed so that a test can replay it.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.history = Some(Vec::new());
        self
    }

    /// The same, and it keeps Messages as a log on disk does: each gets a place, where it can be read back.
    #[must_use]
    pub fn storing(mut self) -> Self {
        self.bodies = Some(BTreeMap::new());
        self
    }

    /// The Message in a place, if it stores any.
    pub fn read(&self, stored: Stored) -> Option<Arc<Message>> {
        self.bodies.as_ref()?.get(&stored.place).cloned()
    }

    /// Forgets a Message, as a disk does whose bits decayed.
    pub fn damage(&mut self, stored: Stored) {
        self.bodies.iter_mut().for_each(|bodies| drop(bodies.remove(&stored.place)));
    }

    /// Asks all shards to write down what they hold.
    pub fn begin_checkpoint(&mut self, number: CheckpointNumber) {
        self.checkpoint = Some(number);
    }

    /// All that was committed, in log order; empty unless it was told to remember.
    pub fn history(&self) -> &[Completion] {
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
        let mut completions = Vec::with_capacity(ready);
        for (_, batch) in self.waiting.drain(..ready) {
            self.position += 1;
            if let Some(bodies) = &mut self.bodies {
                store(&batch, bodies);
            }
            let (batch, position) = (Arc::new(batch), Position(self.position));
            completions.push(Completion { batch, position, outcome: Outcome::Committed });
        }
        if let Some(history) = &mut self.history {
            history.extend(completions.iter().cloned());
        }
        completions
    }

    fn room(&self) -> Room {
        if self.waiting.len() < ROOM_BATCHES { Room::Open } else { Room::Reserve }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn checkpoint(&self) -> Option<CheckpointNumber> {
        self.checkpoint
    }
}

/// Gives every Message that has no place yet the next one.
fn store(batch: &Batch, bodies: &mut BTreeMap<Place, Arc<Message>>) {
    for message in batch.records.iter().flat_map(Record::bodies).filter_map(Body::held) {
        if message.place().is_none() {
            let next = bodies.last_key_value().map_or(1, |(last, _)| last.segment() + 1);
            message.set_place(Place::new(next, 0));
            bodies.insert(Place::new(next, 0), Arc::clone(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNumber, Need, Now, ShardId};

    fn batch(number: u64) -> Batch {
        Batch {
            shard: ShardId::new(0),
            number: BatchNumber(number),
            records: Vec::new(),
            need: Need::Synced,
            at: Now::default(),
        }
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

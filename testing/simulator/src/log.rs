//! A log in memory, written and read as one on disk is, and a node that dies over it.
//!
//! What was committed is bytes: whoever starts again has them and nothing else.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use martlet_broker::{Node, Outbox, Recovery, Settings, Shard};
use martlet_record::{
    Batch, CheckpointNumber, Completion, Damaged, Journal, Message, Now, Outcome, Place, Position, Record,
    Room, ShardId, Stored, Time,
};

use crate::world::{ReadableJournal, World};

/// Where its first byte lies.
const BASE: Place = Place::new(1, 0);

/// Where the clock that never jumps begins in each life but the first: not at zero, for some things began before.
const START: Time = Time::from_millis(1 << 40);

/// A log whose batches complete some turns after they were submitted.
#[derive(Debug)]
pub struct MemoryLog {
    bytes: Vec<u8>,
    /// Where each batch lies.
    batches: Vec<Range<usize>>,
    waiting: VecDeque<(u64, Batch)>,
    turn: u64,
    delay: u64,
    /// Batches that complete in one turn, at most.
    pace: usize,
    damaged: BTreeSet<Place>,
    /// The checkpoint under way.
    writing: Option<Checkpoint>,
    complete: Option<Checkpoint>,
    checkpoints: u64,
}

/// A checkpoint: its number, where it began, and how many shards are through with it.
#[derive(Debug, Clone, Copy)]
struct Checkpoint {
    number: CheckpointNumber,
    began: usize,
    through: usize,
}

impl MemoryLog {
    /// An empty log that takes `turns` turns (at least one) to commit.
    pub fn with_delay(turns: u64) -> Self {
        Self {
            bytes: Vec::new(),
            batches: Vec::new(),
            waiting: VecDeque::new(),
            turn: 0,
            delay: turns.max(1),
            pace: usize::MAX,
            damaged: BTreeSet::new(),
            writing: None,
            complete: None,
            checkpoints: 0,
        }
    }

    /// From here at most so many batches complete in one turn.
    pub fn set_pace(&mut self, batches: usize) {
        self.pace = batches.max(1);
    }

    /// How many batches it holds.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Asks all shards to write down what they hold, unless they are still at it.
    pub fn begin_checkpoint(&mut self) {
        if self.writing.is_none() {
            self.checkpoints += 1;
            let number = CheckpointNumber(self.checkpoints);
            self.writing = Some(Checkpoint { number, began: self.batches.len(), through: 0 });
        }
    }

    /// How many batches there were when the newest complete checkpoint began.
    pub fn checkpointed(&self) -> Option<usize> {
        self.complete.map(|checkpoint| checkpoint.began)
    }

    /// What lies in this place can no longer be read.
    pub fn damage(&mut self, stored: Stored) {
        self.damaged.insert(stored.place);
    }

    /// Whatever is not committed is lost.
    pub fn lose_waiting(&mut self) {
        self.waiting.clear();
        self.writing = None;
    }

    /// All batches behind the first `count` are lost as well.
    ///
    /// # Panics
    /// When there were fewer, or a checkpoint was complete behind them.
    pub fn cut_off(&mut self, count: usize) {
        assert!(count <= self.len() && self.complete.is_none(), "what is cut off is at the end");
        self.batches.truncate(count);
        self.bytes.truncate(self.batches.last().map_or(0, |last| last.end));
    }

    /// The batches from one place to another, as they are read back.
    pub fn batches(&self, range: Range<usize>) -> Vec<(Batch, Position)> {
        let read = |index: usize| {
            let Range { start, end } = self.batches[index].clone();
            let mut bytes = &self.bytes[start..end];
            let batch = Batch::decode(&mut bytes, place_at(start), &mut |_| {}).expect("what was written");
            assert!(bytes.is_empty(), "a batch ends where it ends");
            (batch, position_at(index))
        };
        range.map(read).collect()
    }

    /// The fold from the newest complete checkpoint, or from the beginning, to the end.
    pub fn recover(&self, node: Arc<Node>, now: Now) -> Recovery {
        match self.complete {
            None => self.recover_all(node, self.len(), now),
            Some(Checkpoint { began, .. }) => {
                let recovery = Recovery::from_checkpoint(node);
                self.fold(recovery, began..self.len(), now)
            }
        }
    }

    /// The fold of the first `count` batches.
    pub fn recover_all(&self, node: Arc<Node>, count: usize, now: Now) -> Recovery {
        self.fold(Recovery::new(node), 0..count, now)
    }

    /// Folds these batches as well, and reads what must be at hand then.
    pub fn fold(&self, mut recovery: Recovery, range: Range<usize>, now: Now) -> Recovery {
        for (batch, position) in self.batches(range) {
            recovery.fold(&batch, position);
        }
        for stored in recovery.unread() {
            recovery.read(stored, self.message(stored, now).ok_or(Damaged));
        }
        recovery
    }

    /// The Message in a place.
    pub fn message(&self, stored: Stored, now: Now) -> Option<Arc<Message>> {
        if self.damaged.contains(&stored.place) {
            return None;
        }
        let start = stored.place.offset() as usize;
        let body = self.bytes.get(start..start + stored.len as usize)?;
        Message::decode(body, Some(stored.place), now).ok().map(Arc::new)
    }

    fn commit(&mut self, batch: Batch) -> Completion {
        let start = self.bytes.len();
        batch.encode(BASE, &mut self.bytes, &mut |_| {});
        self.batches.push(start..self.bytes.len());
        batch.records.iter().for_each(|record| self.see(record));
        let position = position_at(self.batches.len() - 1);
        Completion { batch: Arc::new(batch), position, outcome: Outcome::Committed }
    }

    fn see(&mut self, record: &Record) {
        let Record::Snapshotted { checkpoint, .. } = record else { return };
        let Some(writing) = self.writing.as_mut().filter(|writing| writing.number == *checkpoint) else {
            return;
        };
        writing.through += 1;
        if writing.through == ShardId::COUNT {
            self.complete = self.writing.take();
        }
    }
}

fn place_at(offset: usize) -> Place {
    BASE.plus(offset)
}

/// Positions count from one.
fn position_at(index: usize) -> Position {
    Position(index as u64 + 1)
}

impl Journal for MemoryLog {
    fn submit(&mut self, batch: Batch) {
        self.waiting.push_back((self.turn + self.delay, batch));
    }

    fn completed(&mut self) -> Vec<Completion> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.turn += 1;
        let mut completions = Vec::new();
        while completions.len() < self.pace
            && let Some((_, batch)) = self.waiting.pop_front_if(|(due, _)| *due <= self.turn)
        {
            completions.push(self.commit(batch));
        }
        completions
    }

    fn room(&self) -> Room {
        Room::Open
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn checkpoint(&self) -> Option<CheckpointNumber> {
        self.writing.map(|writing| writing.number)
    }
}

impl ReadableJournal for MemoryLog {
    fn read(&mut self, stored: Stored, now: Now) -> Option<Arc<Message>> {
        self.message(stored, now)
    }
}

impl World<MemoryLog> {
    /// A world whose log takes `turns` turns to commit.
    pub fn logged(settings: Settings, turns: u64) -> Self {
        Self::with_journal(settings, MemoryLog::with_delay(turns))
    }

    /// The node dies at once, and starts again with what its log has. Every Network Connection is gone, and the clock
    /// that never jumps begins anew.
    pub fn crash(&mut self) {
        self.journal.lose_waiting();
        self.now.time = START;
        let node = self.empty_node();
        let recovery = self.journal.recover(Arc::clone(&node), self.now);
        let mut out = Outbox::default();
        let shards = recovery.finish(self.now, &mut out);
        self.begin_again(node, shards, out);
    }

    /// The fold of all that is committed, as a node would have it that starts now.
    pub fn recovered(&self) -> (Arc<Node>, Vec<Shard>) {
        let node = self.empty_node();
        let recovery = self.journal.recover(Arc::clone(&node), self.now);
        (node, recovery.finish(self.now, &mut Outbox::default()))
    }

    /// A node with these settings that knows nothing.
    pub fn empty_node(&self) -> Arc<Node> {
        Arc::new(Node::new(self.node.settings.clone(), 42))
    }
}

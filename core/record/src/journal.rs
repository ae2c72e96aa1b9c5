//! Where records become durable.

use crate::{BatchNumber, Body, CheckpointNumber, Now, Position, Record, ShardId};
use std::sync::Arc;

/// How safe a batch must be before it counts as committed. Weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Need {
    /// Nobody waits for it: it may ride along with the next that is written, within a tenth of a second. If it is lost
    /// the Client is asked again, which QoS 1 and 2 allow.
    #[default]
    Lazy,
    /// The system has it: it survives the end of the process. When it reaches the disk is up to the system.
    Written,
    /// The system has it, and is told soon to bring it to the disk.
    SyncedSoon,
    /// The disk has it: it survives a power cut.
    Synced,
}

/// The records of one shard's turn: one atomic part of a frame.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose.
    pub shard: ShardId,
    /// Its place in the shard's order.
    pub number: BatchNumber,
    /// The facts, in the order they were decided.
    pub records: Vec<Record>,
    /// How safe it must be.
    pub need: Need,
    /// When it was decided: deadlines become wall time by it.
    pub at: Now,
}

impl Batch {
    /// Bytes of the Messages it carries.
    pub fn message_bytes(&self) -> usize {
        let bodies = self.records.iter().flat_map(Record::bodies);
        bodies.filter_map(Body::held).map(|message| message.size()).sum()
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as safe as it needed to be.
    Committed,
    /// Nobody knows: nothing that waits for it may be answered. Records are idempotent, so that is safe.
    Unknown,
    /// It is not durable and never will be.
    Rejected(String),
}

/// The end of a batch's way, reported in log order.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The batch, for those who must act on its records. Its Messages know their places now.
    pub batch: Arc<Batch>,
    /// Where it stands in the order of the log: batches of one frame share a position.
    pub position: Position,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a journal takes at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Publishes are welcome.
    Open,
    /// Much waits to be written: publishers must not be read; acknowledgements, wills and ends still have their reserve.
    Reserve,
    /// The disk is full: what would have to be kept is refused; acknowledgements and ends go on until there is space.
    DrainOnly,
    /// The disk failed: nothing is promised any more until a restart has read what it really holds.
    Failed,
}

/// A log of records. `submit` never blocks; what became of a batch is reported later and never in the same turn.
///
/// Batches complete in the order they were submitted.
pub trait Journal {
    /// Takes a batch. It cannot fail: whoever submits asked for [`Journal::room`] before it stepped a shard.
    fn submit(&mut self, batch: Batch);

    /// Batches whose fate is known since the last call, in log order.
    fn completed(&mut self) -> Vec<Completion>;

    /// May publishers be read?
    fn room(&self) -> Room;

    /// Are there batches whose fate is not known yet?
    fn is_idle(&self) -> bool;

    /// The checkpoint under way: every shard writes down what it holds, then [`Record::Snapshotted`] with this number.
    fn checkpoint(&self) -> Option<CheckpointNumber> {
        None
    }
}

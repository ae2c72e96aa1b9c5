//! Where records become durable.

use crate::{BatchNumber, Record, ShardId};
use std::sync::Arc;

/// The records of one shard's turn: one atomic frame.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose.
    pub shard: ShardId,
    /// Its place in the shard's order.
    pub number: BatchNumber,
    /// The facts, in the order they were decided.
    pub records: Vec<Record>,
}

impl Batch {
    /// Bytes of the Messages it carries.
    pub fn message_bytes(&self) -> usize {
        let size = |record: &Record| match record {
            Record::Published(published) => published.message.size(),
            _ => 0,
        };
        self.records.iter().map(size).sum()
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable.
    Committed,
    /// Nobody knows: nothing that waits for it may be answered. Records are idempotent, so that is safe.
    Unknown,
    /// It is not durable and never will be.
    Rejected(String),
}

/// The end of a batch's way, reported in log order.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The batch, for those who must act on its records.
    pub batch: Arc<Batch>,
    /// What became of it.
    pub outcome: Outcome,
}

/// How much a journal takes before someone must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Publishes are welcome.
    Open,
    /// Publishers must not be read; acknowledgements, wills and ends still have their reserve.
    Reserve,
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
}

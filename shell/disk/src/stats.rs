//! What is known about the log, for those who look after it.

use std::time::Duration;

use martlet_record::{CheckpointNumber, Position, WallTime};

/// The log in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Segments on the disk, those that are set aside included.
    pub segments: u64,
    /// Bytes they take.
    pub disk_bytes: u64,
    /// The last position.
    pub position: Position,
    /// Frames written since the start.
    pub frames: u64,
    /// Bytes written since the start.
    pub written_bytes: u64,
    /// Times the disk was told to bring everything to safety since the start.
    pub syncs: u64,
    /// Batches that wait.
    pub waiting: u64,
    /// The newest complete checkpoint since the start.
    pub checkpoint: LastCheckpoint,
    /// How long commits took.
    pub latency: Latency,
    /// How long recovery took.
    pub recovery: Duration,
}

impl Stats {
    /// Bytes of the store that nobody is known to need, as of the last checkpoint.
    pub fn dead_bytes(&self) -> u64 {
        self.disk_bytes.saturating_sub(self.checkpoint.live_bytes)
    }
}

/// A complete checkpoint; number zero: there was none since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastCheckpoint {
    /// Its number.
    pub number: CheckpointNumber,
    /// When it was complete.
    pub at: WallTime,
    /// How long it took, from its beginning.
    pub took: Duration,
    /// Bytes the log grew by meanwhile.
    pub bytes: u64,
    /// Bodies before it that are needed.
    pub bodies: u64,
    /// Bytes of those.
    pub live_bytes: u64,
}

/// From submit to completion, of the batch of each group that waited longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// Groups that were measured.
    pub groups: u64,
    /// All of them together.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
    /// The last.
    pub last: Duration,
}

impl Latency {
    /// The mean.
    pub fn mean(&self) -> Duration {
        let groups = u32::try_from(self.groups).unwrap_or(u32::MAX);
        self.sum.checked_div(groups).unwrap_or_default()
    }

    pub(crate) fn add(&mut self, took: Duration) {
        self.groups += 1;
        self.sum += took;
        self.max = self.max.max(took);
        self.last = took;
    }
}

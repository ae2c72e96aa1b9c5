//! What an operator may choose.

use std::time::Duration;

use crate::OpenError;

/// How the log behaves. What is not set stays at its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a segment: what is given back to the disk, or used again, at once. 64 MiB unless told otherwise.
    pub segment_bytes: u32,
    /// How soon [`Need::SyncedSoon`](martlet_record::Need::SyncedSoon) is: 100 ms unless told otherwise.
    pub sync_interval: Duration,
    /// The least time between checkpoints that only give space back: a minute unless told otherwise.
    pub checkpoint_interval: Duration,
    /// Bytes the store may take. Beyond them the disk counts as full.
    pub disk_max: Option<u64>,
    /// Bytes that stay free for others. Below them the disk counts as full. The smaller of 2 GiB and 5 % of the file
    /// system unless told otherwise.
    pub free_min: Option<u64>,
}

/// Segments a store needs: one that is written, two set aside, and some that hold what waits.
const SEGMENTS_MIN: u64 = 5;
/// A smaller segment holds too little beside the head of a frame; a longer one has no 32-bit offsets.
const SEGMENT_BYTES: std::ops::RangeInclusive<u32> = 4096..=1 << 30;

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            sync_interval: Duration::from_millis(100),
            checkpoint_interval: Duration::from_secs(60),
            disk_max: None,
            free_min: None,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let least = u64::from(self.segment_bytes) * SEGMENTS_MIN;
        if let Some(max) = self.disk_max.filter(|max| *max < least) {
            return Err(OpenError::Settings(format!(
                "a store of at most {max} bytes: with segments of {} bytes it needs {least}; smaller segments need less",
                self.segment_bytes
            )));
        }
        if SEGMENT_BYTES.contains(&self.segment_bytes) && self.segment_bytes.is_multiple_of(4096) {
            return Ok(());
        }
        Err(OpenError::Settings(format!(
            "segments of {} bytes: a multiple of 4096 from 4 KiB to 1 GiB is needed",
            self.segment_bytes
        )))
    }

    /// Bytes of one frame that is not to delay others: a part of a large Message, a slice of a compaction.
    pub(crate) fn part_bytes(&self) -> usize {
        (256 << 10).min(self.segment_bytes as usize / 8)
    }

    /// Bytes of the batches of one frame, but for a single batch that has more.
    pub(crate) fn group_bytes(&self) -> usize {
        (4 << 20).min(self.segment_bytes as usize / 4)
    }
}

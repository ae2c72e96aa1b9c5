//! When Messages were written, and how full the segments are.

use std::collections::{BTreeMap, HashMap};

use martlet_disk::{FrameHead, OpenError};
use martlet_record::{Place, Stored, WallTime};

use super::{Progress, Stage, Store};

/// What the frames of the log say of themselves.
#[derive(Debug, Default)]
pub(crate) struct Written {
    at: HashMap<Place, WallTime>,
    /// Bytes of all segments up to their last frames.
    pub(crate) bytes: u64,
}

impl Written {
    /// When it was written; `None` when the frame it was written in is gone.
    pub(crate) fn at(&self, stored: Stored) -> Option<WallTime> {
        self.at.get(&stored.place).copied()
    }
}

impl Store {
    /// Finds out when these places were written.
    pub(crate) fn written(
        &self,
        mut places: Vec<Place>,
        progress: Progress<'_>,
    ) -> Result<Written, OpenError> {
        places.sort_unstable();
        let mut places = places.into_iter().peekable();
        let mut ends = BTreeMap::new();
        let mut at = HashMap::new();
        let mut each = |head: FrameHead| {
            let end = u64::from(head.place.offset()) + head.bytes;
            ends.insert(head.place.segment(), end);
            // Frames and places ascend.
            while places.next_if(|place| *place < head.place).is_some() {}
            let is_inside =
                |place: &Place| place.segment() == head.place.segment() && u64::from(place.offset()) < end;
            while let Some(place) = places.next_if(is_inside) {
                at.insert(place, head.wall);
            }
        };
        self.inspection.heads(&mut each, &mut |done, total| progress(Stage::Frames, done, total))?;
        Ok(Written { at, bytes: ends.values().sum() })
    }
}

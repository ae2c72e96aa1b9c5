//! When Messages were written, and how full the segments are.

use std::collections::{BTreeMap, HashMap};

use martlet_disk::OpenError;
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
        let mut written = Written::default();
        let mut done = 0;
        self.inspection.frames(&mut |frame| {
            done += frame.bytes;
            progress(Stage::Frames, done.min(self.sizes.log_bytes), self.sizes.log_bytes);
            let end = u64::from(frame.place.offset()) + frame.bytes;
            ends.insert(frame.place.segment(), end);
            // Frames and places ascend.
            while places.next_if(|place| *place < frame.place).is_some() {}
            let is_inside =
                |place: &Place| place.segment() == frame.place.segment() && u64::from(place.offset()) < end;
            while let Some(place) = places.next_if(is_inside) {
                written.at.insert(place, frame.wall);
            }
        })?;
        progress(Stage::Frames, self.sizes.log_bytes, self.sizes.log_bytes);
        written.bytes = ends.values().sum();
        Ok(written)
    }
}

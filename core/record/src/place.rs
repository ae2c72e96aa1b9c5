//! Where the log keeps a Message.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where in the log the body of a Message was written first: its name for as long as it lives, even when compaction
/// has moved it. Segments count from one and their numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(NonZeroU64);

/// A body in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stored {
    /// Where.
    pub place: Place,
    /// Bytes of the encoded body.
    pub len: u32,
}

/// The place of a Message, once it has one.
#[derive(Debug, Default)]
pub(crate) struct PlaceCell(AtomicU64);

impl Place {
    /// The place `offset` bytes into a segment.
    ///
    /// # Panics
    /// When the segment is zero, which none is.
    pub const fn new(segment: u32, offset: u32) -> Self {
        assert!(segment > 0);
        match NonZeroU64::new((segment as u64) << 32 | offset as u64) {
            Some(place) => Self(place),
            None => unreachable!(),
        }
    }

    /// Its segment.
    pub const fn segment(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    /// Bytes from the start of its segment.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
    pub const fn offset(self) -> u32 {
        self.0.get() as u32
    }

    /// The place `bytes` further in the same segment.
    ///
    /// # Panics
    /// When no segment is that long.
    pub fn plus(self, bytes: usize) -> Self {
        let offset = u32::try_from(bytes).ok().and_then(|bytes| self.offset().checked_add(bytes));
        Self::new(self.segment(), offset.expect("segments are shorter than 4 GiB"))
    }

    /// As one number, for the log.
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// The place that [`Place::to_bits`] wrote; `None` when that is none.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(place) if bits >> 32 != 0 => Some(Self(place)),
            _ => None,
        }
    }
}

impl PlaceCell {
    pub(crate) fn get(&self) -> Option<Place> {
        Place::from_bits(self.0.load(Ordering::Acquire))
    }

    /// Only the first place counts: it is the name.
    pub(crate) fn set(&self, place: Place) {
        let _ = self.0.compare_exchange(0, place.to_bits(), Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl Clone for PlaceCell {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Acquire)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_number_and_back() {
        let place = Place::new(7, 4096).plus(40);
        assert_eq!((place.segment(), place.offset()), (7, 4136));
        assert_eq!(Place::from_bits(place.to_bits()), Some(place));
        assert_eq!(Place::from_bits(4096), None, "no segment is zero");
    }

    #[test]
    fn the_first_place_is_the_name() {
        let cell = PlaceCell::default();
        assert_eq!(cell.get(), None);
        cell.set(Place::new(1, 64));
        cell.set(Place::new(9, 64));
        assert_eq!(cell.get(), Some(Place::new(1, 64)));
    }
}

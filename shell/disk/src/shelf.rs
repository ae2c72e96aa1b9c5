//! The segments that hold something, and where bodies are whose name no longer says it.
//!
//! Shared by the log, which changes it, and by all who read bodies back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use martlet_record::{Place, Stored};
use parking_lot::RwLock;

use crate::files::Files;
use crate::frame::Seed;

/// Bytes in a row that belong to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) place: Place,
    pub(crate) len: u32,
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// All of it here.
    One(Place),
    /// In parts, in this order.
    Parts(Box<[Span]>),
}

impl Whereabouts {
    /// Its parts; `len` is that of the whole.
    pub(crate) fn spans(&self, len: u32) -> Vec<Span> {
        match self {
            Self::One(place) => vec![Span { place: *place, len }],
            Self::Parts(spans) => spans.to_vec(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shelf<F: Files> {
    store: [u8; 16],
    segments: RwLock<BTreeMap<u32, Arc<F::File>>>,
    moved: RwLock<HashMap<Place, Whereabouts>>,
}

impl<F: Files> Shelf<F> {
    pub(crate) fn new(store: [u8; 16]) -> Self {
        Self { store, segments: RwLock::default(), moved: RwLock::default() }
    }

    /// What the checksums of a segment begin with.
    pub(crate) fn seed(&self, segment: u32) -> Seed {
        Seed::new(self.store, segment)
    }

    pub(crate) fn put(&self, segment: u32, file: Arc<F::File>) {
        self.segments.write().insert(segment, file);
    }

    pub(crate) fn take(&self, segment: u32) {
        self.segments.write().remove(&segment);
    }

    pub(crate) fn segment(&self, segment: u32) -> Option<Arc<F::File>> {
        self.segments.read().get(&segment).cloned()
    }

    /// All segments, ascending.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.segments.read().keys().copied().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.segments.read().len()
    }

    /// Says where a body is from now on.
    pub(crate) fn moved(&self, name: Place, to: Whereabouts) {
        self.moved.write().insert(name, to);
    }

    /// Keeps the whereabouts of these names only.
    pub(crate) fn retain_moved(&self, keep: impl Fn(Place) -> bool) {
        let mut moved = self.moved.write();
        moved.retain(|name, _| keep(*name));
        if moved.len() < moved.capacity() / 4 {
            moved.shrink_to_fit();
        }
    }

    /// Where a body is, if not where its name says.
    pub(crate) fn whereabouts(&self, name: Place) -> Option<Whereabouts> {
        self.moved.read().get(&name).cloned()
    }

    /// Where a body is.
    pub(crate) fn spans(&self, stored: Stored) -> Vec<Span> {
        let found = self.whereabouts(stored.place).unwrap_or(Whereabouts::One(stored.place));
        found.spans(stored.len)
    }

    /// Is there anything where this body should be?
    pub(crate) fn holds(&self, stored: Stored) -> bool {
        let segments = self.segments.read();
        let has = |place: Place| segments.contains_key(&place.segment());
        match self.moved.read().get(&stored.place) {
            None => has(stored.place),
            Some(Whereabouts::One(place)) => has(*place),
            Some(Whereabouts::Parts(spans)) => spans.iter().all(|span| has(span.place)),
        }
    }
}

/// The body of a frame that says where bodies are: `name u64 | parts u32 | (place u64 | length u32)*`, again and
/// again; no parts and one place: all of it is there.
pub(crate) mod list {
    use super::{Place, Span, Whereabouts};

    pub(crate) fn put(name: Place, whereabouts: &Whereabouts, out: &mut Vec<u8>) {
        out.extend_from_slice(&name.to_bits().to_le_bytes());
        match whereabouts {
            Whereabouts::One(place) => {
                out.extend_from_slice(&0_u32.to_le_bytes());
                out.extend_from_slice(&place.to_bits().to_le_bytes());
            }
            Whereabouts::Parts(spans) => {
                let count = u32::try_from(spans.len()).expect("a packet has few parts");
                out.extend_from_slice(&count.to_le_bytes());
                for span in spans {
                    out.extend_from_slice(&span.place.to_bits().to_le_bytes());
                    out.extend_from_slice(&span.len.to_le_bytes());
                }
            }
        }
    }

    /// Takes the next off the front; `None` when there is no more, or not as it is written.
    pub(crate) fn take(bytes: &mut &[u8]) -> Option<(Place, Whereabouts)> {
        let name = place(bytes)?;
        let count = u32::from_le_bytes(array(bytes)?);
        if count == 0 {
            return Some((name, Whereabouts::One(place(bytes)?)));
        }
        let mut spans = Vec::new();
        for _ in 0..count {
            spans.push(Span { place: place(bytes)?, len: u32::from_le_bytes(array(bytes)?) });
        }
        Some((name, Whereabouts::Parts(spans.into())))
    }

    fn place(bytes: &mut &[u8]) -> Option<Place> {
        Place::from_bits(u64::from_le_bytes(array(bytes)?))
    }

    fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (array, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whereabouts_come_back() {
        let parts = [Span { place: Place::new(2, 48), len: 7 }, Span { place: Place::new(3, 48), len: 1 }];
        let all = [
            (Place::new(1, 48), Whereabouts::One(Place::new(9, 96))),
            (Place::new(2, 48), Whereabouts::Parts(parts.into())),
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|(name, to)| list::put(*name, to, &mut bytes));
        let mut rest = bytes.as_slice();
        let read: Vec<_> = std::iter::from_fn(|| list::take(&mut rest)).collect();
        assert_eq!(read, all);
        assert!(rest.is_empty());
        assert_eq!(list::take(&mut &bytes[..bytes.len() - 1][20..]), None, "a part of one is none");
    }
}

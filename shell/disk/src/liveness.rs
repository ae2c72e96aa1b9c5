//! Which bodies somebody still needs.
//!
//! Nothing is counted while the log runs. A checkpoint names every body that is needed; whatever lies before its
//! beginning and was named by no record since is dead.

use std::collections::{BTreeMap, HashMap, HashSet};

use martlet_record::{Place, Stored};

use crate::files::Files;
use crate::shelf::{Shelf, Span};

/// What was named since a checkpoint began, of what lies before it.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The checkpoint begins here: what lies behind it is found again by itself.
    before: Option<Place>,
    segments: BTreeMap<u32, Marked>,
}

/// Bodies of one segment: offsets and lengths.
#[derive(Debug, Default)]
struct Marked {
    bodies: Vec<(u32, u32)>,
    /// So many at the front are in order, each once.
    sorted: usize,
}

/// As many may be added before they are put in order.
const UNSORTED: usize = 1024;

impl Marked {
    fn add(&mut self, stored: Stored) {
        self.bodies.push((stored.place.offset(), stored.len));
        // A Message for thousands is named as often.
        if self.bodies.len() >= 2 * self.sorted + UNSORTED {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.bodies.sort_unstable();
        self.bodies.dedup();
        self.sorted = self.bodies.len();
    }
}

impl Marks {
    pub(crate) fn new(before: Place) -> Self {
        Self { before: Some(before), segments: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, stored: Stored) {
        if self.before.is_some_and(|before| stored.place < before) {
            self.segments.entry(stored.place.segment()).or_default().add(stored);
        }
    }

    fn iter(&self) -> impl Iterator<Item = Stored> + '_ {
        self.segments.iter().flat_map(|(segment, marked)| {
            marked
                .bodies
                .iter()
                .map(|(offset, len)| Stored { place: Place::new(*segment, *offset), len: *len })
        })
    }
}

/// A body, or a part of one, that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) name: Place,
    /// Which of its parts, if it has any.
    pub(crate) part: Option<usize>,
    pub(crate) span: Span,
}

/// What segments still hold.
#[derive(Debug, Default)]
pub(crate) struct Weighed {
    /// Bytes by segment; those that are not listed hold nothing.
    pub(crate) live: BTreeMap<u32, u64>,
    /// How many bodies are needed.
    pub(crate) bodies: u64,
    /// Names that do not say where their body is, and are needed.
    pub(crate) moved: Vec<Place>,
    /// The bodies of segments that hold little, those with the least first.
    pub(crate) sparse: Vec<(u32, Vec<Live>)>,
}

/// Finds out what segments still hold.
pub(crate) fn weigh<F: Files>(shelf: &Shelf<F>, mut marks: Marks, segment_bytes: u64) -> Weighed {
    marks.segments.values_mut().for_each(Marked::sort);
    let mut weighed = Weighed::default();
    let before = marks.before.map_or(0, Place::segment);
    for stored in marks.iter() {
        weighed.bodies += 1;
        let moved = shelf.whereabouts(stored.place);
        weighed.moved.extend(moved.as_ref().map(|_| stored.place));
        let spans = moved.map_or_else(|| vec![whole(stored)], |moved| moved.spans(stored.len));
        for span in spans.iter().filter(|span| span.place.segment() < before) {
            *weighed.live.entry(span.place.segment()).or_default() += u64::from(span.len);
        }
    }
    let sparse: HashSet<u32> = weighed
        .live
        .iter()
        .filter(|(_, live)| **live < segment_bytes / 2)
        .map(|(segment, _)| *segment)
        .collect();
    weighed.sparse = bodies_in(shelf, &marks, &sparse);
    weighed.sparse.sort_by_key(|(segment, _)| weighed.live[segment]);
    weighed
}

fn bodies_in<F: Files>(shelf: &Shelf<F>, marks: &Marks, segments: &HashSet<u32>) -> Vec<(u32, Vec<Live>)> {
    let mut found: HashMap<u32, Vec<Live>> = HashMap::new();
    let mut add = |live: Live| {
        let segment = live.span.place.segment();
        if segments.contains(&segment) {
            found.entry(segment).or_default().push(live);
        }
    };
    for stored in marks.iter() {
        match shelf.whereabouts(stored.place) {
            None => add(Live { name: stored.place, part: None, span: whole(stored) }),
            Some(moved) => {
                let is_one = matches!(moved, crate::shelf::Whereabouts::One(_));
                for (at, span) in moved.spans(stored.len).into_iter().enumerate() {
                    add(Live { name: stored.place, part: (!is_one).then_some(at), span });
                }
            }
        }
    }
    found.into_iter().collect()
}

fn whole(stored: Stored) -> Span {
    Span { place: stored.place, len: stored.len }
}

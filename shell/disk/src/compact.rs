//! Moves bodies out of segments that hold little else.
//!
//! A body is copied to the end of the log, a slice at a time between commits, and a frame says where it is now. Its old
//! segment is given back by the next checkpoint, under the same rule as all others.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use martlet_record::{Message, Now, Place, Time};

use crate::files::{File, Files};
use crate::frame::Kind;
use crate::job::Task;
use crate::liveness::Live;
use crate::log::Log;
use crate::shelf::{Shelf, Span, Whereabouts, list};
use crate::supply::RESERVE;
use crate::writer::body_of;

/// The least time between two slices, in milliseconds.
const PAUSE_MS: u64 = 20;
const SLICE_BYTES: usize = 1 << 20;
/// Bodies of one slice, and bytes of each in the list of their places.
const SLICE_BODIES: usize = 8192;
const LISTED_BYTES: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// Still to be moved, segment by segment.
    bodies: VecDeque<Live>,
    is_reading: bool,
    /// Read, and still to be written.
    gathered: Option<Gathered>,
    next_at: Time,
}

/// Bodies that were read back.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Each with its offset in `bytes`.
    bodies: Vec<(Live, usize)>,
    bytes: Vec<u8>,
}

impl Compaction {
    /// Forgets what was still to be moved.
    pub(crate) fn stop(&mut self) {
        self.bodies.clear();
        self.gathered = None;
    }

    pub(crate) fn gathered(&mut self, gathered: Gathered) {
        self.is_reading = false;
        self.gathered = Some(gathered);
    }
}

impl<F: Files> Log<F> {
    /// Takes the bodies of sparse segments, if moving them gives back more than it costs.
    pub(crate) fn choose_sparse(&mut self, sparse: Vec<(u32, Vec<Live>)>) {
        let segment_bytes = u64::from(self.settings.segment_bytes);
        let live: u64 =
            sparse.iter().flat_map(|(_, bodies)| bodies).map(|live| u64::from(live.span.len)).sum();
        let dead = (sparse.len() as u64 * segment_bytes).saturating_sub(live);
        // The checkpoint that gives them back writes everything down once more.
        if dead >= segment_bytes + 2 * self.checkpoints.last().bytes {
            self.compaction.bodies = sparse.into_iter().flat_map(|(_, bodies)| bodies).collect();
        }
    }

    /// Moves the next slice.
    pub(crate) fn compact(&mut self, now: Now) -> io::Result<()> {
        if self.checkpoints.under_way().is_some() {
            self.compaction.gathered = None;
            return Ok(());
        }
        if let Some(gathered) = self.compaction.gathered.take() {
            return self.write_gathered(gathered, now);
        }
        if self.compaction_due().is_some_and(|due| due <= now.time) {
            let bodies = self.next_slice();
            self.compaction.is_reading = true;
            self.order(Task::Gather { shelf: Arc::clone(&self.shelf), bodies });
        }
        Ok(())
    }

    pub(crate) fn compaction_due(&self) -> Option<Time> {
        let compaction = &self.compaction;
        if self.checkpoints.under_way().is_some() || self.is_blocked() {
            return None;
        }
        if compaction.gathered.is_some() {
            return Some(Time::START);
        }
        // On a full disk it may take room only if acknowledgements still have theirs.
        let has_room = self.supply.shortage().is_none() || self.supply.count() >= RESERVE;
        let is_waiting = !compaction.is_reading && !compaction.bodies.is_empty();
        (is_waiting && has_room).then_some(compaction.next_at)
    }

    fn next_slice(&mut self) -> Vec<Live> {
        let limit = SLICE_BYTES.min(self.settings.segment_bytes as usize / 8);
        let mut bytes = 0;
        let mut slice = Vec::new();
        while let Some(next) = self.compaction.bodies.front() {
            bytes += next.span.len as usize + LISTED_BYTES;
            if !slice.is_empty() && (bytes > limit || slice.len() == SLICE_BODIES) {
                break;
            }
            slice.extend(self.compaction.bodies.pop_front());
        }
        slice
    }

    fn write_gathered(&mut self, gathered: Gathered, now: Now) -> io::Result<()> {
        let parts = gathered.bodies.iter().filter(|(live, _)| live.part.is_some());
        let spans = parts.filter_map(|(live, _)| self.shelf.whereabouts(live.name));
        let spans: usize = spans.map(|whereabouts| whereabouts.spans(0).len()).sum();
        let listed = (gathered.bodies.len() + spans + 2) * LISTED_BYTES;
        if !self.make_room(gathered.bytes.len() + listed, now.time)? {
            self.compaction.gathered = Some(gathered);
            return Ok(());
        }
        if !gathered.bodies.is_empty() {
            self.write_slice(gathered, now)?;
        }
        self.compaction.next_at = now.time.after_millis(PAUSE_MS);
        self.checkpoints.has_moved |= self.compaction.bodies.is_empty();
        Ok(())
    }

    fn write_slice(&mut self, Gathered { bodies, bytes }: Gathered, now: Now) -> io::Result<()> {
        let frame = self.writer.append(Kind::Bytes, now.wall, |_, out| out.extend_from_slice(&bytes))?;
        for (live, offset) in &bodies {
            let to = self.moved_to(live, body_of(frame).plus(*offset));
            self.shelf.moved(live.name, to);
        }
        let mut names: Vec<Place> = bodies.iter().map(|(live, _)| live.name).collect();
        names.dedup();
        let shelf = &self.shelf;
        self.writer.append(Kind::Whereabouts, now.wall, |_, out| {
            let moved = names.iter().filter_map(|name| Some((*name, shelf.whereabouts(*name)?)));
            moved.for_each(|(name, to)| list::put(name, &to, out));
        })?;
        self.wrote(now);
        Ok(())
    }

    /// Where all of a body is once this piece of it is there.
    fn moved_to(&self, live: &Live, place: Place) -> Whereabouts {
        match (live.part, self.shelf.whereabouts(live.name)) {
            (Some(part), Some(Whereabouts::Parts(mut spans))) => {
                spans[part] = Span { place, len: live.span.len };
                Whereabouts::Parts(spans)
            }
            _ => Whereabouts::One(place),
        }
    }
}

/// Reads bodies that are to move. Those that are damaged stay where they are: whoever asks for them is told.
pub(crate) fn gather<F: Files>(shelf: &Shelf<F>, bodies: Vec<Live>) -> Gathered {
    let mut gathered = Gathered::default();
    for live in bodies {
        let Some(file) = shelf.segment(live.span.place.segment()) else { continue };
        let offset = gathered.bytes.len();
        gathered.bytes.resize(offset + live.span.len as usize, 0);
        let read = file.read_at(&mut gathered.bytes[offset..], u64::from(live.span.place.offset()));
        let is_whole = read.is_ok_and(|read| read == live.span.len as usize)
            && (live.part.is_some()
                || Message::decode(&gathered.bytes[offset..], None, Now::default()).is_ok());
        if is_whole {
            gathered.bodies.push((live, offset));
        } else {
            gathered.bytes.truncate(offset);
        }
    }
    gathered
}

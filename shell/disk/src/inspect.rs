//! A look at a store that nobody writes: what it holds, and whether all of it is whole.

use std::collections::{BTreeMap, HashSet};

use martlet_record::{
    Batch, Body, CheckpointNumber, Message, Now, Place, Position, Record, SessionNumber, Stored, WallTime,
};

use crate::dump::{Content, Frame, FrameHead, frames_of, heads_of, sessions_at};
use crate::files::{File, Files};
use crate::meta::Meta;
use crate::open::{Opened, open_existing};
use crate::recover::{Each, Progress};
use crate::{OpenError, ReadError, Recovered};

/// Bodies that are verified at once.
const TOGETHER: usize = 4096;

/// A store that is looked at. Nothing is changed but by [`Inspection::repair`].
#[derive(Debug)]
pub struct Inspection<F: Files> {
    pub(crate) store: Opened<F>,
    meta: Meta,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreStat {
    /// When it was made.
    pub created: WallTime,
    /// Its segments, ascending.
    pub segments: Vec<SegmentStat>,
    /// Bodies that are needed.
    pub bodies: u64,
    /// What a start would read back.
    pub recovered: Recovered,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentStat {
    /// Its number.
    pub number: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of bodies that are needed.
    pub live_bytes: u64,
    /// It is read at a start: the newest complete checkpoint begins here or before.
    pub is_log: bool,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "segment {}, byte {}: {}", self.place.segment(), self.place.offset(), self.what)
    }
}

impl StoreStat {
    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes of bodies that are needed.
    pub fn live_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.live_bytes).sum()
    }
}

/// Opens a store to look at it.
pub fn inspect<F: Files>(files: F) -> Result<Inspection<F>, OpenError> {
    let (meta, store) = open_existing(files)?;
    Ok(Inspection { store, meta })
}

impl<F: Files> Inspection<F> {
    /// When the store was made.
    pub fn created(&self) -> WallTime {
        WallTime(self.meta.created)
    }

    /// The version of its format.
    pub fn format(&self) -> u32 {
        self.meta.format
    }

    /// Hands on all batches since the newest complete checkpoint, in the order of the log.
    pub fn batches(&self, each: Each<'_>, progress: Progress<'_>) -> Result<Recovered, OpenError> {
        self.store.read_back(each, progress).map(|(recovered, _)| recovered)
    }

    /// Reads bodies, once the batches were read.
    pub fn read(&self, wanted: &[Stored], now: Now) -> Vec<Result<Message, ReadError>> {
        self.store.read(wanted, now)
    }

    /// Hands on every frame there is, needed or not.
    pub fn frames(&self, each: &mut dyn FnMut(Frame)) -> Result<(), OpenError> {
        self.store
            .shelf
            .numbers()
            .into_iter()
            .try_for_each(|segment| frames_of(&self.store.shelf, segment, each))
    }

    /// Hands on the header of every frame there is.
    pub fn heads(&self, each: &mut dyn FnMut(FrameHead), progress: Progress<'_>) -> Result<(), OpenError> {
        let numbers = self.store.shelf.numbers();
        for (done, segment) in numbers.iter().enumerate() {
            progress(done as u64, numbers.len() as u64);
            heads_of(&self.store.shelf, *segment, each)?;
        }
        progress(numbers.len() as u64, numbers.len() as u64);
        Ok(())
    }

    /// Sessions that a frame is about, damaged or not, as far as they can be made out.
    pub fn sessions_at(&self, place: Place) -> Result<Vec<SessionNumber>, OpenError> {
        sessions_at(&self.store.shelf, place)
    }

    /// What the store holds.
    pub fn stat(&self, progress: Progress<'_>) -> Result<StoreStat, OpenError> {
        let (recovered, named) = self.named(progress)?;
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        for span in named.iter().flat_map(|stored| self.store.shelf.spans(*stored)) {
            *live.entry(span.place.segment()).or_default() += u64::from(span.len);
        }
        let origin = self.store.origin().map_or(0, Place::segment);
        let mut segments = Vec::new();
        for number in self.store.shelf.numbers() {
            let Some(file) = self.store.shelf.segment(number) else { continue };
            let bytes = file.len().map_err(OpenError::io(format!("segment {number}")))?;
            let live_bytes = live.get(&number).copied().unwrap_or_default();
            segments.push(SegmentStat { number, bytes, live_bytes, is_log: number >= origin });
        }
        Ok(StoreStat { created: self.created(), segments, bodies: named.len() as u64, recovered })
    }

    /// Reads everything that is needed; tells of each thing that is not as it was written.
    pub fn check(&self, each: &mut dyn FnMut(Problem), progress: Progress<'_>) -> Result<(), OpenError> {
        let origin = self.store.origin();
        self.frames(&mut |frame| {
            let is_needed = origin.is_none_or(|origin| frame.place >= origin);
            let what = match frame.content {
                Content::Damaged if is_needed => "a frame is damaged".to_owned(),
                Content::Unreadable(why) if is_needed => why,
                _ => return,
            };
            each(Problem { place: frame.place, what });
        })?;
        let named = match self.named(progress) {
            Ok((_, named)) => named,
            Err(OpenError::Damaged(damage)) => {
                let offset = u32::try_from(damage.offset).unwrap_or(u32::MAX);
                each(Problem { place: Place::new(damage.segment, offset), what: damage.to_string() });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.check_bodies(&named, each);
        Ok(())
    }

    fn check_bodies(&self, named: &[Stored], each: &mut dyn FnMut(Problem)) {
        for together in named.chunks(TOGETHER) {
            let read = self.store.read(together, Now::default());
            for (stored, read) in together.iter().zip(read) {
                if let Err(error) = read {
                    each(Problem { place: stored.place, what: error.to_string() });
                }
            }
        }
    }

    /// All bodies that records name since the newest complete checkpoint, in the order of the disk.
    fn named(&self, progress: Progress<'_>) -> Result<(Recovered, Vec<Stored>), OpenError> {
        let mut named = HashSet::new();
        let mut each = |batch: Batch, _: Position| {
            named.extend(batch.records.iter().flat_map(Record::bodies).filter_map(Body::stored));
        };
        let recovered = self.batches(&mut each, progress)?;
        let mut named: Vec<Stored> = named.into_iter().collect();
        named.sort_unstable();
        Ok((recovered, named))
    }

    /// The newest complete checkpoint begins here.
    pub fn origin(&self) -> Option<Place> {
        self.store.origin()
    }

    /// The newest checkpoint of which a frame tells, complete or not; zero when none does.
    pub fn checkpoint(&self) -> Result<CheckpointNumber, OpenError> {
        let mut newest = CheckpointNumber(0);
        self.frames(&mut |frame| {
            if let Content::Began(number) = frame.content {
                newest = newest.max(number);
            }
        })?;
        Ok(newest)
    }
}

//! Reads the records back, from the newest complete checkpoint to the end.
//!
//! The rule: a frame that cannot be read and that nobody said was on the disk is the torn end of the log, and is dropped
//! with what lies behind it. If a later frame says that the disk had it, it was lost, and nothing is opened.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use martlet_record::{Batch, CheckpointNumber, Place, Position, SessionNumber, Stored};

use crate::dump::sessions_at;
use crate::files::Files;
use crate::frame::{HEADER, Header, Kind};
use crate::mend::{End, mend};
use crate::open::{Opened, Tail};
use crate::scan::{SECTOR, Scan};
use crate::shelf::list;
use crate::writer::body_of;
use crate::{Damage, OpenError};

/// What a recovery found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The last position.
    pub position: Position,
    /// The newest checkpoint that began, complete or not.
    pub checkpoint: CheckpointNumber,
    /// Frames read.
    pub frames: u64,
    /// Batches handed on.
    pub batches: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What lies behind the end, and was dropped.
    pub torn: Option<Torn>,
    /// Positions that a repair took out, and that were therefore not read.
    pub lost: Vec<std::ops::Range<u64>>,
    /// How long it took.
    pub took: Duration,
}

/// The torn end of a log: it was being written when the power failed or the process was killed, and nobody had been told
/// that it was safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub segment: u32,
    /// Where the first frame begins that is not whole.
    pub offset: u64,
    /// Bytes up to the end of the last that may have been one.
    pub bytes: u64,
}

/// Hears of batches.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Batch, Position);
/// Hears how many of how many bytes were read.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Bytes between two words about the progress.
const PROGRESS_BYTES: u64 = 8 << 20;

struct Recovery<'a, F: Files> {
    store: &'a Opened<F>,
    each: Each<'a>,
    found: Recovered,
    /// Where the first frame begins of which nobody said that the disk has it.
    unsaid: Option<(u32, u64)>,
    /// Named, and its segment was not there.
    absent: HashSet<Stored>,
}

impl<F: Files> Opened<F> {
    /// Hands on all batches since the newest complete checkpoint, in the order of the log.
    ///
    /// Afterwards the disk has everything that was handed on, and nothing of what was dropped.
    pub fn recover(&mut self, each: Each<'_>, progress: Progress<'_>) -> Result<Recovered, OpenError> {
        let began = Instant::now();
        let (mut found, end) = self.read_back(each, progress)?;
        mend(&*self.shelf, &self.survey, end).map_err(OpenError::io("the end of the log"))?;
        found.took = began.elapsed();
        self.tail = Some(Tail {
            segment: end.segment,
            offset: end.offset,
            position: found.position,
            checkpoint: found.checkpoint,
            bytes: found.bytes,
            took: found.took,
        });
        Ok(found)
    }

    /// The same, and nothing is changed.
    pub(crate) fn read_back(
        &self,
        each: Each<'_>,
        progress: Progress<'_>,
    ) -> Result<(Recovered, End), OpenError> {
        let found = Recovered::default();
        let mut recovery = Recovery { store: self, each, found, unsaid: None, absent: HashSet::new() };
        let (segment, offset) = recovery.read(progress)?;
        recovery.check_absent()?;
        Ok((recovery.found, End { segment, offset, unsaid: recovery.unsaid }))
    }
}

impl<F: Files> Recovery<'_, F> {
    /// Reads all there is; tells where it ends.
    fn read(&mut self, progress: Progress<'_>) -> Result<(u32, u64), OpenError> {
        let shelf = &self.store.shelf;
        let Some(first) = shelf.numbers().first().copied() else { return Ok((1, 0)) };
        let (mut segment, mut offset) = (first, 0);
        if let Some(origin) = self.store.origin() {
            (segment, offset) = (origin.segment(), u64::from(origin.offset()));
        }
        let mut expected = None;
        let segments = shelf.numbers().into_iter().filter(|number| *number >= segment).count() as u64;
        let total = segments * u64::from(self.store.settings.segment_bytes);
        loop {
            let file = shelf
                .segment(segment)
                .ok_or_else(|| self.damage(segment, 0, "the segment is missing", Vec::new()))?;
            let problem = || OpenError::io(format!("segment {segment}"));
            let mut scan = Scan::new(&*file, shelf.seed(segment)).map_err(problem())?;
            let mut told = self.found.bytes;
            while let Some(header) = self.next(&mut scan, offset, expected).map_err(problem())? {
                expected = Some(self.frame(&mut scan, segment, offset, &header)?);
                offset += header.span();
                self.found.bytes += header.span();
                if self.found.bytes - told >= PROGRESS_BYTES {
                    told = self.found.bytes;
                    progress(told.min(total), total);
                }
            }
            let Some(next) = self.next_segment(segment, expected).map_err(problem())? else {
                self.check_end(&mut scan, segment, offset)?;
                self.check_next(segment + 1)?;
                progress(total, total);
                return Ok((segment, offset));
            };
            (segment, offset) = (next, 0);
        }
    }

    /// The frame here, if it is whole and the next in the order.
    fn next(
        &self,
        scan: &mut Scan<'_, F::File>,
        offset: u64,
        expected: Option<Position>,
    ) -> io::Result<Option<Header>> {
        let Some(header) = scan.header(offset)? else { return Ok(None) };
        let is_next = match expected {
            Some(expected) => header.position == expected,
            // A checkpoint begins with its beginning, a log with the first position.
            None => match self.store.origin() {
                Some(_) => matches!(header.kind, Kind::Began | Kind::Lost),
                None => header.position == Position(1),
            },
        };
        Ok(if is_next && scan.body(offset, &header)?.is_some() { Some(header) } else { None })
    }

    /// The segment in which the log goes on after this one. Between them there is at most what a repair gave up.
    fn next_segment(&self, segment: u32, expected: Option<Position>) -> io::Result<Option<u32>> {
        let shelf = &self.store.shelf;
        for number in shelf.numbers().into_iter().filter(|number| *number > segment && expected.is_some()) {
            let Some(file) = shelf.segment(number) else { continue };
            let mut scan = Scan::new(&*file, shelf.seed(number))?;
            if self.next(&mut scan, 0, expected)?.is_some() {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Takes a frame in; tells the position of the next.
    fn frame(
        &mut self,
        scan: &mut Scan<'_, F::File>,
        segment: u32,
        offset: u64,
        header: &Header,
    ) -> Result<Position, OpenError> {
        let durable = self.store.survey.newest.map_or(Position(0), |newest| newest.durable);
        if header.position > durable {
            let start = *self.unsaid.get_or_insert((segment, offset));
            // Earlier segments were on the disk before this one was begun.
            self.unsaid = Some(if start.0 == segment { start } else { (segment, offset) });
        }
        let place = Place::new(segment, u32::try_from(offset).unwrap_or(u32::MAX));
        let body = scan.body(offset, header).map_err(OpenError::io(format!("segment {segment}")))?;
        let body = body.unwrap_or_default();
        self.found.frames += 1;
        self.found.position = header.position;
        match header.kind {
            Kind::Batches => self.batches(body, body_of(place), header.position)?,
            Kind::Whereabouts => {
                let mut rest = body;
                while let Some((name, to)) = list::take(&mut rest) {
                    self.store.shelf.moved(name, to);
                }
            }
            Kind::Began => {
                let number = body.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
                self.found.checkpoint = self.found.checkpoint.max(CheckpointNumber(number));
            }
            Kind::Lost => {
                self.found.position = header.position.max(header.durable);
                self.found.lost.push(header.position.0..self.found.position.0 + 1);
            }
            Kind::Bytes | Kind::Complete | Kind::Mark => {}
        }
        Ok(Position(self.found.position.0 + 1))
    }

    fn batches(&mut self, body: &[u8], start: Place, position: Position) -> Result<(), OpenError> {
        let mut rest = body;
        let (shelf, absent) = (&self.store.shelf, &mut self.absent);
        while !rest.is_empty() {
            let place = start.plus(body.len() - rest.len());
            let mut named = |stored: Stored| {
                if shelf.segment(stored.place.segment()).is_none() {
                    absent.insert(stored);
                }
            };
            let batch = Batch::decode(&mut rest, place, &mut named).map_err(|source| OpenError::Records {
                position,
                place,
                source,
            })?;
            self.found.batches += 1;
            (self.each)(batch, position);
        }
        Ok(())
    }

    /// The log ends here, or something that was on the disk is missing.
    fn check_end(
        &mut self,
        scan: &mut Scan<'_, F::File>,
        segment: u32,
        offset: u64,
    ) -> Result<(), OpenError> {
        let newest = self.store.survey.newest;
        let is_lost = newest.is_some_and(|newest| newest.durable > self.found.position)
            || (self.found.frames == 0 && self.store.origin().is_some());
        if is_lost {
            return Err(self.lost(segment, offset, "a frame cannot be read that had been on the disk"));
        }
        let problem = OpenError::io(format!("segment {segment}"));
        if self.has_flipped(scan, offset).map_err(problem)? {
            return Err(self.lost(segment, offset, "one bit of a frame is not what was written"));
        }
        if newest.is_some_and(|newest| newest.position > self.found.position) {
            let (last, end) = self.store.survey.ends.first().copied().unwrap_or((segment, offset));
            let bytes = if last == segment { end.saturating_sub(offset) } else { end };
            self.found.torn = Some(Torn { segment, offset, bytes });
        }
        Ok(())
    }

    /// The log does not go on in the next segment, and it is not that one bit is missing for it.
    fn check_next(&self, segment: u32) -> Result<(), OpenError> {
        let Some(file) = self.store.shelf.segment(segment) else { return Ok(()) };
        let problem = || OpenError::io(format!("segment {segment}"));
        let mut scan = Scan::new(&*file, self.store.shelf.seed(segment)).map_err(problem())?;
        if self.has_flipped(&mut scan, 0).map_err(problem())? {
            return Err(self.lost(segment, 0, "one bit of a frame is not what was written"));
        }
        Ok(())
    }

    /// Would the frame here be the next, but for one bit? A mark is no loss. A frame in more than one sector may as well
    /// have been torn, over one that was nearly the same, and no later frame says that the disk had it.
    fn has_flipped(&self, scan: &mut Scan<'_, F::File>, offset: u64) -> io::Result<bool> {
        let flipped = scan.but_for_one_bit(offset)?;
        let expected = Position(self.found.position.0 + 1);
        let is_next = |header: &Header| header.position == expected && header.kind != Kind::Mark;
        let is_in_one_sector = |header: &Header| {
            offset % SECTOR as u64 + (HEADER as u64 + u64::from(header.len)) <= SECTOR as u64
        };
        Ok(flipped.is_some_and(|header| is_next(&header) && is_in_one_sector(&header)))
    }

    fn lost(&self, segment: u32, offset: u64, what: &'static str) -> OpenError {
        let place = Place::new(segment, u32::try_from(offset).unwrap_or(u32::MAX));
        let sessions = sessions_at(&self.store.shelf, place);
        self.damage(segment, offset, what, sessions.unwrap_or_default())
    }

    /// A body that was named must be somewhere.
    fn check_absent(&self) -> Result<(), OpenError> {
        let absent = self.absent.iter().filter(|stored| !self.store.shelf.holds(**stored)).min();
        absent.map_or(Ok(()), |stored| {
            let what = "the segment is missing, and with it Messages that are needed";
            let offset = u64::from(stored.place.offset());
            Err(self.damage(stored.place.segment(), offset, what, Vec::new()))
        })
    }

    fn damage(
        &self,
        segment: u32,
        offset: u64,
        what: &'static str,
        sessions: Vec<SessionNumber>,
    ) -> OpenError {
        let position = Position(self.found.position.0 + 1);
        OpenError::Damaged(Box::new(Damage { segment, offset, position, what, sessions }))
    }
}

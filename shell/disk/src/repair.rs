//! Takes damage out of the log, so that the rest can be read.
//!
//! The rules: a segment is copied to quarantine before a byte of it is changed; whatever can be read stays where it is,
//! so that every Message keeps its place; and what was lost is said in the log itself, position by position.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_record::{Place, Position, WallTime};

use crate::OpenError;
use crate::files::{File, Files};
use crate::frame::{self, ALIGN, HEADER, Header, Kind};
use crate::inspect::Inspection;
use crate::names::{self, QUARANTINE};
use crate::open::Opened;
use crate::scan::Scan;

/// Something that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Where it was.
    pub place: Place,
    /// Positions of the log that are lost.
    pub positions: Range<u64>,
    /// Where the segment was copied to, as it was; nothing when it was missing.
    pub quarantined: Option<PathBuf>,
}

/// A frame that is whole.
#[derive(Debug, Clone, Copy)]
struct Whole {
    segment: u32,
    offset: u64,
    header: Header,
}

/// A stretch of the log that cannot be read.
#[derive(Debug, Clone, Copy)]
struct Gap {
    segment: u32,
    from: u64,
    /// Where the next frame begins that can be; none when that is in another segment.
    to: Option<u64>,
    first: Position,
    next: Position,
}

impl Gap {
    fn place(&self) -> Place {
        Place::new(self.segment, u32::try_from(self.from).unwrap_or(u32::MAX))
    }

    fn positions(&self) -> Range<u64> {
        self.first.0..self.next.0
    }
}

impl<F: Files> Inspection<F> {
    /// What a repair would take out: where, and which positions.
    pub fn plan(&self) -> Result<Vec<Repaired>, OpenError> {
        let planned =
            |gap: &Gap| Repaired { place: gap.place(), positions: gap.positions(), quarantined: None };
        Ok(find_gaps(&self.store)?.iter().map(planned).collect())
    }

    /// Takes out what cannot be read. Afterwards the store opens, unless a newer version is needed for it.
    pub fn repair(self) -> Result<Vec<Repaired>, OpenError> {
        let Self { store, .. } = self;
        let gaps = find_gaps(&store)?;
        let mut repaired = Vec::new();
        for gap in gaps {
            repaired.push(close_gap(&store, gap).map_err(OpenError::io(format!("segment {}", gap.segment)))?);
        }
        replace_missing(&store, &mut repaired)?;
        Ok(repaired)
    }
}

/// Finds what recovery would miss, from the newest complete checkpoint on.
fn find_gaps<F: Files>(store: &Opened<F>) -> Result<Vec<Gap>, OpenError> {
    let origin = store.origin();
    let numbers = store.shelf.numbers();
    let Some(first) = origin.map(Place::segment).or(numbers.first().copied()) else { return Ok(Vec::new()) };
    let (mut segment, mut end) = (first, origin.map_or(0, |origin| u64::from(origin.offset())));
    // At the origin any position may stand; it is the one before the first that can be read.
    let mut expected = origin.is_none().then_some(Position(1));
    let mut gaps = Vec::new();
    for whole in whole_frames(store, first, end)? {
        let position = whole.header.position;
        let is_at_start = (whole.segment, whole.offset) == (segment, end);
        let fits = expected.map_or(is_at_start, |expected| expected == position);
        if !fits {
            let first = expected.unwrap_or(Position(position.0 - 1));
            if expected.is_none() && whole.segment > segment && whole.offset > 0 {
                // Recovery begins at the origin, whatever else is missing.
                let before = Position(first.0 - 1);
                gaps.push(Gap { segment, from: end, to: None, first: before, next: first });
            }
            let (in_segment, from, to) = if whole.segment == segment && whole.offset > end {
                (segment, end, Some(whole.offset))
            } else if whole.segment > segment && whole.offset > 0 {
                (whole.segment, 0, Some(whole.offset))
            } else if whole.segment > segment {
                (segment, end, None)
            } else {
                // There is no room before it: what is missing was in an earlier segment.
                (segment - 1, 0, None)
            };
            gaps.push(Gap { segment: in_segment, from, to, first, next: position });
        }
        let next = match whole.header.kind {
            Kind::Lost => position.max(whole.header.durable).0 + 1,
            _ => position.0 + 1,
        };
        (segment, end) = (whole.segment, whole.offset + whole.header.span());
        expected = Some(Position(next));
    }
    let durable = store.survey.newest.map_or(Position(0), |newest| newest.durable);
    let first = expected.unwrap_or(durable);
    let next = Position(durable.max(first).0 + 1);
    if has_flipped(store, segment + 1, 0, first)? {
        gaps.push(Gap { segment: segment + 1, from: 0, to: None, first, next });
    } else if durable >= first || has_flipped(store, segment, end, first)? {
        gaps.push(Gap { segment, from: end, to: None, first, next });
    }
    Ok(gaps)
}

/// Frames that are whole, from a place on, in their order.
fn whole_frames<F: Files>(store: &Opened<F>, first: u32, start: u64) -> Result<Vec<Whole>, OpenError> {
    let mut frames: Vec<Whole> = Vec::new();
    for segment in store.shelf.numbers().into_iter().filter(|number| *number >= first) {
        let Some(file) = store.shelf.segment(segment) else { continue };
        let problem = || OpenError::io(format!("segment {segment}"));
        let mut scan = Scan::new(&*file, store.shelf.seed(segment)).map_err(problem())?;
        let mut from = if segment == first { start } else { 0 };
        while let Some((offset, header)) = scan.find(from).map_err(problem())? {
            let is_whole = scan.body(offset, &header).map_err(problem())?.is_some();
            let is_next = frames.last().is_none_or(|last| last.header.position < header.position);
            if is_whole && is_next {
                frames.push(Whole { segment, offset, header });
                from = offset + header.span();
            } else {
                from = offset + ALIGN as u64;
            }
        }
    }
    Ok(frames)
}

/// Is the frame that would be the last there but for one bit?
fn has_flipped<F: Files>(
    store: &Opened<F>,
    segment: u32,
    offset: u64,
    expected: Position,
) -> Result<bool, OpenError> {
    let Some(file) = store.shelf.segment(segment) else { return Ok(false) };
    let flipped = Scan::new(&*file, store.shelf.seed(segment))
        .and_then(|mut scan| scan.but_for_one_bit(offset))
        .map_err(OpenError::io(format!("segment {segment}")))?;
    Ok(flipped.is_some_and(|header| header.position == expected))
}

/// Puts a frame around what cannot be read.
fn close_gap<F: Files>(store: &Opened<F>, gap: Gap) -> io::Result<Repaired> {
    let existing = store.shelf.segment(gap.segment);
    let quarantined =
        existing.as_ref().map(|file| quarantine(&*store.files, gap.segment, &**file)).transpose()?;
    let file = match existing {
        Some(file) => file,
        None => new_segment(store, gap.segment)?,
    };
    let seed = store.shelf.seed(gap.segment);
    let torn = Scan::new(&*file, seed)?.header(gap.from)?;
    let span = torn.map_or(HEADER as u64, |torn| torn.span());
    let bytes = usize::try_from(gap.to.map_or(span, |to| to - gap.from)).unwrap_or(HEADER);
    // The header alone is new: a Message that is whole can still be read from behind it.
    let mut lost = vec![0; bytes];
    file.read_at(&mut lost, gap.from)?;
    let header = Header {
        kind: Kind::Lost,
        position: gap.first,
        durable: Position(gap.next.0 - 1),
        origin: store.origin(),
        wall: WallTime(0),
        len: 0,
        body_crc: 0,
    };
    frame::seal(&mut lost, header, seed.at(gap.from));
    file.write_at(&lost, gap.from)?;
    file.sync_data()?;
    Ok(Repaired { place: gap.place(), positions: gap.positions(), quarantined })
}

/// Segments that records name and that are not there come back empty: whoever reads a Message from them is told.
fn replace_missing<F: Files>(store: &Opened<F>, repaired: &mut Vec<Repaired>) -> Result<(), OpenError> {
    while let Err(error) = store.read_back(&mut |_, _| {}, &mut |_, _| {}) {
        let OpenError::Damaged(damage) = &error else { return Err(error) };
        if store.shelf.segment(damage.segment).is_some() {
            return Err(error);
        }
        let offset = u32::try_from(damage.offset).unwrap_or(u32::MAX);
        let place = Place::new(damage.segment, offset);
        new_segment(store, damage.segment).map_err(OpenError::io(format!("segment {}", damage.segment)))?;
        repaired.push(Repaired { place, positions: 0..0, quarantined: None });
    }
    Ok(())
}

fn new_segment<F: Files>(store: &Opened<F>, number: u32) -> io::Result<Arc<F::File>> {
    let file = Arc::new(store.files.create(&names::segment(number))?);
    store.files.sync_folder(Path::new(names::LOG))?;
    store.shelf.put(number, Arc::clone(&file));
    Ok(file)
}

/// Copies a segment, once, whatever happens to it after.
fn quarantine<F: Files>(files: &F, segment: u32, file: &F::File) -> io::Result<PathBuf> {
    files.create_folder(Path::new(QUARANTINE))?;
    let taken = files.list(Path::new(QUARANTINE))?;
    let name = (1..).map(|copy| format!("{segment:08}-{copy}.seg")).find(|name| !taken.contains(name));
    let path = Path::new(QUARANTINE).join(name.unwrap_or_default());
    let copy = files.create(&path)?;
    let mut bytes = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut bytes, offset)?;
        copy.write_at(&bytes[..read], offset)?;
        offset += read as u64;
        if read < bytes.len() {
            break;
        }
    }
    copy.sync_data()?;
    files.sync_folder(Path::new(QUARANTINE))?;
    Ok(path)
}

//! Frames as people read them.

use std::collections::BTreeSet;
use std::fmt;

use martlet_record::{Batch, CheckpointNumber, Place, Position, Record, SessionNumber, WallTime};

use crate::OpenError;
use crate::files::Files;
use crate::frame::{Header, Kind};
use crate::scan::Scan;
use crate::shelf::{Shelf, list};
use crate::writer::body_of;

/// A frame of the log, or what is where one should be.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Where it begins.
    pub place: Place,
    /// Bytes up to the next.
    pub bytes: u64,
    /// Its place in the order of the log.
    pub position: Position,
    /// Frames up to here were on the disk when it was written.
    pub durable: Position,
    /// When it was written.
    pub wall: WallTime,
    /// What is in it.
    pub content: Content,
}

/// The header of a frame: quickly read, and nothing is known about what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Where it begins.
    pub place: Place,
    /// Bytes up to the next.
    pub bytes: u64,
    /// Its place in the order of the log.
    pub position: Position,
    /// When it was written.
    pub wall: WallTime,
}

/// What is in a frame.
#[derive(Debug, Clone)]
pub enum Content {
    /// Batches of records.
    Batches(Vec<Batch>),
    /// So many bytes of bodies, to which others refer.
    Bytes(u32),
    /// Where so many bodies are whose name no longer says it.
    Whereabouts(usize),
    /// The beginning of a checkpoint.
    Began(CheckpointNumber),
    /// The end of a checkpoint.
    Complete(CheckpointNumber),
    /// Nothing: what it says about frames before it is its purpose.
    Mark,
    /// In place of what a repair took out: everything before this position.
    Lost(Position),
    /// Its header is whole, its body is not.
    Damaged,
    /// Its checksums are right, and no version that is known writes such records.
    Unreadable(String),
}

impl fmt::Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, bytes, position, durable, wall, content } = self;
        write!(
            formatter,
            "{}/{:<10} position {} ({bytes} bytes, durable {}, written {}): ",
            place.segment(),
            place.offset(),
            position.0,
            durable.0,
            wall.0
        )?;
        match content {
            Content::Batches(batches) => {
                write!(formatter, "{} batches", batches.len())?;
                for Batch { shard, number, records, .. } in batches {
                    write!(formatter, "\n  shard {} batch {}", shard.index(), number.0)?;
                    records.iter().try_for_each(|record| write!(formatter, "\n    {record:?}"))?;
                }
                Ok(())
            }
            Content::Bytes(len) => write!(formatter, "{len} bytes of Messages"),
            Content::Whereabouts(count) => write!(formatter, "where {count} Messages are"),
            Content::Began(number) => write!(formatter, "checkpoint {} begins", number.0),
            Content::Complete(number) => write!(formatter, "checkpoint {} is complete", number.0),
            Content::Mark => formatter.write_str("mark"),
            Content::Lost(next) => write!(formatter, "lost: everything before position {}", next.0),
            Content::Damaged => formatter.write_str("DAMAGED"),
            Content::Unreadable(why) => write!(formatter, "UNREADABLE: {why}"),
        }
    }
}

/// Hands on the header of every frame of a segment.
pub(crate) fn heads_of<F: Files>(
    shelf: &Shelf<F>,
    segment: u32,
    each: &mut dyn FnMut(FrameHead),
) -> Result<(), OpenError> {
    let Some(file) = shelf.segment(segment) else { return Ok(()) };
    let problem = || OpenError::io(format!("segment {segment}"));
    let mut scan = Scan::new(&*file, shelf.seed(segment)).map_err(problem())?;
    let mut from = 0;
    while let Some((offset, header)) = scan.find(from).map_err(problem())? {
        let place = Place::new(segment, u32::try_from(offset).unwrap_or(u32::MAX));
        from = offset + header.span();
        each(FrameHead { place, bytes: header.span(), position: header.position, wall: header.wall });
    }
    Ok(())
}

/// Sessions of the batches of a frame, damaged or not, as far as they can be made out.
pub(crate) fn sessions_at<F: Files>(shelf: &Shelf<F>, place: Place) -> Result<Vec<SessionNumber>, OpenError> {
    let Some(file) = shelf.segment(place.segment()) else { return Ok(Vec::new()) };
    let problem = || OpenError::io(format!("segment {}", place.segment()));
    let mut scan = Scan::new(&*file, shelf.seed(place.segment())).map_err(problem())?;
    let offset = u64::from(place.offset());
    let Some(header) = scan.header(offset).map_err(problem())? else { return Ok(Vec::new()) };
    if header.kind != Kind::Batches {
        return Ok(Vec::new());
    }
    let body = scan.unverified_body(offset, &header).map_err(problem())?;
    Ok(sessions_in(body, body_of(place)))
}

/// Sessions of the batches in a body, as far as they can be made out.
fn sessions_in(mut body: &[u8], start: Place) -> Vec<SessionNumber> {
    let len = body.len();
    let mut sessions = BTreeSet::new();
    while !body.is_empty() {
        let place = start.plus(len - body.len());
        let Ok(batch) = Batch::decode(&mut body, place, &mut |_| {}) else { break };
        sessions.extend(batch.records.iter().flat_map(Record::sessions));
    }
    sessions.into_iter().collect()
}

/// Hands on every frame of a segment whose header is whole.
pub(crate) fn frames_of<F: Files>(
    shelf: &Shelf<F>,
    segment: u32,
    each: &mut dyn FnMut(Frame),
) -> Result<(), OpenError> {
    let Some(file) = shelf.segment(segment) else { return Ok(()) };
    let problem = || OpenError::io(format!("segment {segment}"));
    let mut scan = Scan::new(&*file, shelf.seed(segment)).map_err(problem())?;
    let mut from = 0;
    while let Some((offset, header)) = scan.find(from).map_err(problem())? {
        let place = Place::new(segment, u32::try_from(offset).unwrap_or(u32::MAX));
        let body = scan.body(offset, &header).map_err(problem())?;
        let content = body.map_or(Content::Damaged, |body| content_of(&header, body, place));
        from = offset + if matches!(content, Content::Damaged) { 1 } else { header.span() };
        let (position, durable, wall) = (header.position, header.durable, header.wall);
        each(Frame { place, bytes: header.span(), position, durable, wall, content });
    }
    Ok(())
}

fn content_of(header: &Header, body: &[u8], place: Place) -> Content {
    let number = || body.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
    match header.kind {
        Kind::Batches => batches_of(body, body_of(place)),
        Kind::Bytes => Content::Bytes(header.len),
        Kind::Whereabouts => {
            let mut rest = body;
            Content::Whereabouts(std::iter::from_fn(|| list::take(&mut rest)).count())
        }
        Kind::Began => Content::Began(CheckpointNumber(number())),
        Kind::Complete => Content::Complete(CheckpointNumber(number())),
        Kind::Mark => Content::Mark,
        Kind::Lost => Content::Lost(Position(header.position.max(header.durable).0 + 1)),
    }
}

fn batches_of(body: &[u8], start: Place) -> Content {
    let (mut rest, mut batches) = (body, Vec::new());
    while !rest.is_empty() {
        let place = start.plus(body.len() - rest.len());
        match Batch::decode(&mut rest, place, &mut |_| {}) {
            Ok(batch) => batches.push(batch),
            Err(error) => return Content::Unreadable(error.to_string()),
        }
    }
    Content::Batches(batches)
}

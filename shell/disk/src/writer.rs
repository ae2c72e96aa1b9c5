//! The end of the log, where frames are appended.
//!
//! The rule: a segment is left only when all of it is on the disk. So whatever is missing in a segment that is followed
//! by another was lost, not torn.

use std::io;
use std::sync::Arc;

use martlet_record::{Place, Position, WallTime};

use crate::files::{File, Files};
use crate::frame::{self, HEADER, Header, Kind, Seed};
use crate::shelf::Shelf;
use crate::supply::Next;

/// The place the next frame goes to.
#[derive(Debug)]
pub(crate) struct Head<F: Files> {
    pub(crate) segment: u32,
    pub(crate) file: Arc<F::File>,
    pub(crate) offset: u64,
    /// Bytes that are set aside for it.
    pub(crate) room: u64,
}

/// What the system keeps in memory and writes as one. If it has to bring a part of one up to date, it reads it first.
const PAGE: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Writer<F: Files> {
    shelf: Arc<Shelf<F>>,
    head: Head<F>,
    /// Up to here the pages of the segment were written whole.
    whole: u64,
    seed: Seed,
    /// Of the last frame.
    position: Position,
    /// The last that the disk is known to have.
    synced: Position,
    /// The last that a frame says the disk has.
    said: Position,
    /// The last that is no mark.
    content: Position,
    origin: Option<Place>,
    buffer: Vec<u8>,
    /// Frames, bytes and syncs since the start.
    pub(crate) written: Written,
    /// Bytes of the log, those that were read back at the start included.
    pub(crate) grown: u64,
}

/// What was done since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) syncs: u64,
}

/// Memory that is kept for the next frame; one that needed more gives it back.
const BUFFER_BYTES: usize = 1 << 20;

impl<F: Files> Writer<F> {
    /// Goes on behind `position`; everything up to there must be on the disk.
    pub(crate) fn new(
        shelf: Arc<Shelf<F>>,
        head: Head<F>,
        position: Position,
        origin: Option<Place>,
        grown: u64,
    ) -> Self {
        let seed = shelf.seed(head.segment);
        let whole = head.offset.next_multiple_of(PAGE);
        Self {
            shelf,
            head,
            whole,
            seed,
            position,
            synced: position,
            said: position,
            content: position,
            origin,
            buffer: Vec::new(),
            written: Written::default(),
            grown,
        }
    }

    /// Of the last frame.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The segment that is written.
    pub(crate) fn segment(&self) -> u32 {
        self.head.segment
    }

    /// Is half of the segment used up?
    pub(crate) fn is_half_full(&self) -> bool {
        self.head.offset >= self.head.room / 2
    }

    /// Is there room for a frame with a body of so many bytes? An empty segment takes any.
    pub(crate) fn fits(&self, body: usize) -> bool {
        self.head.offset == 0 || self.head.offset + frame::span(body) as u64 <= self.head.room
    }

    /// Does the disk have everything but a mark?
    pub(crate) fn is_synced(&self) -> bool {
        self.synced >= self.content
    }

    /// Does the disk have more than any frame says?
    pub(crate) fn can_say_more(&self) -> bool {
        self.said < self.content && self.is_synced()
    }

    /// Says what the disk has, if there is room for it: it is not worth a segment.
    pub(crate) fn mark(&mut self, wall: WallTime) -> io::Result<()> {
        if self.fits(0) {
            self.append(Kind::Mark, wall, |_, _| {})?;
        }
        self.said = self.content;
        Ok(())
    }

    /// From now on frames say that the newest complete checkpoint begins here. All of it must be on the disk.
    pub(crate) fn set_origin(&mut self, origin: Place) {
        assert!(self.is_synced(), "a checkpoint counts once the disk has it");
        self.origin = Some(origin);
    }

    /// Appends a frame. `fill` appends its body to what is there already and is told the place of the first byte.
    pub(crate) fn append(
        &mut self,
        kind: Kind,
        wall: WallTime,
        fill: impl FnOnce(Place, &mut Vec<u8>),
    ) -> io::Result<Place> {
        let offset = u32::try_from(self.head.offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let start = Place::new(self.head.segment, offset);
        self.buffer.clear();
        self.buffer.resize(HEADER, 0);
        fill(start, &mut self.buffer);
        let position = Position(self.position.0 + 1);
        let header =
            Header { kind, position, durable: self.synced, origin: self.origin, wall, len: 0, body_crc: 0 };
        frame::seal(&mut self.buffer, header, self.seed.at(self.head.offset));
        let len = self.buffer.len() as u64;
        self.write()?;
        self.head.offset += len;
        self.position = position;
        self.said = self.synced;
        if kind != Kind::Mark {
            self.content = position;
        }
        self.grown += len;
        self.written.frames += 1;
        self.written.bytes += len;
        self.buffer.shrink_to(BUFFER_BYTES);
        Ok(start)
    }

    /// Writes the frame in the buffer, and zeros to the end of a page that is not in memory: nobody waits until what
    /// lies there was read.
    fn write(&mut self) -> io::Result<()> {
        let end = self.head.offset + self.buffer.len() as u64;
        if end > self.whole {
            let whole = end.next_multiple_of(PAGE).min(self.head.room);
            let zeros = usize::try_from(whole.saturating_sub(end)).unwrap_or_default();
            self.buffer.resize(self.buffer.len() + zeros, 0);
            self.whole = whole;
        }
        self.head.file.write_at(&self.buffer, self.head.offset)
    }

    /// What another thread needs to bring everything so far to the disk.
    pub(crate) fn to_sync(&self) -> (Arc<F::File>, Position) {
        (Arc::clone(&self.head.file), self.position)
    }

    /// Another thread did.
    pub(crate) fn synced(&mut self, up_to: Position) {
        self.synced = self.synced.max(up_to);
        self.written.syncs += 1;
    }

    /// Brings everything to the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.synced < self.position {
            self.head.file.sync_data()?;
            self.synced = self.position;
            self.written.syncs += 1;
        }
        Ok(())
    }

    /// Goes on in another segment.
    pub(crate) fn enter(&mut self, next: Next<F>) -> io::Result<()> {
        self.sync()?;
        let room = next.file.len()?;
        self.seed = self.shelf.seed(next.number);
        self.shelf.put(next.number, Arc::clone(&next.file));
        self.head = Head { segment: next.number, file: next.file, offset: 0, room };
        self.whole = 0;
        Ok(())
    }
}

/// The place of the body of a frame that begins here.
pub(crate) fn body_of(frame: Place) -> Place {
    frame.plus(HEADER)
}

//! Reads a segment frame by frame.

use std::io;

use crate::files::File;
use crate::frame::{ALIGN, HEADER, Header, Seed, but_for_one_bit, find_magic};

const WINDOW: usize = 1 << 20;
/// No segment is longer, and no place lies behind this.
const LONGEST: u64 = 1 << 31;
/// What a disk writes whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// A segment that is read from one end to the other.
pub(crate) struct Scan<'a, F> {
    file: &'a F,
    seed: Seed,
    len: u64,
    /// What was read last, and where it begins.
    window: Vec<u8>,
    start: u64,
}

impl<'a, F: File> Scan<'a, F> {
    pub(crate) fn new(file: &'a F, seed: Seed) -> io::Result<Self> {
        let len = file.len()?.min(LONGEST);
        Ok(Self { file, seed, len, window: Vec::new(), start: 0 })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The header at an offset, if one is there.
    pub(crate) fn header(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let seed = self.seed.at(offset);
        Ok(Header::read(self.bytes(offset, HEADER)?, seed))
    }

    /// The body of the frame at an offset, if it is whole.
    pub(crate) fn body(&mut self, offset: u64, header: &Header) -> io::Result<Option<&[u8]>> {
        let seed = self.seed.at(offset);
        let body = self.unverified_body(offset, header)?;
        Ok(header.verifies(body, seed).then_some(body))
    }

    /// What is where the body should be; shorter where the file ends.
    pub(crate) fn unverified_body(&mut self, offset: u64, header: &Header) -> io::Result<&[u8]> {
        self.bytes(offset + HEADER as u64, header.len as usize)
    }

    /// The frame at an offset that was written, and of which one bit decayed.
    ///
    /// A torn write leaves whole sectors as they were. If nothing of the frame is in the sector of that bit, or next to
    /// nothing, it may as well have been torn.
    pub(crate) fn but_for_one_bit(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let seed = self.seed.at(offset);
        let longest = self.header(offset)?.map_or(WINDOW, |header| HEADER + header.len as usize);
        let bytes = self.bytes(offset, longest)?;
        let Some((header, byte)) = but_for_one_bit(bytes, seed) else { return Ok(None) };
        let before = usize::try_from(offset % SECTOR as u64).unwrap_or_default();
        let sector = (before + byte) / SECTOR * SECTOR;
        let end = (sector + SECTOR - before).min(HEADER + header.len as usize);
        let there = &bytes[sector.saturating_sub(before)..end];
        let is_sure = there.len() >= ALIGN && there.iter().any(|byte| *byte != 0);
        Ok(is_sure.then_some(header))
    }

    /// The next header from an offset on, whatever lies before it.
    pub(crate) fn find(&mut self, mut from: u64) -> io::Result<Option<(u64, Header)>> {
        from = from.next_multiple_of(ALIGN as u64);
        while from < self.len {
            let window = self.bytes(from, WINDOW)?;
            let Some(found) = find_magic(window, 0) else {
                from += window.len().next_multiple_of(ALIGN) as u64;
                continue;
            };
            from += found as u64;
            if let Some(header) = self.header(from)? {
                return Ok(Some((from, header)));
            }
            from += ALIGN as u64;
        }
        Ok(None)
    }

    /// So many bytes, or as many as there are.
    fn bytes(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let there = self.len.saturating_sub(offset);
        let count = usize::try_from(there).map_or(count, |there| there.min(count));
        let is_at_hand =
            offset >= self.start && offset + count as u64 <= self.start + self.window.len() as u64;
        if !is_at_hand {
            let wanted = usize::try_from(there).map_or(WINDOW, |there| there.min(WINDOW)).max(count);
            self.window.resize(wanted, 0);
            let read = self.file.read_at(&mut self.window, offset)?;
            self.window.truncate(read);
            self.start = offset;
        }
        // Inside the window, for it was read from here on when it was not.
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX).min(self.window.len());
        let end = (at + count).min(self.window.len());
        Ok(&self.window[at..end])
    }
}

/// What the headers of a segment say, whole frames or not.
pub(crate) struct Surveyed {
    /// The one with the highest position.
    pub(crate) newest: Header,
    /// The first byte behind all of them.
    pub(crate) end: u64,
}

/// Reads all headers of a segment, across whatever is no frame; `None` when there are none.
pub(crate) fn survey<F: File>(scan: &mut Scan<'_, F>) -> io::Result<Option<Surveyed>> {
    let mut surveyed: Option<Surveyed> = None;
    let mut from = 0;
    while let Some((offset, header)) = scan.find(from)? {
        from = offset + header.span();
        let newest = surveyed.map_or(header, |so_far| {
            if so_far.newest.position > header.position { so_far.newest } else { header }
        });
        surveyed = Some(Surveyed { newest, end: from.min(scan.len()) });
    }
    Ok(surveyed)
}

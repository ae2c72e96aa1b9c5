//! `store.meta`: what store a folder holds.
//!
//! Two copies of `magic | format u32 | store id | created u64 | has a log u8 | crc32c u32`, far enough apart that one bad
//! sector leaves the other. Without the id no checksum of the log can be verified.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::{File, Files};
use crate::names::{LOG, META, META_NEW, Name};
use crate::{OpenError, Settings};

const MAGIC: [u8; 8] = *b"martlet\n";
const FORMAT: u32 = 1;
const COPY_BYTES: usize = 8 + 4 + 16 + 8 + 1 + 4;
const COPY_OFFSETS: [usize; 2] = [0, 4096];
const BYTES: usize = COPY_OFFSETS[1] + COPY_BYTES;

/// What store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The version of the format.
    pub(crate) format: u32,
    /// No other store has it.
    pub(crate) id: [u8; 16],
    /// Milliseconds since 1970.
    pub(crate) created: u64,
    /// It had a segment at least once: if there is none now, all was lost.
    pub(crate) has_log: bool,
}

impl Meta {
    /// Reads it, or begins a store in a folder that holds none.
    pub(crate) fn open(files: &impl Files, settings: &Settings) -> Result<Self, OpenError> {
        settings.check()?;
        files.create_folder(Path::new(LOG)).map_err(OpenError::io("the folder of the log"))?;
        match files.open(Path::new(META)) {
            Ok(file) => Self::read(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::begin(files),
            Err(error) => Err(OpenError::io(META)(error)),
        }
    }

    /// Reads it from a folder that must hold a store.
    pub(crate) fn existing(files: &impl Files) -> Result<Self, OpenError> {
        Self::read(&files.open(Path::new(META)).map_err(OpenError::io(META))?)
    }

    /// Notes that there is a segment now.
    pub(crate) fn note_log(files: &impl Files) -> Result<(), OpenError> {
        let meta = Self::existing(files)?;
        if meta.has_log {
            return Ok(());
        }
        Self { has_log: true, ..meta }.write(files).map_err(OpenError::io(META))
    }

    fn read(file: &impl File) -> Result<Self, OpenError> {
        let mut bytes = vec![0; BYTES];
        let len = file.read_at(&mut bytes, 0).map_err(OpenError::io(META))?;
        let copies = COPY_OFFSETS.iter().filter_map(|at| bytes[..len].get(*at..at + COPY_BYTES));
        let meta = copies
            .filter_map(Self::decode)
            .next()
            .ok_or_else(|| OpenError::NotAStore(format!("both copies in {META} are damaged")))?;
        if meta.format > FORMAT {
            return Err(OpenError::Newer { found: meta.format, known: FORMAT });
        }
        Ok(meta)
    }

    fn begin(files: &impl Files) -> Result<Self, OpenError> {
        let names = files.list(Path::new(LOG)).map_err(OpenError::io(LOG))?;
        if names.iter().any(|name| matches!(Name::parse(name), Name::Segment(_))) {
            return Err(OpenError::NotAStore(format!("there are segments, but no {META}")));
        }
        let mut id = [0; 16];
        let no_name = |error: getrandom::Error| io::Error::other(error.to_string());
        getrandom::fill(&mut id).map_err(no_name).map_err(OpenError::io("a name for the store"))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let created = u64::try_from(since.as_millis()).unwrap_or_default();
        let meta = Self { format: FORMAT, id, created, has_log: false };
        meta.write(files).map_err(OpenError::io(META))?;
        Ok(meta)
    }

    /// Whole or not at all: under another name first.
    fn write(&self, files: &impl Files) -> io::Result<()> {
        let mut bytes = vec![0; BYTES];
        for at in COPY_OFFSETS {
            bytes[at..at + COPY_BYTES].copy_from_slice(&self.encode());
        }
        if files.list(Path::new(""))?.iter().any(|name| name == META_NEW) {
            files.remove(Path::new(META_NEW))?;
        }
        let file = files.create(Path::new(META_NEW))?;
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
        files.rename(Path::new(META_NEW), Path::new(META))?;
        files.sync_folder(Path::new(""))
    }

    fn encode(&self) -> [u8; COPY_BYTES] {
        let mut copy = [0; COPY_BYTES];
        copy[..8].copy_from_slice(&MAGIC);
        copy[8..12].copy_from_slice(&self.format.to_le_bytes());
        copy[12..28].copy_from_slice(&self.id);
        copy[28..36].copy_from_slice(&self.created.to_le_bytes());
        copy[36] = u8::from(self.has_log);
        let crc = crc32c::crc32c(&copy[..COPY_BYTES - 4]);
        copy[COPY_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        copy
    }

    fn decode(copy: &[u8]) -> Option<Self> {
        let (checked, crc) = copy.split_last_chunk::<4>()?;
        if copy[..8] != MAGIC || crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let format = u32::from_le_bytes(copy[8..12].try_into().ok()?);
        let id = copy[12..28].try_into().ok()?;
        let created = u64::from_le_bytes(copy[28..36].try_into().ok()?);
        Some(Self { format, id, created, has_log: copy[36] != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_verifies_itself() {
        let meta = Meta { format: FORMAT, id: [3; 16], created: 77, has_log: true };
        let mut copy = meta.encode();
        assert_eq!(Meta::decode(&copy), Some(meta));
        for bit in 0..copy.len() * 8 {
            copy[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Meta::decode(&copy), None, "bit {bit}");
            copy[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

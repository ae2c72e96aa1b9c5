//! The names of the files of a store.
//!
//! ```text
//! store.meta            what store it is
//! log/00000001.seg      segments: their numbers are never used again
//! log/spare-00000007    a segment that was given back, to be used again
//! log/new-00000002      room for a segment: its blocks are set aside, nothing was written yet
//! quarantine/           what a repair took out; never deleted
//! ```

use std::path::PathBuf;

/// Where the segments are.
pub(crate) const LOG: &str = "log";
/// Where a repair puts what it took out.
pub(crate) const QUARANTINE: &str = "quarantine";
/// What store it is.
pub(crate) const META: &str = "store.meta";
/// Its next version, while it is written.
pub(crate) const META_NEW: &str = "store.meta.new";

const SEGMENT: &str = ".seg";
const SPARE: &str = "spare-";
const NEW: &str = "new-";

/// Room for a segment that has no number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spare {
    pub(crate) number: u32,
    /// It was written once: its blocks take new bytes without a change of the file system's own books.
    pub(crate) is_filled: bool,
}

impl Spare {
    pub(crate) fn path(self) -> PathBuf {
        let prefix = if self.is_filled { SPARE } else { NEW };
        PathBuf::from(format!("{LOG}/{prefix}{:08}", self.number))
    }
}

/// What a name in the log's folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Segment(u32),
    Spare(Spare),
    /// Left behind by an end in the middle of something.
    Leftover,
}

impl Name {
    pub(crate) fn parse(name: &str) -> Self {
        let numbered = |digits: &str| digits.parse().ok().filter(|number| *number > 0);
        if let Some(number) = name.strip_suffix(SEGMENT).and_then(numbered) {
            return Self::Segment(number);
        }
        if let Some(number) = name.strip_prefix(SPARE).and_then(numbered) {
            return Self::Spare(Spare { number, is_filled: true });
        }
        let new = name.strip_prefix(NEW).and_then(numbered);
        new.map_or(Self::Leftover, |number| Self::Spare(Spare { number, is_filled: false }))
    }
}

/// The path of a segment.
pub(crate) fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("{LOG}/{number:08}{SEGMENT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (path, name) in [
            (segment(7), Name::Segment(7)),
            (Spare { number: 3, is_filled: true }.path(), Name::Spare(Spare { number: 3, is_filled: true })),
            (
                Spare { number: 3, is_filled: false }.path(),
                Name::Spare(Spare { number: 3, is_filled: false }),
            ),
        ] {
            let file = path.file_name().expect("it is a file").to_str().expect("it is ASCII");
            assert_eq!(Name::parse(file), name);
        }
        assert_eq!(Name::parse("00000000.seg"), Name::Leftover, "segments count from one");
        assert_eq!(Name::parse("notes.txt"), Name::Leftover);
    }
}

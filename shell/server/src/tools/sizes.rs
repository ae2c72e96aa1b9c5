//! What the files of a store take.

use std::io;
use std::path::Path;

use martlet_disk::files::{File, Files};

/// Where the segments are, and how their names end.
const LOG: &str = "log";
const SEGMENT: &str = ".seg";
/// Where a repair puts what was damaged.
pub(crate) const QUARANTINE: &str = "quarantine";

/// What the files of a store take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Segments of the log.
    pub segments: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Files that are set aside to become segments.
    pub spares: u64,
    /// Their bytes.
    pub spare_bytes: u64,
    /// Segments as they were before a repair.
    pub quarantined: u64,
    /// Their bytes.
    pub quarantined_bytes: u64,
}

impl Sizes {
    /// Of these files.
    pub(crate) fn of(files: &impl Files) -> io::Result<Self> {
        let is_segment = |name: &str| name.ends_with(SEGMENT);
        let (segments, log_bytes) = sum(files, LOG, is_segment)?;
        let (spares, spare_bytes) = sum(files, LOG, |name| !is_segment(name))?;
        let (quarantined, quarantined_bytes) = sum(files, QUARANTINE, |_| true)?;
        Ok(Self { segments, log_bytes, spares, spare_bytes, quarantined, quarantined_bytes })
    }

    /// All of them.
    pub fn bytes(&self) -> u64 {
        self.log_bytes + self.spare_bytes + self.quarantined_bytes
    }
}

/// How many files of a folder have such a name, and their bytes.
fn sum(files: &impl Files, folder: &str, is_wanted: impl Fn(&str) -> bool) -> io::Result<(u64, u64)> {
    let folder = Path::new(folder);
    let (mut count, mut bytes) = (0, 0);
    for name in files.list(folder)?.into_iter().filter(|name| is_wanted(name)) {
        count += 1;
        bytes += files.open(&folder.join(name))?.len()?;
    }
    Ok((count, bytes))
}

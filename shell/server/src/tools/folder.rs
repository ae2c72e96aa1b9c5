//! A folder whose files are only read.

use std::fs::File;
use std::io::{self, Error, ErrorKind};
use std::path::Path;

use martlet_disk::files::Files;
use martlet_disk::{Folder, OpenError};

/// What every store has.
const META: &str = "store.meta";
/// Where its segments are, and how their names end.
const LOG: &str = "log";
const SEGMENT: &str = ".seg";
/// Where a repair put what was damaged.
const QUARANTINE: &str = "quarantine";

/// The files of a store.
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
    /// What repairs took out.
    pub quarantined: u64,
    /// Its bytes.
    pub quarantined_bytes: u64,
}

/// A folder with a store, which nobody else has meanwhile. Nothing in it can be changed through this.
#[derive(Debug)]
pub(crate) struct ReadOnly(Folder);

impl ReadOnly {
    /// Takes a folder that has a store.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        must_have_store(path)?;
        // Whoever only reads is not harmed by what network file systems forget.
        Folder::take(path, true).map(Self)
    }

    fn file(&self, path: &Path) -> io::Result<File> {
        File::open(self.0.path().join(path))
    }

    /// What its files take.
    pub(crate) fn sizes(&self) -> io::Result<Sizes> {
        let is_segment = |name: &str| name.ends_with(SEGMENT);
        let (segments, log_bytes) = self.sum(LOG, is_segment)?;
        let (spares, spare_bytes) = self.sum(LOG, |name| !is_segment(name))?;
        let (quarantined, quarantined_bytes) = self.sum(QUARANTINE, |_| true)?;
        Ok(Sizes { segments, log_bytes, spares, spare_bytes, quarantined, quarantined_bytes })
    }

    /// How many files of a folder have such a name, and their bytes.
    fn sum(&self, folder: &str, is_wanted: impl Fn(&str) -> bool) -> io::Result<(u64, u64)> {
        let (mut count, mut bytes) = (0, 0);
        for name in self.list(Path::new(folder))?.into_iter().filter(|name| is_wanted(name)) {
            count += 1;
            bytes += self.file(&Path::new(folder).join(name))?.metadata()?.len();
        }
        Ok((count, bytes))
    }
}

/// Looking for a store must not begin one.
pub(crate) fn must_have_store(path: &Path) -> Result<(), OpenError> {
    match File::open(path.join(META)) {
        Ok(_) => Ok(()),
        Err(source) => Err(OpenError::Io { what: path.join(META).display().to_string(), source }),
    }
}

impl Files for ReadOnly {
    type File = File;

    fn open(&self, path: &Path) -> io::Result<File> {
        self.file(path)
    }

    fn create(&self, _: &Path) -> io::Result<File> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        self.0.space()
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(Error::new(ErrorKind::ReadOnlyFilesystem, "the store is only looked at"))
}

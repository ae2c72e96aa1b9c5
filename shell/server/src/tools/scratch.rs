//! A store's files, of which nothing is ever changed: what is written to them stays in memory.
//!
//! Whoever looks at a store looks through this. A repair can be tried on it first, and what it would come to can be read.

use std::collections::BTreeMap;
use std::fs::File as RealFile;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use martlet_disk::files::{File, Files};
use martlet_disk::{Folder, OpenError};
use parking_lot::{Mutex, RwLock};

use super::sizes::QUARANTINE;

/// What every store has.
const META: &str = "store.meta";

/// The files of a store, which nobody else has meanwhile. Clones share what was written.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    /// Files that were made here.
    made: Mutex<BTreeMap<PathBuf, Sheet>>,
    /// Files that were there, once they were opened.
    opened: Mutex<BTreeMap<PathBuf, Sheet>>,
}

/// A file with what was written over it. Clones are the same file.
#[derive(Debug, Clone)]
pub(crate) struct Sheet(Arc<Layers>);

#[derive(Debug)]
struct Layers {
    real: Option<RealFile>,
    /// Offsets and bytes, in the order they were written.
    written: RwLock<Vec<(u64, Vec<u8>)>>,
    len: AtomicU64,
    /// Of a copy that nobody reads the length is enough.
    keeps_bytes: bool,
}

impl Scratch {
    /// Takes a folder that has a store.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        must_have_store(path)?;
        // Whoever only reads is not harmed by what network file systems forget.
        let folder = Folder::take(path, true)?;
        Ok(Self(Arc::new(Inner { folder, made: Mutex::default(), opened: Mutex::default() })))
    }
}

/// Looking for a store must not begin one.
pub(crate) fn must_have_store(path: &Path) -> Result<(), OpenError> {
    let meta = path.join(META);
    let problem = |source| OpenError::Io { what: meta.display().to_string(), source };
    RealFile::open(&meta).map(drop).map_err(problem)
}

impl Files for Scratch {
    type File = Sheet;

    fn open(&self, path: &Path) -> io::Result<Sheet> {
        if let Some(made) = self.0.made.lock().get(path) {
            return Ok(made.clone());
        }
        let mut opened = self.0.opened.lock();
        if let Some(sheet) = opened.get(path) {
            return Ok(sheet.clone());
        }
        let sheet = Sheet::over(RealFile::open(self.0.folder.path().join(path))?)?;
        opened.insert(path.to_owned(), sheet.clone());
        Ok(sheet)
    }

    fn create(&self, path: &Path) -> io::Result<Sheet> {
        let sheet = Sheet::empty(!path.starts_with(QUARANTINE));
        self.0.made.lock().insert(path.to_owned(), sheet.clone());
        Ok(sheet)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        not_here()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        not_here()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = self.0.folder.list(folder)?;
        let made = self.0.made.lock();
        let made = made.keys().filter(|path| path.parent() == Some(folder));
        names.extend(made.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())));
        Ok(names)
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        self.0.folder.space()
    }
}

/// Neither a look nor a repair asks for it.
fn not_here() -> io::Result<()> {
    Err(Error::new(ErrorKind::ReadOnlyFilesystem, "the store is only looked at"))
}

impl Sheet {
    fn over(real: RealFile) -> io::Result<Self> {
        let len = AtomicU64::new(real.metadata()?.len());
        let layers = Layers { real: Some(real), written: RwLock::default(), len, keeps_bytes: true };
        Ok(Self(Arc::new(layers)))
    }

    fn empty(keeps_bytes: bool) -> Self {
        let layers = Layers { real: None, written: RwLock::default(), len: AtomicU64::new(0), keeps_bytes };
        Self(Arc::new(layers))
    }
}

impl File for Sheet {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = self.0.len.load(Ordering::Acquire).saturating_sub(offset);
        let len = usize::try_from(there).map_or(bytes.len(), |there| there.min(bytes.len()));
        let bytes = &mut bytes[..len];
        let read = self.0.real.as_ref().map_or(Ok(0), |real| File::read_at(real, bytes, offset))?;
        bytes[read..].fill(0);
        for (start, written) in self.0.written.read().iter() {
            lay_over(bytes, offset, written, *start);
        }
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.0.keeps_bytes {
            self.0.written.write().push((offset, bytes.to_vec()));
        }
        self.0.len.fetch_max(offset + bytes.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len.load(Ordering::Acquire))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.len.fetch_max(len, Ordering::AcqRel);
        Ok(())
    }
}

/// Copies what two stretches of a file have in common from the second into the first.
fn lay_over(below: &mut [u8], below_start: u64, above: &[u8], above_start: u64) {
    let start = below_start.max(above_start);
    let end = (below_start + below.len() as u64).min(above_start + above.len() as u64);
    let within = |from: u64| usize::try_from(start - from).ok();
    if let (Some(below_at), Some(above_at), true) = (within(below_start), within(above_start), start < end) {
        let len = usize::try_from(end - start).unwrap_or_default();
        below[below_at..below_at + len].copy_from_slice(&above[above_at..above_at + len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_file_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        std::fs::write(folder.path().join(META), b"0123456789").unwrap();
        let files = Scratch::take(folder.path()).expect("there is a store");
        let file = files.open(Path::new(META)).unwrap();
        file.write_at(b"ab", 3).unwrap();
        file.write_at(b"c", 4).unwrap();
        file.write_at(b"xyz", 9).unwrap();
        let mut bytes = [0; 16];
        let again = files.clone().open(Path::new(META)).unwrap();
        assert_eq!(again.read_at(&mut bytes, 2).unwrap(), 10);
        assert_eq!(&bytes[..10], b"2ac5678xyz");
        assert_eq!(std::fs::read(folder.path().join(META)).unwrap(), b"0123456789");
    }

    #[test]
    fn a_store_belongs_to_one_at_a_time_and_looking_begins_none() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        assert!(matches!(Scratch::take(folder.path()), Err(OpenError::Io { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(folder.path().join(META), b"").unwrap();
        let held = Scratch::take(folder.path()).unwrap();
        assert!(matches!(Scratch::take(folder.path()), Err(OpenError::InUse)));
        drop(held);
        assert!(Scratch::take(folder.path()).is_ok());
    }
}

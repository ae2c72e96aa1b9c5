//! The file system the log is given: it writes down all that happens, and fails when it is told to.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use martlet_disk::files::{File, Files};
use parking_lot::Mutex;

use crate::Chance;
use crate::disk::{Disk, Event, FileId};

/// Files on a [`Disk`], and the trace of what was done to it.
#[derive(Debug, Clone)]
pub struct SimulatedFiles(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    disk: Disk,
    trace: Vec<Event>,
    faults: Faults,
    /// Calls so far that may fail.
    calls: u64,
    chance: Chance,
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Bytes there are; `None`: as many as are asked for.
    pub capacity: Option<u64>,
    /// Calls that end with EIO, counted from zero over all writes and syncs.
    pub broken: BTreeSet<u64>,
}

impl SimulatedFiles {
    /// The files of this disk. Chance decides how much of a call that fails is done.
    pub fn new(disk: Disk, chance: Chance) -> Self {
        let faults = Faults::default();
        Self(Arc::new(Mutex::new(State { disk, trace: Vec::new(), faults, calls: 0, chance })))
    }

    /// What was done so far: a power cut may come before or after each.
    pub fn steps(&self) -> usize {
        self.0.lock().trace.len()
    }

    /// All that was done.
    pub fn trace(&self) -> Vec<Event> {
        self.0.lock().trace.clone()
    }

    /// Writes and syncs so far.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// From here this goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// The disk as it is now.
    pub fn disk(&self) -> Disk {
        self.0.lock().disk.clone()
    }
}

impl Files for SimulatedFiles {
    type File = SimulatedFile;

    fn open(&self, path: &Path) -> io::Result<SimulatedFile> {
        let id = self.0.lock().disk.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimulatedFile { state: Arc::clone(&self.0), id })
    }

    fn create(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut state = self.0.lock();
        if state.disk.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.check_folder(path)?;
        state.check_space(1)?;
        let id = state.disk.next_id();
        state.happens(Event::Create(path.to_owned()));
        Ok(SimulatedFile { state: Arc::clone(&self.0), id })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.disk.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.check_folder(to)?;
        state.happens(Event::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.disk.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.happens(Event::Remove(path.to_owned()));
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        Ok(self.0.lock().disk.list(folder))
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        if !state.disk.has_folder(folder) {
            state.happens(Event::CreateFolder(folder.to_owned()));
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check_broken()?;
        state.happens(Event::SyncFolder(folder.to_owned()));
        Ok(())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let state = self.0.lock();
        let capacity = state.faults.capacity.unwrap_or(u64::MAX);
        Ok((capacity.saturating_sub(state.disk.used()), capacity))
    }
}

impl State {
    fn happens(&mut self, event: Event) {
        self.disk.apply(&event);
        self.trace.push(event);
    }

    fn check_folder(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().expect("a file is in a folder");
        if self.disk.has_folder(folder) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn check_space(&self, more: u64) -> io::Result<()> {
        let fits = self.faults.capacity.is_none_or(|capacity| self.disk.used() + more <= capacity);
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// One of the calls that may fail; EIO when it is this one's turn.
    fn check_broken(&mut self) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        if self.faults.broken.contains(&call) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}

/// What Linux calls an error of the device.
const EIO: i32 = 5;

/// A file on a simulated disk.
#[derive(Debug)]
pub struct SimulatedFile {
    state: Arc<Mutex<State>>,
    id: FileId,
}

impl SimulatedFile {
    fn grown_by(state: &State, id: FileId, end: u64) -> u64 {
        end.saturating_sub(state.disk.bytes(id).len() as u64)
    }
}

impl File for SimulatedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = state.disk.bytes(self.id).get(from..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let space = state.check_space(Self::grown_by(&state, self.id, offset + bytes.len() as u64));
        let whole = space.and_then(|()| state.check_broken());
        // A write that fails may have written a part.
        let count = if whole.is_ok() { bytes.len() } else { state.chance.index(bytes.len() + 1) };
        let fits = whole.is_ok() || Self::grown_by(&state, self.id, offset + count as u64) == 0;
        if fits && count > 0 {
            state.happens(Event::Write(self.id, offset, bytes[..count].into()));
        }
        whole
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Err(error) = state.check_broken() {
            let seed = state.chance.number();
            state.happens(Event::FailSync(self.id, seed));
            return Err(error);
        }
        state.happens(Event::Sync(self.id));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().disk.bytes(self.id).len() as u64)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check_space(Self::grown_by(&state, self.id, len))?;
        state.happens(Event::Extend(self.id, len));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> SimulatedFiles {
        let files = SimulatedFiles::new(Disk::default(), Chance::new(1));
        files.create_folder(Path::new("log")).expect("a folder");
        files
    }

    #[test]
    fn they_are_files() {
        let files = files();
        let path = Path::new("log/a");
        let file = files.create(path).expect("a new file");
        assert!(files.create(path).is_err(), "there is one");
        file.write_at(b"text", 3).expect("no fault");
        let mut bytes = [9; 8];
        assert_eq!(file.read_at(&mut bytes, 1).expect("no fault"), 6);
        assert_eq!(&bytes[..6], b"\0\0text");
        files.rename(path, Path::new("log/b")).expect("it is there");
        assert!(files.open(path).is_err());
        assert_eq!(files.list(Path::new("log")).expect("a folder"), ["b"]);
        file.allocate(100).expect("room");
        assert_eq!(files.open(Path::new("log/b")).and_then(|file| file.len()).expect("a file"), 100);
        assert!(files.create(Path::new("nowhere/a")).is_err());
    }

    #[test]
    fn a_full_disk_takes_what_was_allocated_and_no_more() {
        let files = files();
        let file = files.create(Path::new("log/a")).expect("a new file");
        file.allocate(100).expect("room");
        files.set_faults(Faults { capacity: Some(120), ..Faults::default() });
        assert_eq!(files.space().expect("known"), (20, 120));
        file.write_at(&[1; 100], 0).expect("room that was allocated");
        let full = file.write_at(&[1; 100], 50).expect_err("too long");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_call_that_is_to_fail_does() {
        let files = files();
        let file = files.create(Path::new("log/a")).expect("a new file");
        files.set_faults(Faults { broken: [1].into(), ..Faults::default() });
        file.write_at(b"text", 0).expect("not yet");
        assert_eq!(file.sync_data().expect_err("its turn").raw_os_error(), Some(EIO));
        file.sync_data().expect("only once");
        assert_eq!(files.calls(), 3);
    }
}

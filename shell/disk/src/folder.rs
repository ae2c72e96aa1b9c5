//! The operating system's files.
//!
//! The rule: a folder belongs to one [`Folder`] at a time, of whatever process.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation};

use crate::OpenError;
use crate::files::{File, Files, write_zeros};

/// A folder on a disk of this machine, and the right to it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Holds the lock for as long as this lives.
    _locked: fs::File,
}

impl Folder {
    /// Takes a folder, which is made if it is not there. Network file systems are refused unless `is_forced`.
    pub fn take(path: &Path, is_forced: bool) -> Result<Self, OpenError> {
        let problem = || OpenError::io(path.display().to_string());
        fs::create_dir_all(path).map_err(problem())?;
        let locked = fs::File::open(path).map_err(problem())?;
        if let Some(network) = network_name(&locked).map_err(problem())?.filter(|_| !is_forced) {
            return Err(OpenError::Network(network));
        }
        match rustix::fs::flock(&locked, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _locked: locked }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse),
            Err(error) => Err(problem()(error.into())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Files for Folder {
    type File = fs::File;

    fn open(&self, path: &Path) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).open(self.path.join(path))
    }

    fn create(&self, path: &Path) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.path.join(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        entries.map(name).collect()
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(self.path.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync_folder(Path::new("")),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fs::File::open(self.path.join(folder))?.sync_all()
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let space = rustix::fs::statvfs(&self.path)?;
        Ok((space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize))
    }
}

impl File for fs::File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < bytes.len() {
            match FileExt::read_at(self, &mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            // The file system cannot: writing it all does the same, slowly.
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(self, len),
            Err(error) => Err(error.into()),
        }
    }

    fn fill(&self, len: u64) -> io::Result<()> {
        // What the system has against the short way it says on the long one, or it has nothing.
        write_zeros_directly(self, len).or_else(|_| write_zeros(self, len))?;
        fs::File::sync_data(self)
    }
}

/// Writes zeros past the system's cache: nobody reads them, and what is written over them comes in whole pages.
#[cfg(target_os = "linux")]
fn write_zeros_directly(file: &fs::File, len: u64) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(file, flags | rustix::fs::OFlags::DIRECT)?;
    let written = write_zeros(file, len);
    rustix::fs::fcntl_setfl(file, flags)?;
    written
}

#[cfg(not(target_os = "linux"))]
fn write_zeros_directly(_: &fs::File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The name of the network file system a folder lies on, if it does.
#[cfg(target_os = "linux")]
fn network_name(folder: &fs::File) -> io::Result<Option<&'static str>> {
    const NETWORK: [(u32, &str); 8] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
    ];
    // Magic numbers have 32 bits, in a field that is wider on some machines.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the lower half is the number"
    )]
    let magic = rustix::fs::fstatfs(folder)?.f_type as u32;
    Ok(NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name))
}

#[cfg(not(target_os = "linux"))]
fn network_name(_: &fs::File) -> io::Result<Option<&'static str>> {
    Ok(None)
}

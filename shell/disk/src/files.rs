//! The files under the log: the few things a file system is asked for.
//!
//! The real one is the operating system's; tests bring one that forgets, reorders and tears what was not synced.

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// A folder with files, as the log uses it. Paths are relative to the folder.
pub trait Files: Debug + Send + Sync + 'static {
    /// An open file.
    type File: File;

    /// Opens a file that is there, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Makes a new file; it is an error if there is one.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Gives a file another name, in place of whatever had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder; nothing when the folder is not there.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder, if it is not there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: what was created, renamed and removed.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Bytes that are free for us, and bytes there are.
    fn space(&self) -> io::Result<(u64, u64)>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait File: Debug + Send + Sync + 'static {
    /// Reads up to so many bytes; fewer only at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written durable, as far as it is needed to read it back.
    fn sync_data(&self) -> io::Result<()>;

    /// Bytes it is long.
    fn len(&self) -> io::Result<u64>;

    /// Makes room for so many bytes, so that writing them cannot fail for want of space.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Fills its first bytes with zeros and makes that durable: the file system's own books need not change when the
    /// same blocks are written again.
    fn fill(&self, len: u64) -> io::Result<()> {
        write_zeros(self, len)?;
        self.sync_data()
    }
}

/// Zeros, where a disk can take them from without a copy.
#[repr(align(4096))]
struct Zeros([u8; 1 << 20]);

static ZEROS: Zeros = Zeros([0; 1 << 20]);

/// Writes so many zeros to the start of a file.
pub(crate) fn write_zeros(file: &(impl File + ?Sized), len: u64) -> io::Result<()> {
    let mut offset = 0;
    while offset < len {
        let rest = usize::try_from(len - offset).unwrap_or(ZEROS.0.len()).min(ZEROS.0.len());
        file.write_at(&ZEROS.0[..rest], offset)?;
        offset += rest as u64;
    }
    Ok(())
}

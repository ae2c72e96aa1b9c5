//! Disks: one of our own in a file, mounted over a loop device, and what any disk takes for one sync.
//!
//! The rule: what is mounted here is unmounted when its value goes, or when the run is interrupted.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::cleanup::{self, Leftover};

/// Why no disk can be mounted here, if that is so.
pub(crate) fn obstacle() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("mounting a disk needs root");
    }
    let has_loop = Path::new("/dev/loop-control").exists();
    (!has_loop).then_some("this kernel has no loop devices")
}

/// An ext4 file system in a file.
pub(crate) struct LoopDisk {
    image: PathBuf,
    folder: PathBuf,
    device: String,
}

impl LoopDisk {
    /// Makes an image of `size` bytes, a file system in it, and mounts it; both lie in `parent` under this name.
    pub(crate) fn create(parent: &Path, name: &str, size: u64) -> Result<Self> {
        let image = parent.join(format!("{name}.img"));
        File::create(&image)?.set_len(size).with_context(|| format!("making {}", image.display()))?;
        // Everything is initialized now: nothing of it may be written later, while bytes are counted.
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"])
            .arg(&image))?;
        Self::mount(image, &parent.join(name))
    }

    /// Mounts an image that there is.
    pub(crate) fn mount(image: PathBuf, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        run(Command::new("mount").args(["-o", "loop,noatime"]).arg(&image).arg(folder))?;
        cleanup::register(Leftover::Mount(folder.to_owned()));
        let device = device_of(folder)?;
        Ok(Self { image, folder: folder.to_owned(), device })
    }

    /// Where it is mounted.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file it lies in: what a real device would hold.
    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    /// Bytes the device was told to write since it was mounted, the file system's own among them.
    pub(crate) fn bytes_written(&self) -> Result<u64> {
        let file = format!("/sys/block/{}/stat", self.device);
        let stat = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
        let sectors: u64 = stat.split_whitespace().nth(6).context("the device counts no sectors")?.parse()?;
        Ok(sectors * 512)
    }

    /// Writes everything that waits to be written.
    pub(crate) fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(File::open(&self.folder)?).context("writing all to the device")
    }

    /// Bytes that may still be written by anybody.
    pub(crate) fn free(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let leftover = Leftover::Mount(self.folder.clone());
        cleanup::remove(&leftover);
        cleanup::forget(&leftover);
    }
}

/// Latencies of writing 4 KiB and syncing it, into a file that is already filled with zeros.
pub(crate) fn sync_latencies(folder: &Path, count: usize) -> Result<Vec<Duration>> {
    let path = folder.join("raw-sync");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let block = [0x5a; 4096];
    for index in 0..count {
        file.write_all_at(&[0; 4096], offset(index))?;
    }
    file.sync_all()?;
    let latencies = (0..count).map(|index| {
        let started = Instant::now();
        file.write_all_at(&block, offset(index))?;
        file.sync_data()?;
        Ok(started.elapsed())
    });
    let latencies = latencies.collect::<Result<Vec<_>>>().context("measuring the disk");
    fs::remove_file(&path)?;
    latencies
}

fn offset(block: usize) -> u64 {
    block as u64 * 4096
}

/// The loop device that is mounted at `folder`.
fn device_of(folder: &Path) -> Result<String> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let folder = folder.canonicalize()?;
    let line = mounts.lines().find(|line| line.split(' ').nth(1) == folder.to_str());
    let device = line.and_then(|line| line.split(' ').next()?.strip_prefix("/dev/"));
    Ok(device.with_context(|| format!("nothing is mounted at {}", folder.display()))?.to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("starting {}", program.display()))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}: {}", program.display(), output.status, words.trim());
    Ok(())
}

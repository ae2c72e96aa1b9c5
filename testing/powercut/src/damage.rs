//! Disks whose bits decayed, and what may be made of them: refused or read as written, and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_record::{Stored, Time};

use crate::life::{Broken, Life, is_same, recover};
use crate::process::{Process, moment};
use crate::{Chance, Disk, Event, Story};

/// A store at rest: everything was synced, and said to be so.
#[derive(Debug, Clone)]
pub struct AtRest {
    /// What it went through.
    pub life: Life,
    /// The disk.
    pub disk: Disk,
}

/// Bytes that say one edit.
const EDIT: usize = 8;
/// Bits that change in a frame, unless one changes back.
const SCRAMBLED: usize = 9;
/// Where a frame says how long its body is, and how long its head is.
const LENGTH: std::ops::Range<usize> = 4..8;
const HEAD: usize = 48;

impl AtRest {
    /// The store that this seed makes.
    pub fn new(seed: u64) -> Self {
        let chance = Chance::new(seed);
        let found = recover(&Disk::default(), &chance).expect("an empty disk");
        let now = moment(Time::from_millis(1000));
        let story = Story::new(Chance::of(seed, 1), 3000);
        let mut process = Process::new(Disk::default(), found, [].into(), story, now, chance);
        process.live(150);
        process.rest();
        let (life, _) = process.into_life();
        let mut disk = life.disk.clone();
        life.trace.iter().for_each(|event| disk.apply(event));
        Self { disk: disk.killed(), life }
    }

    /// Bits of all files.
    pub fn bits(&self) -> u64 {
        self.disk.used() * 8
    }

    /// The disk with one other bit.
    pub fn flipped(&self, mut bit: u64) -> Disk {
        let mut disk = self.disk.clone();
        let paths: Vec<PathBuf> = disk.files().map(|(path, _)| path.to_owned()).collect();
        for path in paths {
            let bytes = disk.bytes_mut(disk.find(&path).expect("it was just seen"));
            let bits = bytes.len() as u64 * 8;
            if bit < bits {
                let byte = usize::try_from(bit / 8).expect("files are small");
                bytes[byte] ^= 1 << (bit % 8);
                break;
            }
            bit -= bits;
        }
        disk
    }

    /// The disks on which one frame each is not what was written, in several bits.
    pub fn scrambled<'a>(&'a self, chance: &'a mut Chance) -> impl Iterator<Item = Disk> + 'a {
        let in_file = |(path, bytes): (&Path, &[u8])| -> Vec<_> {
            frames(bytes).into_iter().map(|frame| (path.to_owned(), frame)).collect()
        };
        let all: Vec<_> = self.disk.files().flat_map(in_file).collect();
        all.into_iter().map(|(path, frame)| {
            let mut disk = self.disk.clone();
            let bytes = disk.bytes_mut(disk.find(&path).expect("it was just seen"));
            for _ in 0..SCRAMBLED {
                bytes[frame.start + chance.index(frame.len())] ^= 1 << chance.below(8);
            }
            disk
        })
    }

    /// The disk after edits that these bytes say: bits flipped, files cut short, frames written twice, exchanged or made
    /// up, files gone or there twice.
    pub fn edited(&self, edits: &[u8]) -> Disk {
        let mut disk = self.disk.clone();
        for (at, edit) in edits.chunks_exact(EDIT).enumerate() {
            change(&mut disk, edit, &edits[(at + 1) * EDIT..]);
        }
        disk
    }

    /// Looks at a disk of this store that was damaged. Gives back whether it was opened.
    ///
    /// It may be refused. If it is opened, what it knows is what was known at some time, and at its end if `is_whole`;
    /// and no body is read that was not written.
    pub fn check(&self, damaged: &Disk, is_whole: bool) -> Result<bool, Broken> {
        let Ok(found) = recover(damaged, &Chance::new(0)) else { return Ok(false) };
        let there = self.life.models.iter().rposition(|model| *model == found.model);
        match there {
            None => return Err(Broken::on(damaged)("what is there never was".into())),
            Some(there) if is_whole && self.life.models[there] != *self.life.models.last().expect("one") => {
                let what = format!("{there} of {} batches are there", self.life.models.len() - 1);
                return Err(Broken::on(damaged)(what));
            }
            Some(_) => {}
        }
        let named: Vec<Stored> = found.model.bodies().collect();
        for (stored, read) in named.iter().zip(found.opened.read(&named, self.life.now)) {
            if let Ok(read) = read
                && !self.life.contents.get(&stored.place).is_some_and(|written| is_same(written, &read))
            {
                return Err(Broken::on(damaged)(format!("{stored:?} is {read:?}")));
            }
        }
        let again = recover(&found.files.disk().killed(), &Chance::new(0))?;
        if again.model != found.model {
            return Err(Broken::on(damaged)("opened again, it is another".into()));
        }
        Ok(true)
    }
}

/// One edit: what, which file, two places or numbers. Bytes that are made up are taken from what follows.
fn change(disk: &mut Disk, edit: &[u8], following: &[u8]) {
    let number = |at: usize| usize::from(u16::from_le_bytes([edit[at], edit[at + 1]]));
    let paths: Vec<PathBuf> = disk.files().map(|(path, _)| path.to_owned()).collect();
    let Some(path) = paths.get(usize::from(edit[1]) % paths.len().max(1)) else { return };
    let id = disk.find(path).expect("it was just seen");
    let frames = frames(disk.bytes(id));
    let frame = |at: usize| frames.get(number(at) % frames.len().max(1)).cloned();
    let bytes = disk.bytes_mut(id);
    let (one, other) = (number(2), number(4));
    match edit[0] % 8 {
        0 if !bytes.is_empty() => {
            let at = one % bytes.len();
            bytes[at] ^= 1 << (other % 8);
        }
        1 => bytes.truncate(one),
        2 => {
            // The same frame once more, in the place of another or behind all.
            if let (Some(from), Some(to)) = (frame(2), frame(4)) {
                let start = if other % 2 == 0 { to.start } else { frames.last().map_or(0, |last| last.end) };
                let copy = bytes[from].to_vec();
                let end = (start + copy.len()).min(bytes.len());
                bytes[start..end].copy_from_slice(&copy[..end - start]);
            }
        }
        3 => {
            if let (Some(one), Some(other)) = (frame(2), frame(4)) {
                let (first, second) = (bytes[one.clone()].to_vec(), bytes[other.clone()].to_vec());
                let len = first.len().min(second.len());
                bytes[one.start..one.start + len].copy_from_slice(&second[..len]);
                bytes[other.start..other.start + len].copy_from_slice(&first[..len]);
            }
        }
        4 => {
            let start = one.min(bytes.len());
            let end = (start + following.len()).min(bytes.len());
            bytes[start..end].copy_from_slice(&following[..end - start]);
        }
        5 => {
            let start = (one / 512 * 512).min(bytes.len());
            let end = (start + 512).min(bytes.len());
            bytes[start..end].fill(0);
        }
        6 => remove(disk, path),
        _ => copy(disk, path, &PathBuf::from(format!("log/{:08}.seg", other % 40 + 1))),
    }
}

fn remove(disk: &mut Disk, path: &Path) {
    disk.apply(&Event::Remove(path.to_owned()));
    settle(disk, path);
}

fn copy(disk: &mut Disk, from: &Path, to: &Path) {
    let bytes: Arc<[u8]> = disk.bytes(disk.find(from).expect("it was just seen")).into();
    let id = disk.next_id();
    disk.apply(&Event::Create(to.to_owned()));
    disk.apply(&Event::Write(id, 0, bytes));
    disk.apply(&Event::Sync(id));
    settle(disk, to);
}

fn settle(disk: &mut Disk, path: &Path) {
    disk.apply(&Event::SyncFolder(path.parent().expect("a file is in a folder").to_owned()));
    *disk = disk.killed();
}

/// Where frames seem to be.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let starts =
        (0..bytes.len().saturating_sub(HEAD)).step_by(8).filter(|at| bytes[*at..].starts_with(b"mtlf"));
    let frame = |at: usize| {
        let len = bytes[at..][LENGTH].try_into().map(u32::from_le_bytes).expect("four bytes");
        let end = usize::try_from(len).map_or(bytes.len(), |len| at.saturating_add(HEAD).saturating_add(len));
        at..end.min(bytes.len())
    };
    starts.map(frame).collect()
}

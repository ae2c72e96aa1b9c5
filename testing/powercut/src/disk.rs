//! What a disk and the file system on it hold, and what they hold after a power cut.
//!
//! The one rule: a cut may keep or lose anything that was not synced, in any order, sector by sector; and nothing that
//! was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Chance;

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// A file, whatever its names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(usize);

/// Something that was done to the disk.
#[derive(Debug, Clone)]
pub enum Event {
    /// An empty file was made, with the next free identity.
    Create(PathBuf),
    /// Bytes were written.
    Write(FileId, u64, Arc<[u8]>),
    /// A file became this long, if it was shorter.
    Extend(FileId, u64),
    /// A file was synced.
    Sync(FileId),
    /// A file was synced, and that failed: what was written is in memory only, or on the disk, as chance (of this seed)
    /// has it, and no later sync knows of it.
    FailSync(FileId, u64),
    /// A file got another name.
    Rename(PathBuf, PathBuf),
    /// A name was removed.
    Remove(PathBuf),
    /// A folder was made.
    CreateFolder(PathBuf),
    /// The names in a folder were synced.
    SyncFolder(PathBuf),
}

/// A disk as the program sees it, and as it is.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<Stored>,
    /// What the program sees.
    names: Names,
    /// What survives for sure.
    synced_names: Names,
    /// Changes that were not synced, in order.
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    files: BTreeMap<PathBuf, FileId>,
    folders: BTreeSet<PathBuf>,
}

/// One change of names, which happens or does not.
#[derive(Debug, Clone)]
struct Change {
    /// The folder whose sync makes it last.
    folder: PathBuf,
    kind: ChangeKind,
}

#[derive(Debug, Clone)]
enum ChangeKind {
    Link(PathBuf, FileId),
    /// Both at once, or neither.
    Rename(PathBuf, PathBuf, FileId),
    Unlink(PathBuf),
    Folder(PathBuf),
}

/// The bytes of a file.
#[derive(Debug, Clone, Default)]
struct Stored {
    /// What the program sees.
    seen: Vec<u8>,
    /// What survives for sure.
    synced: Vec<u8>,
    /// Writes since.
    writes: Vec<(usize, Arc<[u8]>)>,
}

impl Disk {
    /// Does to it what was done.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path) => {
                let id = FileId(self.files.len());
                self.files.push(Stored::default());
                self.change(path, ChangeKind::Link(path.clone(), id));
            }
            Event::Write(id, offset, bytes) => self.files[id.0].write(index(*offset), bytes),
            Event::Extend(id, len) => self.files[id.0].extend(index(*len)),
            Event::Sync(id) => self.files[id.0].sync(),
            Event::FailSync(id, seed) => self.files[id.0].fail_sync(&mut Chance::new(*seed)),
            Event::Rename(from, to) => self.rename(from, to),
            Event::Remove(path) => self.change(path, ChangeKind::Unlink(path.clone())),
            Event::CreateFolder(path) => self.change(path, ChangeKind::Folder(path.clone())),
            Event::SyncFolder(path) => self.sync_folder(path),
        }
    }

    /// The disk after the program died and the system lived on.
    #[must_use]
    pub fn killed(&self) -> Self {
        let files = self.files.iter().map(|file| Stored::on_disk(file.seen.clone())).collect();
        Self::holding(files, self.names.clone())
    }

    /// The disk after a power cut.
    #[must_use]
    pub fn cut(&self, chance: &mut Chance) -> Self {
        let mut names = self.synced_names.clone();
        for change in self.surviving_changes(chance) {
            names.change(&change.kind);
        }
        let files = self.files.iter().map(|file| Stored::on_disk(file.survivors(chance))).collect();
        Self::holding(files, names)
    }

    /// The file with this name.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        self.names.files.get(path).copied()
    }

    /// The identity the next file gets.
    pub fn next_id(&self) -> FileId {
        FileId(self.files.len())
    }

    /// The bytes of a file as the program sees them.
    pub fn bytes(&self, id: FileId) -> &[u8] {
        &self.files[id.0].seen
    }

    /// Is this folder there?
    pub fn has_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.names.folders.contains(path)
    }

    /// The names in a folder.
    pub fn list(&self, folder: &Path) -> Vec<String> {
        let names = self.names.files.keys().chain(&self.names.folders);
        let within = names.filter(|path| path.parent() == Some(folder));
        within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    /// Bytes that all files with a name have.
    pub fn used(&self) -> u64 {
        let ids: BTreeSet<FileId> = self.names.files.values().copied().collect();
        ids.into_iter().map(|id| self.bytes(id).len() as u64).sum()
    }

    /// All files with their names and what the program sees in them.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.names.files.iter().map(|(path, id)| (path.as_path(), self.bytes(*id)))
    }

    /// A file's bytes, to be damaged.
    pub fn bytes_mut(&mut self, id: FileId) -> &mut Vec<u8> {
        let file = &mut self.files[id.0];
        assert!(file.writes.is_empty(), "only a disk at rest is damaged");
        &mut file.seen
    }

    /// A disk at rest. What has no name is gone.
    fn holding(mut files: Vec<Stored>, mut names: Names) -> Self {
        let mut kept = Vec::new();
        let mut new_ids = BTreeMap::new();
        for id in names.files.values_mut() {
            *id = *new_ids.entry(*id).or_insert_with(|| {
                kept.push(std::mem::take(&mut files[id.0]));
                FileId(kept.len() - 1)
            });
        }
        Self { files: kept, synced_names: names.clone(), names, changes: Vec::new() }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let id = self.find(from).expect("the program sees the name it changes");
        if from.parent() == to.parent() {
            return self.change(to, ChangeKind::Rename(from.to_owned(), to.to_owned(), id));
        }
        // Two folders, each with its own sync.
        self.change(to, ChangeKind::Link(to.to_owned(), id));
        self.change(from, ChangeKind::Unlink(from.to_owned()));
    }

    fn change(&mut self, path: &Path, kind: ChangeKind) {
        self.names.change(&kind);
        let folder = path.parent().expect("a name is in a folder").to_owned();
        self.changes.push(Change { folder, kind });
    }

    fn sync_folder(&mut self, folder: &Path) {
        let (synced, open) =
            std::mem::take(&mut self.changes).into_iter().partition(|change| change.folder == folder);
        self.changes = open;
        let synced: Vec<Change> = synced;
        synced.iter().for_each(|change| self.synced_names.change(&change.kind));
    }

    fn surviving_changes(&self, chance: &mut Chance) -> Vec<&Change> {
        let first = chance.index(self.changes.len() + 1);
        match chance.below(4) {
            0 => Vec::new(),
            1 => self.changes.iter().collect(),
            2 => self.changes.iter().take(first).collect(),
            _ => self.changes.iter().filter(|_| chance.once_in(2)).collect(),
        }
    }
}

impl Names {
    fn change(&mut self, kind: &ChangeKind) {
        match kind {
            ChangeKind::Link(path, id) => drop(self.files.insert(path.clone(), *id)),
            ChangeKind::Rename(from, to, id) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *id);
            }
            ChangeKind::Unlink(path) => drop(self.files.remove(path)),
            ChangeKind::Folder(path) => drop(self.folders.insert(path.clone())),
        }
    }
}

impl Stored {
    fn on_disk(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.clone(), seen: bytes, writes: Vec::new() }
    }

    fn write(&mut self, offset: usize, bytes: &Arc<[u8]>) {
        put(&mut self.seen, offset, bytes);
        self.writes.push((offset, Arc::clone(bytes)));
    }

    fn extend(&mut self, len: usize) {
        if self.seen.len() < len {
            self.seen.resize(len, 0);
        }
    }

    fn sync(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.writes) {
            put(&mut self.synced, offset, &bytes);
        }
        self.synced.resize(self.seen.len(), 0);
    }

    /// The system forgets that there was anything to write.
    fn fail_sync(&mut self, chance: &mut Chance) {
        self.synced = self.survivors(chance);
        self.writes.clear();
    }

    /// The bytes a cut leaves: of each sector one of the states it had since the last sync.
    fn survivors(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        if self.writes.is_empty() && self.seen.len() == bytes.len() {
            return bytes;
        }
        let how = Survival::draw(self.writes.len(), chance);
        for (sector, touching) in self.touched() {
            let newest = touching.iter().rposition(|write| how.keeps(*write, sector, chance));
            for write in &touching[..newest.map_or(0, |newest| newest + 1)] {
                let (offset, written) = &self.writes[*write];
                put_sector(&mut bytes, sector, *offset, written);
            }
        }
        // The length is kept apart from the bytes: it may be the old one, the new one, or as far as the bytes go.
        match chance.below(4) {
            0 => bytes.resize(self.seen.len(), 0),
            1 => bytes.truncate(self.synced.len()),
            _ => {}
        }
        bytes
    }

    /// Each sector that was written since the last sync, with the writes that touch it, oldest first.
    fn touched(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut touched: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (write, (offset, bytes)) in self.writes.iter().enumerate() {
            if !bytes.is_empty() {
                for sector in offset / SECTOR..=(offset + bytes.len() - 1) / SECTOR {
                    touched.entry(sector).or_default().push(write);
                }
            }
        }
        touched
    }
}

/// Which writes to a file survive a cut.
enum Survival {
    Nothing,
    All,
    /// The first ones; of the next, the sectors before this one.
    First(usize, usize),
    /// Any of them, each whole.
    Some(u64),
    /// Any sector of any of them.
    Torn(u64),
}

impl Survival {
    fn draw(writes: usize, chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Nothing,
            1 => Self::All,
            2 | 3 => Self::First(chance.index(writes + 1), chance.index(64)),
            4 | 5 => Self::Some(chance.number()),
            _ => Self::Torn(*chance.one_of(&[2, 2, 4, 16])),
        }
    }

    fn keeps(&self, write: usize, sector: usize, chance: &mut Chance) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::First(count, torn_at) => write < *count || (write == *count && sector % 64 < *torn_at),
            Self::Some(seed) => Chance::of(*seed, write as u64).once_in(2),
            Self::Torn(lost) => !chance.once_in(*lost),
        }
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if to.len() < offset + bytes.len() {
        to.resize(offset + bytes.len(), 0);
    }
    to[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// The part of a write that lies in this sector.
fn put_sector(to: &mut Vec<u8>, sector: usize, offset: usize, bytes: &[u8]) {
    let from = offset.max(sector * SECTOR);
    let end = (offset + bytes.len()).min((sector + 1) * SECTOR);
    put(to, from, &bytes[from - offset..end - offset]);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("simulated files are small")
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "log/a";
    const FIRST: FileId = FileId(0);

    fn disk(events: &[Event]) -> Disk {
        let mut disk = Disk::default();
        events.iter().for_each(|event| disk.apply(event));
        disk
    }

    fn write(id: FileId, offset: usize, bytes: &[u8]) -> Event {
        Event::Write(id, offset as u64, bytes.into())
    }

    /// What is in `log/a` after each of many cuts.
    fn outcomes(disk: &Disk) -> BTreeSet<Option<Vec<u8>>> {
        let cut = |seed| {
            let cut = disk.cut(&mut Chance::new(seed));
            cut.find(Path::new(A)).map(|id| cut.bytes(id).to_vec())
        };
        (0..2000).map(cut).collect()
    }

    fn synced_empty() -> Vec<Event> {
        vec![Event::Create(A.into()), Event::Sync(FIRST), Event::SyncFolder("log".into())]
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        let disk = disk(&[&synced_empty()[..], &[write(FIRST, 0, b"text"), Event::Sync(FIRST)]].concat());
        assert_eq!(outcomes(&disk), [Some(b"text".to_vec())].into());
    }

    #[test]
    fn a_name_survives_only_when_its_folder_was_synced() {
        let no_folder = disk(&[Event::Create(A.into()), write(FIRST, 0, b"text"), Event::Sync(FIRST)]);
        assert_eq!(outcomes(&no_folder), [None, Some(b"text".to_vec())].into());
        let other = disk(&[Event::Create(A.into()), Event::SyncFolder("other".into())]);
        assert_eq!(outcomes(&other), [None, Some(Vec::new())].into());
    }

    #[test]
    fn sectors_survive_one_by_one_and_in_any_order() {
        let (one, two) = ([1; 2 * SECTOR], [2; 2 * SECTOR]);
        let events =
            [&synced_empty()[..], &[write(FIRST, 0, &one), Event::Sync(FIRST), write(FIRST, 0, &two)]];
        let found = outcomes(&disk(&events.concat()));
        let sectors = |a: u8, b: u8| Some([[a; SECTOR], [b; SECTOR]].concat());
        assert_eq!(found, [sectors(1, 1), sectors(1, 2), sectors(2, 1), sectors(2, 2)].into());
    }

    #[test]
    fn a_sector_has_only_states_it_really_had() {
        let events = [&synced_empty()[..], &[write(FIRST, 0, b"ab"), write(FIRST, 1, b"cd")]].concat();
        let found = outcomes(&disk(&events));
        for bytes in found.iter().flatten() {
            let states: [&[u8]; 5] = [b"", b"ab", b"ab\0", b"acd", b"\0\0\0"];
            assert!(states.contains(&&bytes[..]), "{bytes:?}");
        }
        assert!(found.contains(&Some(b"acd".to_vec())) && found.contains(&Some(b"ab".to_vec())));
    }

    #[test]
    fn after_a_failed_sync_no_later_one_helps() {
        let failed = [write(FIRST, 0, b"text"), Event::FailSync(FIRST, 3), Event::Sync(FIRST)];
        let lost = (0..100).map(|seed| {
            let mut events = [&synced_empty()[..], &failed].concat();
            events[4] = Event::FailSync(FIRST, seed);
            let disk = disk(&events);
            assert_eq!(disk.bytes(FIRST), b"text", "memory still has it");
            outcomes(&disk)
        });
        let found: BTreeSet<_> = lost.flatten().collect();
        assert!(found.contains(&Some(b"text".to_vec())) && found.len() > 1, "{found:?}");
    }

    #[test]
    fn a_new_name_comes_at_once_with_the_end_of_the_old() {
        let mut disk = disk(&synced_empty());
        disk.apply(&Event::Rename(A.into(), "log/b".into()));
        for seed in 0..100 {
            let cut = disk.cut(&mut Chance::new(seed));
            assert_eq!(cut.list(Path::new("log")).len(), 1);
        }
        disk.apply(&Event::SyncFolder("log".into()));
        assert_eq!(disk.cut(&mut Chance::new(0)).list(Path::new("log")), ["b"]);
    }

    #[test]
    fn a_removed_file_may_come_back_until_the_folder_is_synced() {
        let mut disk = disk(&synced_empty());
        disk.apply(&Event::Remove(A.into()));
        assert_eq!(outcomes(&disk), [None, Some(Vec::new())].into());
        disk.apply(&Event::SyncFolder("log".into()));
        assert_eq!(outcomes(&disk), [None].into());
    }

    #[test]
    fn a_killed_program_loses_nothing_it_wrote() {
        let disk = disk(&[Event::Create(A.into()), write(FIRST, 0, b"text")]);
        let killed = disk.killed();
        assert_eq!(killed.bytes(killed.find(Path::new(A)).expect("it was made")), b"text");
    }
}

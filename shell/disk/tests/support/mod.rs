//! A disk in memory, and a log on it that is driven by hand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use martlet_disk::files::{File, Files};
use martlet_disk::{Log, OpenError, Recovered, Settings, open};
use martlet_packet::QoS;
use martlet_record::{
    Batch, BatchNumber, Body, CheckpointNumber, Completion, CopyRecord, Message, MessageRef, Need, Now,
    Ordinal, Outcome, Position, PublishRecord, Record, SessionNumber, Settled, ShardId, Stored,
};

/// Files that live in memory; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Arc<Mutex<Vec<u8>>>>,
    /// What fails from now on.
    broken: BTreeSet<Call>,
    free: Option<u64>,
    calls: BTreeMap<Call, u64>,
    written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Write,
    SyncData,
    SyncFolder,
    Allocate,
}

#[derive(Debug)]
pub(crate) struct MemoryFile {
    bytes: Arc<Mutex<Vec<u8>>>,
    disk: Memory,
}

impl Memory {
    /// The same bytes, apart from now on.
    pub(crate) fn copy(&self) -> Self {
        let state = self.0.lock().unwrap();
        let copied = |bytes: &Arc<Mutex<Vec<u8>>>| Arc::new(Mutex::new(bytes.lock().unwrap().clone()));
        let files = state.files.iter().map(|(path, bytes)| (path.clone(), copied(bytes))).collect();
        Self(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        self.0.lock().unwrap().files[Path::new(path)].lock().unwrap().clone()
    }

    pub(crate) fn set_bytes(&self, path: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap().files.insert(path.into(), Arc::new(Mutex::new(bytes)));
    }

    pub(crate) fn take_away(&self, path: &str) {
        self.0.lock().unwrap().files.remove(Path::new(path)).unwrap();
    }

    pub(crate) fn flip(&self, path: &str, bit: usize) {
        let state = self.0.lock().unwrap();
        state.files[Path::new(path)].lock().unwrap()[bit / 8] ^= 1 << (bit % 8);
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.files.keys().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn segments(&self) -> Vec<String> {
        self.paths().into_iter().filter(|path| path.ends_with(".seg")).collect()
    }

    pub(crate) fn break_call(&self, call: Call) {
        self.0.lock().unwrap().broken.insert(call);
    }

    pub(crate) fn mend(&self) {
        self.0.lock().unwrap().broken.clear();
    }

    /// Only so many bytes are free from now on.
    pub(crate) fn set_free(&self, bytes: Option<u64>) {
        self.0.lock().unwrap().free = bytes;
    }

    pub(crate) fn calls(&self, call: Call) -> u64 {
        self.0.lock().unwrap().calls.get(&call).copied().unwrap_or_default()
    }

    pub(crate) fn written(&self) -> u64 {
        self.0.lock().unwrap().written
    }

    fn call(&self, call: Call) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        *state.calls.entry(call).or_default() += 1;
        if state.broken.contains(&call) { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }

    fn file(&self, path: &Path) -> io::Result<MemoryFile> {
        let state = self.0.lock().unwrap();
        let bytes = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile { bytes: Arc::clone(bytes), disk: self.clone() })
    }
}

impl Files for Memory {
    type File = MemoryFile;

    fn open(&self, path: &Path) -> io::Result<MemoryFile> {
        self.file(path)
    }

    fn create(&self, path: &Path) -> io::Result<MemoryFile> {
        if self.file(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.0.lock().unwrap().files.insert(path.into(), Arc::default());
        self.file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let bytes = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.into(), bytes);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.0.lock().unwrap().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock().unwrap();
        let inside = state.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.call(Call::SyncFolder)
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        Ok((self.0.lock().unwrap().free.unwrap_or(1 << 40), 1 << 40))
    }
}

impl File for MemoryFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let all = self.bytes.lock().unwrap();
        let from = all.len().min(offset as usize);
        let count = bytes.len().min(all.len() - from);
        bytes[..count].copy_from_slice(&all[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.call(Call::Write)?;
        self.disk.0.lock().unwrap().written += bytes.len() as u64;
        let mut all = self.bytes.lock().unwrap();
        let (from, to) = (offset as usize, offset as usize + bytes.len());
        if all.len() < to {
            all.resize(to, 0);
        }
        all[from..to].copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.call(Call::SyncData)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.call(Call::Allocate)?;
        let free = self.disk.0.lock().unwrap().free;
        let mut bytes = self.bytes.lock().unwrap();
        if free.is_some_and(|free| len > bytes.len() as u64 + free) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.resize(len as usize, 0);
        Ok(())
    }
}

/// A log that is driven by hand, with its jobs done between steps.
pub(crate) struct Rig {
    pub(crate) disk: Memory,
    pub(crate) log: Log<Memory>,
    pub(crate) now: Now,
    pub(crate) recovered: Recovered,
    pub(crate) read: Vec<(Batch, Position)>,
    numbers: u64,
}

pub(crate) fn settings(segment_bytes: u32) -> Settings {
    Settings { segment_bytes, free_min: Some(0), ..Settings::default() }
}

impl Rig {
    pub(crate) fn open(disk: &Memory, settings: &Settings) -> Result<Self, OpenError> {
        let mut opened = open(disk.clone(), settings)?;
        let mut read = Vec::new();
        let mut each = |batch, position| read.push((batch, position));
        let recovered = opened.recover(&mut each, &mut |_, _| {})?;
        let now = Now::at_millis(1000);
        let log = opened.into_log(now.time)?;
        let numbers = read.iter().map(|(batch, _)| batch.number.0).max().unwrap_or_default();
        let mut rig = Self { disk: disk.clone(), log, now, recovered, read, numbers };
        rig.step();
        Ok(rig)
    }

    pub(crate) fn new(segment_bytes: u32) -> Self {
        Self::open(&Memory::default(), &settings(segment_bytes)).expect("an empty folder")
    }

    /// Steps until nothing is left to do at this moment.
    pub(crate) fn step(&mut self) -> Vec<Completion> {
        let mut done = Vec::new();
        for _ in 0..100_000 {
            self.log.step(self.now, &mut done);
            let jobs = self.log.take_jobs();
            let is_quiet = jobs.is_empty();
            for job in jobs {
                self.log.finish(job.run(), self.now);
            }
            if is_quiet && self.log.due().is_none_or(|due| due > self.now.time) {
                return done;
            }
        }
        panic!("it never comes to rest: due at {:?}", self.log.due());
    }

    pub(crate) fn wait(&mut self, millis: u64) -> Vec<Completion> {
        self.now = Now::at_millis(self.now.time.as_millis() + millis);
        self.step()
    }

    pub(crate) fn submit(&mut self, shard: u8, records: Vec<Record>, need: Need) {
        self.numbers += 1;
        let number = BatchNumber(self.numbers);
        let batch = Batch { shard: ShardId::new(shard), number, records, need, at: self.now };
        self.log.submit(batch, self.now);
    }

    /// Commits one batch and tells where.
    pub(crate) fn commit(&mut self, records: Vec<Record>) -> Position {
        self.submit(0, records, Need::Synced);
        let done = self.step();
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].outcome, Outcome::Committed);
        done[0].position
    }

    /// Publishes a Message for one Session.
    pub(crate) fn publish(&mut self, session: u64, payload: &[u8]) -> Arc<Message> {
        let message = message(payload);
        self.commit(vec![published(&message, session)]);
        message
    }

    /// What is there after the process was killed now.
    pub(crate) fn restart(&self, settings: &Settings) -> Result<Self, OpenError> {
        Self::open(&self.disk.copy(), settings)
    }

    pub(crate) fn fetch(&self, message: &Message) -> Option<Message> {
        let stored = message.stored().expect("it was written");
        self.log.read(&[stored], self.now).remove(0).ok()
    }

    /// Runs a checkpoint in which the shards write down that these Messages are needed.
    pub(crate) fn checkpoint(&mut self, kept: &[Stored]) -> CheckpointNumber {
        if let Some(under_way) = self.log.checkpoint() {
            self.snapshot(under_way, kept);
            self.step();
        }
        self.log.request_checkpoint();
        self.step();
        let number = self.log.checkpoint().expect("it began");
        self.snapshot(number, kept);
        self.step();
        assert_eq!(self.log.checkpoint(), None, "it is complete");
        number
    }

    pub(crate) fn snapshot(&mut self, number: CheckpointNumber, kept: &[Stored]) {
        for shard in ShardId::all() {
            let mut records = Vec::new();
            if shard.index() == 0 {
                records.extend(kept.iter().map(|stored| retained(*stored)));
            }
            records.push(Record::Snapshotted { checkpoint: number, opened: 0, delayed: 0, version: 0 });
            self.submit(u8::try_from(shard.index()).unwrap(), records, Need::Lazy);
        }
        self.wait(100);
    }

    pub(crate) fn close(&mut self) {
        self.log.close();
        self.step();
        assert!(self.log.is_closed());
    }
}

pub(crate) fn message(payload: &[u8]) -> Arc<Message> {
    Arc::new(MessageRef { qos: QoS::AtLeastOnce, ..MessageRef::new("a/topic", payload) }.to_message())
}

pub(crate) fn published(message: &Arc<Message>, session: u64) -> Record {
    let session = SessionNumber(session);
    let copy = CopyRecord {
        session,
        slot: 0,
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: None,
        share: None,
    };
    Record::Published(PublishRecord {
        body: Body::Held(Arc::clone(message)),
        copies: vec![(session.shard(), vec![copy])],
        mark: None,
        will_of: None,
        was_delayed: None,
        passed_from: None,
    })
}

pub(crate) fn settled(session: u64, ordinal: u64) -> Record {
    Record::Settled { session: SessionNumber(session), ordinal: Ordinal(ordinal), how: Settled::Delivered }
}

pub(crate) fn retained(stored: Stored) -> Record {
    let topic = format!("kept/{}", stored.place.to_bits()).into();
    Record::Retained { topic, version: 1, body: Some(Body::Stored(stored)) }
}

pub(crate) fn numbers(read: &[(Batch, Position)]) -> Vec<u64> {
    read.iter().map(|(batch, _)| batch.number.0).collect()
}

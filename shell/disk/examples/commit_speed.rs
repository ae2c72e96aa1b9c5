//! How fast batches are committed on this disk:
//! `cargo run --release -p martlet-disk --example commit_speed -- FOLDER [always|interval|never] [seconds] [Messages of a batch]`
//!
//! Messages of 256 bytes are published to one Session and settled a moment later, as for a Client that is online.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use martlet_disk::files::{File, Files};
use martlet_disk::{Disk, Folder, Settings, open};
use martlet_packet::QoS;
use martlet_record::{
    Batch, BatchNumber, Body, CheckpointNumber, CopyRecord, MessageRef, Need, Now, Ordinal, PublishRecord,
    Record, SessionNumber, Settled, ShardId, Time, WallTime,
};

/// Batches that may be on their way at once.
const WINDOW: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("a folder is needed")?;
    let need = match arguments.next().as_deref() {
        None | Some("always") => Need::Synced,
        Some("interval") => Need::SyncedSoon,
        Some("never") => Need::Written,
        Some(other) => return Err(format!("{other} is no mode").into()),
    };
    let seconds: u64 = arguments.next().map_or(Ok(5), |seconds| seconds.parse())?;
    let count: u64 = arguments.next().map_or(Ok(512), |count| count.parse())?;
    let sync = raw_sync(Path::new(&folder))?;
    let disk = Arc::new(start(Path::new(&folder))?);
    let mut run = Run::new(disk, need, count);
    let (cpu, began) = (cpu_time()?, Instant::now());
    while began.elapsed() < Duration::from_secs(seconds) {
        run.turn();
    }
    run.finish();
    let (took, cpu) = (began.elapsed(), cpu_time()? - cpu);
    let messages = run.settled;
    let stats = run.disk.stats();
    println!(
        "{:.0} messages/s, {:.2} µs CPU each",
        messages as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / messages as f64
    );
    println!(
        "{} bytes written each, {} frames, {} syncs",
        stats.written_bytes / messages,
        stats.frames,
        stats.syncs
    );
    println!("commit mean {:?}, max {:?}", stats.latency.mean(), stats.latency.max);
    println!("raw 64 KiB write + fdatasync: p50 {sync:?}");
    println!("{stats:?}");
    run.disk.close();
    Ok(())
}

fn start(folder: &Path) -> Result<Disk, Box<dyn std::error::Error>> {
    let mut opened = open(Folder::take(&folder.join("store"), false)?, &Settings::default())?;
    let recovered = opened.recover(&mut |_, _| {}, &mut |_, _| {})?;
    println!("recovered {} frames, {} bytes in {:?}", recovered.frames, recovered.bytes, recovered.took);
    let runner = std::thread::current();
    Ok(opened.start(Box::new(move || runner.unpark()))?)
}

struct Run {
    disk: Arc<Disk>,
    need: Need,
    count: u64,
    batches: u64,
    ordinal: u64,
    /// Committed and not settled: first ordinals.
    committed: VecDeque<u64>,
    on_their_way: usize,
    settled: u64,
    checkpoint: Option<CheckpointNumber>,
}

impl Run {
    fn new(disk: Arc<Disk>, need: Need, count: u64) -> Self {
        let committed = VecDeque::new();
        Self {
            disk,
            need,
            count,
            batches: 0,
            ordinal: 0,
            committed,
            on_their_way: 0,
            settled: 0,
            checkpoint: None,
        }
    }

    fn turn(&mut self) {
        let (disk, mut done) = (Arc::clone(&self.disk), Vec::new());
        disk.completed(|completion| done.push(completion));
        for completion in done {
            if let Some(Record::Published(_)) = completion.batch.records.first() {
                self.on_their_way -= 1;
                self.committed.push_back(completion.batch.number.0);
            }
        }
        if let Some(number) = disk.checkpoint().filter(|number| Some(*number) != self.checkpoint) {
            self.checkpoint = Some(number);
            let record = Record::Snapshotted { checkpoint: number, opened: 1, delayed: 0, version: 0 };
            let batches: Vec<Batch> = ShardId::all()
                .map(|shard| Batch { shard, ..self.batch(vec![record.clone()], Need::Lazy) })
                .collect();
            disk.submit(batches.into_iter());
            disk.commit();
        }
        let mut batches = Vec::new();
        while self.committed.pop_front().is_some() {
            let first = self.settled;
            self.settled += self.count;
            batches.push(self.batch((first..self.settled).map(settle).collect(), Need::Lazy));
        }
        while self.on_their_way < WINDOW {
            self.on_their_way += 1;
            let records = (0..self.count).map(|_| publish()).collect();
            self.ordinal += self.count;
            batches.push(self.batch(records, self.need));
        }
        disk.submit(batches.into_iter());
        disk.commit();
        std::thread::park_timeout(Duration::from_millis(10));
    }

    fn batch(&mut self, records: Vec<Record>, need: Need) -> Batch {
        self.batches += 1;
        let at = Now { time: Time::START, wall: WallTime(1_760_000_000_000) };
        Batch { shard: ShardId::new(0), number: BatchNumber(self.batches), records, need, at }
    }

    fn finish(&mut self) {
        while !self.disk.is_idle() {
            self.disk.completed(|_| {});
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

fn publish() -> Record {
    let message = MessageRef { qos: QoS::AtLeastOnce, ..MessageRef::new("sensors/1/temperature", &[7; 256]) };
    let session = SessionNumber(64);
    let copy = CopyRecord {
        session,
        slot: 0,
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: None,
        share: None,
    };
    Record::Published(PublishRecord {
        body: Body::Held(Arc::new(message.to_message())),
        copies: vec![(session.shard(), vec![copy])],
        mark: None,
        will_of: None,
        was_delayed: None,
        passed_from: None,
    })
}

fn settle(ordinal: u64) -> Record {
    Record::Settled { session: SessionNumber(64), ordinal: Ordinal(ordinal), how: Settled::Delivered }
}

/// The median time of a write of 64 KiB and its sync, over blocks that were written before.
fn raw_sync(folder: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let files = Folder::take(&folder.join("raw"), false)?;
    let _ = files.remove(Path::new("raw"));
    let file = files.create(Path::new("raw"))?;
    file.write_at(&vec![0; 16 << 20], 0)?;
    file.sync_data()?;
    let mut times = Vec::new();
    for at in 0..200 {
        let began = Instant::now();
        file.write_at(&[7; 64 << 10], at * (64 << 10))?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// Processor time of all threads of this process.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    // Fields 14 and 15, in hundredths of a second; the second one ends with a bracket.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

//! Copies of a disk taken under load: what a power cut at that moment would have left.
//!
//! The rule: the device is copied, not the file system, so that nothing the broker did not sync is in the copy by
//! courtesy of the page cache.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::Version;
use martlet_witness::{Broker, Random, percentile};
use rustix::process::{Signal, kill_process};

use crate::Setup;
use crate::disk::{self, LoopDisk};
use crate::load::{Bits, Faults, Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};
use crate::table::Table;

/// Copies of a mounted disk taken under load: a broker that starts on one has every acknowledged message.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Copies.
    #[arg(long, default_value_t = 100)]
    copies: usize,
    /// The longest time under load between two copies, in milliseconds.
    #[arg(long, default_value_t = 300)]
    load_ms: usize,
    /// Copies between two times when all sleepers read what they have.
    #[arg(long, default_value_t = 5)]
    drain_every: usize,
    /// Bytes of the disk.
    #[arg(long, default_value_t = 256 << 20)]
    disk_size: u64,
    /// Bytes of a segment of the log: small, so that segments are left and used again.
    #[arg(long, default_value_t = 4 << 20)]
    segment_size: u64,
    /// Seconds between two checkpoints.
    #[arg(long, default_value_t = 1)]
    checkpoint_seconds: u32,
}

const PUBLISHERS: u32 = 8;
const WINDOW: usize = 20;
const SIZE: usize = 128;
/// How long a broker may take to serve what is on a copy.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// Time for messages that must not come to come all the same.
const AFTERWARDS: Duration = Duration::from_millis(100);
/// How often `/proc`, which tells nobody when it changes, is asked.
const GLANCE: Duration = Duration::from_millis(1);

/// The broker under load and its clients.
struct Original<'a> {
    broker: Broker,
    disk: LoopDisk,
    store: Store<'a>,
    fleet: Fleet,
    publishers: Vec<usize>,
    /// Persistent subscribers who are offline but for the drains.
    sleepers: Vec<usize>,
}

/// What came of a copy.
struct Copied {
    lost: u64,
    faults: Faults,
    start: Duration,
    promised: u64,
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    if let Some(why) = disk::obstacle() {
        report.skip(why);
        return Ok(());
    }
    let folder = setup.new_folder()?;
    let mut original = Original::begin(arguments, setup, folder.path())?;
    let mut random = Random::new(setup.seed, 0);
    let mut progress = Progress::new();
    let (mut lost, mut faults, mut starts, mut promised, mut held) = (0, Faults::default(), Vec::new(), 0, 0);
    for copy in 1..=arguments.copies {
        progress.say(|| format!("copy {copy} of {}", arguments.copies));
        original.fleet.run_for(Duration::from_millis(random.below(arguments.load_ms.max(1)) as u64))?;
        let copied = original
            .copy(folder.path(), setup, arguments)
            .with_context(|| format!("copy {copy} of {}", arguments.copies))?;
        lost += copied.lost;
        faults.add(copied.faults);
        starts.push(copied.start);
        promised += copied.promised;
        held += usize::from(copied.lost == 0 && copied.faults == Faults::default());
        if copy % arguments.drain_every == 0 {
            original.drain()?;
        }
    }
    drop(progress);
    let mut table = Table::new(&["", "count"]);
    for (name, count) in [
        ("copies of the disk", arguments.copies as u64),
        ("  of them with everything promised", held as u64),
        ("copies of messages promised", promised),
        ("copies of messages lost", lost),
        ("QoS 2 copies delivered twice", faults.repeated),
        ("copies out of order", faults.disordered),
        ("payloads damaged", faults.damaged),
        ("Sessions lost", faults.sessions_lost),
    ] {
        table.row([name.to_owned(), count.to_string()]);
    }
    write!(io::stdout(), "{table}")?;
    report.duration("start on a copy p50", percentile(&mut starts, 50));
    report.duration("at most", percentile(&mut starts, 100));
    report.require(lost == 0, || format!("{lost} copies of acknowledged messages lost"));
    report.require(faults == Faults::default(), || format!("{faults:?}"));
    Ok(())
}

fn settings(arguments: &Arguments, setup: &Setup) -> Settings {
    Settings {
        checkpoint_seconds: Some(arguments.checkpoint_seconds),
        segment_size: Some(arguments.segment_size),
        disk_free_min: Some(arguments.disk_size / 16),
        ..setup.settings()
    }
}

impl<'a> Original<'a> {
    fn begin(arguments: &Arguments, setup: &'a Setup, folder: &Path) -> Result<Self> {
        let disk = LoopDisk::create(folder, "original", arguments.disk_size)?;
        let data = disk.folder().join("data");
        fs::create_dir(&data)?;
        disk.sync()?;
        let store = Store::new(&setup.program, settings(arguments, setup), &data)?;
        let broker = store.start()?;
        let mut fleet = Fleet::new(store.address())?;
        let (mut publishers, mut sleepers) = (Vec::new(), Vec::new());
        for number in 0..PUBLISHERS {
            let (topics, qos) = (Arc::from([format!("copy/{number}")]), if number % 2 == 0 { 1 } else { 2 });
            let (version, window, size) = (Version::V5, WINDOW, SIZE);
            let terms = Terms { version, qos, window, size, topics, first_stream: number, persistent: true };
            publishers.push(fleet.add_publisher(Publisher::new(format!("copy-publisher-{number}"), terms)));
        }
        for qos in [1, 2] {
            // One who is there, so that messages are finished and their segments used again.
            fleet.add_subscriber(Subscriber::new(Version::V311, format!("copy-awake-{qos}"), "copy/#", qos));
            let sleeper = Subscriber::new(Version::V311, format!("copy-asleep-{qos}"), "copy/#", qos);
            sleepers.push(fleet.add_subscriber(sleeper));
        }
        fleet.all_online();
        let ready = fleet.run_until(Instant::now() + START_MAX, |fleet| {
            fleet.subscribers().all(Subscriber::is_subscribed)
        })?;
        ensure!(ready, "not everybody could subscribe");
        let mut original = Self { broker, disk, store, fleet, publishers, sleepers };
        original.sleep_and_publish();
        Ok(original)
    }

    fn sleep_and_publish(&mut self) {
        self.sleepers.iter().for_each(|sleeper| self.fleet.go_offline(*sleeper));
        for publisher in &self.publishers {
            self.fleet.publisher(*publisher).set_goal(u64::MAX);
        }
    }

    /// Copies the disk at this moment and sees what a broker makes of the copy.
    fn copy(&mut self, folder: &Path, setup: &Setup, arguments: &Arguments) -> Result<Copied> {
        let promised: Vec<Bits> =
            self.fleet.publishers().map(|publisher| publisher.acknowledged().clone()).collect();
        let image = folder.join("copy.img");
        self.freeze()?;
        let copied = fs::copy(self.disk.image(), &image);
        kill_process(self.broker.pid(), Signal::CONT)?;
        copied.context("copying the disk")?;

        let disk = LoopDisk::mount(image.clone(), &folder.join("copy")).context("mounting the copy")?;
        let store = Store::new(&setup.program, settings(arguments, setup), &disk.folder().join("data"))?;
        let started = Instant::now();
        let broker = store.start()?;
        let start = started.elapsed();
        let copied = self.read_copy(&store, &promised)?;
        broker.kill();
        drop(disk);
        fs::remove_file(&image)?;
        Ok(Copied { start, ..copied })
    }

    /// A file is copied byte after byte, and a disk does not change while its power is cut: the broker stops
    /// wherever it is. What it has asked the kernel to sync by then is done, what it has only written is not.
    fn freeze(&self) -> Result<()> {
        kill_process(self.broker.pid(), Signal::STOP)?;
        let deadline = Instant::now() + START_MAX;
        while !self.broker.process().is_stopped()? {
            ensure!(Instant::now() < deadline, "the broker cannot be stopped");
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// The sleepers wake at the copy; the originals do not hear of it.
    fn read_copy(&self, store: &Store<'_>, promised: &[Bits]) -> Result<Copied> {
        let mut fleet = Fleet::new(store.address())?;
        for sleeper in &self.sleepers {
            let sleeper = self.fleet.members()[*sleeper].as_subscriber().context("a sleeper subscribes")?;
            fleet.add_subscriber(sleeper.clone());
        }
        fleet.all_online();
        let publishers: Vec<&Publisher> = self.fleet.publishers().collect();
        let lost = |fleet: &Fleet| -> u64 {
            let pairs = fleet.subscribers().flat_map(|subscriber| {
                publishers
                    .iter()
                    .zip(promised)
                    .map(move |(publisher, promised)| (subscriber, publisher, promised))
            });
            pairs.map(|(subscriber, publisher, promised)| subscriber.missing_of(publisher, promised)).sum()
        };
        let wanted = lost(&fleet);
        fleet.run_until(Instant::now() + DRAIN_MAX, |fleet| {
            // Counting what is missing takes longer than a turn; it is not asked before it can be nothing.
            fleet.counts().delivered >= wanted && lost(fleet) == 0
        })?;
        fleet.run_for(AFTERWARDS)?;
        let mut faults = Faults::default();
        fleet.subscribers().for_each(|subscriber| faults.add(subscriber.faults()));
        Ok(Copied { lost: lost(&fleet), faults, start: Duration::ZERO, promised: wanted })
    }

    /// Publishing stops, the sleepers read everything, and sleep again.
    fn drain(&mut self) -> Result<()> {
        for publisher in &self.publishers {
            self.fleet.publisher(*publisher).stop();
        }
        self.fleet.all_online();
        let done = self.fleet.run_until(Instant::now() + DRAIN_MAX, |fleet| {
            let acknowledged = fleet.counts().acknowledged;
            fleet.publishers().all(Publisher::is_done)
                && fleet.subscribers().all(|one| one.delivered() >= acknowledged && one.is_idle())
        })?;
        ensure!(done, "the broker under load did not serve everybody within {DRAIN_MAX:?}");
        ensure!(self.store.size()? > 0, "the broker keeps nothing on this disk");
        self.sleep_and_publish();
        Ok(())
    }
}

//! A small disk that is filled and freed again and again.
//!
//! The rule: a full disk is told to whoever can be told and makes whoever cannot wait; it loses nothing, stops no
//! reader, and is over as soon as there is room.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::{Connect, Version, kind};
use martlet_witness::{Broker, Client};

use crate::Setup;
use crate::disk::{self, LoopDisk};
use crate::load::{Faults, Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};
use crate::table::Table;

/// A small disk filled and freed: no acknowledged loss, 0x97 to v5, v3 waits, readers go on, alarm raised and cleared.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Times the disk is filled and freed.
    #[arg(long, default_value_t = 20)]
    cycles: usize,
    /// Bytes of the disk.
    #[arg(long, default_value_t = 256 << 20)]
    disk_size: u64,
    /// Bytes of a segment of the log.
    #[arg(long, default_value_t = 4 << 20)]
    segment_size: u64,
    /// Bytes that must stay free on the disk.
    #[arg(long, default_value_t = 16 << 20)]
    disk_free_min: u64,
    /// Bytes of a message.
    #[arg(long, default_value_t = 16 << 10)]
    size: usize,
}

/// Where the broker says that its disk is full: retained, the reason as long as it lasts, then nothing.
const ALARM: &str = "$SYS/broker/alarms/store";
const WELL: &[u8] = b"";
const QUOTA_EXCEEDED: u8 = 0x97;

const WINDOW: usize = 8;
/// How long filling may take, and how long the broker may take to see that there is room again.
const FILL_MAX: Duration = Duration::from_secs(180);
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// A publisher that is held gets no acknowledgement for so long.
const HELD: Duration = Duration::from_secs(1);
/// Messages everybody publishes when there is room again.
const AFTERWARDS: u64 = 50;

/// What takes the room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Messages for a reader who is away.
    Queue,
    /// Somebody else's file, and what still fits beside it.
    Ballast,
    /// The queue, and the broker is killed and started while the disk is full.
    QueueAndKill,
}

struct Trouble<'a> {
    arguments: &'a Arguments,
    disk: LoopDisk,
    store: Store<'a>,
    broker: Option<Broker>,
    fleet: Fleet,
    /// Who can be told.
    v5: Vec<usize>,
    /// Who can only be made to wait.
    v3: Vec<usize>,
    readers: Vec<usize>,
    alarms: Alarms,
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    if let Some(why) = disk::obstacle() {
        report.skip(why);
        return Ok(());
    }
    let folder = setup.new_folder()?;
    let mut trouble = Trouble::begin(arguments, setup, folder.path())?;
    let mut table =
        Table::new(&["cycle", "filled by", "acknowledged", "0x97", "free when full", "service after"]);
    let mut progress = Progress::new();
    let outcome = (0..arguments.cycles).try_for_each(|cycle| {
        progress.say(|| format!("cycle {} of {}", cycle + 1, arguments.cycles));
        let row = trouble.cycle(cycle).with_context(|| format!("cycle {}", cycle + 1))?;
        table.row(row);
        Ok(())
    });
    drop(progress);
    write!(io::stdout(), "{table}")?;
    trouble.report(report);
    outcome
}

impl<'a> Trouble<'a> {
    fn begin(arguments: &'a Arguments, setup: &'a Setup, folder: &Path) -> Result<Self> {
        let disk = LoopDisk::create(folder, "small", arguments.disk_size)?;
        let data = disk.folder().join("data");
        fs::create_dir(&data)?;
        let settings = Settings {
            segment_size: Some(arguments.segment_size),
            disk_free_min: Some(arguments.disk_free_min),
            checkpoint_seconds: Some(1),
            sys_seconds: Some(1),
            ..setup.settings()
        };
        let store = Store::new(&setup.program, settings, &data)?;
        let broker = Some(store.start()?);
        let mut fleet = Fleet::new(store.address())?;
        let (mut v5, mut v3) = (Vec::new(), Vec::new());
        for number in 0..4 {
            let version = if number % 2 == 0 { Version::V311 } else { Version::V5 };
            let (topics, qos) = (Arc::from([format!("full/{number}")]), if number < 2 { 1 } else { 2 });
            let (window, size, first_stream) = (WINDOW, arguments.size, number);
            let terms = Terms { version, qos, window, size, topics, first_stream, persistent: true };
            let member = fleet.add_publisher(Publisher::new(format!("full-publisher-{number}"), terms));
            if version == Version::V5 { v5.push(member) } else { v3.push(member) }
        }
        let mut readers = Vec::new();
        for qos in [1, 2] {
            readers.push(fleet.add_subscriber(Subscriber::new(
                Version::V311,
                format!("full-{qos}"),
                "full/#",
                qos,
            )));
        }
        fleet.all_online();
        let ready = fleet.run_until(Instant::now() + START_MAX, |fleet| {
            fleet.subscribers().all(Subscriber::is_subscribed)
        })?;
        ensure!(ready, "not everybody could subscribe");
        let alarms = Alarms::watch(&store)?;
        Ok(Self { arguments, disk, store, broker, fleet, v5, v3, readers, alarms })
    }

    /// Fills the disk, looks who is told and who waits, frees it, and looks that everybody is served.
    fn cycle(&mut self, cycle: usize) -> Result<[String; 6]> {
        let cause = [Cause::Queue, Cause::Ballast, Cause::QueueAndKill][cycle % 3];
        let before = self.fleet.counts();
        let ballast = self.disk.folder().join("ballast");
        self.readers.iter().for_each(|reader| self.fleet.go_offline(*reader));
        if cause == Cause::Ballast {
            self.take_room(&ballast)?;
        }
        self.publish_until_held()?;
        let free = self.disk.free()?;
        self.alarms.await_trouble().context("no alarm was raised")?;
        if cause == Cause::QueueAndKill {
            self.kill_and_start()?;
            self.alarms.await_trouble().context("no alarm was raised after a restart on a full disk")?;
        }

        let freed = Instant::now();
        if cause == Cause::Ballast {
            fs::remove_file(&ballast)?;
        }
        self.read_everything()?;
        self.publish_again()?;
        let served = freed.elapsed();
        self.alarms.await_quiet().context("the alarm was not cleared")?;
        let after = self.fleet.counts();
        let name = match cause {
            Cause::Queue => "a queue",
            Cause::Ballast => "another file",
            Cause::QueueAndKill => "a queue; killed",
        };
        Ok([
            (cycle + 1).to_string(),
            name.to_owned(),
            (after.acknowledged - before.acknowledged).to_string(),
            (after.refused - before.refused).to_string(),
            format!("{} KiB", free >> 10),
            format!("{:.1} s", served.as_secs_f64()),
        ])
    }

    /// Leaves less than the broker wants to be free.
    fn take_room(&self, ballast: &Path) -> Result<()> {
        let file = File::create(ballast)?;
        let size = self.disk.free()?.saturating_sub(self.arguments.disk_free_min / 2);
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)
            .context("taking room on the disk")
    }

    /// Publishes until every v5 publisher has been refused and no v3 publisher gets an answer any more.
    fn publish_until_held(&mut self) -> Result<()> {
        let refused = self.refused();
        for member in self.v5.iter().chain(&self.v3) {
            self.fleet.publisher(*member).set_goal(u64::MAX);
        }
        let deadline = Instant::now() + FILL_MAX;
        let (mut acknowledged, mut since) = (self.fleet.counts().acknowledged, Instant::now());
        let v3 = self.v3.clone();
        let told = self.fleet.run_until(deadline, |fleet| {
            if fleet.counts().acknowledged > acknowledged {
                (acknowledged, since) = (fleet.counts().acknowledged, Instant::now());
            }
            let waits = |member: &usize| {
                fleet.members()[*member].as_publisher().is_some_and(|publisher| publisher.in_flight() > 0)
            };
            v3.iter().all(waits) && since.elapsed() >= HELD
        })?;
        ensure!(told, "v3 publishers were not held within {FILL_MAX:?}");
        for (member, before) in self.v5.iter().zip(refused) {
            let publisher = self.fleet.publisher(*member);
            let is_told = publisher.refused().count() > before && publisher.refusal() == Some(QUOTA_EXCEEDED);
            ensure!(is_told, "a v5 publisher heard {:?}, not 0x97", publisher.refusal());
        }
        let online = v3.iter().all(|member| self.fleet.is_online(*member));
        ensure!(online, "a v3 publisher was disconnected instead of held");
        Ok(())
    }

    fn refused(&self) -> Vec<u64> {
        let members = self.v5.iter().filter_map(|member| self.fleet.members()[*member].as_publisher());
        members.map(|publisher| publisher.refused().count()).collect()
    }

    fn kill_and_start(&mut self) -> Result<()> {
        let broker = self.broker.take().context("there is no broker to kill")?;
        broker.kill();
        self.broker = Some(self.store.start()?);
        let raised = self.alarms.raised;
        self.alarms = Alarms { raised, ..Alarms::watch(&self.store)? };
        Ok(())
    }

    /// The readers come and get everything that was acknowledged, full disk or not.
    fn read_everything(&mut self) -> Result<()> {
        // Held messages may be acknowledged as soon as there is room, so what must come is fixed now.
        let acknowledged = self.fleet.counts().acknowledged;
        self.fleet.all_online();
        let readers = self.readers.clone();
        let done = self.fleet.run_until(Instant::now() + RECOVERY_MAX, |fleet| {
            readers.iter().all(|reader| fleet.subscriber(*reader).delivered() >= acknowledged)
        })?;
        let counts = self.fleet.counts();
        ensure!(done, "the readers did not get everything within {RECOVERY_MAX:?}: {counts:?}");
        Ok(())
    }

    /// What was held is answered, and there is room for more.
    fn publish_again(&mut self) -> Result<()> {
        for member in &self.v3 {
            self.fleet.publisher(*member).stop();
        }
        let deadline = Instant::now() + RECOVERY_MAX;
        let served = self.fleet.run_until(deadline, |fleet| fleet.publishers().all(Publisher::is_done))?;
        ensure!(served, "v3 publishers were not served within {RECOVERY_MAX:?} after there was room");
        while !self.publish_some()? {
            ensure!(
                Instant::now() < deadline,
                "v5 publishers are still refused {RECOVERY_MAX:?} after there was room"
            );
            self.fleet.run_for(HELD / 4)?;
        }
        self.read_everything()
    }

    /// Everybody publishes a few messages; says whether none was refused.
    fn publish_some(&mut self) -> Result<bool> {
        let refused = self.fleet.counts().refused;
        for member in self.v5.iter().chain(&self.v3) {
            let publisher = self.fleet.publisher(*member);
            publisher.set_goal(publisher.published() + AFTERWARDS);
        }
        let done = self
            .fleet
            .run_until(Instant::now() + RECOVERY_MAX, |fleet| fleet.publishers().all(Publisher::is_done))?;
        ensure!(done, "publishers were not answered within {RECOVERY_MAX:?} after there was room");
        Ok(self.fleet.counts().refused == refused)
    }

    fn report(&mut self, report: &mut Report) {
        let mut faults = Faults::default();
        let (mut lost, mut refused_yet_delivered) = (0, 0);
        for subscriber in self.fleet.subscribers() {
            faults.add(subscriber.faults());
            for publisher in self.fleet.publishers() {
                lost += subscriber.missing(publisher);
                refused_yet_delivered += subscriber.got_of(publisher, publisher.refused());
            }
        }
        faults.sessions_lost += self.fleet.publishers().map(Publisher::sessions_lost).sum::<u64>();
        let counts = self.fleet.counts();
        report.number("acknowledged", counts.acknowledged as f64, "");
        report.number("refused", counts.refused as f64, "");
        report.number("alarms", self.alarms.raised as f64, "");
        report.require(lost == 0, || format!("{lost} copies of acknowledged messages lost"));
        report.require(refused_yet_delivered == 0, || {
            format!("{refused_yet_delivered} messages were refused and delivered all the same")
        });
        report.require(faults == Faults::default(), || format!("{faults:?}"));
    }
}

/// What the broker says about its store.
struct Alarms {
    client: Client,
    /// How often trouble was told.
    raised: usize,
}

impl Alarms {
    fn watch(store: &Store<'_>) -> Result<Self> {
        let mut client =
            Client::connect(store.address(), &Connect { keep_alive: 0, ..Connect::new("full-watcher") })?;
        client.subscribe(ALARM, 0)?;
        Ok(Self { client, raised: 0 })
    }

    fn await_trouble(&mut self) -> Result<()> {
        self.wait_until(|state| state != WELL)?;
        self.raised += 1;
        Ok(())
    }

    fn await_quiet(&mut self) -> Result<()> {
        self.wait_until(|state| state == WELL)
    }

    fn wait_until(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> Result<()> {
        let deadline = Instant::now() + RECOVERY_MAX;
        while let Some(packet) = self.client.receive(deadline)? {
            if packet.kind == kind::PUBLISH
                && packet.publish(Version::V311).is_some_and(|publish| is_wanted(publish.payload))
            {
                return Ok(());
            }
        }
        anyhow::bail!("{ALARM} did not say so within {RECOVERY_MAX:?}")
    }
}

//! A million messages for a thousand sleepers, a stop, a cold start.
//!
//! The rule: time counts from the start of the process to what a client sees; memory is what the kernel says.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::{Connect, Version, kind};
use martlet_witness::{Broker, Client};

use crate::Setup;
use crate::load::{Faults, Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};

/// 1,000,000 messages queued for 1,000 offline sessions, cold start: first message, memory, drain, disk.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Messages.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Sessions they wait for.
    #[arg(long, default_value_t = 1_000)]
    sessions: u32,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Kill the broker instead of stopping it.
    #[arg(long)]
    kill: bool,
    /// Bytes of memory the broker may use as a cache beside 100 B for each message.
    #[arg(long, default_value_t = 64 << 20)]
    cache: u64,
}

const WINDOW: usize = 1_000;
const FIRST_MESSAGE_MAX: Duration = Duration::from_secs(3);
const MEMORY_PER_MESSAGE_MAX: f64 = 100.0;
/// Less than four segments.
const DISK_AFTER_MAX: u64 = 4 * (64 << 20);
/// How long publishing or draining may take, for each message.
const PATIENCE_PER_MESSAGE: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(60);
/// Space comes back with a checkpoint, which comes once a minute.
const DISK_PATIENCE: Duration = Duration::from_secs(150);
/// Between two attempts to connect, and two looks at the folder.
const RETRY: Duration = Duration::from_millis(2);
const GLANCE: Duration = Duration::from_millis(200);

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let settings = Settings { queue_memory_max: Some(arguments.cache), ..setup.settings() };
    let store = Store::new(&setup.program, settings, &data)?;
    let broker = store.start()?;
    let idle = broker.process().resident()?;
    let mut fleet = queue(arguments, &store, report)?;
    if arguments.kill {
        broker.kill();
    } else {
        broker.stop()?.judge(report);
    }
    report.number("log", mebibytes(store.size()?), "MiB");
    drop_page_cache(report)?;

    let broker = start_cold(&store, arguments, report)?;
    let resident = broker.process().resident()?;
    judge_memory(idle, resident, arguments, report);
    drain(arguments, &mut fleet, report)?;
    await_small_disk(&store, report)?;
    broker.stop()?.judge(report);
    Ok(())
}

/// Every session subscribes and leaves; then everything is published.
fn queue(arguments: &Arguments, store: &Store<'_>, report: &mut Report) -> Result<Fleet> {
    let mut fleet = Fleet::new(store.address())?;
    let sessions: Vec<usize> = (0..arguments.sessions)
        .map(|number| {
            fleet.add_subscriber(Subscriber::new(Version::V311, client_id(number), topic(number), 1))
        })
        .collect();
    fleet.all_online();
    let ready = fleet
        .run_until(Instant::now() + PATIENCE, |fleet| fleet.subscribers().all(Subscriber::is_subscribed))?;
    ensure!(ready, "not everybody could subscribe");
    sessions.iter().for_each(|session| fleet.go_offline(*session));

    let (version, qos, window, size) = (Version::V311, 1, WINDOW, arguments.size);
    let topics: Arc<[String]> = (0..arguments.sessions).map(topic).collect();
    let terms = Terms { version, qos, window, size, topics, first_stream: 0, persistent: false };
    let publisher = fleet.add_publisher(Publisher::new("million-publisher", terms));
    fleet.publisher(publisher).set_goal(arguments.messages);
    fleet.go_online(publisher);
    let (started, mut progress) = (Instant::now(), Progress::new());
    let done = fleet.run_until(started + patience(arguments.messages), |fleet| {
        progress.say(|| format!("{} messages queued", fleet.counts().acknowledged));
        fleet.counts().acknowledged >= arguments.messages
    })?;
    drop(progress);
    ensure!(done, "only {} messages were queued", fleet.counts().acknowledged);
    report.number("queued per second", arguments.messages as f64 / started.elapsed().as_secs_f64(), "");
    fleet.go_offline(publisher);
    Ok(fleet)
}

/// The time from the process's start to the first CONNACK with Session Present and the first queued message.
fn start_cold(store: &Store<'_>, arguments: &Arguments, report: &mut Report) -> Result<Broker> {
    let started = Instant::now();
    let mut broker = store.spawn()?;
    // Any of them; the last one's messages lie behind all others'.
    let name = client_id(arguments.sessions - 1);
    let mut client = loop {
        match Client::connect(store.address(), &Connect::persistent(Version::V311, &name)) {
            Ok(client) => break client,
            Err(error) => {
                ensure!(started.elapsed() < START_MAX, "no CONNACK within {START_MAX:?}: {error:#}");
                ensure!(!broker.has_ended()?, "the broker did not start: {}", broker.last_words());
                std::thread::sleep(RETRY);
            }
        }
    };
    let welcomed = started.elapsed();
    report.require(client.session_present(), || "the first CONNACK says that there is no Session".to_owned());
    client.wait_for(kind::PUBLISH).context("waiting for the first queued message")?;
    let served = started.elapsed();
    report.duration("first CONNACK", welcomed);
    report.duration("first message", served);
    report.require(served <= FIRST_MESSAGE_MAX, || format!("the first message came after {served:.1?}"));
    Ok(broker)
}

fn judge_memory(idle: u64, resident: u64, arguments: &Arguments, report: &mut Report) {
    let above = resident.saturating_sub(idle);
    let per_message = above as f64 / arguments.messages as f64;
    report.number("idle RSS", mebibytes(idle), "MiB");
    report.number("RSS with all queued", mebibytes(resident), "MiB");
    report.number("per message", per_message, "B");
    let most = MEMORY_PER_MESSAGE_MAX * arguments.messages as f64 + arguments.cache as f64;
    report.require(above as f64 <= most, || {
        format!("{:.0} MiB above idle, more than {:.0}", mebibytes(above), most / f64::from(1 << 20))
    });
}

/// Everybody comes and gets exactly their share.
fn drain(arguments: &Arguments, fleet: &mut Fleet, report: &mut Report) -> Result<()> {
    let sessions = usize::try_from(arguments.sessions)?;
    (0..sessions).for_each(|session| fleet.go_online(session));
    let (started, mut progress) = (Instant::now(), Progress::new());
    let done = fleet.run_until(started + patience(arguments.messages), |fleet| {
        progress.say(|| format!("{} messages read", fleet.counts().delivered));
        fleet.counts().delivered >= arguments.messages
    })?;
    drop(progress);
    report.number(
        "drained per second",
        fleet.counts().delivered as f64 / started.elapsed().as_secs_f64(),
        "",
    );
    let mut faults = Faults::default();
    fleet.subscribers().for_each(|subscriber| faults.add(subscriber.faults()));
    report.require(done, || format!("{} of {} messages came", fleet.counts().delivered, arguments.messages));
    report.require(faults == Faults::default(), || format!("{faults:?}"));
    Ok(())
}

/// With nothing left to keep, the store becomes small again.
fn await_small_disk(store: &Store<'_>, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    while store.size()? >= DISK_AFTER_MAX && started.elapsed() < DISK_PATIENCE {
        std::thread::sleep(GLANCE);
    }
    let left = store.size()?;
    report.number("disk left", mebibytes(left), "MiB");
    report.duration("after", started.elapsed());
    report.require(left < DISK_AFTER_MAX, || {
        format!("{:.0} MiB are left {DISK_PATIENCE:?} after the drain", mebibytes(left))
    });
    Ok(())
}

/// Nothing of the log may be in memory when the broker starts.
fn drop_page_cache(report: &mut Report) -> Result<()> {
    rustix::fs::sync();
    if let Err(error) = fs::write("/proc/sys/vm/drop_caches", "3") {
        report.fail(format!("the page cache stays warm: {error}"));
    }
    Ok(())
}

fn client_id(session: u32) -> String {
    format!("million-{session}")
}

fn topic(session: u32) -> String {
    format!("million/{session}")
}

fn patience(messages: u64) -> Duration {
    PATIENCE + PATIENCE_PER_MESSAGE.mul_f64(messages as f64)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

//! A queue far larger than the memory it may use.
//!
//! The rule: the limit is on what the process has in memory, and order is order however long the queue.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use martlet_witness::Process;
use martlet_witness::report::Report;
use martlet_witness::wire::Version;

use crate::Setup;
use crate::load::{Faults, Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};

/// A queue of 5 GB for one reader drains in order while memory keeps to its limit.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Bytes of payloads that wait.
    #[arg(long, default_value_t = 5_000_000_000)]
    bytes: u64,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 16 << 10)]
    size: usize,
    /// Bytes of messages the broker may keep in memory.
    #[arg(long, default_value_t = 64_000_000)]
    memory: u64,
    /// Bytes the process may have beside that and its idle memory: connections, buffers, the positions of what waits.
    #[arg(long, default_value_t = 32 << 20)]
    slack: u64,
    /// Kill the broker when everything is queued and drain the next one.
    #[arg(long)]
    kill: bool,
}

const TOPIC: &str = "backlog/messages";
const WINDOW: usize = 100;
/// Slower than so many bytes a second something is wrong.
const BYTES_PER_SECOND_MIN: u64 = 5_000_000;
const GLANCE: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let settings = Settings { queue_memory_max: Some(arguments.memory), ..setup.settings() };
    let store = Store::new(&setup.program, settings, &data)?;
    let mut broker = store.start()?;
    let messages = arguments.bytes.div_ceil(arguments.size as u64);
    let idle = broker.process().resident()?;
    report.number("idle RSS", mebibytes(idle), "MiB");

    let mut fleet = Fleet::new(store.address())?;
    let reader = fleet.add_subscriber(Subscriber::new(Version::V311, "backlog-reader", TOPIC, 1));
    fleet.go_online(reader);
    ensure!(
        fleet.run_until(Instant::now() + START_MAX, |fleet| fleet.subscriber(reader).is_subscribed())?,
        "the reader could not subscribe"
    );
    fleet.go_offline(reader);
    let (version, qos, window, size) = (Version::V311, 1, WINDOW, arguments.size);
    let topics = Arc::from([TOPIC.to_owned()]);
    let terms = Terms { version, qos, window, size, topics, first_stream: 0, persistent: false };
    let publisher = fleet.add_publisher(Publisher::new("backlog-publisher", terms));
    fleet.publisher(publisher).set_goal(messages);
    fleet.go_online(publisher);

    report.part("queueing");
    let queued = |fleet: &Fleet| fleet.counts().acknowledged;
    watch(&mut fleet, broker.process(), idle, arguments, messages, queued, report)?;
    fleet.go_offline(publisher);
    if arguments.kill {
        broker.kill();
        let started = Instant::now();
        broker = store.start()?;
        report.duration("start", started.elapsed());
    }
    report.part("draining");
    fleet.go_online(reader);
    let read = |fleet: &Fleet| fleet.counts().delivered;
    watch(&mut fleet, broker.process(), idle, arguments, messages, read, report)?;
    report.part("");
    let faults = fleet.subscriber(reader).faults();
    report.require(faults == Faults::default(), || format!("{faults:?}"));
    let counts = fleet.counts();
    report.require(counts.repeated == 0, || {
        format!("{} messages came again on a whole connection", counts.repeated)
    });
    broker.stop()?.judge(report);
    Ok(())
}

/// Runs until so many messages have been counted, and looks at the memory meanwhile.
fn watch(
    fleet: &mut Fleet,
    broker: Process,
    idle: u64,
    arguments: &Arguments,
    messages: u64,
    counted: impl Fn(&Fleet) -> u64,
    report: &mut Report,
) -> Result<()> {
    broker.forget_peak()?;
    let started = Instant::now();
    let deadline = started + START_MAX + Duration::from_secs(arguments.bytes / BYTES_PER_SECOND_MIN);
    let mut progress = Progress::new();
    let (mut peak, mut looked) = (0, started);
    let done = fleet.run_until(deadline, |fleet| {
        progress.say(|| format!("{} of {messages} messages", counted(fleet)));
        if looked.elapsed() >= GLANCE {
            looked = Instant::now();
            peak = peak.max(broker.resident().unwrap_or(0));
        }
        counted(fleet) >= messages
    })?;
    drop(progress);
    let took = started.elapsed();
    // The kernel's own peak is never missed, however short.
    let peak = peak.max(broker.peak()?);
    let most = idle + arguments.memory + arguments.slack;
    report.duration("took", took);
    report.number("MB/s", arguments.bytes as f64 / 1e6 / took.as_secs_f64(), "");
    report.number("peak RSS", mebibytes(peak), "MiB");
    report.require(done, || format!("{} of {messages} messages", counted(fleet)));
    report.require(peak <= most, || {
        format!("RSS reached {:.0} MiB, more than {:.0}", mebibytes(peak), mebibytes(most))
    });
    ensure!(done, "not everything came within {took:.0?}");
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

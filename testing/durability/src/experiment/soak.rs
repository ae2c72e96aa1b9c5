//! Twenty minutes of everything: a steady load, and Sessions, retained messages, expiry and Wills that come and go.
//!
//! The rule: what the broker's ledger says must be what the clients counted, to the message; and what has ended leaves
//! neither memory nor disk behind.

mod ledger;
mod scripts;

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use martlet_witness::Process;
use martlet_witness::report::Report;
use martlet_witness::wire::Version;

use crate::Setup;
use crate::load::{Fleet, Publisher, Subscriber, Terms};
use crate::progress::Progress;
use crate::store::{START_MAX, Settings, Store};
use crate::table::Table;
use ledger::Ledger;
use scripts::Scripts;

/// 20 minutes with churn of sessions, retained messages, expiry and Wills: memory, disk and the ledger.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Minutes.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Minutes until growth is watched.
    #[arg(long, default_value_t = 5.0)]
    settle_minutes: f64,
    /// Messages published per second by the steady load; each is delivered once.
    #[arg(long, default_value_t = 4_000)]
    rate: u64,
    /// Rounds of churn per second: each makes and ends five Sessions.
    #[arg(long, default_value_t = 10)]
    churn: u32,
    /// Bytes of a segment of the log.
    #[arg(long)]
    segment_size: Option<u64>,
}

const PUBLISHERS: u32 = 20;
const SUBSCRIBERS: u32 = 10;
const WINDOW: usize = 50;
const SIZE: usize = 256;
const OPERATIONS_PER_SECOND_MIN: f64 = 5_000.0;
const MEMORY_GROWTH_MAX: f64 = 0.03;
const DISK_GROWTH_MAX: f64 = 0.05;
/// How often the steady load is told how much is due.
const TICK: Duration = Duration::from_millis(10);
/// How often memory and disk are looked at; what a minute is judged by is the median of its looks.
const GLANCE: Duration = Duration::from_secs(5);
/// How long the last messages may take.
const SETTLE_MAX: Duration = Duration::from_secs(60);
const MINUTE: f64 = 60.0;

/// Memory and disk at some time.
struct Sample {
    minute: usize,
    resident: u64,
    disk: u64,
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let settings = Settings {
        sys_seconds: Some(1),
        segment_size: arguments.segment_size,
        checkpoint_seconds: Some(10),
        ..setup.settings()
    };
    let store = Store::new(&setup.program, settings, &data)?;
    let broker = store.start()?;
    let mut steady = Steady::begin(&store)?;
    let scripts = Scripts::begin(store.address(), arguments.churn)?;
    let enough = AtomicBool::new(false);
    let started = Instant::now();
    let (samples, churned) = thread::scope(|scope| {
        let churning = scope.spawn(|| scripts.run(&enough));
        let samples = steady.publish(arguments, &store, broker.process());
        enough.store(true, Ordering::Release);
        let churned = churning.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        samples.and_then(|samples| Ok((samples, churned?)))
    })?;
    let took = started.elapsed();
    steady.settle()?;

    let counts = steady.fleet.counts();
    let operations =
        (counts.acknowledged + counts.delivered + churned.operations) as f64 / took.as_secs_f64();
    report.number("operations/s", operations, "");
    report.count("rounds of churn", churned.rounds);
    report.require(operations >= OPERATIONS_PER_SECOND_MIN, || format!("only {operations:.0} operations/s"));
    judge_growth(&samples, arguments, report)?;
    let mut expected = churned.ledger;
    expected.accepted += counts.acknowledged;
    expected.delivered += counts.acknowledged;
    report.require(counts.repeated == 0, || format!("{} copies came again", counts.repeated));
    report.require(counts.broken == 0, || format!("{} connections were closed", counts.broken));
    judge_ledger(&store, &expected, report)?;
    broker.stop()?.judge(report);
    Ok(())
}

/// The steady load.
struct Steady {
    fleet: Fleet,
    publishers: Vec<usize>,
}

impl Steady {
    fn begin(store: &Store<'_>) -> Result<Self> {
        let mut fleet = Fleet::new(store.address())?;
        let mut publishers = Vec::new();
        for number in 0..SUBSCRIBERS {
            let qos = if number % 2 == 0 { 1 } else { 2 };
            fleet.add_subscriber(Subscriber::new(
                Version::V5,
                format!("soak-subscriber-{number}"),
                topic(number),
                qos,
            ));
        }
        for number in 0..PUBLISHERS {
            let topics = Arc::from([topic(number % SUBSCRIBERS)]);
            let (version, qos) = (Version::V5, if number % 2 == 0 { 1 } else { 2 });
            let (window, size, first_stream) = (WINDOW, SIZE, number);
            let terms = Terms { version, qos, window, size, topics, first_stream, persistent: true };
            publishers.push(fleet.add_publisher(Publisher::new(format!("soak-publisher-{number}"), terms)));
        }
        fleet.all_online();
        let ready = fleet.run_until(Instant::now() + START_MAX, |fleet| {
            fleet.subscribers().all(Subscriber::is_subscribed)
        })?;
        ensure!(ready, "not everybody could subscribe");
        Ok(Self { fleet, publishers })
    }

    /// Publishes at the rate, and looks at memory and disk.
    fn publish(&mut self, arguments: &Arguments, store: &Store<'_>, broker: Process) -> Result<Vec<Sample>> {
        let (started, mut progress, mut samples) = (Instant::now(), Progress::new(), Vec::new());
        let mut looked = started;
        let duration = Duration::from_secs_f64(arguments.minutes * MINUTE);
        let rate = arguments.rate as f64 / self.publishers.len() as f64;
        while started.elapsed() < duration {
            let due = rounded(rate * started.elapsed().as_secs_f64());
            for publisher in &self.publishers {
                self.fleet.publisher(*publisher).set_goal(due);
            }
            self.fleet.run_for(TICK)?;
            progress.say(|| format!("{:.0} s, {:?}", started.elapsed().as_secs_f64(), self.fleet.counts()));
            if looked.elapsed() >= GLANCE {
                looked = Instant::now();
                let minute = usize::try_from(started.elapsed().as_secs() / 60)?;
                samples.push(Sample { minute, resident: broker.resident()?, disk: store.size()? });
            }
        }
        Ok(samples)
    }

    fn settle(&mut self) -> Result<()> {
        for publisher in &self.publishers {
            self.fleet.publisher(*publisher).stop();
        }
        let done = self.fleet.run_until(Instant::now() + SETTLE_MAX, |fleet| {
            let counts = fleet.counts();
            fleet.publishers().all(Publisher::is_done)
                && counts.delivered >= counts.acknowledged
                && fleet.subscribers().all(Subscriber::is_idle)
        })?;
        ensure!(done, "messages are missing {SETTLE_MAX:?} after the last: {:?}", self.fleet.counts());
        Ok(())
    }
}

fn topic(subscriber: u32) -> String {
    format!("soak/steady/{subscriber}")
}

/// Whole messages of a number that grows with time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, far below 2^53")]
fn rounded(messages: f64) -> u64 {
    messages as u64
}

fn judge_growth(samples: &[Sample], arguments: &Arguments, report: &mut Report) -> Result<()> {
    let minutes: Vec<(usize, u64, u64)> = samples
        .chunk_by(|one, next| one.minute == next.minute)
        .map(|looks| (looks[0].minute, median(looks, |look| look.resident), median(looks, |look| look.disk)))
        .collect();
    let mut table = Table::new(&["after minute", "RSS", "disk"]);
    for (minute, resident, disk) in &minutes {
        table.row([minute.to_string(), format!("{} KiB", resident >> 10), format!("{} KiB", disk >> 10)]);
    }
    write!(io::stdout(), "{table}")?;
    let is_settled = |(minute, ..): &&(usize, u64, u64)| *minute as f64 >= arguments.settle_minutes;
    if let (Some(first), Some(last)) = (minutes.iter().find(is_settled), minutes.last()) {
        let (memory, disk) = (last.1 as f64 / first.1 as f64 - 1.0, last.2 as f64 / first.2 as f64 - 1.0);
        report.number("RSS grew", memory * 100.0, "%");
        report.number("disk grew", disk * 100.0, "%");
        report.require(memory < MEMORY_GROWTH_MAX, || format!("RSS grew by {:.1} %", memory * 100.0));
        report.require(disk < DISK_GROWTH_MAX, || format!("the disk grew by {:.1} %", disk * 100.0));
    }
    Ok(())
}

fn median(looks: &[Sample], figure: fn(&Sample) -> u64) -> u64 {
    let mut figures: Vec<u64> = looks.iter().map(figure).collect();
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn judge_ledger(store: &Store<'_>, expected: &Ledger, report: &mut Report) -> Result<()> {
    let published = ledger::await_equal(store.address(), expected)?;
    let mut table = Table::new(&["ledger", "counted by clients", "published by the broker"]);
    for (name, counted, published) in expected.beside(&published) {
        table.row([name.to_owned(), counted.to_string(), published.to_string()]);
    }
    write!(io::stdout(), "{table}")?;
    report.require(published == *expected, || format!("the ledger is {published:?}, not {expected:?}"));
    Ok(())
}

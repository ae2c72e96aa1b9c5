//! Ten thousand QoS 2 messages, each by its own connection, to one persistent reader that takes one message a minute,
//! and a `kill -9` in the middle.
//!
//! The rule: reader and publishers do what the specification asks of a client that keeps its Session, so that a
//! message that is missing or comes twice is the broker's.

mod message;
mod publisher;
mod reader;

use std::fs;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use martlet_witness::Program;
use martlet_witness::report::Report;

use crate::Setup;
use crate::progress::Progress;
use crate::store::{Settings, Store};
use crate::table::Table;
use message::stored_twice;
use publisher::{Schedule, publish_all};
use reader::Reader;

/// 10,000 QoS 2 messages to a reader that takes one a minute, kill -9 in the middle; beside Mosquitto.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Messages.
    #[arg(long, default_value_t = 10_000)]
    messages: usize,
    /// Seconds the reader takes for each of its first messages.
    #[arg(long, default_value_t = 60.0)]
    pace_seconds: f64,
    /// Messages the reader takes at that pace.
    #[arg(long, default_value_t = 2)]
    slow_messages: usize,
    /// Seconds over which the messages are published. [default: as long as the reader is slow]
    #[arg(long)]
    publish_seconds: Option<f64>,
    /// Publishers at work at once.
    #[arg(long, default_value_t = 4)]
    publishers: usize,
    /// Seconds between two checkpoints, Mosquitto's `autosave_interval`; every case is run with each.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 30])]
    checkpoint_seconds: Vec<u32>,
    /// Leave Mosquitto out.
    #[arg(long)]
    alone: bool,
}

/// Mosquitto 1.4's limits, which the experiment was first run with.
const QUEUED_MAX: usize = 100;
const IN_FLIGHT_MAX: u16 = 20;

const TOPIC: &str = "contract/messages";
/// How long a client tries before the broker counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(20);
/// A broker with its settings.
struct Case<'a> {
    program: &'a Program,
    limits: &'static str,
    settings: Settings,
}

/// What came of a case.
#[derive(Default)]
struct Found {
    completed: usize,
    distinct: usize,
    twice: usize,
    used_before: u64,
    used_after: u64,
    written_twice: usize,
    restart: Duration,
}

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let mut table = Table::new(&[
        "broker",
        "limits",
        "checkpoint",
        "PUBCOMP",
        "distinct",
        "lost",
        "twice",
        "store before",
        "after",
        "per message",
        "stored twice",
        "restart",
    ]);
    for seconds in &arguments.checkpoint_seconds {
        for case in cases(setup, *seconds, arguments.alone) {
            let found = hold(&case, arguments, setup)?;
            let lost = found.completed.saturating_sub(found.distinct);
            let grown = found.used_after.saturating_sub(found.used_before);
            table.row([
                case.program.to_string(),
                case.limits.to_owned(),
                format!("{seconds} s"),
                found.completed.to_string(),
                found.distinct.to_string(),
                lost.to_string(),
                found.twice.to_string(),
                format!("{} B", found.used_before),
                format!("{} B", found.used_after),
                format!("{:.1} B", grown as f64 / found.completed.max(1) as f64),
                found.written_twice.to_string(),
                format!("{:.0} ms", found.restart.as_secs_f64() * 1e3),
            ]);
            if case.program.is_martlet() {
                judge(&found, arguments.messages, *seconds, report);
            }
        }
    }
    write!(io::stdout(), "{table}")?;
    Ok(())
}

fn cases(setup: &Setup, checkpoint_seconds: u32, alone: bool) -> Vec<Case<'_>> {
    let unlimited = Settings { checkpoint_seconds: Some(checkpoint_seconds), ..setup.settings() };
    let limited = Settings {
        queue_messages_max: Some(QUEUED_MAX),
        in_flight_max: Some(IN_FLIGHT_MAX),
        ..unlimited.clone()
    };
    let mut cases = vec![Case { program: &setup.program, limits: "none", settings: unlimited.clone() }];
    if !alone {
        cases.push(Case { program: &setup.mosquitto, limits: "none", settings: unlimited });
        cases.push(Case { program: &setup.mosquitto, limits: "of 1.4", settings: limited });
    }
    cases
}

fn judge(found: &Found, messages: usize, seconds: u32, report: &mut Report) {
    report.part(&format!("checkpoint every {seconds} s"));
    report.count("distinct", found.distinct);
    report.count("twice", found.twice);
    report.count("stored twice", found.written_twice);
    report.number("growth", (found.used_after - found.used_before) as f64, "B");
    report.require(found.distinct == messages, || format!("{} of {messages} messages came", found.distinct));
    report.require(found.twice == 0, || format!("{} messages came twice", found.twice));
    report.require(found.written_twice == 0, || format!("{} messages are stored twice", found.written_twice));
    report.part("");
}

fn hold(case: &Case<'_>, arguments: &Arguments, setup: &Setup) -> Result<Found> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let store = Store::new(case.program, case.settings.clone(), &data)?;
    let broker = store.start()?;
    let mut reader = Reader::new(store.address());
    reader.connect()?;

    let mut found = Found { used_before: store.used()?, ..Found::default() };
    let mut progress = Progress::new();
    let (done, completed) = channel();
    let schedule = Schedule::new(arguments);
    let broker = thread::scope(|scope| {
        let slow = scope.spawn(|| reader.read_slowly(arguments));
        for number in 0..arguments.publishers {
            let (done, schedule, address) = (done.clone(), &schedule, store.address());
            scope.spawn(move || publish_all(number, address, schedule, &done));
        }
        drop(done);
        await_completed(&completed, arguments.messages / 2, &mut found.completed, &mut progress)?;
        broker.kill();
        let started = Instant::now();
        let broker = store.start()?;
        found.restart = started.elapsed();
        await_completed(&completed, arguments.messages, &mut found.completed, &mut progress)?;
        slow.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        anyhow::Ok(broker)
    })?;
    found.used_after = store.used()?;
    found.written_twice = stored_twice(&store)?;
    reader.read_all(arguments.messages)?;
    (found.distinct, found.twice) = (reader.distinct(), reader.twice());
    broker.kill();
    Ok(found)
}

fn await_completed(
    completed: &Receiver<Result<()>>,
    wanted: usize,
    count: &mut usize,
    progress: &mut Progress,
) -> Result<()> {
    while *count < wanted {
        completed.recv().context("all publishers ended")??;
        *count += 1;
        progress.say(|| format!("{count} messages published"));
    }
    Ok(())
}

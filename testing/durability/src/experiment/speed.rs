//! What durability costs: rates and processor time of each mode beside Mosquitto without persistence, bytes that reach
//! the device, and the wait of a publisher who is alone.
//!
//! The rule: only figures of one run are compared, and rounds of all contestants take turns.

mod race;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::report::Report;
use martlet_witness::wire::{Connect, Version};
use martlet_witness::{Client, Program, percentile};

use crate::Setup;
use crate::disk::{self, LoopDisk};
use crate::progress::Progress;
use crate::store::{Durability, Settings, Store};
use crate::table::Table;
use race::{Layout, Race, Result as Figures};

/// Rate and CPU of each durability mode beside Mosquitto, device bytes per message, latency at idle.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rounds; every contestant runs each layout once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of publishing in a race.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Messages published one by one for the latency at idle, and raw syncs of the disk.
    #[arg(long, default_value_t = 400)]
    syncs: usize,
    /// Copies of messages for each figure of bytes on the device.
    #[arg(long, default_value_t = 2_000_000)]
    device_messages: u64,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Races, Part::Device, Part::Idle])]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Rates and processor time.
    Races,
    /// Bytes on the device.
    Device,
    /// A publisher who is alone.
    Idle,
}

const SIZE: usize = 256;
/// 100 publishers and 10 subscribers: the figure the `always` mode is judged by.
const MANY: Layout = Layout { name: "many", publishers: 100, subscribers: 10, window: 20, is_fan_out: false };
const PAIRS: Layout =
    Layout { name: "pair10", publishers: 10, subscribers: 10, window: 20, is_fan_out: false };
const FAN_OUT: Layout =
    Layout { name: "fan-out", publishers: 1, subscribers: 100, window: 20, is_fan_out: true };
const LAYOUTS: [Layout; 3] = [MANY, PAIRS, FAN_OUT];

/// What the disk could do at best is not asked of the broker in full.
const SHARE_OF_DISK: f64 = 0.7;
const CPU_OF_MOSQUITTO_MAX: f64 = 0.6;
const INTERVAL_OF_MEMORY: f64 = 0.15;
/// Bytes of the log beside topic and payload, and for each further receiver.
const OVERHEAD_MAX: f64 = 56.0;
const OVERHEAD_PER_RECEIVER_MAX: f64 = 12.0;

/// A broker in a mode.
struct Contestant<'a> {
    name: &'static str,
    program: &'a Program,
    durability: Durability,
}

fn contestants(setup: &Setup) -> Vec<Contestant<'_>> {
    let martlet = |name, durability| Contestant { name, program: &setup.program, durability };
    vec![
        martlet(ALWAYS, Durability::Always),
        martlet(INTERVAL, Durability::Interval),
        martlet(MEMORY, Durability::Memory),
        Contestant { name: MOSQUITTO, program: &setup.mosquitto, durability: Durability::Memory },
    ]
}

const ALWAYS: &str = "always";
const INTERVAL: &str = "interval";
const MEMORY: &str = "memory";
const MOSQUITTO: &str = "mosquitto";

pub(crate) fn run(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let mut raw = disk::sync_latencies(folder.path(), arguments.syncs)?;
    let raw = percentile(&mut raw, 50);
    report.duration("raw fdatasync p50", raw);
    if arguments.parts.contains(&Part::Races) {
        race_all(arguments, setup, raw, report)?;
    }
    if arguments.parts.contains(&Part::Device) {
        weigh_all(arguments, setup, report)?;
    }
    if arguments.parts.contains(&Part::Idle) {
        wait_alone(arguments, setup, report)?;
    }
    Ok(())
}

fn race_all(arguments: &Arguments, setup: &Setup, raw: Duration, report: &mut Report) -> Result<()> {
    let contestants = contestants(setup);
    let mut figures: BTreeMap<(&str, &str), Vec<Figures>> = BTreeMap::new();
    let mut progress = Progress::new();
    for round in 0..arguments.rounds {
        for layout in &LAYOUTS {
            for turn in 0..contestants.len() {
                // Another one begins each round: the machine may be slower at the end of a round than at its start.
                let contestant = &contestants[(turn + round) % contestants.len()];
                progress.say(|| format!("round {round}: {} with {}", layout.name, contestant.name));
                let found = race(contestant, layout, arguments, setup)?;
                figures.entry((layout.name, contestant.name)).or_default().push(found);
            }
        }
    }
    drop(progress);
    let medians: Medians = figures.into_iter().map(|(key, figures)| (key, race::median(figures))).collect();
    let mut table = Table::new(&["layout", "broker", "messages/s", "copies/s", "CPU/copy", "load's CPU"]);
    for layout in &LAYOUTS {
        for contestant in &contestants {
            let figures = medians[&(layout.name, contestant.name)];
            table.row([
                layout.name.to_owned(),
                contestant.name.to_owned(),
                format!("{:.0}", figures.messages_per_second),
                format!("{:.0}", figures.copies_per_second),
                format!("{:.2} µs", figures.cpu_per_copy * 1e6),
                format!("{:.2}", figures.load_cpu),
            ]);
        }
    }
    write!(io::stdout(), "{table}")?;
    judge_races(&medians, raw, report);
    Ok(())
}

type Medians = BTreeMap<(&'static str, &'static str), Figures>;

fn judge_races(medians: &Medians, raw: Duration, report: &mut Report) {
    let (always, mosquitto) = (medians[&(MANY.name, ALWAYS)], medians[&(MANY.name, MOSQUITTO)]);
    let of_disk = SHARE_OF_DISK * (MANY.publishers * MANY.window) as f64 / raw.as_secs_f64();
    let wanted = mosquitto.messages_per_second.min(of_disk);
    report.part("always");
    report.number("messages/s", always.messages_per_second, "");
    report.number("wanted", wanted, "");
    report.require(always.messages_per_second >= wanted, || {
        format!("{:.0} messages/s, not {wanted:.0}", always.messages_per_second)
    });
    let cpu = always.cpu_per_copy / mosquitto.cpu_per_copy;
    report.number("CPU beside Mosquitto's", cpu, "");
    report.require(cpu <= CPU_OF_MOSQUITTO_MAX, || format!("CPU {cpu:.2} × Mosquitto's"));
    for layout in [PAIRS, FAN_OUT] {
        let (interval, memory) = (medians[&(layout.name, INTERVAL)], medians[&(layout.name, MEMORY)]);
        report.part(&format!("interval beside memory, {}", layout.name));
        let rate = interval.copies_per_second / memory.copies_per_second;
        let cpu = interval.cpu_per_copy / memory.cpu_per_copy;
        report.number("rate", rate, "");
        report.number("CPU", cpu, "");
        report.require(rate >= 1.0 - INTERVAL_OF_MEMORY, || format!("rate {rate:.2} × that of memory"));
        report.require(cpu <= 1.0 + INTERVAL_OF_MEMORY, || format!("CPU {cpu:.2} × that of memory"));
    }
    report.part("");
}

fn race(
    contestant: &Contestant<'_>,
    layout: &Layout,
    arguments: &Arguments,
    setup: &Setup,
) -> Result<Figures> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let settings =
        Settings { durability: contestant.durability, in_flight_max: Some(1000), ..Settings::default() };
    let store = Store::new(contestant.program, settings, &data)?;
    let broker = store.start()?;
    let mut race = Race::begin(&store, layout, SIZE)?;
    let figures = race.publish_for(Duration::from_secs_f64(arguments.seconds), broker.process());
    broker.kill();
    figures
}

/// Bytes that reach the device for one message, the file system's own among them.
fn weigh_all(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    if let Some(why) = disk::obstacle() {
        report.skip(why);
        return Ok(());
    }
    let mut table =
        Table::new(&["layout", "device bytes/message", "topic + payload", "receivers", "at most"]);
    for layout in [MANY, FAN_OUT] {
        let found = weigh(&layout, arguments, setup)?;
        let receivers = if layout.is_fan_out { layout.subscribers } else { 1 };
        let content = (layout.topic(0).len() + SIZE) as f64;
        let most = content + OVERHEAD_MAX + OVERHEAD_PER_RECEIVER_MAX * (receivers - 1) as f64;
        table.row([
            layout.name.to_owned(),
            format!("{found:.1}"),
            format!("{content:.0}"),
            receivers.to_string(),
            format!("{most:.0}"),
        ]);
        report.part(&format!("device, {}", layout.name));
        report.number("bytes per message", found, "B");
        report
            .require(found <= most, || format!("{found:.1} B reach the device for a message, not {most:.0}"));
        report.part("");
    }
    write!(io::stdout(), "{table}")?;
    Ok(())
}

fn weigh(layout: &Layout, arguments: &Arguments, setup: &Setup) -> Result<f64> {
    let folder = setup.new_folder()?;
    let disk = LoopDisk::create(folder.path(), "disk", 2 << 30)?;
    let data = disk.folder().join("data");
    fs::create_dir(&data)?;
    let settings = Settings { in_flight_max: Some(1000), ..Settings::default() };
    let store = Store::new(&setup.program, settings, &data)?;
    let broker = store.start()?;
    let mut race = Race::begin(&store, layout, SIZE)?;
    // Segments are filled with zeros once and then used again and again; what is weighed is the long run.
    race.publish(arguments.device_messages)?;
    disk.sync()?;
    let before = disk.bytes_written()?;
    let messages = race.publish(arguments.device_messages)?;
    disk.sync()?;
    let written = disk.bytes_written()? - before;
    drop(race);
    broker.kill();
    Ok(written as f64 / messages as f64)
}

/// One publisher, one message at a time, and the same disk without a broker, in turns.
fn wait_alone(arguments: &Arguments, setup: &Setup, report: &mut Report) -> Result<()> {
    let folder = setup.new_folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let store = Store::new(&setup.program, Settings::default(), &data)?;
    let broker = store.start()?;
    Client::connect(store.address(), &Connect::persistent(Version::V311, "speed-reader"))?
        .subscribe("speed/alone", 1)?;
    let mut publisher = Client::connect(store.address(), &Connect::new("speed-publisher"))?;
    let (mut acknowledged, mut raw) = (Vec::new(), Vec::new());
    let turns = 10;
    for _ in 0..turns {
        raw.extend(disk::sync_latencies(folder.path(), arguments.syncs / turns)?);
        for _ in 0..arguments.syncs / turns {
            let started = Instant::now();
            publisher.publish("speed/alone", &[b'a'; SIZE])?;
            acknowledged.push(started.elapsed());
        }
    }
    broker.kill();
    report.part("idle");
    for percent in [50, 99] {
        report.duration(&format!("PUBACK p{percent}"), percentile(&mut acknowledged, percent));
        report.duration(&format!("raw fdatasync p{percent}"), percentile(&mut raw, percent));
    }
    report.part("");
    Ok(())
}

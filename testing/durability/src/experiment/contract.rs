//! Ten thousand QoS 2 messages, each by its own connection, to one persistent reader that takes one message a minute,
//! and a `kill -9` in the middle.
//!
//! The rule: reader and publishers do what the specification asks of a client that keeps its Session, so that a
//! message that is missing or comes twice is the broker's.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Outgoing, Packet, Version, kind};
use martlet_witness::{Client, Program};

use crate::Setup;
use crate::progress::Progress;
use crate::store::{self, Settings, Store};
use crate::table::Table;

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
/// The size of the messages of the first run.
const SIZE: usize = 163;
/// Stands before the number in every payload.
const MARK: &[u8] = b"\"message\":";
const DIGITS: usize = 7;

/// How long a client tries before the broker counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(20);
/// After this silence a reader at full speed has got all there is.
const SILENCE: Duration = Duration::from_secs(5);

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
    (found.distinct, found.twice) = (reader.got.len(), reader.twice);
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

/// Which message is due when.
struct Schedule {
    next: AtomicUsize,
    messages: usize,
    beginning: Instant,
    duration: Duration,
}

impl Schedule {
    fn new(arguments: &Arguments) -> Self {
        let seconds =
            arguments.publish_seconds.unwrap_or(arguments.pace_seconds * arguments.slow_messages as f64);
        Self {
            next: AtomicUsize::new(0),
            messages: arguments.messages,
            beginning: Instant::now(),
            duration: Duration::from_secs_f64(seconds),
        }
    }

    /// The next message, when it is due.
    fn next(&self) -> Option<usize> {
        let message = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.beginning + self.duration.mul_f64(message as f64 / self.messages as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        (message < self.messages).then_some(message)
    }
}

/// Publishes messages, each by a connection of its own, until there are none left; reports each.
fn publish_all(number: usize, address: SocketAddr, schedule: &Schedule, done: &Sender<Result<()>>) {
    let client_id = format!("contract-publisher-{number}");
    while let Some(message) = schedule.next() {
        let outcome = publish_one(&client_id, address, message);
        let failed = outcome.is_err();
        if done.send(outcome).is_err() || failed {
            return;
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Published,
    Released,
}

/// Publishes one message until its PUBCOMP has come, through as many connections as that takes.
fn publish_one(client_id: &str, address: SocketAddr, message: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let payload = payload(message);
    let mut phase = Phase::New;
    while let Err(error) = try_to_publish(client_id, address, &payload, &mut phase) {
        if Instant::now() > deadline {
            return Err(error.context(format!("publishing message {message}")));
        }
        thread::sleep(RETRY);
    }
    Ok(())
}

fn try_to_publish(client_id: &str, address: SocketAddr, payload: &[u8], phase: &mut Phase) -> Result<()> {
    let mut client = Client::connect(address, &Connect::persistent(Version::V311, client_id))?;
    if !client.session_present() {
        // The broker has forgotten all; the message may be new to it.
        *phase = Phase::New;
    }
    // One message at a time, so one Packet Identifier is enough.
    let id = 1;
    if *phase != Phase::Released {
        let message = Outgoing { topic: TOPIC, payload, qos: 2, retain: false, expiry: None };
        let mut bytes = Vec::new();
        message.write(Version::V311, id, *phase == Phase::Published, &mut bytes);
        *phase = Phase::Published;
        client.send(&bytes)?;
        client.wait_for(kind::PUBREC)?;
        *phase = Phase::Released;
    }
    client.send(&wire::acknowledgement(kind::PUBREL, id))?;
    client.wait_for(kind::PUBCOMP)?;
    // The message is safe whether or not the broker hears the goodbye.
    drop(client.send(&wire::DISCONNECT));
    Ok(())
}

/// The persistent reader.
struct Reader {
    address: SocketAddr,
    client: Option<Client>,
    /// Identifiers whose PUBREL has not come.
    unreleased: HashSet<u16>,
    got: HashSet<usize>,
    twice: usize,
}

impl Reader {
    fn new(address: SocketAddr) -> Self {
        Self { address, client: None, unreleased: HashSet::new(), got: HashSet::new(), twice: 0 }
    }

    fn connect(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Client::connect(self.address, &Connect::persistent(Version::V311, "contract-reader")) {
                Ok(mut client) => {
                    if !client.session_present() {
                        self.unreleased.clear();
                        client.subscribe(TOPIC, 2)?;
                    }
                    self.client = Some(client);
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => return Err(error.context("connecting the reader")),
                Err(_) => thread::sleep(RETRY),
            }
        }
    }

    /// Takes the first messages, and after each does nothing for a while: it reads no packet meanwhile.
    fn read_slowly(&mut self, arguments: &Arguments) -> Result<()> {
        let pace = Duration::from_secs_f64(arguments.pace_seconds);
        for taken in 0..arguments.slow_messages {
            let deadline = Instant::now() + PATIENCE;
            while self.got.len() <= taken {
                ensure!(Instant::now() < deadline, "no message {taken} for the slow reader");
                self.read_packet(deadline)?;
            }
            thread::sleep(pace);
        }
        Ok(())
    }

    /// Reads at full speed until everything has come or nothing comes any more.
    fn read_all(&mut self, messages: usize) -> Result<()> {
        let mut progress = Progress::new();
        // One packet more than the last message: a repeat would come behind it.
        let mut until = SILENCE;
        while self.read_packet(Instant::now() + until)? {
            progress.say(|| format!("{} of {messages} messages read", self.got.len()));
            if self.got.len() >= messages {
                until = Duration::from_secs(1);
            }
        }
        Ok(())
    }

    /// Handles one packet; says whether there was one. A broken connection is made anew.
    fn read_packet(&mut self, deadline: Instant) -> Result<bool> {
        let Some(client) = &mut self.client else {
            self.connect()?;
            return Ok(true);
        };
        match client.receive(deadline) {
            Ok(Some(packet)) => self.answer(&packet)?,
            Ok(None) => return Ok(false),
            Err(_) => self.client = None,
        }
        Ok(true)
    }

    fn answer(&mut self, packet: &Packet) -> Result<()> {
        let reply = match packet.kind {
            kind::PUBLISH => {
                let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
                let id = publish.id.context("a message lost its QoS")?;
                let message = number_in(publish.payload).context("a message changed on its way")?;
                ensure!(publish.payload == payload(message), "message {message} changed on its way");
                if self.unreleased.insert(id) && !self.got.insert(message) {
                    self.twice += 1;
                }
                wire::acknowledgement(kind::PUBREC, id)
            }
            kind::PUBREL => {
                let id = packet.id().context("a PUBREL is cut short")?;
                self.unreleased.remove(&id);
                wire::acknowledgement(kind::PUBCOMP, id)
            }
            _ => return Ok(()),
        };
        if self.client.as_mut().is_some_and(|client| client.send(&reply).is_err()) {
            self.client = None;
        }
        Ok(())
    }
}

/// The message with this number, JSON of the first run's size.
fn payload(message: usize) -> Vec<u8> {
    let mut json = format!(
        "{{\"message\":{message:0DIGITS$},\"device\":\"sensor-{:04}\",\"temperature\":{}.{},\"remark\":\"",
        message % 1000,
        message % 40,
        message % 10
    );
    let end = "\"}";
    json.extend(std::iter::repeat_n('.', SIZE.saturating_sub(json.len() + end.len())));
    json += end;
    json.into_bytes()
}

fn number_in(payload: &[u8]) -> Option<usize> {
    let start = find(payload, MARK)? + MARK.len();
    str::from_utf8(payload.get(start..start + DIGITS)?).ok()?.parse().ok()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Messages whose text stands more than once in the store.
fn stored_twice(store: &Store<'_>) -> Result<usize> {
    let mut times: HashMap<usize, usize> = HashMap::new();
    for file in store::files(store.folder())? {
        let Ok(bytes) = fs::read(&file) else { continue };
        let mut rest = &bytes[..];
        while let Some(at) = find(rest, MARK) {
            if let Some(message) = number_in(&rest[at..]) {
                *times.entry(message).or_default() += 1;
            }
            rest = &rest[at + MARK.len()..];
        }
    }
    Ok(times.values().filter(|times| **times > 1).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_the_size_of_the_first_run_and_tells_its_number() {
        for message in [0, 7, 9_999, 1_234_567] {
            let payload = payload(message);
            assert_eq!(payload.len(), SIZE);
            assert_eq!(number_in(&payload), Some(message));
        }
    }
}

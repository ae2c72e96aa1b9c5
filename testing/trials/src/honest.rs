//! The honest pair: a publisher and a subscriber who want nothing but their hundred messages a second.
//!
//! The rule: their connections stand before the trouble begins, and a message counts as late from the moment it was due.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::percentile;
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, kind};

const TOPIC: &str = "honest/pair";
/// A hundred messages a second.
const PERIOD: Duration = Duration::from_millis(10);
/// Fewer latencies than these make no percentile worth its name.
const MESSAGES_MIN: usize = 500;
/// How long the last messages may take before they count as lost.
const GRACE: Duration = Duration::from_secs(10);
/// How late 99 of 100 messages may be.
const P99_MAX: Duration = Duration::from_millis(50);

const PUBLISHER: usize = 0;
const SUBSCRIBER: usize = 1;

/// A pair at work on a thread of its own.
pub(crate) struct HonestPair {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Result<Pair>>,
}

impl HonestPair {
    /// Connects, subscribes and begins to publish.
    pub(crate) fn start(address: SocketAddr) -> Result<Self> {
        let pair = Pair::connect(address)?;
        let enough = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let enough = Arc::clone(&enough);
            move || pair.run(&enough)
        });
        Ok(Self { enough, thread })
    }

    /// Ends the publishing, waits for the last message and judges what came.
    pub(crate) fn judge(self, report: &mut Report) {
        self.enough.store(true, Ordering::Relaxed);
        match self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(pair) => pair.judge(report),
            Err(error) => report.fail(format!("the honest pair broke off: {error:#}")),
        }
    }
}

struct Pair {
    crowd: Crowd,
    sent: usize,
    acknowledged: usize,
    duplicates: usize,
    seen: HashSet<usize>,
    latencies: Vec<Duration>,
    closed: Option<&'static str>,
}

impl Pair {
    fn connect(address: SocketAddr) -> Result<Self> {
        let mut crowd = Crowd::new(address)?;
        for client_id in ["honest-publisher", "honest-subscriber"] {
            let number = crowd.open()?;
            crowd.send(number, &Connect { keep_alive: 0, ..Connect::new(client_id) }.bytes());
        }
        crowd.send(SUBSCRIBER, &wire::subscribe(Version::V311, 1, TOPIC, 1));
        let mut pair = Self {
            crowd,
            sent: 0,
            acknowledged: 0,
            duplicates: 0,
            seen: HashSet::new(),
            latencies: Vec::new(),
            closed: None,
        };
        pair.wait_for_both()?;
        Ok(pair)
    }

    fn wait_for_both(&mut self) -> Result<()> {
        let deadline = Instant::now() + GRACE;
        let (mut welcomes, mut subscribed) = (0, false);
        while welcomes < 2 || !subscribed {
            for (_, event) in self.crowd.turn(deadline)? {
                match event {
                    Event::Packet(packet) if packet.is_welcome() => welcomes += 1,
                    Event::Packet(packet) => subscribed |= packet.kind == kind::SUBACK,
                    Event::Opened => {}
                    Event::Closed(end) => bail!("the broker closed an honest connection: {end:?}"),
                }
            }
            if Instant::now() >= deadline {
                bail!("the honest pair was not served within {GRACE:?}");
            }
        }
        Ok(())
    }

    fn run(mut self, enough: &AtomicBool) -> Result<Self> {
        let started = Instant::now();
        while self.closed.is_none() && (self.sent < MESSAGES_MIN || !enough.load(Ordering::Relaxed)) {
            let due = due(started, self.sent)?;
            if Instant::now() >= due {
                self.publish(self.sent);
                self.sent += 1;
            } else {
                self.turn(started, due)?;
            }
        }
        let deadline = Instant::now() + GRACE;
        while self.closed.is_none() && !self.is_complete() && Instant::now() < deadline {
            self.turn(started, deadline)?;
        }
        Ok(self)
    }

    fn publish(&mut self, number: usize) {
        let id = u16::try_from(number % 65_535 + 1).expect("a remainder of 65,535 plus one");
        self.crowd.send(PUBLISHER, &wire::publish(TOPIC, Some(id), &number.to_be_bytes()));
    }

    fn turn(&mut self, started: Instant, deadline: Instant) -> Result<()> {
        for (number, event) in self.crowd.turn(deadline)? {
            match event {
                Event::Packet(packet) if packet.kind == kind::PUBACK => self.acknowledged += 1,
                Event::Packet(packet) => {
                    let Some(publish) = packet.publish(Version::V311) else { continue };
                    let id = publish.id.context("an honest message lost its QoS")?;
                    let message = usize::from_be_bytes(
                        publish.payload.try_into().context("an honest message changed")?,
                    );
                    self.crowd.send(SUBSCRIBER, &wire::puback(id));
                    if self.seen.insert(message) {
                        self.latencies.push(due(started, message)?.elapsed());
                    } else {
                        self.duplicates += 1;
                    }
                }
                Event::Opened => {}
                Event::Closed(_) => {
                    self.closed = Some(if number == PUBLISHER { "publisher" } else { "subscriber" })
                }
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.acknowledged == self.sent && self.seen.len() == self.sent
    }

    fn judge(mut self, report: &mut Report) {
        let (p50, p99) = (percentile(&mut self.latencies, 50), percentile(&mut self.latencies, 99));
        let worst = self.latencies.last().copied().unwrap_or_default();
        report.count("honest messages", self.sent);
        report.duration("p50", p50);
        report.duration("p99", p99);
        report.duration("worst", worst);
        if let Some(who) = self.closed {
            report.fail(format!("the broker closed the honest {who}'s connection"));
        }
        let lost = self.sent - self.seen.len();
        report.require(lost == 0, || format!("{lost} of {} honest messages lost", self.sent));
        report.require(self.acknowledged == self.sent, || {
            format!("{} of {} honest messages acknowledged", self.acknowledged, self.sent)
        });
        report.require(self.duplicates == 0, || format!("{} honest messages came twice", self.duplicates));
        report.require(p99 < P99_MAX, || format!("the honest pair's p99 is {p99:?}, not below {P99_MAX:?}"));
    }
}

/// When message `number` is to be sent.
fn due(started: Instant, number: usize) -> Result<Instant> {
    Ok(started
        + PERIOD * u32::try_from(number).context("more messages than a year has hundredths of a second")?)
}

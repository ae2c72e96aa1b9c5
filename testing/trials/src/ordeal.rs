//! The frame of every hostile trial: an honest pair runs along, and the broker must come out as it went in.
//!
//! The rule: the attack decides nothing about the limits; they are the same for every attack.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use martlet_witness::report::Report;
use martlet_witness::wire::Connect;
use martlet_witness::{Broker, Client, Program, free_port};
use rustix::process::{Resource, getrlimit};

use crate::honest::HonestPair;

/// What the broker may take beyond its idle memory, whatever is done to it.
const EXTRA_MEMORY_MAX: u64 = 64 << 20;
/// How long it may keep the sockets of peers that are gone.
const RECLAIM_MAX: Duration = Duration::from_secs(30);
/// How often `/proc`, which tells nobody when it changes, is asked.
const GLANCE: Duration = Duration::from_millis(20);

/// A broker under attack.
pub(crate) struct Victim<'a> {
    pub(crate) broker: &'a Broker,
    /// Sockets it holds for its own needs and for the honest pair.
    pub(crate) sockets_before: usize,
}

/// Starts a broker and an honest pair, runs `attack`, and requires of the broker what every attack must leave whole.
pub(crate) fn endure(
    program: &Program,
    report: &mut Report,
    attack: impl FnOnce(&Victim<'_>, &mut Report) -> Result<()>,
) -> Result<()> {
    endure_with(program, getrlimit(Resource::Nofile).maximum.unwrap_or(20_000), report, attack)
}

/// The same for a broker that may open only so many descriptors.
pub(crate) fn endure_with(
    program: &Program,
    descriptors: u64,
    report: &mut Report,
    attack: impl FnOnce(&Victim<'_>, &mut Report) -> Result<()>,
) -> Result<()> {
    let broker = Broker::start_with(program, free_port()?, descriptors)?;
    let honest = HonestPair::start(broker.address())?;
    let process = broker.process();
    let sockets_before = process.sockets()?;
    process.forget_peak()?;
    // Asked as the peak is asked later: the kernel's two ways of counting differ by some hundred kilobytes.
    let idle = process.peak()?;

    // A broker that dies makes every later question fail as well; how it ended is what the reader needs to know.
    let aftermath = attack(&Victim { broker: &broker, sockets_before }, report)
        .and_then(|()| judge_sockets(&broker, sockets_before, report))
        .and_then(|()| judge_memory(&broker, idle, report))
        .and_then(|()| serve_newcomer(&broker));
    honest.judge(report);
    broker.stop()?.judge(report);
    aftermath
}

fn judge_memory(broker: &Broker, idle: u64, report: &mut Report) -> Result<()> {
    let extra = broker.process().peak()?.saturating_sub(idle);
    report.number("idle RSS", mebibytes(idle), "MiB");
    report.number("extra RSS at most", mebibytes(extra), "MiB");
    report.require(extra <= EXTRA_MEMORY_MAX, || {
        format!(
            "took {:.1} MiB beyond its idle memory, more than {}",
            mebibytes(extra),
            EXTRA_MEMORY_MAX >> 20
        )
    });
    Ok(())
}

/// The peers of the attack are gone; so must be their sockets.
fn judge_sockets(broker: &Broker, before: usize, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    let mut held = broker.process().sockets()?;
    while held > before && started.elapsed() < RECLAIM_MAX {
        thread::sleep(GLANCE);
        held = broker.process().sockets()?;
    }
    report.duration("reclaimed after", started.elapsed());
    report.require(held <= before, || {
        format!("{} sockets of peers that are gone still held after {RECLAIM_MAX:?}", held - before)
    });
    Ok(())
}

fn serve_newcomer(broker: &Broker) -> Result<()> {
    let newcomer = Client::connect(broker.address(), &Connect::new("newcomer"));
    newcomer.and_then(|mut client| client.ping()).map(drop).context("serving a newcomer when all was over")
}

/// Bytes as a number of MiB for people.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

//! Half-open connections: TCP and nothing more, or half a CONNECT, up to the broker's descriptor limit and 1,000 beyond.
//!
//! The rule: every connection is either held by the broker or closed by it; none hangs in between, and waiting costs no processor time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::Connect;

use crate::Setup;
use crate::ordeal::{self, Victim};

/// Connections tried beyond the limit.
const BEYOND: usize = 1_000;
/// How long a refusal may take before the peer counts as left hanging.
const REFUSED_MAX: Duration = Duration::from_secs(10);
/// Over this the broker's processor time is measured.
const WATCH: Duration = Duration::from_secs(3);
/// Of one core, in the state in which nothing happens but the honest pair.
const CPU_MAX: f64 = 20.0;
/// By then a broker has closed who never finishes a CONNECT.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// So many knock at once, then the broker has a moment: this trial is about a full table, not about a full backlog.
const AT_ONCE: usize = 64;
const MOMENT: Duration = Duration::from_millis(10);
/// How often the broker's sockets are counted, which nothing announces.
const GLANCE: Duration = Duration::from_millis(20);

/// What the peers do in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// They stay, silent, until the broker has had enough of them.
    Stay,
    /// They close.
    Go,
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    for (limit, farewell) in [(1_024, Farewell::Stay), (4_096, Farewell::Go)] {
        report.part(&format!("limit {limit}"));
        ordeal::endure_with(&setup.program, limit, report, |victim, report| {
            besiege(victim, limit, farewell, report)
        })?;
    }
    Ok(())
}

fn besiege(victim: &Victim<'_>, limit: u64, farewell: Farewell, report: &mut Report) -> Result<()> {
    let mut crowd = Crowd::new(victim.broker.address())?;
    let connections = usize::try_from(limit)? + BEYOND;
    let connect = Connect::new("half-open").bytes();
    for _ in 0..connections {
        let number = crowd.open()?;
        if number % 2 == 0 {
            crowd.send(number, &connect[..connect.len() / 2]);
        }
        if number % AT_ONCE == 0 {
            let next = Instant::now() + MOMENT;
            while Instant::now() < next {
                crowd.turn(next)?;
            }
        }
    }
    let opened = Instant::now();
    let hanging = await_refusals(&mut crowd, victim, opened + REFUSED_MAX)?;
    report.count("connections", connections);
    report.count("refused", connections - crowd.open_count());
    report.duration("refused after", opened.elapsed());
    report.require(hanging == 0, || {
        format!("{hanging} connections neither held nor closed after {REFUSED_MAX:?}")
    });

    judge_cpu(victim, report)?;
    if farewell == Farewell::Stay {
        judge_patience(&mut crowd, report)?;
    }
    Ok(())
}

/// Reads until every connection that is open here is one the broker holds; says how many are not.
fn await_refusals(crowd: &mut Crowd, victim: &Victim<'_>, deadline: Instant) -> Result<usize> {
    loop {
        let held = victim.broker.process().sockets()?.saturating_sub(victim.sockets_before);
        let hanging = crowd.open_count().saturating_sub(held);
        let now = Instant::now();
        if hanging == 0 || now >= deadline {
            return Ok(hanging);
        }
        crowd.turn(deadline.min(now + GLANCE))?;
    }
}

fn judge_cpu(victim: &Victim<'_>, report: &mut Report) -> Result<()> {
    let (process, started) = (victim.broker.process(), Instant::now());
    let before = process.cpu()?;
    thread::sleep(WATCH);
    let used = process.cpu()?.saturating_sub(before);
    let percent = 100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64();
    report.number("CPU while full", percent, "%");
    report.require(percent < CPU_MAX, || {
        format!("{percent:.0} % of a core used while nothing happens, not below {CPU_MAX} %")
    });
    Ok(())
}

/// The broker must get rid of them by itself.
fn judge_patience(crowd: &mut Crowd, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    let deadline = started + CONNECT_TIME_MAX;
    while crowd.open_count() > 0 && Instant::now() < deadline {
        for (_, event) in crowd.turn(deadline)? {
            debug_assert!(!matches!(event, Event::Packet(_)), "an answer to no question");
        }
    }
    let left = crowd.open_count();
    report.duration("gave up on the silent after", started.elapsed());
    report.require(left == 0, || {
        format!("{left} connections without a CONNECT still open after {CONNECT_TIME_MAX:?} more")
    });
    Ok(())
}

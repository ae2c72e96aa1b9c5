//! What a connection costs that does nothing.
//!
//! The rule: memory is what the kernel counts for the whole process, before and with ten thousand connections.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::Connect;
use martlet_witness::{Broker, Process};

use crate::Setup;

const CONNECTIONS: usize = 10_000;
/// Martlet's promise for one connection.
const BYTES_MAX: f64 = 640.0;
/// Connections on their way at once, so that no backlog overflows.
const AT_ONCE: usize = 256;
const CONNECTED_MAX: Duration = Duration::from_secs(60);
/// Memory has settled when it is the same so much later; an allocator may give some back.
const SETTLING: Duration = Duration::from_millis(500);
const SETTLED_MAX: Duration = Duration::from_secs(10);

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let broker = Broker::start(&setup.program)?;
    let before = settled(broker.process())?;
    let crowd = connect_all(&broker)?;
    let with_all = settled(broker.process())?;
    let each = with_all.saturating_sub(before) as f64 / CONNECTIONS as f64;
    report.number("RSS before", before as f64 / 1024.0, "KiB");
    report.number("RSS with all", with_all as f64 / 1024.0, "KiB");
    report.number("each", each, "B");
    if setup.program.is_martlet() {
        report.require(each <= BYTES_MAX, || {
            format!("an idle connection takes {each:.0} B, more than {BYTES_MAX}")
        });
    }
    drop(crowd);
    broker.stop()?.judge(report);
    Ok(())
}

fn connect_all(broker: &Broker) -> Result<Crowd> {
    let mut crowd = Crowd::new(broker.address())?;
    let deadline = Instant::now() + CONNECTED_MAX;
    let (mut begun, mut welcome) = (0, 0);
    while welcome < CONNECTIONS {
        ensure!(Instant::now() < deadline, "{welcome} of {CONNECTIONS} connected within {CONNECTED_MAX:?}");
        while begun < CONNECTIONS && begun - welcome < AT_ONCE {
            let number = crowd.open()?;
            crowd.send(number, &Connect::new(&format!("idle-{number}")).bytes());
            begun += 1;
        }
        for (_, event) in crowd.turn(deadline)? {
            match event {
                Event::Packet(packet) if packet.is_welcome() => welcome += 1,
                Event::Opened => {}
                other => bail!("instead of a welcome: {other:?}"),
            }
        }
    }
    Ok(crowd)
}

fn settled(process: Process) -> Result<u64> {
    let deadline = Instant::now() + SETTLED_MAX;
    let mut last = process.resident()?;
    loop {
        thread::sleep(SETTLING);
        let now = process.resident()?;
        if now == last || Instant::now() >= deadline {
            return Ok(now);
        }
        last = now;
    }
}

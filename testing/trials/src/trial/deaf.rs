//! A subscriber that never reads while 1 GiB is published to it.
//!
//! The rule: it harms only itself: not the broker's memory, not the publisher, not the publisher's other subscribers.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::Client;
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, kind};

use crate::Setup;
use crate::ordeal::{self, Victim};

const FLOOD: &str = "deaf/flood";
const MARKS: &str = "deaf/marks";
/// Payloads and their number, together 1 GiB. The largest come first, while a queue that counts messages is empty.
const MESSAGES: [(usize, usize); 3] = [(256 << 10, 2048), (16 << 10, 16_384), (1 << 10, 262_144)];
/// Between two messages for the subscriber who does read.
const BYTES_PER_MARK: usize = 4 << 20;
/// QoS 1 messages of the publisher on their way at once.
const WINDOW: usize = 20;
/// Longer than this the publisher was held up for the deaf one's sake: it is less than 10 MB a second.
const FLOOD_MAX: Duration = Duration::from_secs(100);

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    for qos in [0, 1] {
        report.part(&format!("QoS {qos}"));
        ordeal::endure(&setup.program, report, |victim, report| ignore(victim, qos, report))?;
    }
    Ok(())
}

fn ignore(victim: &Victim<'_>, qos: u8, report: &mut Report) -> Result<()> {
    let address = victim.broker.address();
    let mut deaf = Client::connect(address, &Connect { keep_alive: 0, ..Connect::new("deaf") })?;
    deaf.subscribe(FLOOD, qos)?;
    let mut reader = Client::connect(address, &Connect::new("reader"))?;
    reader.subscribe(MARKS, 1)?;
    let marks = MESSAGES.iter().map(|(size, count)| size * count).sum::<usize>() / BYTES_PER_MARK;

    let started = Instant::now();
    let (flooded, heard) = thread::scope(|scope| {
        let heard = scope.spawn(|| hear_marks(reader, marks));
        (flood(address, qos), heard.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let took = started.elapsed();
    report.duration("1 GiB published in", took);
    if let Err(error) = flooded {
        report.fail(format!("the publisher was not served: {error:#}"));
    }
    match heard {
        Ok(worst) => report.duration("longest silence for its other subscriber", worst),
        Err(error) => report.fail(format!("the publisher's other subscriber was not served: {error:#}")),
    }
    report.require(took <= FLOOD_MAX, || format!("the publisher was held up: 1 GiB in {took:?}"));
    drop(deaf);
    Ok(())
}

fn flood(address: SocketAddr, qos: u8) -> Result<()> {
    let mut publisher = Client::connect(address, &Connect { keep_alive: 0, ..Connect::new("flooder") })?;
    let (mut since_mark, mut in_flight) = (0, 0);
    for (size, count) in MESSAGES {
        let payload = vec![b'd'; size];
        for _ in 0..count {
            let id = (qos > 0).then(|| publisher.next_id());
            publisher.send(&wire::publish(FLOOD, id, &payload))?;
            in_flight += usize::from(qos > 0);
            since_mark += size;
            if since_mark == BYTES_PER_MARK {
                since_mark = 0;
                let id = publisher.next_id();
                publisher.send(&wire::publish(MARKS, Some(id), b"mark"))?;
                in_flight += 1;
            }
            while in_flight >= WINDOW {
                publisher.wait_for(kind::PUBACK)?;
                in_flight -= 1;
            }
        }
    }
    for _ in 0..in_flight {
        publisher.wait_for(kind::PUBACK)?;
    }
    // Packets are handled in order, so its answer says that QoS 0 has been taken, too.
    publisher.ping().map(drop)
}

/// Waits for all marks; says for how long none came at worst.
fn hear_marks(mut reader: Client, marks: usize) -> Result<Duration> {
    let mut worst = Duration::ZERO;
    for heard in 0..marks {
        let since = Instant::now();
        let packet =
            reader.wait_for(kind::PUBLISH).with_context(|| format!("after {heard} of {marks} messages"))?;
        worst = worst.max(since.elapsed());
        let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
        ensure!(publish.topic == MARKS.as_bytes(), "a message nobody subscribed to");
        reader.send(&wire::puback(publish.id.context("a message lost its QoS")?))?;
    }
    Ok(worst)
}

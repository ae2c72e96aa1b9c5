//! First packets that claim 100 MB and really send them.
//!
//! The rule: a broker pays for bytes it has received and can use, never for a length somebody claims.

use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, kind, text, variable};

use crate::Setup;
use crate::ordeal::{self, Victim};

/// The Remaining Length every peer claims.
const CLAIM: usize = 100_000_000;
/// Peers of one round, all at once.
const PEERS: u8 = 14;
/// When no peer got rid of a byte for so long, the broker takes no more.
const STALLED: Duration = Duration::from_secs(5);
/// A round of 1.4 GB that takes longer than this is one that trickles.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// A packet that is sent piece by piece.
struct Flood {
    head: Vec<u8>,
    /// Repeated until the claim is fulfilled.
    filler: Vec<u8>,
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    ordeal::endure(&setup.program, report, |victim, report| {
        report.part("other types");
        flood(victim, report, (0..PEERS).map(|number| any_type(number + 2)).collect())?;
        report.part("CONNECT");
        flood(
            victim,
            report,
            (0..PEERS).map(|number| if number % 2 == 0 { connect_v5() } else { connect_v311() }).collect(),
        )?;
        report.part("");
        Ok(())
    })
}

/// The packet types that are no CONNECT are 2 to 15.
fn any_type(kind: u8) -> Flood {
    let flags = if [6, 8, 10].contains(&kind) { 0b0010 } else { 0 };
    Flood { head: [vec![kind << 4 | flags], variable(CLAIM)].concat(), filler: vec![1; 64 * 1024] }
}

/// Without a fault as far as it goes: version 5.0 allows any number of User Properties.
fn connect_v5() -> Flood {
    let property = [vec![0x26], text(b"a-user-property"), text(&[b'v'; 200])].concat();
    let fixed = [wire::text(b"MQTT"), vec![5, 0b0010, 0, 60]].concat();
    let properties = CLAIM - fixed.len() - variable(CLAIM).len();
    let head = [vec![kind::CONNECT << 4], variable(CLAIM), fixed, variable(properties)].concat();
    Flood { head, filler: property.repeat(300) }
}

/// No 3.1.1 CONNECT can be this long, but that is seen only when its Client Identifier is complete.
fn connect_v311() -> Flood {
    let fixed = [wire::text(b"MQTT"), vec![4, 0b0010, 0, 60], 65_535_u16.to_be_bytes().to_vec()].concat();
    Flood { head: [vec![kind::CONNECT << 4], variable(CLAIM), fixed].concat(), filler: vec![b'c'; 64 * 1024] }
}

fn flood(victim: &Victim<'_>, report: &mut Report, floods: Vec<Flood>) -> Result<()> {
    let mut crowd = Crowd::new(victim.broker.address())?;
    let peers = floods.len();
    let mut given = Vec::new();
    for flood in &floods {
        let number = crowd.open()?;
        crowd.send(number, &flood.head);
        given.push(flood.head.len());
    }
    let (mut closed, mut answered) = (0, 0);
    let started = Instant::now();
    let mut progressed = started;
    while crowd.open_count() > 0 && progressed.elapsed() < STALLED && started.elapsed() < ROUND_MAX {
        let mut is_flowing = false;
        for (number, flood) in floods.iter().enumerate() {
            if crowd.is_open(number) && crowd.has_sent(number) && given[number] < CLAIM {
                crowd.send(number, &flood.filler);
                given[number] += flood.filler.len();
                is_flowing = true;
            }
        }
        let now = Instant::now();
        if is_flowing {
            progressed = now;
        }
        for (_, event) in crowd.turn(if is_flowing { now } else { progressed + STALLED })? {
            match event {
                Event::Closed(_) => closed += 1,
                Event::Packet(_) => answered += 1,
                Event::Opened => {}
            }
        }
    }
    report.count("peers", peers);
    report.count("closed by the broker", closed);
    report.count("answered", answered);
    report.number("bytes sent", given.iter().sum::<usize>() as f64 / 1e6, "MB");
    Ok(())
}

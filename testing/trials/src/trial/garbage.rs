//! Ten thousand connections that send what no client should.
//!
//! The rule: connection `n` of a seed always sends the same bytes and ends the same way, so that a finding repeats.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::Random;
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, PINGREQ, Version, variable};

use crate::Setup;
use crate::ordeal::{self, Victim};

const CONNECTIONS: usize = 10_000;
const AT_ONCE: usize = 256;
/// How long the broker may keep a connection whose other half is closed.
const CLOSED_MAX: Duration = Duration::from_secs(10);

/// How a peer ends once all its bytes are sent.
#[derive(Clone, Copy)]
enum Ending {
    Close,
    Reset,
    /// Ends its half and waits for the broker to end the other.
    HalfClose,
}

/// A peer that is not done yet.
struct Peer {
    ending: Ending,
    bytes: Vec<u8>,
    is_open: bool,
    half_closed: Option<Instant>,
}

#[derive(Default)]
struct Sums {
    bytes: usize,
    answers: usize,
    closed_by_broker: usize,
    hanging: usize,
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    ordeal::endure(&setup.program, report, |victim, report| pour(victim, setup.seed, report))
}

fn pour(victim: &Victim<'_>, seed: u64, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    let mut crowd = Crowd::new(victim.broker.address())?;
    let mut peers = HashMap::new();
    let (mut begun, mut sums) = (0, Sums::default());
    while begun < CONNECTIONS || !peers.is_empty() {
        while begun < CONNECTIONS && peers.len() < AT_ONCE {
            let (ending, bytes) = plan(seed, begun);
            sums.bytes += bytes.len();
            // Numbers of this crowd count from 0 as ours do.
            peers.insert(crowd.open()?, Peer { ending, bytes, is_open: false, half_closed: None });
            begun += 1;
        }
        for (number, event) in crowd.turn(Instant::now() + Duration::from_millis(100))? {
            match event {
                Event::Opened => {
                    if let Some(peer) = peers.get_mut(&number) {
                        peer.is_open = true;
                        crowd.send(number, &peer.bytes);
                    }
                }
                Event::Packet(_) => sums.answers += 1,
                Event::Closed(_) => {
                    sums.closed_by_broker += 1;
                    peers.remove(&number);
                }
            }
        }
        peers.retain(|number, peer| !is_done(&mut crowd, *number, peer, &mut sums));
    }
    // A number above 2^53 would lose digits as a figure; the seed is what repeats the trial.
    report.part(&format!("seed {seed:#x}"));
    report.count("connections", CONNECTIONS);
    report.part("");
    report.duration("within", started.elapsed());
    report.number("bytes", sums.bytes as f64 / 1e6, "MB");
    report.count("answers", sums.answers);
    report.count("closed by the broker", sums.closed_by_broker);
    report.require(sums.hanging == 0, || {
        format!("{} connections kept open {CLOSED_MAX:?} after the peer's FIN (seed {seed:#x})", sums.hanging)
    });
    Ok(())
}

/// Ends a peer that has sent everything; says whether nothing more is expected of it.
fn is_done(crowd: &mut Crowd, number: usize, peer: &mut Peer, sums: &mut Sums) -> bool {
    if !peer.is_open || !crowd.has_sent(number) {
        return false;
    }
    match peer.ending {
        Ending::Close => crowd.close(number),
        Ending::Reset => crowd.reset(number),
        Ending::HalfClose => match peer.half_closed {
            None => {
                crowd.half_close(number);
                peer.half_closed = Some(Instant::now());
                return false;
            }
            Some(since) if since.elapsed() < CLOSED_MAX => return false,
            Some(_) => {
                sums.hanging += 1;
                crowd.close(number);
            }
        },
    }
    true
}

/// What connection `number` does.
fn plan(seed: u64, number: usize) -> (Ending, Vec<u8>) {
    let mut random = Random::new(seed, number as u64);
    let ending = match random.below(3) {
        0 => Ending::Close,
        1 => Ending::Reset,
        _ => Ending::HalfClose,
    };
    let client_id = format!("garbage-{number}");
    let version = if random.below(2) == 0 { Version::V311 } else { Version::V5 };
    let connect = Connect { version, ..Connect::new(&client_id) }.bytes();
    let bytes = match number % 6 {
        0 => noise(&mut random, 4096),
        1 => any_type_first(&mut random, number / 6 % 16),
        2 => truncated(&mut random, version, &connect),
        3 => [connect, noise(&mut random, 4096)].concat(),
        4 => {
            let rest = truncated(&mut random, version, &connect);
            [connect, rest].concat()
        }
        _ => mutated(&mut random, connect),
    };
    (ending, bytes)
}

fn noise(random: &mut Random, most: usize) -> Vec<u8> {
    let count = 1 + random.below(most);
    random.bytes(count)
}

/// A packet of type `kind` with random flags and a random body of the length it claims.
fn any_type_first(random: &mut Random, kind: usize) -> Vec<u8> {
    let kind = u8::try_from(kind).expect("packet types are below 16");
    let body = noise(random, 512);
    [vec![kind << 4 | random.byte() & 0x0f], variable(body.len()), body].concat()
}

/// A faultless packet that ends too early.
fn truncated(random: &mut Random, version: Version, connect: &[u8]) -> Vec<u8> {
    let mut packet = match random.below(5) {
        0 => connect.to_vec(),
        1 => wire::subscribe(version, 1, "garbage/+/#", 1),
        2 => wire::publish("garbage/topic", Some(1), &[b'g'; 300]),
        3 => wire::puback(1).to_vec(),
        _ => PINGREQ.to_vec(),
    };
    packet.truncate(1 + random.below(packet.len() - 1));
    packet
}

/// A CONNECT with one to three bytes changed, then a PINGREQ for when it was still a good one.
fn mutated(random: &mut Random, mut connect: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = random.below(connect.len());
        connect[at] ^= 1 << random.below(8);
    }
    connect.extend(PINGREQ);
    connect
}

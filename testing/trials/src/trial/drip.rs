//! Two hundred slow peers whose every byte is a segment of its own.
//!
//! The rule: slow is not hostile. Each is served like anyone else, packet by packet.

use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, kind};

use crate::Setup;
use crate::ordeal::{self, Victim};

const PEERS: usize = 200;
/// Between two bytes of one peer: long enough for the broker to read the first alone.
const PERIOD: Duration = Duration::from_millis(10);
/// After the last byte.
const SERVED_MAX: Duration = Duration::from_secs(10);
/// Makes the Remaining Length two bytes long, so that it is cut as well.
const PAYLOAD: [u8; 150] = [b'p'; 150];
const ID: u16 = 258;

/// What a peer has been answered so far.
#[derive(Default)]
struct Served {
    welcome: bool,
    subscribed: bool,
    acknowledged: bool,
    /// Its own message, come back unchanged.
    echoed: bool,
    pinged: bool,
    closed: bool,
}

impl Served {
    fn is_complete(&self) -> bool {
        self.welcome && self.subscribed && self.acknowledged && self.echoed && self.pinged && !self.closed
    }
}

/// A peer and what it still has to say.
struct Peer {
    number: usize,
    script: Vec<u8>,
    sent: usize,
    served: Served,
}

impl Peer {
    fn has_more(&self) -> bool {
        !self.served.closed && self.sent < self.script.len()
    }

    fn is_over(&self) -> bool {
        self.served.is_complete() || self.served.closed
    }

    fn drip(&mut self, crowd: &mut Crowd) {
        if self.has_more() {
            crowd.send(self.number, &self.script[self.sent..=self.sent]);
            self.sent += 1;
        }
    }
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    ordeal::endure(&setup.program, report, drip)
}

fn drip(victim: &Victim<'_>, report: &mut Report) -> Result<()> {
    let mut crowd = Crowd::new(victim.broker.address())?;
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let number = crowd.open()?;
        peers.push(Peer { number, script: script(number), sent: 0, served: Served::default() });
    }
    let mut due = Instant::now();
    while peers.iter().any(Peer::has_more) {
        for peer in &mut peers {
            peer.drip(&mut crowd);
        }
        due += PERIOD;
        while Instant::now() < due {
            hear(&mut crowd, &mut peers, due)?;
        }
    }
    let last_byte = Instant::now();
    while !peers.iter().all(Peer::is_over) && last_byte.elapsed() < SERVED_MAX {
        hear(&mut crowd, &mut peers, last_byte + SERVED_MAX)?;
    }
    judge(&peers, last_byte.elapsed(), report);
    Ok(())
}

fn judge(peers: &[Peer], after_last_byte: Duration, report: &mut Report) {
    let count = |answered: fn(&Served) -> bool| peers.iter().filter(|peer| answered(&peer.served)).count();
    let complete = count(Served::is_complete);
    report.count("bytes one by one", peers.iter().map(|peer| peer.sent).sum());
    report.count("served", complete);
    report.duration("after the last byte", after_last_byte);
    report.require(complete == PEERS, || {
        format!(
            "of {PEERS} peers {} were welcomed, {} subscribed, {} acknowledged, {} got their message, {} were pinged, {} closed",
            count(|served| served.welcome),
            count(|served| served.subscribed),
            count(|served| served.acknowledged),
            count(|served| served.echoed),
            count(|served| served.pinged),
            count(|served| served.closed)
        )
    });
}

fn topic(number: usize) -> String {
    format!("drip/{number}")
}

fn script(number: usize) -> Vec<u8> {
    let mut script = Connect::new(&format!("drip-{number}")).bytes();
    script.extend(wire::subscribe(Version::V311, 1, &topic(number), 1));
    script.extend(wire::publish(&topic(number), Some(ID), &PAYLOAD));
    script.extend(wire::PINGREQ);
    script
}

fn hear(crowd: &mut Crowd, peers: &mut [Peer], deadline: Instant) -> Result<()> {
    for (number, event) in crowd.turn(deadline)? {
        let Peer { served, script, .. } = &mut peers[number];
        let packet = match event {
            Event::Packet(packet) => packet,
            Event::Opened => continue,
            Event::Closed(_) => {
                served.closed = true;
                continue;
            }
        };
        match packet.kind {
            kind::CONNACK => served.welcome = packet.is_welcome(),
            kind::SUBACK => served.subscribed = packet.id() == Some(1),
            kind::PUBACK => served.acknowledged = packet.id() == Some(ID),
            kind::PINGRESP => served.pinged = true,
            _ => {
                if let Some(publish) = packet.publish(Version::V311) {
                    served.echoed = publish.topic == topic(number).as_bytes() && publish.payload == PAYLOAD;
                    // It waits its turn: a packet of which half is sent must not be cut in two.
                    script.extend(wire::puback(publish.id.unwrap_or_default()));
                }
            }
        }
    }
    Ok(())
}

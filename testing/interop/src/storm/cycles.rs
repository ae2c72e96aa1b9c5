//! The load: many short MQTT 3.1.1 connections at once, as little work for each as can be, on as many threads as there
//! are processors, so that the broker is what limits it.

use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

/// No answer for this long means that the broker hangs.
const PATIENCE: Duration = Duration::from_secs(15);
/// Clean Session 1, Keep Alive 60, an empty Client Identifier. [3.1.1 MQTT-3.1.3-7]
const CONNECT: [u8; 14] = [0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 0];
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const PUBREC: [u8; 4] = [0x50, 2, 0, 1];
const PUBREL: [u8; 4] = [0x62, 2, 0, 1];
const PUBCOMP: [u8; 4] = [0x70, 2, 0, 1];
const DISCONNECT: [u8; 2] = [0xE0, 0];

pub(super) struct Load<'a> {
    pub(super) broker: SocketAddr,
    pub(super) topic: &'a str,
    pub(super) cycles: u32,
    pub(super) at_once: usize,
}

/// Runs all cycles and answers how long they took.
pub(super) fn run(load: &Load<'_>) -> anyhow::Result<Duration> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(load.at_once);
    let start = Instant::now();
    thread::scope(|scope| {
        let strands: Vec<_> =
            (0..threads).map(|strand| scope.spawn(move || share(load, strand, threads))).collect();
        // All are joined before the first error is told.
        let ends: Vec<_> =
            strands.into_iter().map(|strand| strand.join().expect("a strand does not panic")).collect();
        ends.into_iter().collect::<anyhow::Result<()>>()
    })?;
    Ok(start.elapsed())
}

/// Runs every `threads`-th cycle on every `threads`-th slot.
fn share(load: &Load<'_>, strand: usize, threads: usize) -> anyhow::Result<()> {
    let mut poll = Poll::new().context("no poll")?;
    let mut events = Events::with_capacity(load.at_once);
    let mut numbers = (0..load.cycles).skip(strand).step_by(threads);
    let mut slots: Vec<Option<Cycle>> = (0..load.at_once).map(|_| None).collect();
    let mut running = 0;
    for slot in (strand..load.at_once).step_by(threads) {
        slots[slot] = numbers.next().map(|number| Cycle::start(load, number, slot, &poll)).transpose()?;
        running += usize::from(slots[slot].is_some());
    }
    while running > 0 {
        poll.poll(&mut events, Some(PATIENCE)).context("poll failed")?;
        ensure!(!events.is_empty(), "no answer for {PATIENCE:?}; {running} connections wait");
        for event in &events {
            let Token(slot) = event.token();
            let Some(cycle) = &mut slots[slot] else { continue };
            if !cycle.advance(load)? {
                continue;
            }
            // The connection is closed when its cycle is replaced.
            slots[slot] = numbers.next().map(|number| Cycle::start(load, number, slot, &poll)).transpose()?;
            running -= usize::from(slots[slot].is_none());
        }
    }
    Ok(())
}

/// One connection from CONNECT to DISCONNECT.
struct Cycle {
    stream: TcpStream,
    number: u32,
    awaits: Answer,
    read: Vec<u8>,
}

/// What the broker has to say next.
#[derive(Clone, Copy, Debug)]
enum Answer {
    ConnAck,
    PubRec,
    PubComp,
}

impl Answer {
    fn bytes(self) -> [u8; 4] {
        match self {
            Answer::ConnAck => CONNACK,
            Answer::PubRec => PUBREC,
            Answer::PubComp => PUBCOMP,
        }
    }
}

impl Cycle {
    fn start(load: &Load<'_>, number: u32, slot: usize, poll: &Poll) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // An address for each slot: the ports of one alone would all wait for their old connections to fade.
        let address = SocketAddr::from((source_address(slot), 0));
        socket.bind(&address.into()).with_context(|| format!("cannot bind {address}"))?;
        socket.set_tcp_nodelay(true)?;
        socket.connect(&load.broker.into()).context("cannot connect")?;
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket.into());
        stream.write_all(&CONNECT).context("cannot send CONNECT")?;
        poll.registry().register(&mut stream, Token(slot), Interest::READABLE)?;
        Ok(Cycle { stream, number, awaits: Answer::ConnAck, read: Vec::with_capacity(4) })
    }

    /// Takes the next step if its answer is here; answers whether the cycle is over. The broker has nothing to say
    /// until that step, so there is no second answer to look for.
    fn advance(&mut self, load: &Load<'_>) -> anyhow::Result<bool> {
        if !self.answered()? {
            return Ok(false);
        }
        self.awaits = match self.awaits {
            Answer::ConnAck => {
                self.stream.write_all(&publish(load.topic, self.number))?;
                Answer::PubRec
            }
            Answer::PubRec => {
                self.stream.write_all(&PUBREL)?;
                Answer::PubComp
            }
            Answer::PubComp => {
                self.stream.write_all(&DISCONNECT)?;
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// Whether the awaited answer is here in full.
    fn answered(&mut self) -> anyhow::Result<bool> {
        let wanted = self.awaits.bytes();
        let mut buffer = [0; 4];
        let missing = wanted.len() - self.read.len();
        match self.stream.read(&mut buffer[..missing]) {
            Ok(0) => bail!("the broker closed the connection instead of {:?}", self.awaits),
            Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("cannot read"),
        }
        if self.read.len() < wanted.len() {
            return Ok(false);
        }
        ensure!(self.read == wanted, "instead of {:?} the broker sent {:02x?}", self.awaits, self.read);
        self.read.clear();
        Ok(true)
    }
}

/// 127.0.1.1 and up.
fn source_address(slot: usize) -> Ipv4Addr {
    let host = u8::try_from(slot % 250 + 1).expect("at most 250");
    Ipv4Addr::new(127, 0, 1, host)
}

/// QoS 2, Packet Identifier 1; the payload is the number.
fn publish(topic: &str, number: u32) -> Vec<u8> {
    let length = 2 + topic.len() + 2 + 4;
    let mut packet = vec![0x34, u8::try_from(length).expect("a short topic")];
    packet.extend_from_slice(&u16::try_from(topic.len()).expect("a short topic").to_be_bytes());
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet.extend_from_slice(&number.to_be_bytes());
    packet
}

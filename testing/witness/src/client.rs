//! One client that waits for its answers.
//!
//! The rule: every wait has an end, and a broken connection is an error.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::wire::{self, Connect, Inbox, Packet, Version, kind};

/// How long a broker may take for an answer, or for taking a packet.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A connected client.
pub struct Client {
    stream: TcpStream,
    inbox: Inbox,
    version: Version,
    last_id: u16,
    session_present: bool,
}

impl Client {
    /// Connects and waits to be accepted.
    pub fn connect(address: SocketAddr, connect: &Connect<'_>) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_MAX).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        let inbox = Inbox::default();
        let mut client = Self { stream, inbox, version: connect.version, last_id: 0, session_present: false };
        client.send(&connect.bytes())?;
        let answer = client.wait_for(kind::CONNACK)?;
        ensure!(answer.is_welcome(), "the broker refused {}: {answer:?}", connect.client_id);
        client.session_present = answer.session_present();
        Ok(client)
    }

    /// Session Present of the CONNACK.
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// Subscribes and waits for the SUBACK.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        let id = self.next_id();
        self.send(&wire::subscribe(self.version, id, filter, qos))?;
        self.wait_for(kind::SUBACK).map(drop)
    }

    /// Publishes with QoS 1 and waits for the PUBACK.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        let id = self.next_id();
        self.send(&wire::publish(topic, Some(id), payload))?;
        self.wait_for(kind::PUBACK).map(drop)
    }

    /// Waits for a PINGRESP; the time is that from asking to the answer.
    pub fn ping(&mut self) -> Result<Duration> {
        let asked = Instant::now();
        self.send(&wire::PINGREQ)?;
        self.wait_for(kind::PINGRESP)?;
        Ok(asked.elapsed())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the broker takes no more bytes")
    }

    /// The next Packet Identifier.
    pub fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    /// The next packet of this type; others before it are thrown away.
    pub fn wait_for(&mut self, kind: u8) -> Result<Packet> {
        let deadline = Instant::now() + ANSWER_MAX;
        loop {
            match self.receive(deadline)? {
                Some(packet) if packet.kind == kind => return Ok(packet),
                Some(_) => {}
                None => bail!("no packet of type {kind} within {ANSWER_MAX:?}"),
            }
        }
    }

    /// The next packet, `None` when there is none until `deadline`.
    pub fn receive(&mut self, deadline: Instant) -> Result<Option<Packet>> {
        let mut buffer = [0; 64 * 1024];
        loop {
            if let Some(packet) = self.inbox.take()? {
                return Ok(Some(packet));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(count) => self.inbox.push(&buffer[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
                Err(error) => return Err(error).context("reading from the broker"),
            }
        }
    }

    /// Says DISCONNECT, and waits until the broker has closed: nobody sends anything to this Session any more.
    pub fn leave(mut self, deadline: Instant) -> Result<()> {
        self.send(&wire::DISCONNECT)?;
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "the broker did not close after DISCONNECT");
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
                Err(error) => return Err(error).context("reading from the broker"),
            }
        }
    }

    /// Whether the connection still looks whole from here, whatever has arrived on it.
    pub fn looks_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        loop {
            match self.stream.read(&mut [0; 64 * 1024]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}

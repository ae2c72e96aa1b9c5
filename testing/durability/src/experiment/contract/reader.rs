//! The persistent reader, slow at first.
//!
//! The rule: it keeps its side of QoS 2 over every broken connection, so that what comes twice was sent twice.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::Client;
use martlet_witness::wire::{self, Connect, Packet, Version, kind};

use super::message::{number_in, payload};
use super::{Arguments, PATIENCE, RETRY, TOPIC};
use crate::progress::Progress;

/// After this silence a reader at full speed has got all there is.
const SILENCE: Duration = Duration::from_secs(5);

/// The persistent reader.
pub(super) struct Reader {
    address: SocketAddr,
    client: Option<Client>,
    /// Identifiers whose PUBREL has not come.
    unreleased: HashSet<u16>,
    got: HashSet<usize>,
    twice: usize,
}

impl Reader {
    /// A reader that is not connected.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, client: None, unreleased: HashSet::new(), got: HashSet::new(), twice: 0 }
    }

    /// Different messages it has got.
    pub(super) fn distinct(&self) -> usize {
        self.got.len()
    }

    /// Messages it has got again.
    pub(super) fn twice(&self) -> usize {
        self.twice
    }

    /// Connects, and subscribes when there is no Session.
    pub(super) fn connect(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Client::connect(self.address, &Connect::persistent(Version::V311, "contract-reader")) {
                Ok(mut client) => {
                    if !client.session_present() {
                        self.unreleased.clear();
                        client.subscribe(TOPIC, 2)?;
                    }
                    self.client = Some(client);
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => return Err(error.context("connecting the reader")),
                Err(_) => thread::sleep(RETRY),
            }
        }
    }

    /// Takes the first messages, and after each does nothing for a while: it reads no packet meanwhile.
    pub(super) fn read_slowly(&mut self, arguments: &Arguments) -> Result<()> {
        let pace = Duration::from_secs_f64(arguments.pace_seconds);
        for taken in 0..arguments.slow_messages {
            let deadline = Instant::now() + PATIENCE;
            while self.got.len() <= taken {
                ensure!(Instant::now() < deadline, "no message {taken} for the slow reader");
                self.read_packet(deadline)?;
            }
            thread::sleep(pace);
        }
        Ok(())
    }

    /// Reads at full speed until everything has come or nothing comes any more.
    pub(super) fn read_all(&mut self, messages: usize) -> Result<()> {
        let mut progress = Progress::new();
        // One packet more than the last message: a repeat would come behind it.
        let mut until = SILENCE;
        while self.read_packet(Instant::now() + until)? {
            progress.say(|| format!("{} of {messages} messages read", self.got.len()));
            if self.got.len() >= messages {
                until = Duration::from_secs(1);
            }
        }
        Ok(())
    }

    /// Handles one packet; says whether there was one. A broken connection is made anew.
    fn read_packet(&mut self, deadline: Instant) -> Result<bool> {
        let Some(client) = &mut self.client else {
            self.connect()?;
            return Ok(true);
        };
        match client.receive(deadline) {
            Ok(Some(packet)) => self.answer(&packet)?,
            Ok(None) => return Ok(false),
            Err(_) => self.client = None,
        }
        Ok(true)
    }

    fn answer(&mut self, packet: &Packet) -> Result<()> {
        let reply = match packet.kind {
            kind::PUBLISH => {
                let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
                let id = publish.id.context("a message lost its QoS")?;
                let message = number_in(publish.payload).context("a message changed on its way")?;
                ensure!(publish.payload == payload(message), "message {message} changed on its way");
                if self.unreleased.insert(id) && !self.got.insert(message) {
                    self.twice += 1;
                }
                wire::acknowledgement(kind::PUBREC, id)
            }
            kind::PUBREL => {
                let id = packet.id().context("a PUBREL is cut short")?;
                self.unreleased.remove(&id);
                wire::acknowledgement(kind::PUBCOMP, id)
            }
            _ => return Ok(()),
        };
        if self.client.as_mut().is_some_and(|client| client.send(&reply).is_err()) {
            self.client = None;
        }
        Ok(())
    }
}

//! Publishers that make a connection for each message.
//!
//! The rule: a message goes on where it stood when its connection broke: PUBLISH again, or PUBREL, with the same Packet
//! Identifier [MQTT-4.4.0-1].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use martlet_witness::Client;
use martlet_witness::wire::{self, Connect, Outgoing, Version, kind};

use super::message::payload;
use super::{Arguments, PATIENCE, RETRY, TOPIC};

/// Which message is due when.
pub(super) struct Schedule {
    next: AtomicUsize,
    messages: usize,
    beginning: Instant,
    duration: Duration,
}

impl Schedule {
    /// The clock starts now.
    pub(super) fn new(arguments: &Arguments) -> Self {
        let seconds =
            arguments.publish_seconds.unwrap_or(arguments.pace_seconds * arguments.slow_messages as f64);
        Self {
            next: AtomicUsize::new(0),
            messages: arguments.messages,
            beginning: Instant::now(),
            duration: Duration::from_secs_f64(seconds),
        }
    }

    /// The next message, when it is due.
    fn next(&self) -> Option<usize> {
        let message = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.beginning + self.duration.mul_f64(message as f64 / self.messages as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        (message < self.messages).then_some(message)
    }
}

/// Publishes messages, each by a connection of its own, until there are none left; reports each.
pub(super) fn publish_all(
    number: usize,
    address: SocketAddr,
    schedule: &Schedule,
    done: &Sender<Result<()>>,
) {
    let client_id = format!("contract-publisher-{number}");
    while let Some(message) = schedule.next() {
        let outcome = publish_one(&client_id, address, message);
        let failed = outcome.is_err();
        if done.send(outcome).is_err() || failed {
            return;
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Published,
    Released,
}

/// Publishes one message until its PUBCOMP has come, through as many connections as that takes.
fn publish_one(client_id: &str, address: SocketAddr, message: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let payload = payload(message);
    let mut phase = Phase::New;
    while let Err(error) = try_to_publish(client_id, address, &payload, &mut phase) {
        if Instant::now() > deadline {
            return Err(error.context(format!("publishing message {message}")));
        }
        thread::sleep(RETRY);
    }
    Ok(())
}

fn try_to_publish(client_id: &str, address: SocketAddr, payload: &[u8], phase: &mut Phase) -> Result<()> {
    let mut client = Client::connect(address, &Connect::persistent(Version::V311, client_id))?;
    if !client.session_present() {
        // The broker has forgotten all; the message may be new to it.
        *phase = Phase::New;
    }
    // One message at a time, so one Packet Identifier is enough.
    let id = 1;
    if *phase != Phase::Released {
        let message = Outgoing { topic: TOPIC, payload, qos: 2, retain: false, expiry: None };
        let mut bytes = Vec::new();
        message.write(Version::V311, id, *phase == Phase::Published, &mut bytes);
        *phase = Phase::Published;
        client.send(&bytes)?;
        client.wait_for(kind::PUBREC)?;
        *phase = Phase::Released;
    }
    client.send(&wire::acknowledgement(kind::PUBREL, id))?;
    client.wait_for(kind::PUBCOMP)?;
    // The message is safe whether or not the broker hears the goodbye.
    drop(client.send(&wire::DISCONNECT));
    Ok(())
}

//! The churn: short lives of clients, each with a known account.
//!
//! The rule: a script knows before it begins what it will add to the ledger, and fails when it is not served so.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::Client;
use martlet_witness::wire::{self, Connect, Outgoing, Version, Will, kind};

use super::ledger::Ledger;

/// The clients of the churn that stay.
pub(super) struct Scripts {
    address: SocketAddr,
    publisher: Client,
    will_reader: Client,
    period: Duration,
    /// Sessions with messages that are expiring, each with the time when all are expired.
    expiring: VecDeque<(Instant, String)>,
    churned: Churned,
}

/// What the churn has done.
#[derive(Default)]
pub(super) struct Churned {
    pub(super) ledger: Ledger,
    pub(super) rounds: usize,
    /// Packets that asked for something, and deliveries.
    pub(super) operations: u64,
}

const WILLS: &str = "soak/wills";
/// Retained topics in use.
const RETAINED: usize = 500;
/// One retained topic in so many is emptied again.
const EMPTIED: usize = 3;
/// Message Expiry Interval and Session Expiry Interval, in seconds.
const EXPIRY: u32 = 1;
/// After this nothing of them may be left; clocks of whole seconds and checks once a second included.
const EXPIRED_AFTER: Duration = Duration::from_secs(4);
/// How long the broker may take to close after DISCONNECT.
const LEAVE_MAX: Duration = Duration::from_secs(10);
const PAYLOAD: &[u8] = &[b'c'; 200];

impl Scripts {
    pub(super) fn begin(address: SocketAddr, rounds_per_second: u32) -> Result<Self> {
        let v5 = |client_id| Connect { version: Version::V5, keep_alive: 0, ..Connect::new(client_id) };
        let publisher = Client::connect(address, &v5("soak-scripts-publisher"))?;
        let mut will_reader = Client::connect(address, &v5("soak-scripts-wills"))?;
        will_reader.subscribe(WILLS, 1)?;
        let period = Duration::from_secs(1) / rounds_per_second.max(1);
        let (expiring, churned) = (VecDeque::new(), Churned::default());
        Ok(Self { address, publisher, will_reader, period, expiring, churned })
    }

    /// Plays rounds until it is enough, then waits until everything has expired.
    pub(super) fn run(mut self, enough: &AtomicBool) -> Result<Churned> {
        let mut due = Instant::now();
        while !enough.load(Ordering::Acquire) {
            let round = self.churned.rounds;
            self.play(round).with_context(|| format!("round {round} of churn"))?;
            self.churned.rounds += 1;
            due += self.period;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        thread::sleep(EXPIRED_AFTER);
        self.collect_expired()?;
        Ok(self.churned)
    }

    fn play(&mut self, round: usize) -> Result<()> {
        self.fleeting(round)?;
        self.dormant(round)?;
        self.expiring(round)?;
        self.will(round)?;
        self.retained(round)?;
        self.collect_expired()
    }

    /// Gets five messages, acknowledges three and takes the other two with it.
    fn fleeting(&mut self, round: usize) -> Result<()> {
        let topic = format!("soak/fleeting/{}", round % 100);
        let mut client = Client::connect(self.address, &Connect::new(&format!("soak-fleeting-{round}")))?;
        client.subscribe(&topic, 1)?;
        for _ in 0..5 {
            self.publish(&topic, PAYLOAD, false, None)?;
        }
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(receive(&mut client, Version::V311, &topic)?);
        }
        for id in &ids[..3] {
            client.send(&wire::puback(*id))?;
        }
        // An answer, so that the broker has handled what came before.
        client.ping()?;
        client.leave(Instant::now() + LEAVE_MAX)?;
        self.book(Ledger { accepted: 5, delivered: 3, ended: 2, ..Ledger::default() }, 17);
        Ok(())
    }

    /// A Session that expires with four messages in it.
    fn dormant(&mut self, round: usize) -> Result<()> {
        let topic = format!("soak/dormant/{round}");
        let name = format!("soak-dormant-{round}");
        let connect = Connect { session_expiry: Some(EXPIRY), ..Connect::persistent(Version::V5, &name) };
        let mut client = Client::connect(self.address, &connect)?;
        client.subscribe(&topic, 1)?;
        client.send(&wire::DISCONNECT)?;
        drop(client);
        for _ in 0..4 {
            self.publish(&topic, PAYLOAD, false, None)?;
        }
        self.book(Ledger { accepted: 4, ended: 4, ..Ledger::default() }, 7);
        Ok(())
    }

    /// Four messages that expire in a Session that does not.
    fn expiring(&mut self, round: usize) -> Result<()> {
        let name = format!("expiring-{round}");
        let topic = format!("soak/{name}");
        let mut client = Client::connect(self.address, &Connect::persistent(Version::V5, &name))?;
        client.subscribe(&topic, 1)?;
        client.send(&wire::DISCONNECT)?;
        drop(client);
        for _ in 0..4 {
            self.publish(&topic, PAYLOAD, false, Some(EXPIRY))?;
        }
        self.expiring.push_back((Instant::now() + EXPIRED_AFTER, name));
        self.book(Ledger { accepted: 4, expired: 4, ..Ledger::default() }, 7);
        Ok(())
    }

    /// Comes back to the Sessions whose messages have expired, gets the only one that has not, and ends them.
    fn collect_expired(&mut self) -> Result<()> {
        while let Some((_, name)) = self.expiring.pop_front_if(|(due, _)| *due <= Instant::now()) {
            let topic = format!("soak/{name}");
            // Behind the others in the queue: when it has come, all before it are settled.
            self.publish(&topic, PAYLOAD, false, None)?;
            let mut client = Client::connect(self.address, &Connect::persistent(Version::V5, &name))?;
            ensure!(client.session_present(), "the Session of {name} is gone");
            let id = receive(&mut client, Version::V5, &topic)?;
            client.send(&wire::puback(id))?;
            client.send(&wire::PINGREQ)?;
            let next = client.receive(Instant::now() + EXPIRED_AFTER)?.context("no PINGRESP")?;
            ensure!(next.kind == kind::PINGRESP, "{name} got a message that had expired");
            drop(client);
            // Clean Start without a Session Expiry Interval: the Session ends with the Connection.
            let end = Connect { version: Version::V5, ..Connect::new(&name) };
            Client::connect(self.address, &end)?.send(&wire::DISCONNECT)?;
            self.book(Ledger { accepted: 1, delivered: 1, ..Ledger::default() }, 6);
        }
        Ok(())
    }

    /// A client that vanishes, and its Will.
    fn will(&mut self, round: usize) -> Result<()> {
        let name = format!("soak-will-{round}");
        let will = Will { topic: WILLS, payload: PAYLOAD, qos: 1, delay: None };
        let client = Client::connect(self.address, &Connect { will: Some(will), ..Connect::new(&name) })?;
        // Closed without a DISCONNECT.
        drop(client);
        let id = receive(&mut self.will_reader, Version::V5, WILLS)?;
        self.will_reader.send(&wire::puback(id))?;
        self.book(Ledger { accepted: 1, delivered: 1, ..Ledger::default() }, 3);
        Ok(())
    }

    /// A retained message, a new subscriber that gets it, and now and then its end.
    fn retained(&mut self, round: usize) -> Result<()> {
        let topic = format!("soak/retained/{}", round % RETAINED);
        self.publish(&topic, PAYLOAD, true, None)?;
        let mut client = Client::connect(self.address, &Connect::new(&format!("soak-retained-{round}")))?;
        client.subscribe(&topic, 1)?;
        let id = receive(&mut client, Version::V311, &topic)?;
        client.send(&wire::puback(id))?;
        client.ping()?;
        client.leave(Instant::now() + LEAVE_MAX)?;
        if round.is_multiple_of(EMPTIED) {
            self.publish(&topic, b"", true, None)?;
        }
        self.book(Ledger { accepted: 1, delivered: 1, ..Ledger::default() }, 6);
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: &[u8], retain: bool, expiry: Option<u32>) -> Result<()> {
        let message = Outgoing { topic, payload, qos: 1, retain, expiry };
        let mut bytes = Vec::new();
        message.write(Version::V5, self.publisher.next_id(), false, &mut bytes);
        self.publisher.send(&bytes)?;
        let answer = self.publisher.wait_for(kind::PUBACK)?;
        ensure!(answer.reason() < 0x80, "a message to {topic} was refused with {:#04x}", answer.reason());
        Ok(())
    }

    fn book(&mut self, ledger: Ledger, operations: u64) {
        self.churned.ledger.add(&ledger);
        self.churned.operations += operations;
    }
}

/// The next message, which is to this topic; returns its Packet Identifier.
fn receive(client: &mut Client, version: Version, topic: &str) -> Result<u16> {
    let packet = client.wait_for(kind::PUBLISH)?;
    let publish = packet.publish(version).context("a PUBLISH is cut short")?;
    ensure!(
        publish.topic == topic.as_bytes() && publish.payload == PAYLOAD,
        "another message than that to {topic}"
    );
    publish.id.context("a message lost its QoS")
}

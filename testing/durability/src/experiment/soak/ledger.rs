//! The broker's ledger of copies, as it is published.
//!
//! The rule: it is read as any client would read it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use martlet_witness::Client;
use martlet_witness::wire::{Connect, Version, kind};

/// What became of the copies of messages with QoS 1 and 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) expired: u64,
    /// Gone with their Session.
    pub(super) ended: u64,
    pub(super) stored: u64,
    pub(super) in_flight: u64,
    /// Dropped for whatever reason.
    pub(super) dropped: u64,
}

const ROOT: &str = "$SYS/broker/ledger/";
/// How long the ledger may lag behind: several times the interval it is published in.
const LAG_MAX: Duration = Duration::from_secs(15);

impl Ledger {
    /// Names and figures of two ledgers.
    pub(super) fn beside(&self, other: &Self) -> [(&'static str, u64, u64); 7] {
        [
            ("accepted", self.accepted, other.accepted),
            ("delivered", self.delivered, other.delivered),
            ("expired", self.expired, other.expired),
            ("ended", self.ended, other.ended),
            ("stored", self.stored, other.stored),
            ("in flight", self.in_flight, other.in_flight),
            ("dropped", self.dropped, other.dropped),
        ]
    }

    /// Adds what another counted.
    pub(super) fn add(&mut self, other: &Self) {
        let Self { accepted, delivered, expired, ended, stored, in_flight, dropped } = other;
        self.accepted += accepted;
        self.delivered += delivered;
        self.expired += expired;
        self.ended += ended;
        self.stored += stored;
        self.in_flight += in_flight;
        self.dropped += dropped;
    }
}

/// Reads the ledger until it is as expected, or as long as it may lag behind.
pub(super) fn await_equal(address: SocketAddr, expected: &Ledger) -> Result<Ledger> {
    let mut client = Client::connect(address, &Connect { keep_alive: 0, ..Connect::new("soak-ledger") })?;
    client.subscribe("$SYS/broker/ledger/#", 0)?;
    let deadline = Instant::now() + LAG_MAX;
    let mut entries = std::collections::BTreeMap::new();
    let mut ledger = Ledger::default();
    while ledger != *expected {
        let Some(packet) = client.receive(deadline)? else { break };
        if packet.kind != kind::PUBLISH {
            continue;
        }
        let publish = packet.publish(Version::V311).context("a PUBLISH is cut short")?;
        let topic = str::from_utf8(publish.topic)?.strip_prefix(ROOT).context("a topic nobody asked for")?;
        // Others may join the ledger that are no numbers.
        if let Ok(figure) = str::from_utf8(publish.payload).unwrap_or_default().trim().parse::<u64>() {
            entries.insert(topic.to_owned(), figure);
        }
        let entry = |name: &str| entries.get(name).copied().unwrap_or(0);
        ledger = Ledger {
            accepted: entry("accepted"),
            delivered: entry("delivered"),
            expired: entry("expired"),
            ended: entry("ended"),
            stored: entry("stored"),
            in_flight: entry("in_flight"),
            dropped: entries
                .iter()
                .filter(|(name, _)| name.starts_with("dropped/"))
                .map(|(_, figure)| figure)
                .sum(),
        };
    }
    Ok(ledger)
}

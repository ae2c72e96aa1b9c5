//! `$SYS/broker/...`: what Mosquitto's users watch, from summed counters.

mod load;

use crate::{Counters, Ledger};

pub use load::Loads;

/// Clients whose books are published: those with the most waiting or dropped.
const CLIENTS_MAX: usize = 20;

/// What the node knows beside its counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeFacts<'a> {
    /// Product and version.
    pub version: &'a str,
    /// Seconds since the node started.
    pub uptime_seconds: u64,
    /// Retained messages.
    pub retained: usize,
    /// Bytes they have.
    pub retained_bytes: usize,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Network Connections, with or without a Session.
    pub connections: u64,
    /// Network Connections accepted so far.
    pub sockets: u64,
    /// The most Sessions there ever were when this was asked.
    pub sessions_maximum: u64,
    /// Bytes of memory in use, and the most there ever were, if the system tells.
    pub memory: Option<(u64, u64)>,
}

/// Topic Names and payloads, to be published retained.
pub fn topics(counters: &Counters, facts: &NodeFacts<'_>, loads: &Loads) -> Vec<(&'static str, String)> {
    let mut topics = vec![
        ("$SYS/broker/version", facts.version.to_owned()),
        ("$SYS/broker/uptime", format!("{} seconds", facts.uptime_seconds)),
    ];
    let (current, maximum) = facts.memory.unzip();
    let memory = [("$SYS/broker/heap/current", current), ("$SYS/broker/heap/maximum", maximum)];
    let memory = memory.into_iter().filter_map(|(topic, bytes)| Some((topic, bytes?)));
    let numbers = clients(counters, facts)
        .into_iter()
        .chain(traffic(counters, facts))
        .chain(kept(counters, facts))
        .chain(books(&counters.ledger))
        .chain(memory);
    topics.extend(numbers.map(|(topic, value)| (topic, value.to_string())));
    topics.extend(loads.topics());
    topics
}

fn clients(counters: &Counters, facts: &NodeFacts<'_>) -> [(&'static str, u64); 10] {
    let absent = counters.sessions - counters.connected;
    [
        ("$SYS/broker/clients/total", counters.sessions),
        ("$SYS/broker/clients/maximum", facts.sessions_maximum.max(counters.sessions)),
        ("$SYS/broker/clients/connected", counters.connected),
        ("$SYS/broker/clients/active", counters.connected),
        ("$SYS/broker/clients/disconnected", absent),
        ("$SYS/broker/clients/inactive", absent),
        ("$SYS/broker/clients/expired", counters.sessions_expired),
        ("$SYS/broker/connections/open", facts.connections),
        ("$SYS/broker/connections/accepted", counters.connects),
        ("$SYS/broker/sockets/accepted", facts.sockets),
    ]
}

fn traffic(counters: &Counters, facts: &NodeFacts<'_>) -> [(&'static str, u64); 11] {
    [
        ("$SYS/broker/messages/received", counters.packets_received),
        ("$SYS/broker/messages/sent", counters.packets_sent()),
        ("$SYS/broker/publish/messages/received", counters.publish_received),
        ("$SYS/broker/publish/messages/sent", counters.publish_sent),
        ("$SYS/broker/publish/messages/dropped", counters.publish_dropped()),
        ("$SYS/broker/publish/messages/refused", counters.publish_refused),
        ("$SYS/broker/publish/messages/denied", counters.copies_denied),
        ("$SYS/broker/publish/bytes/received", counters.publish_received_bytes),
        ("$SYS/broker/publish/bytes/sent", counters.publish_sent_bytes),
        ("$SYS/broker/bytes/received", facts.bytes_received),
        ("$SYS/broker/bytes/sent", facts.bytes_sent),
    ]
}

/// Mosquitto counts each Message once, however many wait for it; here each copy counts, for it can be lost by itself.
fn kept(counters: &Counters, facts: &NodeFacts<'_>) -> [(&'static str, u64); 7] {
    let Ledger { in_flight, stored, .. } = counters.ledger;
    let count = in_flight + stored + facts.retained as u64;
    [
        ("$SYS/broker/messages/inflight", in_flight),
        ("$SYS/broker/messages/stored", count),
        ("$SYS/broker/store/messages/count", count),
        ("$SYS/broker/store/messages/bytes", counters.waiting_bytes + facts.retained_bytes as u64),
        ("$SYS/broker/retained messages/count", facts.retained as u64),
        ("$SYS/broker/subscriptions/count", counters.subscriptions),
        ("$SYS/broker/shared_subscriptions/count", counters.shared_subscriptions),
    ]
}

fn books(ledger: &Ledger) -> [(&'static str, u64); 11] {
    [
        ("$SYS/broker/ledger/accepted", ledger.accepted),
        ("$SYS/broker/ledger/delivered", ledger.delivered),
        ("$SYS/broker/ledger/in_flight", ledger.in_flight),
        ("$SYS/broker/ledger/stored", ledger.stored),
        ("$SYS/broker/ledger/expired", ledger.expired),
        ("$SYS/broker/ledger/ended", ledger.ended),
        ("$SYS/broker/ledger/dropped/queue_full", ledger.dropped_queue_full),
        ("$SYS/broker/ledger/dropped/too_large", ledger.dropped_too_large),
        ("$SYS/broker/ledger/dropped/refused", ledger.dropped_refused),
        ("$SYS/broker/ledger/dropped/damaged", ledger.dropped_damaged),
        ("$SYS/broker/ledger/dropped/denied", ledger.dropped_denied),
    ]
}

/// The books of those Clients for whom most waits, or most was dropped.
#[derive(Debug, Default)]
pub struct ClientBooks {
    worst: Vec<(Box<str>, Ledger)>,
}

impl ClientBooks {
    /// Takes books; of many those are kept that have most to tell.
    pub fn extend<'a>(&mut self, books: impl Iterator<Item = (&'a str, Ledger)>) {
        for (client_id, ledger) in books {
            self.worst.push((client_id.into(), ledger));
            if self.worst.len() >= 2 * CLIENTS_MAX {
                self.sort_out();
            }
        }
        self.sort_out();
    }

    /// Takes those of another.
    pub fn merge(&mut self, mut other: Self) {
        self.worst.append(&mut other.worst);
        self.sort_out();
    }

    /// The one with most to tell first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Ledger)> {
        self.worst.iter().map(|(client_id, ledger)| (&**client_id, ledger))
    }

    fn sort_out(&mut self) {
        let weight = |ledger: &Ledger| ledger.dropped().saturating_add(ledger.stored);
        self.worst.sort_by(|(a, one), (b, other)| weight(other).cmp(&weight(one)).then_with(|| a.cmp(b)));
        self.worst.truncate(CLIENTS_MAX);
    }
}

//! `$SYS/broker/...`: what Mosquitto's users watch, from summed counters.

use crate::{Counters, Ledger};

/// Clients whose books are published: those with the most waiting or dropped.
const CLIENTS_MAX: usize = 20;

/// What the node knows beside its counters.
#[derive(Debug, Clone, Copy)]
pub struct NodeFacts<'a> {
    /// Product and version.
    pub version: &'a str,
    /// Seconds since the node started.
    pub uptime_seconds: u64,
    /// Retained messages.
    pub retained: usize,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Network Connections, with or without a Session.
    pub connections: u64,
}

/// Topic Names and payloads, to be published retained.
pub fn topics(counters: &Counters, facts: &NodeFacts<'_>) -> Vec<(&'static str, String)> {
    let ledger = &counters.ledger;
    let number = |value: u64| value.to_string();
    vec![
        ("$SYS/broker/version", facts.version.to_owned()),
        ("$SYS/broker/uptime", format!("{} seconds", facts.uptime_seconds)),
        ("$SYS/broker/clients/total", number(counters.sessions)),
        ("$SYS/broker/clients/connected", number(counters.connected)),
        ("$SYS/broker/clients/active", number(counters.connected)),
        ("$SYS/broker/clients/disconnected", number(counters.sessions - counters.connected)),
        ("$SYS/broker/clients/inactive", number(counters.sessions - counters.connected)),
        ("$SYS/broker/clients/expired", number(counters.sessions_expired)),
        ("$SYS/broker/connections/open", number(facts.connections)),
        ("$SYS/broker/connections/accepted", number(counters.connects)),
        ("$SYS/broker/subscriptions/count", number(counters.subscriptions)),
        ("$SYS/broker/shared_subscriptions/count", number(counters.shared_subscriptions)),
        ("$SYS/broker/retained messages/count", facts.retained.to_string()),
        ("$SYS/broker/messages/received", number(counters.packets_received)),
        ("$SYS/broker/messages/inflight", number(ledger.in_flight)),
        ("$SYS/broker/messages/stored", number(ledger.stored)),
        ("$SYS/broker/publish/messages/received", number(counters.publish_received)),
        ("$SYS/broker/publish/messages/sent", number(counters.publish_sent)),
        ("$SYS/broker/publish/messages/dropped", number(ledger.dropped() + counters.qos0_dropped)),
        ("$SYS/broker/publish/bytes/received", number(counters.publish_received_bytes)),
        ("$SYS/broker/publish/bytes/sent", number(counters.publish_sent_bytes)),
        ("$SYS/broker/bytes/received", number(facts.bytes_received)),
        ("$SYS/broker/bytes/sent", number(facts.bytes_sent)),
        ("$SYS/broker/ledger/accepted", number(ledger.accepted)),
        ("$SYS/broker/ledger/delivered", number(ledger.delivered)),
        ("$SYS/broker/ledger/in_flight", number(ledger.in_flight)),
        ("$SYS/broker/ledger/stored", number(ledger.stored)),
        ("$SYS/broker/ledger/expired", number(ledger.expired)),
        ("$SYS/broker/ledger/ended", number(ledger.ended)),
        ("$SYS/broker/ledger/dropped/queue_full", number(ledger.dropped_queue_full)),
        ("$SYS/broker/ledger/dropped/too_large", number(ledger.dropped_too_large)),
        ("$SYS/broker/ledger/dropped/refused", number(ledger.dropped_refused)),
        ("$SYS/broker/ledger/dropped/damaged", number(ledger.dropped_damaged)),
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

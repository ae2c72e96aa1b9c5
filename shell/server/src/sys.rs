//! `$SYS` topics: the counters of all runners, summed and published by the first, and the books checked on the way.

use std::collections::HashMap;
use std::time::Duration;

use martlet_broker::sys::{self, ClientBooks, Loads, NodeFacts};
use martlet_disk::Stats;
use martlet_packet::QoS;
use martlet_record::{Room, ShardId, Time};
use serde_json::json;

use crate::clock::Clock;
use crate::mailbox::{Counted, Mail};
use crate::runner::Runner;
use crate::shared::Shared;

/// As `$SYS/broker/version` says it.
const VERSION: &str = concat!("martlet version ", env!("CARGO_PKG_VERSION"));
/// The books are checked at least so often, whether `$SYS` topics are published or not.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The state of one report; only the first runner makes any.
#[derive(Debug)]
pub(crate) struct SysReport {
    due: Option<Time>,
    publish_due: Option<Time>,
    interval: Duration,
    /// Runners whose counters are still awaited.
    awaited: usize,
    sum: Counted,
    loads: Loads,
    sessions_maximum: u64,
    /// What was published last, where only changes are.
    published: HashMap<&'static str, String>,
}

impl SysReport {
    pub(crate) fn new(runner: usize, shared: &Shared) -> Self {
        let interval = shared.sys_interval;
        let due = (runner == 0).then_some(Time::START);
        let publish_due = due.filter(|_| !interval.is_zero());
        Self {
            due,
            publish_due,
            interval,
            awaited: 0,
            sum: Counted::default(),
            loads: Loads::default(),
            sessions_maximum: 0,
            published: HashMap::new(),
        }
    }

    /// When the next report is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due
    }
}

impl Runner {
    /// Asks all runners for their counters when a report is due.
    pub(crate) fn report_sys(&mut self) {
        if self.sys.due.is_none_or(|due| due > self.now.time) {
            return;
        }
        let wait =
            if self.sys.interval.is_zero() { CHECK_INTERVAL } else { self.sys.interval.min(CHECK_INTERVAL) };
        self.sys.due = Some(after(self.now.time, wait));
        self.look_at_clock();
        if self.sys.awaited > 0 {
            return; // A runner is so busy that it has not even answered the last time.
        }
        self.sys.sum = Counted::default();
        self.sys.awaited = self.shared.mailboxes.len();
        self.shared.mailboxes[1..].iter().for_each(|mailbox| mailbox.post(Mail::Count));
        let counted = self.count();
        self.counted(counted);
    }

    /// What this runner counted.
    pub(crate) fn count(&self) -> Counted {
        let (bytes_received, bytes_sent) = (self.bytes_received, self.bytes_sent);
        let mut clients = ClientBooks::default();
        self.shards.iter().for_each(|shard| clients.extend(shard.client_ledgers()));
        Counted { counters: self.shards.counters(), clients, bytes_received, bytes_sent }
    }

    /// Adds what a runner counted, and publishes the sum when it was the last.
    pub(crate) fn counted(&mut self, counted: Counted) {
        let SysReport { sum, awaited, .. } = &mut self.sys;
        sum.counters += counted.counters;
        sum.clients.merge(counted.clients);
        sum.bytes_received += counted.bytes_received;
        sum.bytes_sent += counted.bytes_sent;
        *awaited = awaited.saturating_sub(1);
        if *awaited == 0 {
            let counters = self.sys.sum.counters;
            self.look_at_ledger(&counters.ledger, counters.unbalanced);
            self.publish_sys();
        }
    }

    fn publish_sys(&mut self) {
        if self.sys.publish_due.is_none_or(|due| due > self.now.time) {
            return;
        }
        self.sys.publish_due = Some(after(self.now.time, self.sys.interval));
        let SysReport { sum, loads, sessions_maximum, .. } = &mut self.sys;
        *sessions_maximum = sum.counters.sessions.max(*sessions_maximum);
        let facts = NodeFacts {
            version: VERSION,
            uptime_seconds: self.now.time.since(Clock::START).as_secs(),
            retained: self.shared.node.retained.len(),
            retained_bytes: self.shared.node.retained.bytes(),
            bytes_received: sum.bytes_received,
            bytes_sent: sum.bytes_sent,
            connections: self.shared.connections() as u64,
            sockets: sum.counters.connects,
            sessions_maximum: *sessions_maximum,
            memory: memory(),
        };
        loads.update(&sum.counters, &facts, self.now.time);
        let mut topics = sys::topics(&sum.counters, &facts, loads);
        topics.push(("$SYS/broker/ledger/clients", books_as_json(&self.sys.sum.clients)));
        topics.extend(
            self.shared.journal.disk().into_iter().flat_map(|disk| store_topics(&disk.stats(), disk.room())),
        );
        // What may wait for somebody is said only when it changed.
        let only_changes = self.shared.node.settings.dialect.sys_qos > QoS::AtMostOnce;
        let Some(shard) = self.shards.step(ShardId::new(0)) else { return };
        for (topic, value) in topics {
            if only_changes && self.sys.published.get(topic) == Some(&value) {
                continue;
            }
            shard.publish_node(topic, value.as_bytes(), &mut self.out);
            if only_changes {
                self.sys.published.insert(topic, value);
            }
        }
    }
}

/// Bytes of memory the process has now, and the most it ever had, where the system tells.
fn memory() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let bytes = |name: &str| {
        let kilobytes = status.lines().find_map(|line| line.strip_prefix(name))?;
        kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

/// What the store is like.
fn store_topics(stats: &Stats, room: Room) -> Vec<(&'static str, String)> {
    let state = match room {
        Room::Open => "ok",
        Room::Reserve => "busy",
        Room::DrainOnly => "full",
        Room::Failed => "failed",
    };
    let micros = |duration: Duration| duration.as_micros().to_string();
    let checkpoint = &stats.checkpoint;
    vec![
        ("$SYS/broker/store/state", state.to_owned()),
        ("$SYS/broker/store/bytes", stats.disk_bytes.to_string()),
        ("$SYS/broker/store/bytes/written", stats.written_bytes.to_string()),
        ("$SYS/broker/store/segments", stats.segments.to_string()),
        ("$SYS/broker/store/frames", stats.frames.to_string()),
        ("$SYS/broker/store/syncs", stats.syncs.to_string()),
        ("$SYS/broker/store/batches/waiting", stats.waiting.to_string()),
        ("$SYS/broker/store/commit/microseconds/mean", micros(stats.latency.mean())),
        ("$SYS/broker/store/commit/microseconds/max", micros(stats.latency.max)),
        ("$SYS/broker/store/checkpoint/number", checkpoint.number.0.to_string()),
        ("$SYS/broker/store/checkpoint/live bytes", checkpoint.live_bytes.to_string()),
    ]
}

/// An array of objects, the Client with most to tell first.
fn books_as_json(books: &ClientBooks) -> String {
    let clients = books.iter().map(|(client_id, ledger)| {
        json!({
            "client": client_id,
            "accepted": ledger.accepted,
            "delivered": ledger.delivered,
            "in_flight": ledger.in_flight,
            "stored": ledger.stored,
            "expired": ledger.expired,
            "dropped": ledger.dropped(),
        })
    });
    clients.collect::<serde_json::Value>().to_string()
}

fn after(now: Time, wait: Duration) -> Time {
    now.after_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

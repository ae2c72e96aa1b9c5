//! `$SYS` topics: the counters of all runners, summed and published by the first.

use std::time::Duration;

use martlet_broker::sys::{self, NodeFacts};
use martlet_record::{ShardId, Time};

use crate::mailbox::{Counted, Mail};
use crate::runner::Runner;
use crate::shared::Shared;

/// As `$SYS/broker/version` says it.
const VERSION: &str = concat!("martlet version ", env!("CARGO_PKG_VERSION"));

/// The state of one report; only the first runner makes any.
#[derive(Debug)]
pub(crate) struct SysReport {
    due: Option<Time>,
    interval: Duration,
    /// Runners whose counters are still awaited.
    awaited: usize,
    sum: Counted,
}

impl SysReport {
    pub(crate) fn new(runner: usize, shared: &Shared) -> Self {
        let interval = shared.sys_interval;
        let is_on = runner == 0 && !interval.is_zero();
        Self { due: is_on.then_some(Time::START), interval, awaited: 0, sum: Counted::default() }
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
        let millis = u64::try_from(self.sys.interval.as_millis()).unwrap_or(u64::MAX);
        self.sys.due = Some(self.now.time.after_millis(millis));
        if self.sys.awaited > 0 {
            return; // A runner is so busy that it has not even answered the last time.
        }
        self.sys.sum = Counted::default();
        self.sys.awaited = self.shared.mailboxes.len();
        self.shared.mailboxes[1..].iter().for_each(|mailbox| mailbox.post(Mail::Count));
        let counted = self.count();
        self.counted(&counted);
    }

    /// What this runner counted.
    pub(crate) fn count(&self) -> Counted {
        let (bytes_received, bytes_sent) = (self.bytes_received, self.bytes_sent);
        Counted { counters: self.shards.counters(), bytes_received, bytes_sent }
    }

    /// Adds what a runner counted, and publishes the sum when it was the last.
    pub(crate) fn counted(&mut self, counted: &Counted) {
        let SysReport { sum, awaited, .. } = &mut self.sys;
        sum.counters += counted.counters;
        sum.bytes_received += counted.bytes_received;
        sum.bytes_sent += counted.bytes_sent;
        *awaited = awaited.saturating_sub(1);
        if *awaited == 0 {
            self.publish_sys();
        }
    }

    fn publish_sys(&mut self) {
        let facts = NodeFacts {
            version: VERSION,
            uptime_seconds: self.now.time.since(Time::START).as_secs(),
            retained: self.shared.node.retained.len(),
            bytes_received: self.sys.sum.bytes_received,
            bytes_sent: self.sys.sum.bytes_sent,
            connections: self.shared.connections() as u64,
        };
        let Some(shard) = self.shards.step(ShardId::new(0)) else { return };
        for (topic, value) in sys::topics(&self.sys.sum.counters, &facts) {
            shard.publish_node(topic, value.as_bytes(), &mut self.out);
        }
    }
}

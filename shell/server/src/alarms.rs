//! What is wrong with the node and how to mend it: in the log when it begins and ends, and retained under
//! `$SYS/broker/alarms/NAME` as long as it lasts.

use std::collections::BTreeMap;

use martlet_broker::Ledger;
use martlet_record::ShardId;

use crate::clock::Jump;
use crate::runner::Runner;

/// How long a jump of the clock is worth an alarm, in seconds.
const JUMP_SECONDS: u64 = 600;

/// Something that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// The disk is full, or failed.
    Store,
    /// The books do not add up: a mistake of ours.
    Ledger,
    /// The clock of the machine jumped.
    Clock,
}

/// What is wrong at the moment.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeMap<Alarm, String>,
}

impl Alarm {
    fn topic(self) -> &'static str {
        match self {
            Self::Store => "$SYS/broker/alarms/store",
            Self::Ledger => "$SYS/broker/alarms/ledger",
            Self::Clock => "$SYS/broker/alarms/clock",
        }
    }
}

impl Alarms {
    /// Takes what is wrong now; false when that is no news.
    fn set(&mut self, alarm: Alarm, wrong: Option<String>) -> bool {
        match wrong {
            Some(text) if self.raised.get(&alarm) == Some(&text) => false,
            Some(text) => {
                tracing::error!("{text}");
                self.raised.insert(alarm, text);
                true
            }
            None => {
                let ended = self.raised.remove(&alarm);
                ended.iter().for_each(|text| tracing::info!("No longer so: {text}"));
                ended.is_some()
            }
        }
    }
}

impl Runner {
    /// Raises an alarm, or ends it; only the first runner does.
    pub(crate) fn set_alarm(&mut self, alarm: Alarm, wrong: Option<String>) {
        if !self.alarms.set(alarm, wrong) {
            return;
        }
        let text = self.alarms.raised.get(&alarm).map_or("", String::as_str);
        if let Some(shard) = self.shards.step(ShardId::new(0)) {
            shard.publish_node(alarm.topic(), text.as_bytes(), &mut self.out);
        }
    }

    /// The store said that something changed.
    pub(crate) fn look_at_store(&mut self) {
        let trouble = self.shared.journal.disk().and_then(|disk| disk.trouble());
        self.set_alarm(Alarm::Store, trouble);
    }

    /// The books were summed.
    pub(crate) fn look_at_ledger(&mut self, ledger: &Ledger, unbalanced: u64) {
        let wrong = (!ledger.is_balanced() || unbalanced > 0).then(|| {
            format!(
                "The books of messages do not add up, for {unbalanced} clients: of {} copies {} are unaccounted for. This is a fault of the broker: please report it",
                ledger.accepted,
                ledger.accepted.abs_diff(ledger.accounted()),
            )
        });
        self.set_alarm(Alarm::Ledger, wrong);
    }

    /// The clock of the machine jumped, or did so long ago.
    pub(crate) fn look_at_clock(&mut self) {
        let jump = self.clock.jump().filter(|jump| self.now.time < jump.at.after_seconds(JUMP_SECONDS));
        let wrong = jump.map(|Jump { seconds, .. }| {
            format!(
                "The clock of this machine jumped by {seconds} s: messages on disk that expire do so by it. Sessions are kept as long as they were promised. Let NTP slew the clock instead of setting it"
            )
        });
        self.set_alarm(Alarm::Clock, wrong);
    }
}

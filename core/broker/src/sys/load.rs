//! `$SYS/broker/load/...`: how much a minute lately, as moving averages over 1, 5 and 15 minutes.
//!
//! The rule is Mosquitto's, and that of a Unix load average: what happened since the last look, scaled to a minute,
//! takes the place of the old average the more the longer that was ago.

use martlet_record::Time;

use super::NodeFacts;
use crate::Counters;

/// What is averaged, in the order of [`totals`].
const KINDS: usize = 9;

/// Moving averages of what the node does.
#[derive(Debug, Clone, Default)]
pub struct Loads {
    last: Option<(Time, [u64; KINDS])>,
    averages: [Average; KINDS],
}

/// A minute's worth, over 1, 5 and 15 minutes.
#[derive(Debug, Clone, Copy, Default)]
struct Average([f64; 3]);

/// The windows, in seconds.
const WINDOWS: [f64; 3] = [60.0, 300.0, 900.0];

/// The topics of one kind.
macro_rules! topics_of {
    ($kind:literal) => {
        [
            concat!("$SYS/broker/load/", $kind, "/1min"),
            concat!("$SYS/broker/load/", $kind, "/5min"),
            concat!("$SYS/broker/load/", $kind, "/15min"),
        ]
    };
}

/// The topics, in the order of [`totals`] and [`WINDOWS`].
const TOPICS: [[&str; 3]; KINDS] = [
    topics_of!("messages/received"),
    topics_of!("messages/sent"),
    topics_of!("publish/dropped"),
    topics_of!("publish/received"),
    topics_of!("publish/sent"),
    topics_of!("bytes/received"),
    topics_of!("bytes/sent"),
    topics_of!("sockets"),
    topics_of!("connections"),
];

impl Loads {
    /// Takes what was counted up to `now`. The first time there is nothing to compare it with, and all averages are
    /// zero; so is whatever happens within the millisecond of a look, until the next.
    pub fn update(&mut self, counters: &Counters, facts: &NodeFacts<'_>, now: Time) {
        let totals = totals(counters, facts);
        let Some((before, old)) = self.last else {
            self.last = Some((now, totals));
            return;
        };
        let seconds = now.since(before).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        for ((average, total), old) in self.averages.iter_mut().zip(totals).zip(old) {
            average.take(total.saturating_sub(old), seconds);
        }
        self.last = Some((now, totals));
    }

    /// Topic Names and payloads.
    pub(super) fn topics(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = TOPICS.into_iter().zip(self.averages);
        let written = |(topics, Average(values)): ([&'static str; 3], Average)| {
            topics.into_iter().zip(values).map(|(topic, value)| (topic, format!("{value:.2}")))
        };
        all.flat_map(written)
    }
}

impl Average {
    fn take(&mut self, count: u64, seconds: f64) {
        #[expect(clippy::cast_precision_loss, reason = "a load is read with two digits")]
        let a_minute = count as f64 * 60.0 / seconds;
        for (value, window) in self.0.iter_mut().zip(WINDOWS) {
            *value = a_minute + (-seconds / window).exp() * (*value - a_minute);
        }
    }
}

fn totals(counters: &Counters, facts: &NodeFacts<'_>) -> [u64; KINDS] {
    [
        counters.packets_received,
        counters.packets_sent(),
        counters.publish_dropped(),
        counters.publish_received,
        counters.publish_sent,
        facts.bytes_received,
        facts.bytes_sent,
        facts.sockets,
        counters.connects,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(packets_received: u64) -> Counters {
        Counters { packets_received, ..Counters::default() }
    }

    fn received(loads: &Loads) -> Vec<String> {
        loads
            .topics()
            .filter(|(topic, _)| topic.contains("messages/received"))
            .map(|(_, load)| load)
            .collect()
    }

    #[test]
    fn a_steady_load_is_approached_the_faster_the_shorter_the_window() {
        let (mut loads, facts) = (Loads::default(), NodeFacts::default());
        let mut now = Time::START;
        loads.update(&counted(100), &facts, now);
        assert_eq!(received(&loads), ["0.00", "0.00", "0.00"]);
        // 10 packets in 10 seconds are 60 a minute; after so many seconds 1 - e^(-seconds/window) of that is reached.
        for step in 1..=6 {
            now = now.after_seconds(10);
            loads.update(&counted(100 + 10 * step), &facts, now);
        }
        let reached = |window: f64| format!("{:.2}", 60.0 * (1.0 - (-60.0 / window).exp()));
        assert_eq!(received(&loads), [reached(60.0), reached(300.0), reached(900.0)]);
        assert_eq!(reached(60.0), "37.93");
    }

    #[test]
    fn how_often_one_looks_makes_no_difference_to_a_steady_load() {
        let facts = NodeFacts::default();
        let after_a_minute = |steps: u64| {
            let mut loads = Loads::default();
            for step in 0..=steps {
                loads.update(
                    &counted(120 * step / steps),
                    &facts,
                    Time::START.after_seconds(60 * step / steps),
                );
            }
            received(&loads)
        };
        assert_eq!(after_a_minute(1), after_a_minute(12));
    }

    #[test]
    fn without_anything_happening_a_load_dies_away() {
        let (mut loads, facts) = (Loads::default(), NodeFacts::default());
        loads.update(&counted(0), &facts, Time::START);
        loads.update(&counted(1000), &facts, Time::START.after_seconds(10));
        loads.update(&counted(1000), &facts, Time::START.after_seconds(10));
        assert_ne!(received(&loads)[0], "0.00");
        loads.update(&counted(1000), &facts, Time::START.after_seconds(36_000));
        assert_eq!(received(&loads), ["0.00", "0.00", "0.00"]);
    }

    #[test]
    fn every_kind_has_its_three_topics() {
        let topics: std::collections::BTreeSet<_> =
            Loads::default().topics().map(|(topic, _)| topic).collect();
        assert_eq!(topics.len(), 27);
        assert!(topics.contains("$SYS/broker/load/sockets/15min"));
    }
}

//! `connection`, and the keys of bridges with rules of their own.

use std::time::Duration;

use martlet_topic::{Limits, TopicFilter, TopicName};

use super::line::{Line, Word};
use super::{Block, Reader, address, value};
use crate::config::{Bridge, BridgeTopic, Direction};
use crate::key::Key;
use crate::report::Severity;
use crate::slot::Value;

/// What Mosquitto writes for a prefix or a pattern that is empty.
const EMPTY: &str = "\"\"";

impl Reader<'_> {
    pub(super) fn read_connection(&mut self, line: &Line<'_>, block: &mut Block) {
        let Some(word) = line.word() else {
            let why = "it begins a bridge to another broker";
            return self.error(
                line,
                "connection has no name",
                why,
                "write one behind it, such as connection office",
            );
        };
        let name = word.text;
        if let Some(before) = self.bridge_names.insert(name.to_owned(), line.origin()) {
            let why = format!("the first one is in {before}");
            let title = format!("there are two bridges called {name}");
            self.error(line, &title, &why, "give one of them another name");
        }
        let index = self.config.bridges.len();
        self.config.bridges.push(Bridge::new(name.to_owned()));
        self.origins.put(format!("bridge[{index}].name"), line.origin());
        block.bridge = Some(index);
    }

    pub(super) fn read_addresses(&mut self, line: &Line<'_>, block: Block) {
        let Some(bridge) = self.bridge(line, block) else { return };
        if !bridge.addresses.is_empty() {
            let why = "all addresses stand on one line";
            return self.error(
                line,
                "this bridge has an address already",
                why,
                "write address HOST:PORT HOST:PORT",
            );
        }
        let mut addresses = Vec::new();
        for word in line.words().take_while(|word| !word.text.starts_with('#')) {
            match address::normal(word.text) {
                Ok(address) => addresses.push(address),
                Err(why) => {
                    let report = line.about(word, Severity::Error, "this is no address".to_owned());
                    let fix = "write HOST:PORT, such as 192.168.1.5:1883 or [fe80::1]:1883";
                    return self.reports.push(report.because(why).fix(fix));
                }
            }
        }
        if addresses.is_empty() {
            let why = "it says where the other broker is";
            return self.error(line, "address has no value", why, "write address HOST:PORT");
        }
        let index = block.bridge.expect("the bridge was just found");
        self.config.bridges[index].addresses = addresses;
        self.origins.put(format!("bridge[{index}].addresses"), line.origin());
    }

    /// `topic PATTERN [[out|in|both] QOS [LOCAL_PREFIX [REMOTE_PREFIX]]]`
    pub(super) fn read_topic(&mut self, line: &Line<'_>, block: Block) {
        if self.bridge(line, block).is_none() {
            return;
        }
        let mut words = line.words();
        let Some(pattern) = words.next() else {
            let why = "it says what goes over the bridge";
            return self.error(line, "topic has no pattern", why, "write topic sensors/# out 1");
        };
        let Some(direction) = self.direction(line, words.next()) else { return };
        // A comment may stand where the rest would.
        let mut rest = words.take_while(|word| !word.text.starts_with('#'));
        let qos = match rest.next() {
            None => 0,
            Some(word) => match u8::try_from(self.number(line, word)).ok().filter(|qos| *qos <= 2) {
                Some(qos) => qos,
                None => {
                    let report = line.about(word, Severity::Error, "there is no such QoS".to_owned());
                    return self
                        .reports
                        .push(report.because("there are 0, 1 and 2").fix("write topic PATTERN out 1"));
                }
            },
        };
        let mut prefix =
            || rest.next().map(|word| word.text).filter(|text| *text != EMPTY).unwrap_or_default();
        let topic = BridgeTopic {
            pattern: Some(pattern.text).filter(|text| *text != EMPTY).unwrap_or_default().to_owned(),
            direction,
            qos,
            local_prefix: prefix().to_owned(),
            remote_prefix: prefix().to_owned(),
        };
        if let Err((why, fix)) = check_topic(&topic) {
            return self.error(line, "these topics cannot go over a bridge", why, fix);
        }
        let index = block.bridge.expect("the bridge was found above");
        let topics = &mut self.config.bridges[index].topics;
        topics.push(topic);
        let path = format!("bridge[{index}].topic[{}].pattern", topics.len() - 1);
        self.origins.put(path, line.origin());
    }

    fn direction(&mut self, line: &Line<'_>, word: Option<Word<'_>>) -> Option<Direction> {
        let Some(word) = word else { return Some(Direction::Out) };
        match word.text.to_ascii_lowercase().as_str() {
            "out" => Some(Direction::Out),
            "in" => Some(Direction::In),
            "both" => Some(Direction::Both),
            _ => {
                let report = line.about(word, Severity::Error, "there is no such direction".to_owned());
                let fix = "a topic has no blanks: write topic PATTERN out 1";
                self.reports.push(report.because("behind the pattern stands out, in or both").fix(fix));
                None
            }
        }
    }

    /// `restart_timeout SECONDS`, or `restart_timeout BASE CAP`.
    pub(super) fn read_restart_timeout(&mut self, line: &Line<'_>, block: Block) {
        if self.bridge(line, block).is_none() {
            return;
        }
        let mut words = line.words();
        let Some(word) = words.next() else {
            let why = "it says how long a bridge waits before it connects again";
            return self.error(line, "restart_timeout has no value", why, "write restart_timeout 5 30");
        };
        let Some(base) = self.seconds(line, word) else { return };
        let cap = match words.next() {
            None => base,
            Some(word) => {
                let Some(cap) = self.seconds(line, word) else { return };
                cap
            }
        };
        if cap < base {
            let why = "the longest time is shorter than the first one";
            return self.error(line, "restart_timeout makes no sense", why, "write the smaller number first");
        }
        let index = block.bridge.expect("the bridge was found above");
        let bridge = &mut self.config.bridges[index];
        (bridge.restart_timeout_base, bridge.restart_timeout_cap) = (base, cap);
        for field in ["restart_timeout_base", "restart_timeout_cap"] {
            self.origins.put(format!("bridge[{index}].{field}"), line.origin());
        }
    }

    fn seconds(&mut self, line: &Line<'_>, word: Word<'_>) -> Option<Duration> {
        let number = self.number(line, word);
        if number < 1 {
            let report =
                line.about(word, Severity::Warning, "restart_timeout is too low: 1 is used".to_owned());
            self.reports.push(report.because("it must be a second or more").fix("write 1 or more"));
            return Some(Duration::from_secs(1));
        }
        let seconds = u64::try_from(number).ok().filter(|seconds| *seconds <= 86_400);
        if seconds.is_none() {
            let report = line.about(word, Severity::Error, "restart_timeout is out of range".to_owned());
            self.reports.push(report.because("it is more than a day").fix("write 86400 or less"));
        }
        seconds.map(Duration::from_secs)
    }

    pub(super) fn read_tcp_keepalive(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let words: Vec<_> = line.words().take(3).map(|word| word.text.to_owned()).collect();
        if words.is_empty() {
            return self.reports.push(value::empty(key, line));
        }
        self.put(key, line, block, Value::List(words));
    }
}

/// Can these topics go over a bridge? If not: why, and what to do.
pub(crate) fn check_topic(topic: &BridgeTopic) -> Result<(), (&'static str, &'static str)> {
    let limits = Limits::default();
    for prefix in [&topic.local_prefix, &topic.remote_prefix] {
        if !prefix.is_empty() && TopicName::parse(prefix, &limits).is_err() {
            return Err(("a prefix has no + and no # in it", "put wildcards into the pattern"));
        }
    }
    if topic.pattern.is_empty() && (topic.local_prefix.is_empty() || topic.remote_prefix.is_empty()) {
        return Err(("without a pattern both prefixes are needed", "write topic \"\" out 1 LOCAL REMOTE"));
    }
    for prefix in [&topic.local_prefix, &topic.remote_prefix] {
        if TopicFilter::parse(&format!("{prefix}{}", topic.pattern), &limits).is_err() {
            return Err((
                "prefix and pattern make no topic filter",
                "+ fills a level and # stands at the end: sensors/+/temperature, sensors/#",
            ));
        }
    }
    Ok(())
}

//! Topics a stranger may send, against one-by-one matching. The input is text, one step a line: `+FILTER` subscribes,
//! `-FILTER` unsubscribes, `=NAME` keeps a Retained Message, `!NAME` drops it, `?FILTER` searches the Retained
//! Messages, and a line that starts with anything else is a Topic Name to be matched.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use martlet_topic::{FilterMap, Limits, NameMap, SubscriptionFilter, TopicFilter, TopicName};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut topics = Topics::new(data.len() as u64);
    for line in text.split('\n') {
        topics.step(line);
    }
    topics.clear();
});

/// Both maps beside their oracles.
struct Topics {
    limits: Limits,
    filters: FilterMap<usize>,
    filters_oracle: BTreeMap<TopicFilter, usize>,
    names: NameMap<usize>,
    names_oracle: BTreeMap<String, usize>,
    steps: usize,
}

impl Topics {
    fn new(seed: u64) -> Self {
        Self {
            limits: Limits { bytes: usize::MAX, levels: usize::MAX },
            filters: FilterMap::new(seed),
            filters_oracle: BTreeMap::new(),
            names: NameMap::new(seed),
            names_oracle: BTreeMap::new(),
            steps: 0,
        }
    }

    fn step(&mut self, line: &str) {
        self.steps += 1;
        let mut rest = line.chars();
        match rest.next() {
            Some('+') => self.subscribe(rest.as_str()),
            Some('-') => self.unsubscribe(rest.as_str()),
            Some('=') => self.retain(rest.as_str()),
            Some('!') => self.drop_retained(rest.as_str()),
            Some('?') => self.search(rest.as_str()),
            _ => self.publish(line),
        }
    }

    fn filter(&self, text: &str) -> Option<TopicFilter> {
        let parsed = SubscriptionFilter::parse(text, &self.limits).ok()?;
        assert_eq!(parsed.to_string(), text);
        Some(parsed.filter)
    }

    fn subscribe(&mut self, text: &str) {
        let Some(filter) = self.filter(text) else { return };
        let value = *self.filters.entry_or_insert_with(&filter, || self.steps);
        assert_eq!(value, *self.filters_oracle.entry(filter).or_insert(self.steps));
    }

    fn unsubscribe(&mut self, text: &str) {
        let Some(filter) = self.filter(text) else { return };
        assert_eq!(self.filters.remove(&filter), self.filters_oracle.remove(&filter));
    }

    fn retain(&mut self, text: &str) {
        let Ok(name) = TopicName::parse(text, &self.limits) else { return };
        assert_eq!(self.names.insert(name, self.steps), self.names_oracle.insert(text.into(), self.steps));
    }

    fn drop_retained(&mut self, text: &str) {
        let Ok(name) = TopicName::parse(text, &self.limits) else { return };
        assert_eq!(self.names.remove(name), self.names_oracle.remove(text));
    }

    fn search(&self, text: &str) {
        let Some(filter) = self.filter(text) else { return };
        let mut found = Vec::new();
        self.names.for_each_match(&filter, |name, value| found.push((name.to_owned(), *value)));
        found.sort_unstable();
        let matches =
            |name: &str| filter.matches(TopicName::parse(name, &self.limits).expect("was parsed before"));
        let expected = self.names_oracle.iter().filter(|(name, _)| matches(name));
        assert!(found.into_iter().eq(expected.map(|(name, value)| (name.clone(), *value))));
    }

    fn publish(&self, text: &str) {
        let Ok(name) = TopicName::parse(text, &self.limits) else { return };
        let mut found = Vec::new();
        self.filters.for_each_match(name, |value| found.push(*value));
        found.sort_unstable();
        let expected = self.filters_oracle.iter().filter(|(filter, _)| filter.matches(name));
        let mut expected: Vec<_> = expected.map(|(_, value)| *value).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    /// Takes everything out again, which the maps must survive as well.
    fn clear(mut self) {
        assert_eq!(self.filters.iter().count(), self.filters_oracle.len());
        assert_eq!(self.names.iter().count(), self.names_oracle.len());
        for (filter, value) in std::mem::take(&mut self.filters_oracle) {
            assert_eq!(self.filters.remove(&filter), Some(value));
        }
        for (name, value) in std::mem::take(&mut self.names_oracle) {
            let name = TopicName::parse(&name, &self.limits).expect("was parsed before");
            assert_eq!(self.names.remove(name), Some(value));
        }
        assert!(self.filters.is_empty() && self.names.is_empty());
    }
}

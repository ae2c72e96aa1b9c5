//! The maps against the slow, obvious oracle: one [`TopicFilter::matches`] after the other. Few different
//! levels make topics meet; every step is checked, so that a search sees maps half filled and half emptied.

use std::collections::BTreeMap;

use martlet_topic::{FilterMap, Limits, NameMap, SubscriptionFilter, TopicFilter, TopicName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text, &Limits::default()).expect("made of literal levels")
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text, &Limits::default()).expect("made of whole levels")
}

fn name_text() -> impl Strategy<Value = String> {
    let levels = vec(select(&["a", "b", "", "$x"][..]), 1..5);
    levels.prop_map(|levels| levels.join("/")).prop_filter("not empty", |text| !text.is_empty())
}

fn filter_text() -> impl Strategy<Value = String> {
    let levels = vec(select(&["a", "b", "", "$x", "+", "+"][..]), 0..5);
    let multi = any::<bool>().prop_map(|wanted| wanted.then_some("#"));
    let text = (levels, multi)
        .prop_map(|(levels, multi)| levels.into_iter().chain(multi).collect::<Vec<_>>().join("/"));
    text.prop_filter("not empty", |text| !text.is_empty())
}

/// One step on a map of topics: `true` inserts, `false` removes, and then a search follows.
fn steps<T: Strategy, S: Strategy>(
    topic: T,
    search: S,
) -> impl Strategy<Value = Vec<(bool, T::Value, S::Value)>> {
    vec((prop::bool::weighted(0.6), topic, search), 1..80)
}

fn sorted<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values
}

proptest! {
    #[test]
    fn filter_map_agrees(steps in steps(filter_text(), name_text()), seed: u64) {
        let mut map = FilterMap::new(seed);
        let mut oracle = BTreeMap::new();
        for (number, (insert, topic, searched)) in steps.iter().enumerate() {
            let topic = filter(topic);
            if *insert {
                let value = *map.entry_or_insert_with(&topic, || number);
                prop_assert_eq!(value, *oracle.entry(topic).or_insert(number));
            } else {
                prop_assert_eq!(map.remove(&topic), oracle.remove(&topic));
            }
            let searched = name(searched);
            let mut found = Vec::new();
            map.for_each_match(searched, |value| found.push(*value));
            let expected = oracle.iter().filter(|(filter, _)| filter.matches(searched));
            prop_assert_eq!(sorted(found), sorted(expected.map(|(_, value)| *value)));
            prop_assert_eq!(map.len(), oracle.len());
        }
        let all = sorted(map.iter().map(|(filter, value)| (filter.into_owned(), *value)));
        prop_assert_eq!(all, sorted(oracle));
    }

    #[test]
    fn name_map_agrees(steps in steps(name_text(), filter_text()), seed: u64) {
        let mut map = NameMap::new(seed);
        let mut oracle = BTreeMap::new();
        for (number, (insert, topic, searched)) in steps.iter().enumerate() {
            if *insert {
                prop_assert_eq!(map.insert(name(topic), number), oracle.insert(topic.clone(), number));
            } else {
                prop_assert_eq!(map.remove(name(topic)), oracle.remove(topic));
            }
            let searched = filter(searched);
            let mut found = Vec::new();
            map.for_each_match(&searched, |topic, value| found.push((topic.to_owned(), *value)));
            let expected = oracle.iter().filter(|(topic, _)| searched.matches(name(topic)));
            prop_assert_eq!(sorted(found), sorted(expected.map(|(topic, value)| (topic.clone(), *value))));
            prop_assert_eq!(map.len(), oracle.len());
        }
        prop_assert_eq!(sorted(map.iter().map(|(topic, value)| (topic, *value))), sorted(oracle));
    }

    #[test]
    fn printed_subscriptions_are_parsed_to_the_same(text in "(\\$share/|\\$queue/|)([a+#$/]|share|queue){0,6}") {
        if let Ok(parsed) = SubscriptionFilter::parse(&text, &Limits::default()) {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text: String) {
        let limits = Limits::default();
        let plain = TopicFilter::parse(&text, &limits);
        if TopicName::parse(&text, &limits).is_ok() {
            let plain = plain.expect("every Topic Name is a Topic Filter");
            prop_assert!(!plain.has_wildcard() && plain.matches(name(&text)));
        }
    }
}

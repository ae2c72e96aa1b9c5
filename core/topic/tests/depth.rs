//! Topics as deep as the wire allows, with the limit on levels lifted: time and stack stay bounded.

use martlet_topic::{FilterMap, Limits, NameMap, TopicFilter, TopicName};

const LEVELS: usize = 32_768;
const NO_LIMITS: Limits = Limits { bytes: usize::MAX, levels: usize::MAX };

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text, &NO_LIMITS).expect("a valid name")
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text, &NO_LIMITS).expect("a valid filter")
}

fn repeat(level: &str, times: usize) -> String {
    vec![level; times].join("/")
}

#[test]
fn filters_of_every_depth_match_once_each() {
    let deep = repeat("a", LEVELS);
    let mut map = FilterMap::new(1);
    let filters = [repeat("+", LEVELS), repeat("+/a", LEVELS / 2), repeat("a/+", LEVELS / 2), "#".into()];
    for text in &filters {
        map.entry_or_insert_with(&filter(text), || text.len());
    }
    let mut found = 0;
    map.for_each_match(name(&deep), |_| found += 1);
    assert_eq!(found, filters.len());
    for text in &filters {
        assert_eq!(map.remove(&filter(text)), Some(text.len()));
    }
    assert!(map.is_empty());
}

/// With a wildcard or a literal at each of 14 levels a name matches all 16,384 filters; it visits each node
/// once.
#[test]
fn every_mixture_of_wildcards_is_found_once() {
    let mut map = FilterMap::new(1);
    for mixture in 0..1_u32 << 14 {
        let levels: Vec<_> = (0..14).map(|level| if mixture >> level & 1 == 0 { "a" } else { "+" }).collect();
        map.entry_or_insert_with(&filter(&levels.join("/")), || mixture);
    }
    let mut found = Vec::new();
    map.for_each_match(name(&repeat("a", 14)), |mixture| found.push(*mixture));
    found.sort_unstable();
    assert!(found.into_iter().eq(0..1 << 14));
}

#[test]
fn deep_names_are_found_by_deep_filters() {
    let deep = repeat("a", LEVELS);
    let mut map = NameMap::new(1);
    map.insert(name(&deep), 1);
    map.insert(name("a"), 2);
    for (text, count) in [("#".into(), 2), (repeat("+", LEVELS), 1), (deep.clone(), 1), (repeat("+/a", 5), 0)]
    {
        let mut found = 0;
        map.for_each_match(&filter(&text), |_, _| found += 1);
        assert_eq!(found, count);
    }
    assert!(map.iter().any(|(text, _)| text == deep));
    assert_eq!(map.remove(name(&deep)), Some(1));
    assert_eq!(map.len(), 1);
}

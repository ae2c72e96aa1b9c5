//! Topic Filters to values, searched by the Topic Name of a Message. Most filters have no wildcard and can
//! match one name only, so they stand in a hash table; the others form a trie.

use std::borrow::Cow;
use std::fmt;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::trie::Trie;
use crate::{TopicFilter, TopicName};

/// Topic Filters to values: a hash map for exact filters, a trie for wildcards.
pub struct FilterMap<V> {
    exact: HashMap<TopicFilter, V, FixedState>,
    wildcard: Trie<V>,
}

impl<V> FilterMap<V> {
    /// An empty map. Strangers choose the filters, so `seed` should be one they cannot guess.
    pub fn new(seed: u64) -> Self {
        Self { exact: HashMap::with_hasher(FixedState::with_seed(seed)), wildcard: Trie::new(seed) }
    }

    /// How many filters there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of exactly this filter.
    pub fn get(&self, filter: &TopicFilter) -> Option<&V> {
        if filter.has_wildcard() { self.wildcard.get(filter.as_str()) } else { self.exact.get(filter) }
    }

    /// The value of exactly this filter, to be changed.
    pub fn get_mut(&mut self, filter: &TopicFilter) -> Option<&mut V> {
        if filter.has_wildcard() {
            self.wildcard.get_mut(filter.as_str())
        } else {
            self.exact.get_mut(filter)
        }
    }

    /// The value of exactly this filter, which is made by `value` if there is none.
    pub fn entry_or_insert_with(&mut self, filter: &TopicFilter, value: impl FnOnce() -> V) -> &mut V {
        if filter.has_wildcard() {
            self.wildcard.get_or_insert_with(filter.as_str(), value)
        } else {
            self.exact.entry_ref(filter).or_insert_with(value)
        }
    }

    /// Removes exactly this filter, with all that only it needed, and returns its value.
    pub fn remove(&mut self, filter: &TopicFilter) -> Option<V> {
        if filter.has_wildcard() { self.wildcard.remove(filter.as_str()) } else { self.exact.remove(filter) }
    }

    /// Calls `found` with the value of every filter that matches `name`, in no set order.
    pub fn for_each_match<'s>(&'s self, name: TopicName<'_>, mut found: impl FnMut(&'s V)) {
        self.for_each_exact(name, &mut found);
        self.for_each_wildcard(name, found);
    }

    /// As [`Self::for_each_match`], for the filter without wildcards: there is at most one.
    pub fn for_each_exact<'s>(&'s self, name: TopicName<'_>, found: impl FnMut(&'s V)) {
        self.exact.get(name.as_str()).into_iter().for_each(found);
    }

    /// As [`Self::for_each_match`], for the filters with wildcards.
    pub fn for_each_wildcard<'s>(&'s self, name: TopicName<'_>, found: impl FnMut(&'s V)) {
        self.wildcard.for_each_filter_matching(name, found);
    }

    /// All filters with their values, in no set order. Filters with wildcards are spelled anew, the others
    /// borrowed.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, TopicFilter>, &V)> {
        let exact = self.exact.iter().map(|(filter, value)| (Cow::Borrowed(filter), value));
        let wildcard = self.wildcard.iter();
        exact.chain(wildcard.map(|(text, value)| (Cow::Owned(TopicFilter::from_parsed(text)), value)))
    }
}

impl<V: fmt::Debug> fmt::Debug for FilterMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text, &Limits::default()).expect("a valid filter")
    }

    fn map<'a>(filters: &[&'a str]) -> FilterMap<&'a str> {
        let mut map = FilterMap::new(3);
        for text in filters {
            map.entry_or_insert_with(&filter(text), || *text);
        }
        map
    }

    fn matching<'a>(map: &FilterMap<&'a str>, name: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        let name = TopicName::parse(name, &Limits::default()).expect("a valid name");
        map.for_each_match(name, |value| found.push(*value));
        found.sort_unstable();
        found
    }

    #[test]
    fn exact_and_wildcard_filters_are_found_together() {
        let map = map(&["a/b", "a/+", "a/#", "+/b", "#", "a/b/c", "b/+", "a"]);
        assert_eq!(matching(&map, "a/b"), ["#", "+/b", "a/#", "a/+", "a/b"]);
        assert_eq!(matching(&map, "a"), ["#", "a", "a/#"]);
        assert_eq!(matching(&map, "x"), ["#"]);
    }

    /// [MQTT-4.7.2-1]
    #[test]
    fn first_wildcard_does_not_match_dollar_names() {
        let map = map(&["#", "+", "+/#", "+/a", "$SYS/#", "$SYS/+", "$SYS/a"]);
        assert_eq!(matching(&map, "$SYS/a"), ["$SYS/#", "$SYS/+", "$SYS/a"]);
        assert_eq!(matching(&map, "$SYS"), ["$SYS/#"]);
        assert_eq!(matching(&map, "$"), [""; 0]);
        assert_eq!(matching(&map, "b/a"), ["#", "+/#", "+/a"]);
    }

    /// [MQTT-4.7.3-4]
    #[test]
    fn matching_does_not_normalise() {
        let map = map(&["ACCOUNTS", "Accounts", "/+", "+", "+/", "+/+"]);
        assert_eq!(matching(&map, "Accounts"), ["+", "Accounts"]);
        assert_eq!(matching(&map, "/finance"), ["+/+", "/+"]);
        assert_eq!(matching(&map, "finance/"), ["+/", "+/+"]);
    }

    #[test]
    fn values_are_kept_by_filter() {
        let mut map = map(&["a", "a/+"]);
        for text in ["a", "a/+"] {
            assert_eq!(*map.entry_or_insert_with(&filter(text), || "another"), text);
            *map.get_mut(&filter(text)).expect("was inserted") = "changed";
            assert_eq!(map.get(&filter(text)), Some(&"changed"));
        }
        for missing in ["b", "+", "a/#", "a/+/+"] {
            assert_eq!(map.get(&filter(missing)), None);
            assert_eq!(map.remove(&filter(missing)), None);
        }
        let mut all: Vec<_> = map.iter().map(|(filter, _)| filter.to_string()).collect();
        all.sort_unstable();
        assert_eq!(all, ["a", "a/+"]);
        assert_eq!((map.remove(&filter("a")), map.len()), (Some("changed"), 1));
        assert_eq!((map.remove(&filter("a/+")), map.is_empty()), (Some("changed"), true));
    }
}

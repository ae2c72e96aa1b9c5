//! Topic Names to values, searched by the Topic Filter of a Subscription: the Retained Messages.

use std::fmt;

use crate::trie::Trie;
use crate::{TopicFilter, TopicName};

/// Topic Names to values, searched by filter: a trie by level.
pub struct NameMap<V> {
    names: Trie<V>,
}

impl<V> NameMap<V> {
    /// An empty map. Strangers choose the names, so `seed` should be one they cannot guess.
    pub fn new(seed: u64) -> Self {
        Self { names: Trie::new(seed) }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `name`.
    pub fn get(&self, name: TopicName<'_>) -> Option<&V> {
        self.names.get(name.as_str())
    }

    /// The value of `name`, to be changed.
    pub fn get_mut(&mut self, name: TopicName<'_>) -> Option<&mut V> {
        self.names.get_mut(name.as_str())
    }

    /// Gives `name` this value and returns the one it had.
    pub fn insert(&mut self, name: TopicName<'_>, value: V) -> Option<V> {
        self.names.insert(name.as_str(), value)
    }

    /// Removes `name`, with all that only it needed, and returns its value.
    pub fn remove(&mut self, name: TopicName<'_>) -> Option<V> {
        self.names.remove(name.as_str())
    }

    /// Calls `found` with every name that `filter` matches, and its value. The order is that of first
    /// insertion within a level and does not depend on the seed.
    pub fn for_each_match<'s>(&'s self, filter: &TopicFilter, found: impl FnMut(&str, &'s V)) {
        self.names.for_each_name_matching(filter, found);
    }

    /// All names, spelled anew, with their values, in an order that does not depend on the seed.
    pub fn iter(&self) -> impl Iterator<Item = (String, &V)> {
        self.names.iter()
    }
}

impl<V: fmt::Debug> fmt::Debug for NameMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn name(text: &str) -> TopicName<'_> {
        TopicName::parse(text, &Limits::default()).expect("a valid name")
    }

    fn map<'a>(names: &[&'a str]) -> NameMap<&'a str> {
        let mut map = NameMap::new(5);
        for text in names {
            map.insert(name(text), *text);
        }
        map
    }

    /// The names found, each of which must come with its own value.
    fn matching<'a>(map: &NameMap<&'a str>, filter: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        let filter = TopicFilter::parse(filter, &Limits::default()).expect("a valid filter");
        map.for_each_match(&filter, |name, value| {
            assert_eq!(name, *value);
            found.push(*value);
        });
        found
    }

    #[test]
    fn names_are_found_by_filter() {
        let map = map(&["a", "a/b", "a/b/c", "a//c", "b/b", "/b", "a/c"]);
        assert_eq!(matching(&map, "a/b"), ["a/b"]);
        assert_eq!(matching(&map, "a/+"), ["a/b", "a/c"]);
        assert_eq!(matching(&map, "+/b"), ["a/b", "b/b", "/b"]);
        assert_eq!(matching(&map, "a/+/c"), ["a/b/c", "a//c"]);
        assert_eq!(matching(&map, "a/#"), ["a", "a/b", "a/b/c", "a//c", "a/c"]);
        assert_eq!(matching(&map, "#").len(), 7);
        assert_eq!(matching(&map, "a/b/c/d"), [""; 0]);
        assert_eq!(matching(&map, "a/+/unknown"), [""; 0]);
    }

    /// [MQTT-4.7.2-1]
    #[test]
    fn first_wildcard_does_not_match_dollar_names() {
        let map = map(&["$SYS", "$SYS/a", "b/$SYS"]);
        for filter in ["#", "+/#", "+/+"] {
            assert_eq!(matching(&map, filter), ["b/$SYS"], "{filter}");
        }
        assert_eq!(matching(&map, "+"), [""; 0]);
        assert_eq!(matching(&map, "$SYS/#"), ["$SYS", "$SYS/a"]);
        assert_eq!(matching(&map, "$SYS/+"), ["$SYS/a"]);
    }

    #[test]
    fn values_are_kept_by_name() {
        let mut map = map(&["a", "a/b"]);
        assert_eq!(map.insert(name("a"), "changed"), Some("a"));
        *map.get_mut(name("a/b")).expect("was inserted") = "too";
        assert_eq!((map.get(name("a")), map.get(name("a/b"))), (Some(&"changed"), Some(&"too")));
        assert_eq!((map.get(name("a/b/c")), map.get(name("b"))), (None, None));
        assert_eq!(map.remove(name("b")), None);
        assert_eq!(map.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!((map.remove(name("a")), map.len()), (Some("changed"), 1));
        assert_eq!((map.remove(name("a/b")), map.is_empty()), (Some("too"), true));
    }
}

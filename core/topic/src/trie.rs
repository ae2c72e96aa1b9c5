//! A trie whose edges are levels, for topics of either kind: filters searched by a name ([`by_name`]) or
//! names searched by a filter ([`by_filter`]).
//!
//! The one rule: every node but the root leads to a value, so removing the last topic of a branch removes the
//! branch. Nodes are 24 bytes in one block and refer to each other by number. The children of a node form a
//! list, wildcards first; all but the first child are also found by parent and level in one hash table.

mod by_filter;
mod by_name;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

use crate::levels::{LevelKey, Levels};
use crate::slab::{Key, Slab};

pub(crate) struct Trie<V> {
    levels: Levels,
    nodes: Slab<Node<V>>,
    /// Every child but the first of its parent: most nodes have just one.
    edges: HashTable<NodeKey<V>>,
    values: Slab<V>,
    state: FixedState,
}

type NodeKey<V> = Key<Node<V>>;

struct Node<V> {
    parent: NodeKey<V>,
    level: LevelKey,
    first_child: Option<NodeKey<V>>,
    next: Option<NodeKey<V>>,
    /// The sibling before, or for a first child the last one.
    previous: NodeKey<V>,
    value: Option<Key<V>>,
}

impl<V> Trie<V> {
    const ROOT: NodeKey<V> = Key::FIRST;

    pub(crate) fn new(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        let mut trie = Self {
            levels: Levels::new(seed),
            nodes: Slab::new(),
            edges: HashTable::new(),
            values: Slab::new(),
            state,
        };
        // Parent, level and sibling of the root are never read.
        trie.nodes.insert(Node::new(Self::ROOT, Levels::MULTI, Self::ROOT));
        trie
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, topic: &str) -> Option<&V> {
        let value = self.nodes[self.find(topic)?].value?;
        Some(&self.values[value])
    }

    pub(crate) fn get_mut(&mut self, topic: &str) -> Option<&mut V> {
        let value = self.nodes[self.find(topic)?].value?;
        Some(&mut self.values[value])
    }

    pub(crate) fn get_or_insert_with(&mut self, topic: &str, value: impl FnOnce() -> V) -> &mut V {
        let node = self.find_or_add(topic);
        let value = match self.nodes[node].value {
            Some(value) => value,
            None => {
                let value = self.values.insert(value());
                self.nodes[node].value = Some(value);
                value
            }
        };
        &mut self.values[value]
    }

    /// Returns the value that `topic` had.
    pub(crate) fn insert(&mut self, topic: &str, value: V) -> Option<V> {
        let mut value = Some(value);
        let place = self.get_or_insert_with(topic, || value.take().expect("called at most once"));
        value.map(|value| std::mem::replace(place, value))
    }

    pub(crate) fn remove(&mut self, topic: &str) -> Option<V> {
        let node = self.find(topic)?;
        let value = self.nodes[node].value.take()?;
        self.prune(node);
        Some(self.values.remove(value))
    }

    /// All topics with their values, in an order that depends on what was done but not on the seed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &V)> {
        let valued = self.nodes.iter().filter_map(|node| Some((node, node.value?)));
        valued.map(|(node, value)| (self.topic(node), &self.values[value]))
    }

    fn find(&self, topic: &str) -> Option<NodeKey<V>> {
        let mut node = Self::ROOT;
        for level in topic.split('/') {
            node = self.child(node, self.levels.find(level)?)?;
        }
        Some(node)
    }

    fn find_or_add(&mut self, topic: &str) -> NodeKey<V> {
        let mut node = Self::ROOT;
        for text in topic.split('/') {
            let found = self.levels.find(text).and_then(|level| self.child(node, level));
            node = found.unwrap_or_else(|| self.add_child(node, text));
        }
        node
    }

    fn child(&self, parent: NodeKey<V>, level: LevelKey) -> Option<NodeKey<V>> {
        let first = self.nodes[parent].first_child?;
        match &self.nodes[first] {
            node if node.level == level => return Some(first),
            node if node.next.is_none() => return None,
            _ => {}
        }
        let same = |&key: &NodeKey<V>| {
            let node = &self.nodes[key];
            node.parent == parent && node.level == level
        };
        self.edges.find(edge_hash(&self.state, parent, level), same).copied()
    }

    fn add_child(&mut self, parent: NodeKey<V>, text: &str) -> NodeKey<V> {
        let level = self.levels.keep(text);
        let node = self.nodes.insert(Node::new(parent, level, Self::ROOT));
        self.link(node);
        node
    }

    /// Frees `node` and its ancestors as far as they lead to nothing.
    fn prune(&mut self, mut key: NodeKey<V>) {
        while key != Self::ROOT && self.nodes[key].value.is_none() && self.nodes[key].first_child.is_none() {
            self.unlink(key);
            let Node { parent, level, .. } = self.nodes.remove(key);
            self.levels.release(level);
            key = parent;
        }
    }

    /// Puts `node` among the children of its parent: a wildcard first, anything else last.
    fn link(&mut self, node: NodeKey<V>) {
        let parent = self.nodes[node].parent;
        let Some(first) = self.nodes[parent].first_child else {
            self.nodes[parent].first_child = Some(node);
            self.nodes[node].previous = node;
            return;
        };
        let last = self.nodes[first].previous;
        self.nodes[node].previous = last;
        self.nodes[first].previous = node;
        if self.nodes[node].is_wildcard() {
            self.nodes[node].next = Some(first);
            self.nodes[parent].first_child = Some(node);
            self.add_edge(first);
        } else {
            // The new node is the last one, which is what the first one's `previous` now says.
            self.nodes[last].next = Some(node);
            self.add_edge(node);
        }
    }

    /// Takes `node` out of the children of its parent.
    fn unlink(&mut self, node: NodeKey<V>) {
        let Node { parent, previous, next, .. } = self.nodes[node];
        let first = self.nodes[parent].first_child.expect("a parent has at least this child");
        if first == node {
            self.nodes[parent].first_child = next;
            next.into_iter().for_each(|next| self.remove_edge(next));
        } else {
            self.nodes[previous].next = next;
            self.remove_edge(node);
        }
        // Whoever follows, or the first for a node that was last, has a new one before it.
        let follower = next.unwrap_or(first);
        self.nodes[follower].previous = previous;
    }

    fn add_edge(&mut self, node: NodeKey<V>) {
        let Self { nodes, edges, state, .. } = self;
        let hash = |&key: &NodeKey<V>| edge_hash(state, nodes[key].parent, nodes[key].level);
        edges.insert_unique(hash(&node), node, hash);
    }

    fn remove_edge(&mut self, node: NodeKey<V>) {
        let hash = edge_hash(&self.state, self.nodes[node].parent, self.nodes[node].level);
        let edge = self.edges.find_entry(hash, |&other| other == node);
        edge.ok().expect("every child but the first has an edge").remove();
    }

    /// Spells the topic that ends at `node`.
    fn topic<'a>(&'a self, mut node: &'a Node<V>) -> String {
        let mut upwards = vec![node.level];
        while node.parent != Self::ROOT {
            node = &self.nodes[node.parent];
            upwards.push(node.level);
        }
        let mut topic = String::new();
        for (depth, &level) in upwards.iter().rev().enumerate() {
            if depth > 0 {
                topic.push('/');
            }
            topic.push_str(self.levels.text(level));
        }
        topic
    }
}

impl<V> Node<V> {
    fn new(parent: NodeKey<V>, level: LevelKey, previous: NodeKey<V>) -> Self {
        Self { parent, level, first_child: None, next: None, previous, value: None }
    }

    fn is_wildcard(&self) -> bool {
        self.level == Levels::SINGLE || self.level == Levels::MULTI
    }
}

fn edge_hash<V>(state: &FixedState, parent: NodeKey<V>, level: LevelKey) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u64(u64::from(parent.number()) << 32 | u64::from(level.number()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<V> Trie<V> {
        /// Nodes without the root, and children that can be found, counted while all is as it should be.
        fn counts(&self) -> [usize; 2] {
            let (mut listed, mut edges) = (0, 0);
            for node in self.nodes.iter() {
                let mut child = node.first_child;
                while let Some(key) = child {
                    let node = &self.nodes[key];
                    assert!(self.child(node.parent, node.level) == Some(key));
                    listed += 1;
                    edges += usize::from(node.next.is_some());
                    child = node.next;
                }
            }
            assert_eq!(self.edges.len(), edges);
            [self.nodes.len() - 1, listed]
        }
    }

    #[test]
    fn nodes_are_small() {
        assert_eq!(size_of::<Option<Node<[u64; 9]>>>(), 24);
    }

    #[test]
    fn branches_are_shared_and_pruned() {
        let mut trie = Trie::new(1);
        for topic in ["a/b/c", "a/b/d", "a/+", "a"] {
            trie.insert(topic, topic);
        }
        assert_eq!(trie.counts(), [5; 2]);
        assert_eq!(trie.remove("a/b"), None);
        assert_eq!(trie.remove("a/b/c"), Some("a/b/c"));
        assert_eq!(trie.counts(), [4; 2]);
        assert_eq!(trie.remove("a"), Some("a"));
        assert_eq!(trie.counts(), [4; 2]);
        assert_eq!(trie.remove("a/b/d"), Some("a/b/d"));
        assert_eq!(trie.remove("a/+"), Some("a/+"));
        assert_eq!((trie.counts(), trie.len()), ([0; 2], 0));
        assert!(trie.levels.find("a").is_none());
    }

    #[test]
    fn siblings_can_go_in_any_order() {
        let topics = ["a", "+", "b", "#", "c"];
        for first in 0..topics.len() {
            for second in 0..topics.len() {
                let mut trie = Trie::new(1);
                for topic in topics {
                    trie.insert(topic, ());
                }
                trie.remove(topics[first]);
                trie.remove(topics[second]);
                let left = trie.len();
                assert_eq!(trie.counts(), [left; 2]);
                trie.insert(topics[first], ());
                trie.insert("z", ());
                assert_eq!(trie.counts(), [trie.len(); 2]);
            }
        }
    }

    #[test]
    fn topics_are_spelled_again() {
        let mut trie = Trie::new(1);
        for topic in ["/", "a//b", "$x/+", "/a/", "#"] {
            trie.insert(topic, topic);
        }
        assert_eq!(trie.iter().count(), 5);
        assert!(trie.iter().all(|(topic, value)| topic == *value));
    }
}

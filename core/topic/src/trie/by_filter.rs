//! A trie of Topic Names, searched by a Topic Filter. Each node is visited at most once; a filter without
//! wildcards, or with a level that no name has, costs one step per level.

use smallvec::SmallVec;

use super::{NodeKey, Trie};
use crate::TopicFilter;
use crate::levels::{LevelKey, Levels};

impl<V> Trie<V> {
    /// Calls `found` with every name here that `filter` matches, and its value. The children of a node come
    /// in the order in which they were added.
    pub(crate) fn for_each_name_matching<'s>(
        &'s self,
        filter: &TopicFilter,
        mut found: impl FnMut(&str, &'s V),
    ) {
        let Some(wanted) = Wanted::new(filter, &self.levels) else { return };
        let mut name = String::new();
        let mut open: SmallVec<[Visit<V>; 16]> = SmallVec::new();
        open.extend(self.children_wanted(Self::ROOT, 0, name.len(), &wanted));
        while let Some(visit) = open.pop() {
            let node = &self.nodes[visit.node];
            if let (true, Some(next)) = (visit.siblings, node.next) {
                open.push(Visit { node: next, ..visit });
            }
            let text = self.levels.text(node.level);
            if visit.depth == 0 && filter.starts_with_wildcard() && text.starts_with('$') {
                continue; // [MQTT-4.7.2-1]
            }
            name.truncate(visit.prefix);
            if visit.depth > 0 {
                name.push('/');
            }
            name.push_str(text);
            let depth = visit.depth + 1;
            if let (true, Some(value)) = (wanted.may_end(depth), node.value) {
                found(&name, &self.values[value]);
            }
            open.extend(self.children_wanted(visit.node, depth, name.len(), &wanted));
        }
    }

    /// How to go on below `parent`, whose children are `depth` levels down and spelled after `prefix` bytes.
    fn children_wanted(
        &self,
        parent: NodeKey<V>,
        depth: usize,
        prefix: usize,
        wanted: &Wanted,
    ) -> Option<Visit<V>> {
        let level = wanted.at(depth)?;
        let siblings = level == Levels::MULTI || level == Levels::SINGLE;
        let node = if siblings { self.nodes[parent].first_child } else { self.child(parent, level) };
        Some(Visit { node: node?, depth, prefix, siblings })
    }
}

/// A node still to be visited.
struct Visit<V> {
    node: NodeKey<V>,
    /// How many levels stand before its own.
    depth: usize,
    /// How many bytes they have.
    prefix: usize,
    /// Whether the siblings after it are wanted as well. They are taken one by one, so that the list of open
    /// visits grows with the levels of the names and not with their number.
    siblings: bool,
}

/// The levels of the filter; every literal among them is one that some name has.
struct Wanted {
    levels: SmallVec<[LevelKey; 16]>,
    /// Whether the last level is `#`, which goes on for ever.
    multi: bool,
}

impl Wanted {
    /// `None` when a level is in no name, so that nothing can match.
    fn new(filter: &TopicFilter, levels: &Levels) -> Option<Self> {
        let levels: SmallVec<_> = filter.levels().map(|text| levels.find(text)).collect::<Option<_>>()?;
        let multi = levels.last() == Some(&Levels::MULTI);
        Some(Self { levels, multi })
    }

    /// What is wanted after `depth` levels.
    fn at(&self, depth: usize) -> Option<LevelKey> {
        self.levels.get(depth).copied().or(self.multi.then_some(Levels::MULTI))
    }

    /// Whether a name may end after `depth` levels. `#` stands for no level too: `sport/#` matches `sport`.
    fn may_end(&self, depth: usize) -> bool {
        self.at(depth).is_none_or(|level| level == Levels::MULTI)
    }
}

//! A trie of Topic Filters, searched by a Topic Name. Each node is visited at most once, whatever the
//! filters, so a search costs no more than the filters stored.

use smallvec::{SmallVec, smallvec};

use super::{NodeKey, Trie};
use crate::TopicName;
use crate::levels::{LevelKey, Levels};

impl<V> Trie<V> {
    /// Calls `found` with the value of every filter here that matches `name`, in no set order.
    pub(crate) fn for_each_filter_matching<'s>(&'s self, name: TopicName<'_>, mut found: impl FnMut(&'s V)) {
        let mut steps = Steps { levels: &self.levels, texts: name.levels(), known: SmallVec::new() };
        let mut open: SmallVec<[(NodeKey<V>, usize); 16]> = smallvec![(Self::ROOT, 0)];
        let mut report = |value: Option<_>| value.into_iter().for_each(|value| found(&self.values[value]));
        while let Some((key, depth)) = open.pop() {
            let node = &self.nodes[key];
            let step = steps.at(depth);
            if step == Step::End {
                report(node.value);
            }
            let hidden = depth == 0 && name.is_dollar(); // [MQTT-4.7.2-1]
            let mut child = node.first_child;
            while let Some(key) = child {
                let wildcard = &self.nodes[key];
                if wildcard.level == Levels::MULTI && !hidden {
                    report(wildcard.value); // At the end too: `sport/#` matches `sport`.
                } else if wildcard.level == Levels::SINGLE && !hidden && step != Step::End {
                    open.push((key, depth + 1));
                } else if !wildcard.is_wildcard() {
                    break; // Wildcards stand first.
                }
                child = wildcard.next;
            }
            if let (Some(_), Step::Known(level)) = (child, step) {
                open.extend(self.child(key, level).map(|child| (child, depth + 1)));
            }
        }
    }
}

/// The levels of the name, looked up once each and only as deep as the search goes.
struct Steps<'t, I> {
    levels: &'t Levels,
    texts: I,
    known: SmallVec<[Step; 16]>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Known(LevelKey),
    /// No filter here has such a level: only wildcards can match it.
    Unknown,
    End,
}

impl<'a, I: Iterator<Item = &'a str>> Steps<'_, I> {
    /// The level at `depth`, which is at most one deeper than any before.
    fn at(&mut self, depth: usize) -> Step {
        if depth == self.known.len() {
            let step = match self.texts.next() {
                None => Step::End,
                Some(text) => self.levels.find(text).map_or(Step::Unknown, Step::Known),
            };
            self.known.push(step);
        }
        self.known[depth]
    }
}

//! The order in which roles and groups are asked.

use std::sync::Arc;

/// Names by priority, the highest first, and by their text where it is equal. Each name is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranked(Vec<(i32, Arc<str>)>);

impl Ranked {
    /// The priority of what was given none.
    pub const UNRANKED: i32 = -1;

    /// Adds a name. False, and nothing changed, if it was there.
    pub fn insert(&mut self, name: Arc<str>, priority: i32) -> bool {
        if self.contains(&name) {
            return false;
        }
        let at = self.0.partition_point(|(other, text)| {
            (std::cmp::Reverse(*other), &**text) < (std::cmp::Reverse(priority), &*name)
        });
        self.0.insert(at, (priority, name));
        true
    }

    /// Removes a name. False if it was not there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, other)| **other != *name);
        self.0.len() < before
    }

    /// Whether the name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(_, other)| **other == *name)
    }

    /// The names with their priorities, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32)> {
        self.0.iter().map(|(priority, name)| (name, *priority))
    }
}

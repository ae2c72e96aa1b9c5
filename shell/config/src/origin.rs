//! Where what is in force was written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where each value was written; what is not here is a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl Origins {
    /// Where the value of this path (`limits.queue_messages_max`, `listener[0].port`) was written.
    pub fn of(&self, path: &str) -> Option<&Origin> {
        self.0.get(path)
    }

    pub(crate) fn put(&mut self, path: String, origin: Origin) -> Option<Origin> {
        self.0.insert(path, origin)
    }

    /// Gives what was written under one name another: `from.x` becomes `to.x`.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let inside = |path: &str| path.strip_prefix(from).is_some_and(|rest| rest.starts_with('.'));
        let paths: Vec<_> = self.0.keys().filter(|path| inside(path)).cloned().collect();
        for path in paths {
            let origin = self.0.remove(&path).expect("the path was just seen");
            self.0.insert(format!("{to}{}", &path[from.len()..]), origin);
        }
    }

    pub(crate) fn any_under(&self, prefix: &str) -> Option<(&str, &Origin)> {
        let below = format!("{prefix}.");
        let (path, origin) = self.0.range(below.clone()..).next()?;
        path.starts_with(&below).then_some((path.as_str(), origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

//! One line that says how far a long experiment is.
//!
//! The rule: only a terminal sees it, and it is gone when the experiment ends.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// More often nobody can read it.
const PERIOD: Duration = Duration::from_millis(200);

/// The line.
pub(crate) struct Progress {
    is_shown: bool,
    last: Option<Instant>,
}

impl Progress {
    /// A line on the terminal, if there is one.
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), last: None }
    }

    /// Says something else.
    pub(crate) fn say(&mut self, words: impl FnOnce() -> String) {
        if self.is_shown && self.last.is_none_or(|last| last.elapsed() >= PERIOD) {
            self.last = Some(Instant::now());
            // A terminal that takes no more words is no reason to end an experiment.
            drop(write!(io::stderr(), "\r\x1b[K{}", words()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last.is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

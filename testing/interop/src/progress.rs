//! What the person who waits sees: on a terminal one line that changes, elsewhere one line for each scenario.

use crate::broker::Brand;
use crate::outcome::Outcome;
use crate::report::verdict;
use std::io::{self, IsTerminal, Write};

pub(crate) struct Progress {
    terminal: bool,
    total: usize,
    current: usize,
    name: &'static str,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Progress { terminal: io::stderr().is_terminal(), total, current: 0, name: "" }
    }

    pub(crate) fn begin(&mut self, name: &'static str) {
        self.current += 1;
        self.name = name;
        if self.terminal {
            self.show(&format!("\r\x1b[K[{}/{}] {name} …", self.current, self.total));
        }
    }

    pub(crate) fn end(&mut self, brands: &[Brand], outcomes: &[Outcome]) {
        let verdicts: Vec<String> = brands
            .iter()
            .zip(outcomes)
            .map(|(brand, outcome)| format!("{brand}: {}", verdict(outcome)))
            .collect();
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        let line =
            format!("{clear}[{}/{}] {}  {}\n", self.current, self.total, self.name, verdicts.join("  "));
        self.show(&line);
    }

    fn show(&self, text: &str) {
        let mut stderr = io::stderr();
        // Nobody looks any more if it cannot be written.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

//! How many messages come in each second.

use std::io::{self, Write};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Counts messages, and says their number once in a second.
#[derive(Debug)]
pub(super) struct Rate {
    messages: u64,
    due: Instant,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self { messages: 0, due: Instant::now() + SECOND }
    }

    /// A message came.
    pub(super) const fn count(&mut self) {
        self.messages += 1;
    }

    /// When the next number is to be said.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Says the number when it is time. A second in which nobody asked counts to the one before.
    pub(super) fn tell(&mut self, out: &mut impl Write) -> io::Result<()> {
        let now = Instant::now();
        if now < self.due {
            return Ok(());
        }
        writeln!(out, "{}", self.messages)?;
        self.messages = 0;
        self.due = now + SECOND;
        Ok(())
    }
}

//! A terminal on which each topic has a line of its own.

use std::collections::HashMap;
use std::io::{self, Write};

/// Topics in the order in which they came, the first on the first line.
#[derive(Debug, Default)]
pub(super) struct Watch {
    rows: HashMap<String, usize>,
}

/// So many topics have a line: no terminal has more, and strangers choose topics.
const ROWS_MAX: usize = 10_000;

impl Watch {
    /// Renews the topic's line.
    pub(super) fn show(&mut self, topic: &str, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.rows.is_empty() {
            // Clears the terminal.
            out.write_all(b"\x1b[2J")?;
        }
        let next = self.rows.len() + 1;
        let row = match self.rows.get(topic) {
            Some(row) => *row,
            None if next > ROWS_MAX => return Ok(()),
            None => *self.rows.entry(topic.to_owned()).or_insert(next),
        };
        write!(out, "\x1b[{row};1H")?;
        // An end of line would begin another topic's.
        let line: Vec<u8> = line.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
        out.write_all(&line)?;
        out.write_all(b"\x1b[K")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_keeps_its_line() {
        let mut watch = Watch::default();
        let mut out = Vec::new();
        for (topic, line) in [("a", "1"), ("b", "2\n3"), ("a", "4")] {
            watch.show(topic, line.as_bytes(), &mut out).unwrap();
        }
        let expected = "\x1b[2J\x1b[1;1H1\x1b[K\x1b[2;1H2 3\x1b[K\x1b[1;1H4\x1b[K";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

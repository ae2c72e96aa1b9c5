//! What is wrong with a file, in words that let a person mend it.

use std::fmt;

/// One thing that is wrong, or odd, in one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: u32,
    /// What it is, and what to do about it. No secret is ever in it.
    pub text: String,
    /// What follows from it.
    pub severity: Severity,
}

/// What follows from a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line counts, and may not do what was meant.
    Warning,
    /// The line does not count; or, in a file that counts as a whole, the file.
    Error,
}

impl Problem {
    pub(crate) fn warning(line: u32, text: impl Into<String>) -> Self {
        Self { line, text: text.into(), severity: Severity::Warning }
    }

    pub(crate) fn error(line: u32, text: impl Into<String>) -> Self {
        Self { line, text: text.into(), severity: Severity::Error }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.text),
            line => write!(f, "line {line}: {}", self.text),
        }
    }
}

/// The lines of a file with their numbers, without what ends them.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    bytes.split(|byte| *byte == b'\n').zip(1u32..).map(|(line, number)| (number, line))
}

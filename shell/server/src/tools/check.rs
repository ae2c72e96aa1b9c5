//! Reads everything that is needed, and says of each thing that is not as it was written whom it concerns.
//!
//! A log with a gap is read as a repair would leave it: the repair is tried in memory first.

use std::collections::HashMap;
use std::ops::Range;

use martlet_disk::{Content, Inspection, OpenError, Recovered, Repaired, Torn};
use martlet_record::{Now, Place, SessionNumber, Stored};

use super::contents::{Contents, Holder};
use super::problem::{Concerned, Fault, Problem};
use super::scratch::Scratch;
use super::{Progress, Stage, Store};

/// Messages that are read at once, and their bytes.
const TOGETHER: usize = 4096;
const TOGETHER_BYTES: u64 = 8 << 20;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Frames that were read.
    pub frames: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Messages that somebody needs, and that were read.
    pub messages: u64,
    /// Sessions there are.
    pub sessions: u64,
    /// The end of the log, if it was being written when the broker was killed. No harm: nobody had been told of it.
    pub torn: Option<Torn>,
    /// Positions that an earlier repair took out.
    pub lost: Vec<Range<u64>>,
    /// What is not as it was written, in the order of the log.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Nothing that anybody needs is damaged.
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.fault.is_harmless())
    }

    /// A broker does not start on it.
    pub fn needs_repair(&self) -> bool {
        self.problems.iter().any(|problem| problem.fault.stops_start())
    }
}

impl Store {
    /// Verifies the log and every Message that somebody needs.
    pub fn check(&self, progress: Progress<'_>) -> Result<Checked, OpenError> {
        let mut sessions_of_damage = Vec::new();
        let (read, gaps) = match self.contents(progress) {
            Ok(read) => (read, Vec::new()),
            Err(OpenError::Damaged(damage)) => {
                sessions_of_damage.push((damage.segment, damage.offset, damage.sessions));
                self.as_if_repaired(progress)?
            }
            Err(error) => return Err(error),
        };
        let (contents, recovered) = read;
    }
}

//! What a scenario is: a client program, the brokers' settings for it, and what is known to fail where.

use crate::broker::{Brand, Settings};
use crate::outcome::Check;
use std::time::Duration;

/// One row of the table.
pub(crate) struct Scenario {
    /// Short and unique, for `--only` and for log files.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) title: &'static str,
    /// Who does it, shown until the client names itself and its version.
    pub(crate) client: &'static str,
    pub(crate) work: Work,
    pub(crate) settings: Settings,
    /// A client that takes longer is killed and has failed.
    pub(crate) limit: Duration,
    pub(crate) known: &'static [Known],
    /// Looks at what Martlet wrote to its log meanwhile.
    pub(crate) log_checks: Option<fn(&str) -> Vec<Check>>,
}

/// Who does the work.
pub(crate) enum Work {
    /// A client program; it is given the broker's address and then the words.
    Client { program: Program, words: &'static [&'static str] },
    /// Our own load: connect, publish, disconnect, on all brokers in turn.
    Storm,
}

/// A client program by its language, under `clients/`.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// A script, run with the libraries of the named set.
    Python { script: &'static str, libraries: Libraries },
    /// A script for Node.js.
    Node { script: &'static str },
    /// The one program of `clients/go`.
    Go,
    /// The one program of `clients/rust`.
    Rust,
}

/// The sets of Python libraries: releases that cannot be installed together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Libraries {
    /// paho-mqtt 1.6.
    Paho1,
    /// paho-mqtt 2.x and what builds upon it.
    Current,
    /// The standard library alone.
    None,
}

/// A check that a broker is known to fail, and why: shown, but no failure of the run.
pub(crate) struct Known {
    pub(crate) brand: Brand,
    pub(crate) check: &'static str,
    pub(crate) why: &'static str,
}

impl Scenario {
    /// Why the broker is known to fail the check, if it is.
    pub(crate) fn known(&self, brand: Brand, check: &str) -> Option<&'static str> {
        let known = self.known.iter().find(|known| known.brand == brand && known.check == check);
        known.map(|known| known.why)
    }
}

//! The trials, one file each.
//!
//! The rule: a trial starts its own broker and leaves nothing to the next.

mod deaf;
mod drip;
mod first_packets;
mod garbage;
mod half_open;
mod idle;
mod shutdown;
mod storm;
mod vanish;

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use martlet_witness::report::Report;

use crate::Setup;

/// A trial by its name on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trial {
    /// Peers vanish without a FIN; their Wills must appear by their Keep Alive.
    Vanish,
    /// Ten thousand clients re-connect within one second.
    Storm,
    /// First packets of 100 MB.
    FirstPackets,
    /// Packets sent one byte at a time.
    Drip,
    /// Half-open connections up to the descriptor limit and 1,000 beyond.
    HalfOpen,
    /// A subscriber that never reads while 1 GiB is published to it.
    Deaf,
    /// Ten thousand connections of garbage.
    Garbage,
    /// SIGTERM with a thousand clients and full queues.
    Shutdown,
    /// Memory of an idle connection.
    Idle,
}

impl Trial {
    /// Holds the trial; an error means that it could not be held to its end.
    pub(crate) fn run(self, setup: &Setup, report: &mut Report) -> Result<()> {
        match self {
            Self::Vanish => vanish::run(setup, report),
            Self::Storm => storm::run(setup, report),
            Self::FirstPackets => first_packets::run(setup, report),
            Self::Drip => drip::run(setup, report),
            Self::HalfOpen => half_open::run(setup, report),
            Self::Deaf => deaf::run(setup, report),
            Self::Garbage => garbage::run(setup, report),
            Self::Shutdown => shutdown::run(setup, report),
            Self::Idle => idle::run(setup, report),
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no trial is hidden");
        f.write_str(value.get_name())
    }
}

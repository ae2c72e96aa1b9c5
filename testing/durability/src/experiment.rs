//! The experiments, one file each.
//!
//! The rule: an experiment starts its own brokers in folders of its own and leaves nothing behind.

mod contract;
mod kill;
mod speed;
mod strace;

use anyhow::Result;
use clap::Subcommand;
use martlet_witness::report::Report;

use crate::Setup;

/// An experiment with its options.
#[derive(Subcommand)]
pub(crate) enum Experiment {
    Contract(contract::Arguments),
    Kill(kill::Arguments),
    Strace(strace::Arguments),
    Speed(speed::Arguments),
}

impl Experiment {
    /// Holds it; an error means that it could not be held to its end.
    pub(crate) fn run(&self, setup: &Setup, report: &mut Report) -> Result<()> {
        match self {
            Self::Contract(arguments) => contract::run(arguments, setup, report),
            Self::Kill(arguments) => kill::run(arguments, setup, report),
            Self::Strace(arguments) => strace::run(arguments, setup, report),
            Self::Speed(arguments) => speed::run(arguments, setup, report),
        }
    }

    /// Its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Contract(_) => "contract",
            Self::Kill(_) => "kill",
            Self::Strace(_) => "strace",
            Self::Speed(_) => "speed",
        }
    }
}

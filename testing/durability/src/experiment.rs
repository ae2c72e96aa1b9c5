//! The experiments, one file each.
//!
//! The rule: an experiment starts its own brokers in folders of its own and leaves nothing behind.

mod backlog;
mod contract;
mod disk_full;
mod kill;
mod million;
mod snapshots;
mod soak;
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
    Snapshots(snapshots::Arguments),
    DiskFull(disk_full::Arguments),
    Million(million::Arguments),
    Backlog(backlog::Arguments),
    Soak(soak::Arguments),
    Speed(speed::Arguments),
}

impl Experiment {
    /// Holds it; an error means that it could not be held to its end.
    pub(crate) fn run(&self, setup: &Setup, report: &mut Report) -> Result<()> {
        match self {
            Self::Contract(arguments) => contract::run(arguments, setup, report),
            Self::Kill(arguments) => kill::run(arguments, setup, report),
            Self::Strace(arguments) => strace::run(arguments, setup, report),
            Self::Snapshots(arguments) => snapshots::run(arguments, setup, report),
            Self::DiskFull(arguments) => disk_full::run(arguments, setup, report),
            Self::Million(arguments) => million::run(arguments, setup, report),
            Self::Backlog(arguments) => backlog::run(arguments, setup, report),
            Self::Soak(arguments) => soak::run(arguments, setup, report),
            Self::Speed(arguments) => speed::run(arguments, setup, report),
        }
    }

    /// Its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Contract(_) => "contract",
            Self::Kill(_) => "kill",
            Self::Strace(_) => "strace",
            Self::Snapshots(_) => "snapshots",
            Self::DiskFull(_) => "disk-full",
            Self::Million(_) => "million",
            Self::Backlog(_) => "backlog",
            Self::Soak(_) => "soak",
            Self::Speed(_) => "speed",
        }
    }
}

//! Experiments with the durable store of a whole broker: what it was promised to keep must be there, whatever happens
//! to its process, its disk and its readers.
//!
//! The rule: a broker is a program, a port, a process and a folder. Nothing here shares code with it.

mod disk;
mod experiment;
mod load;
mod progress;
mod store;
mod table;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use martlet_witness::cleanup::{self, Leftover};
use martlet_witness::report::{self, Outcome, Report};
use martlet_witness::{Program, raise_descriptor_limit};
use tempfile::TempDir;

use crate::experiment::Experiment;
use crate::store::{Durability, Settings};

/// Hold a whole broker to what its store promises.
///
/// Each experiment prints a small table and fails when something promised was missing. Those that mount a disk of
/// their own need root.
#[derive(Parser)]
#[command(name = "durability", bin_name = "cargo xtask durability", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    experiment: Experiment,
    /// Use this program instead of building `martlet`; one whose name contains "mosquitto" is started as Mosquitto is.
    #[arg(long, value_name = "FILE", global = true)]
    broker: Option<PathBuf>,
    /// Where the brokers keep their data and disks are made; a folder on a real disk. [default: the system's folder for temporary files]
    #[arg(long, value_name = "FOLDER", global = true)]
    folder: Option<PathBuf>,
    /// How Martlet keeps what it must keep. An experiment fails where it asks for more than the mode promises: so it
    /// can be seen that it would notice.
    #[arg(long, value_enum, global = true, default_value_t = Durability::Always)]
    durability: Durability,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    /// Where random numbers begin.
    #[arg(long, global = true, default_value_t = 0x6d61_7274_6c65_7400)]
    seed: u64,
}

/// What every experiment is given.
struct Setup {
    program: Program,
    /// The installed Mosquitto, to compare with.
    mosquitto: Program,
    folder: PathBuf,
    durability: Durability,
    seed: u64,
}

impl Setup {
    /// What an experiment begins with when it asks for nothing else.
    fn settings(&self) -> Settings {
        Settings { durability: self.durability, ..Settings::default() }
    }

    /// A new folder that vanishes with its value.
    fn new_folder(&self) -> Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("martlet-durability-").tempdir_in(&self.folder);
        let folder = folder.with_context(|| format!("making a folder in {}", self.folder.display()))?;
        // For an interrupted run; otherwise it is long gone when that is asked.
        cleanup::register(Leftover::Folder(folder.path().to_owned()));
        Ok(folder)
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    cleanup::on_signals()?;
    raise_descriptor_limit().context("raising the limit of open descriptors")?;
    let setup = Setup {
        program: arguments.broker.map_or_else(Program::built, |file| Ok(Program::at(file)))?,
        mosquitto: Program::at(PathBuf::from("mosquitto")),
        folder: arguments.folder.unwrap_or_else(env::temp_dir),
        durability: arguments.durability,
        seed: arguments.seed,
    };
    let started = Instant::now();
    let mut report = Report::default();
    if let Err(error) = arguments.experiment.run(&setup, &mut report) {
        report.fail(format!("the experiment broke off: {error:#}"));
    }
    let outcome = Outcome { trial: arguments.experiment.name().to_owned(), took: started.elapsed(), report };
    writeln!(io::stdout(), "{}: {outcome}", setup.program)?;
    let failed = outcome.has_failed();
    if let Some(file) = arguments.json {
        std::fs::write(&file, report::json(&setup.program.to_string(), &[outcome]))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

//! Trials of a whole broker process by hostile peers, vanishing peers and storms.
//!
//! The rule: a broker is a program, a port and a process. Nothing here looks inside it or shares code with it.

mod honest;
mod namespace;
mod ordeal;
mod trial;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use martlet_witness::report::{self, Outcome, Report};
use martlet_witness::{Program, cleanup, raise_descriptor_limit};

use crate::trial::Trial;

/// Put a whole broker on trial: hostile peers, vanishing peers, storms.
#[derive(Parser)]
#[command(name = "trials")]
struct Arguments {
    /// The trials to run; all of them when none is named.
    trials: Vec<Trial>,
    /// Try this program instead of building `martlet`; one whose name contains "mosquitto" is started as Mosquitto is.
    #[arg(long, value_name = "FILE", conflicts_with = "mosquitto")]
    broker: Option<PathBuf>,
    /// Try the installed Mosquitto, for comparison.
    #[arg(long)]
    mosquitto: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the random bytes of `garbage` begin.
    #[arg(long, default_value_t = 0x6d61_7274_6c65_7400)]
    seed: u64,
}

/// What every trial is given.
struct Setup {
    program: Program,
    seed: u64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    cleanup::on_signals()?;
    raise_descriptor_limit().context("raising the limit of open descriptors")?;
    let setup = Setup { program: choose_program(&arguments)?, seed: arguments.seed };
    let trials = if arguments.trials.is_empty() { Trial::value_variants() } else { &arguments.trials };

    let mut out = io::stdout();
    writeln!(out, "on trial: {}", setup.program)?;
    let mut outcomes = Vec::new();
    for trial in trials {
        let outcome = put_on_trial(*trial, &setup);
        writeln!(out, "{outcome}")?;
        outcomes.push(outcome);
    }
    writeln!(out, "\n{}", report::table(&outcomes))?;
    if let Some(file) = arguments.json {
        std::fs::write(&file, report::json(&setup.program.to_string(), &outcomes))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    let failed = outcomes.iter().any(Outcome::has_failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn choose_program(arguments: &Arguments) -> Result<Program> {
    match &arguments.broker {
        Some(path) => Ok(Program::at(path.clone())),
        None if arguments.mosquitto => Ok(Program::at(PathBuf::from("mosquitto"))),
        None => Program::built(),
    }
}

fn put_on_trial(trial: Trial, setup: &Setup) -> Outcome {
    let started = Instant::now();
    let mut report = Report::default();
    if let Err(error) = trial.run(setup, &mut report) {
        report.fail(format!("the trial broke off: {error:#}"));
    }
    Outcome { trial: trial.to_string(), took: started.elapsed(), report }
}

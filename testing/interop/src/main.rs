//! Runs real MQTT clients of other makers, unmodified, against Martlet and against Mosquitto, and shows the results
//! side by side. The one rule: a client decides what passed; this program only starts, times, stops and tabulates.

mod broker;
mod catalogue;
mod group;
mod outcome;
mod progress;
mod report;
mod run;
mod scenario;
mod storm;
mod workshop;

use crate::broker::Brand;
use crate::scenario::Scenario;
use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Real MQTT clients against Martlet and Mosquitto, side by side.
#[derive(Parser)]
#[command(name = "interop")]
struct Arguments {
    /// Which broker to run the clients against.
    #[arg(long, value_enum, default_value = "both")]
    broker: Brokers,
    /// Run only the scenarios with one of these in their names.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Write every check with its time to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List the scenarios and stop.
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Brokers {
    Martlet,
    Mosquitto,
    Both,
}

impl Brokers {
    fn brands(self) -> Vec<Brand> {
        match self {
            Brokers::Martlet => vec![Brand::Martlet],
            Brokers::Mosquitto => vec![Brand::Mosquitto],
            Brokers::Both => vec![Brand::Martlet, Brand::Mosquitto],
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let scenarios = selected(&arguments.only)?;
    let mut out = io::stdout().lock();
    if arguments.list {
        for scenario in scenarios {
            writeln!(out, "{:<28} {}, {}", scenario.name, scenario.title, scenario.client)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    group::kill_all_on_signals().context("cannot watch for signals")?;
    let results = run::all(&scenarios, &arguments.broker.brands())?;
    write!(out, "{}", report::table(&results))?;
    if let Some(file) = &arguments.json {
        std::fs::write(file, report::json(&results))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if results.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The scenarios with one of the parts in their names, in the catalogue's order.
fn selected(parts: &[String]) -> anyhow::Result<Vec<Scenario>> {
    let all = catalogue::scenarios();
    for part in parts {
        ensure!(
            all.iter().any(|scenario| scenario.name.contains(part.as_str())),
            "no scenario has {part:?} in its name; --list shows them"
        );
    }
    let wanted = |scenario: &Scenario| {
        parts.is_empty() || parts.iter().any(|part| scenario.name.contains(part.as_str()))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

//! `cargo xtask test`: every test that needs nothing but this checkout.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{process, terminal};

/// The suite that everybody runs before a commit must not become a coffee break.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Run the default tests of the whole workspace.
///
/// Unit tests, feature tests with shards stepped by hand, scripted conversations over loopback,
/// and the examples in the documentation. Under ten minutes after a build.
///
/// Other people's suites and clients, trials, fuzzing and benchmarks have words of their own:
/// see `cargo xtask --help`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Instead, try every order in which threads can change and read the routes (builds anew).
    #[arg(long, conflicts_with_all = ["package", "filter", "rest"])]
    loom: bool,

    /// Only this package, for instance martlet-session (may be repeated).
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,

    /// Only tests whose name contains this.
    filter: Option<String>,

    /// Arguments for the test programs themselves, after `--`.
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.loom {
        return try_every_order();
    }
    let mut build = cargo_test(arguments);
    build.arg("--no-run");
    terminal::step("building the tests");
    process::run(&mut build)?;

    let mut tests = cargo_test(arguments);
    tests.args(&arguments.filter);
    if !arguments.rest.is_empty() {
        tests.arg("--").args(&arguments.rest);
    }
    terminal::step(&process::line_of(&tests));
    let started = Instant::now();
    process::run(&mut tests)?;

    let took = started.elapsed();
    terminal::good(&format!("all tests passed in {:.1} s", took.as_secs_f64()));
    if took > LIMIT {
        terminal::warning(&format!(
            "that is more than {} minutes: move what is slow to `cargo xtask trials`, or make it faster",
            LIMIT.as_secs() / 60
        ));
    }
    Ok(())
}

fn try_every_order() -> Result<()> {
    let mut tests = process::cargo();
    tests
        .args(["test", "--package", "martlet-broker", "--lib", "--release", "interleavings"])
        .env("RUSTFLAGS", "--cfg loom");
    terminal::step(&process::line_of(&tests));
    process::run(&mut tests)?;
    terminal::good("in every order nobody is missed");
    Ok(())
}

fn cargo_test(arguments: &Arguments) -> std::process::Command {
    let mut command = process::cargo();
    command.arg("test");
    if arguments.package.is_empty() {
        command.arg("--workspace");
    }
    for package in &arguments.package {
        command.args(["--package", package]);
    }
    command
}

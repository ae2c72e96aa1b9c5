//! `cargo xtask interop`, `cargo xtask trials` and `cargo xtask durability`: programs of `testing/` that run longer than a
//! test may. They explain themselves; this file only builds and starts them.

use anyhow::Result;

use crate::process;

/// Run real clients of other makers against Martlet and Mosquitto, results side by side.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct InteropArguments {
    /// Handed on as they are; `--help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Run hostile peers, vanishing peers and storms against a whole broker.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct TrialsArguments {
    /// Handed on as they are; `--help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Kill a whole broker, fill its disk, copy it, queue a million messages: nothing promised may be missing.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct DurabilityArguments {
    /// Handed on as they are; `--help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn interop(arguments: &InteropArguments) -> Result<()> {
    run("martlet-interop", &arguments.arguments)
}

pub(crate) fn trials(arguments: &TrialsArguments) -> Result<()> {
    run("martlet-trials", &arguments.arguments)
}

pub(crate) fn durability(arguments: &DurabilityArguments) -> Result<()> {
    run("martlet-durability", &arguments.arguments)
}

fn run(package: &str, arguments: &[String]) -> Result<()> {
    process::run(
        process::cargo().args(["run", "--quiet", "--release", "--package", package, "--"]).args(arguments),
    )
}

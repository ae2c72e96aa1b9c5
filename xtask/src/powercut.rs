//! `cargo xtask powercut`: power cuts by the million, for a nightly run. A shorter run is part of the tests.
//!
//! The rule kept here: the program in `testing/powercut` does it all; this only builds and starts it.

use anyhow::Result;

use crate::process;

/// Cut the power of simulated disks under the real log a million times, and see whether every promise is kept.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Handed on as they are, for example `--cuts 1000000 --seed 7`; `--help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = ["run", "--quiet", "--release", "--package", "martlet-powercut", "--"];
    process::run(process::cargo().args(program).args(&arguments.arguments))
}

//! `cargo xtask fuzz`: strangers' bytes, made up by the million. The rule kept here: what a run
//! finds interesting stays out of the checkout; the corpus in `fuzz/corpus` is added to on purpose.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{process, terminal, tree};

const TOOLCHAIN: &str = "nightly";

/// Run the fuzz targets of `fuzz/`, one after the other.
///
/// Needs rustup's nightly toolchain; cargo-fuzz is installed when it is missing. Each target
/// starts from the corpus in the checkout; what it finds interesting is kept below `fuzz/target`
/// and used by the next run. A crash is written to `fuzz/artifacts/TARGET`: make it a failing
/// test, then add the input to `fuzz/corpus/TARGET`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these targets; all when left out. `--list` tells their names.
    target: Vec<String>,

    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,

    /// How many processes fuzz one target at the same time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u32,

    /// Print the names of the targets and stop.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = tree::root().join("fuzz");
    if !folder.join("Cargo.toml").exists() {
        bail!("there is no fuzz/Cargo.toml, so there are no fuzz targets yet");
    }
    install_cargo_fuzz()?;
    let known = targets()?;
    if arguments.list {
        for target in known {
            println!("{target}");
        }
        return Ok(());
    }
    for target in &arguments.target {
        if !known.contains(target) {
            bail!("no fuzz target {target}; there are {}", known.join(", "));
        }
    }
    let chosen = if arguments.target.is_empty() { &known } else { &arguments.target };
    for (at, target) in chosen.iter().enumerate() {
        terminal::step(&format!("{target} for {} s ({} of {})", arguments.seconds, at + 1, chosen.len()));
        fuzz(&folder, target, arguments)?;
        terminal::good(&format!("{target}: no finding"));
    }
    Ok(())
}

fn fuzz(folder: &Path, target: &str, arguments: &Arguments) -> Result<()> {
    // libFuzzer writes what it finds to the first folder and only reads the others.
    let found = folder.join("target/found").join(target);
    std::fs::create_dir_all(&found).with_context(|| format!("cannot make the folder {}", found.display()))?;
    let mut command = process::cargo_of(TOOLCHAIN);
    command.args(["fuzz", "run", target]).arg(&found);
    let corpus = folder.join("corpus").join(target);
    if corpus.exists() {
        command.arg(corpus);
    }
    command
        .arg(format!("--jobs={}", arguments.jobs))
        .arg("--")
        .arg(format!("-max_total_time={}", arguments.seconds))
        .args(["-print_final_stats=1", "-rss_limit_mb=512", "-timeout=5"]);
    process::run(&mut command).with_context(|| {
        format!("{target} has a finding, or could not be built: read above, and fuzz/artifacts/{target}")
    })
}

fn targets() -> Result<Vec<String>> {
    let list = process::output_of(process::cargo_of(TOOLCHAIN).args(["fuzz", "list"]))?;
    Ok(list.lines().map(str::to_owned).collect())
}

fn install_cargo_fuzz() -> Result<()> {
    if !process::succeeds(process::cargo_of(TOOLCHAIN).arg("--version")) {
        bail!(
            "fuzzing needs the nightly toolchain: `rustup toolchain install {TOOLCHAIN} --profile minimal`"
        );
    }
    if process::succeeds(process::cargo_of(TOOLCHAIN).args(["fuzz", "--version"])) {
        return Ok(());
    }
    terminal::step("installing cargo-fuzz (once)");
    process::run(process::cargo_of(TOOLCHAIN).args(["install", "--quiet", "--locked", "cargo-fuzz"]))
}

//! `cargo xtask bench`: Martlet beside other brokers, in one run. The bench (`matrix.py`, the load
//! generator `mqload`, start scripts of the peers) lives in a folder of its own, outside the
//! project; this file builds what it needs and starts it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{broker, process, terminal};

/// The folder that holds the bench, unless --dir says so.
const FOLDER: &str = "MARTLET_BENCH_DIR";

/// Measure Martlet beside other brokers: CPU per message, latency, memory, loss.
///
/// Builds the broker for release, builds the load generator of the bench folder, then runs its
/// matrix.py: every scenario over every broker, in shuffled, interleaved rounds, a fresh broker
/// each time. Compare only figures of one run, on a machine that does nothing else.
///
///   MARTLET_BENCH_DIR=~/bench cargo xtask bench --out ~/figures -- --peers martlet,mosquitto --rounds 3
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The folder with matrix.py, mqload/ and peers/.
    #[arg(long, value_name = "FOLDER", env = FOLDER)]
    dir: Option<PathBuf>,

    /// Where results.jsonl and table.md go.
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,

    /// How Martlet is started; 21850 is the port that matrix.py expects.
    #[arg(
        long,
        value_name = "ARGUMENTS",
        env = "MARTLET_ARGS",
        default_value = "broker -p 21850 --durability memory"
    )]
    broker: String,

    /// A load generator that is built already.
    #[arg(long, value_name = "FILE", env = "MQLOAD")]
    mqload: Option<PathBuf>,

    /// Arguments for matrix.py, after `--` (`-- --help` lists them).
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = folder(arguments.dir.as_deref())?;
    let martlet = broker::release()?;
    let mqload = match &arguments.mqload {
        Some(program) => program.clone(),
        None => build_mqload(&folder)?,
    };
    let out = crate::tree::root().join(&arguments.out);
    std::fs::create_dir_all(&out)?;

    let mut matrix = process::program_at_root("python3");
    matrix
        .arg(folder.join("matrix.py"))
        .arg("--out")
        .arg(&out)
        .args(&arguments.rest)
        .env("MARTLET", martlet)
        .env("MARTLET_ARGS", &arguments.broker)
        .env("MQLOAD", mqload);
    terminal::step(&process::line_of(&matrix));
    process::run(&mut matrix)?;
    terminal::good(&format!("figures are in {}", out.display()));
    Ok(())
}

fn folder(given: Option<&Path>) -> Result<PathBuf> {
    let Some(folder) = given else {
        bail!(
            "where is the bench? Set {FOLDER} or give --dir: the folder with matrix.py, mqload/ and peers/"
        );
    };
    let folder = std::path::absolute(folder)?;
    if !folder.join("matrix.py").exists() {
        bail!(
            "{} holds no matrix.py: set {FOLDER} or give --dir with the folder that does",
            folder.display()
        );
    }
    Ok(folder)
}

/// The bench folder may be read-only, so what is built from it goes to our own target folder.
fn build_mqload(folder: &Path) -> Result<PathBuf> {
    let target = crate::tree::root().join("target/mqload");
    terminal::step("building mqload");
    process::run(
        process::cargo()
            .args(["build", "--quiet", "--release", "--manifest-path"])
            .arg(folder.join("mqload/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("release/mqload"))
}

//! `martlet config convert`: writes a configuration as `martlet.toml`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use martlet_config::{Loaded, render, to_toml};

use super::{File, Reading, print, say};

const HELP: &str = "\
What is written reads back as the same configuration; defaults are left out, and above each key
stands what it means. Passwords of bridges are written into the file of -o, which only its owner
may read; on standard output they are hidden unless --with-secrets is given.

  martlet config convert mosquitto.conf -o martlet.toml
  martlet config diff mosquitto.conf martlet.toml          says nothing: they are alike";

/// Write mosquitto.conf as martlet.toml, which means the same
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    reading: Reading,
    /// Where to write it; a file that is there is left alone [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write passwords on standard output too
    #[arg(long)]
    with_secrets: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(Loaded { config, reports, .. }) = args.reading.read_or_say(&args.file.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    if !reports.is_empty() {
        say(&format!("{}\n\n", render(&reports, true)))?;
    }
    let whole = to_toml(&config, true);
    match &args.output {
        Some(output) => write(output, &whole)?,
        None => {
            let text = to_toml(&config, args.with_secrets);
            print(&text)?;
            if text != whole {
                say("Passwords are hidden: write the file with -o, or add --with-secrets.\n")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that was not there, for its owner only: bridges have passwords.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        bail!("{} is there already; name another file with -o, or take it away", path.display());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}

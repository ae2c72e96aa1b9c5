//! `martlet config diff`: what differs between two configurations.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::styling::{AnsiColor, Style};
use martlet_config::{Difference, differences};

use super::{Reading, print};

const HELP: &str = "\
What is in force is compared, not the text: a martlet.toml may be compared with a mosquitto.conf.
Behind each difference stands when it counts after a reload: live, for new connections, or after
a restart. Exit status:
  0  they are alike
  1  they differ
  2  one of them cannot be read";

/// Show what differs between two files, and when a change would count
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// What there is
    before: PathBuf,
    /// What there may be
    after: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

const CANNOT_BE_READ: u8 = 2;

const OLD: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();
const FAINT: Style = Style::new().dimmed();

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let before = args.reading.read_or_say(&args.before)?;
    let after = args.reading.read_or_say(&args.after)?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(ExitCode::from(CANNOT_BE_READ));
    };
    let differences = differences(&before.config, &after.config);
    print(&differences.iter().map(line).collect::<String>())?;
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(difference: &Difference) -> String {
    let Difference { path, key, before, after } = difference;
    let counts = key.map_or(String::new(), |key| format!("  {FAINT}({}){FAINT:#}", key.reload.name()));
    match (before, after) {
        (None, Some(after)) => format!("{NEW}+ {path} = {}{NEW:#}{counts}\n", shown(after)),
        (Some(before), None) => format!("{OLD}- {path} = {}{OLD:#}{counts}\n", shown(before)),
        // A password that is another one looks like the one before.
        (Some(before), Some(after)) if before == after => format!("~ {path} is another one{counts}\n"),
        (before, after) => {
            let side = |value: &Option<String>| shown(value.as_deref().unwrap_or_default()).to_owned();
            format!("~ {path}: {OLD}{}{OLD:#} -> {NEW}{}{NEW:#}{counts}\n", side(before), side(after))
        }
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "(not set)" } else { value }
}

//! `martlet config show`: what is in force, and where it was written.

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::styling::{AnsiColor, Style};
use martlet_config::{Loaded, Row, rows};

use super::{File, Reading, print};

const HELP: &str = "\
A line for each value: its path in martlet.toml, the value, and the line that says so. Listeners
go by their addresses, bridges by their names. Passwords are never shown.

  martlet config show martlet.toml              what the file says
  martlet config show martlet.toml --all        and every default
  martlet config show martlet.toml tls --all    only what has tls in one of its names";

/// Show what is in force, and the line that says so
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    file: File,
    /// Only paths and names with one of these words in them
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    reading: Reading,
    /// Defaults as well
    #[arg(short, long)]
    all: bool,
}

const FAINT: Style = Style::new().dimmed();
const PATH: Style = AnsiColor::Cyan.on_default();

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(Loaded { config, origins, .. }) = args.reading.read_or_say(&args.file.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let rows = rows(&config, &origins);
    let hidden = rows.iter().filter(|row| row.origin.is_none()).count();
    let wanted = rows.into_iter().filter(|row| (args.all || row.origin.is_some()) && is_asked(args, row));
    let wanted: Vec<_> = wanted.collect();
    print(&table(&wanted))?;
    if !args.all {
        print(&format!("{FAINT}{hidden} more values are defaults: --all shows them{FAINT:#}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_asked(args: &Args, row: &Row) -> bool {
    let name = row.key.map_or("", |key| key.name);
    let has = |word: &String| row.path.contains(word.as_str()) || name.contains(word.as_str());
    args.words.is_empty() || args.words.iter().any(has)
}

/// Rows in columns. A long value only pushes its own origin away.
fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).filter(|width| *width <= 40).max().unwrap_or(0);
    let (paths, values) = (width(|row| row.path.chars().count()), width(|row| shown(row).chars().count()));
    let line = |row: &Row| {
        let origin = row.origin.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string);
        let (path, value) = (&row.path, shown(row));
        format!("{PATH}{path:paths$}{PATH:#} = {value:values$}  {FAINT}{origin}{FAINT:#}\n")
    };
    rows.iter().map(line).collect()
}

fn shown(row: &Row) -> &str {
    if row.value.is_empty() { "(not set)" } else { &row.value }
}

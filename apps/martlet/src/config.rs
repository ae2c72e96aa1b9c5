//! `martlet config`: checks, converts, shows and compares configuration files. One file for each tool.

mod check;
mod convert;
mod diff;
mod keys;
mod show;

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use martlet_config::{Dialect, Failure, Format, Loaded, Options, read, render};

const EXAMPLES: &str = "\
Examples:
  Would a broker start with it?         martlet config check /etc/mosquitto/mosquitto.conf
  The same, as for a release:           martlet config check --strict martlet.toml
  Move to martlet.toml:                 martlet config convert mosquitto.conf -o martlet.toml
  What is in force, and who said it:    martlet config show martlet.toml
  What does it say about queues?        martlet config show martlet.toml queue --all
  What would a reload change?           martlet config diff running.toml martlet.toml
  What does a key mean?                 martlet config keys max_queued_messages

A file is martlet.toml or mosquitto.conf: its ending says which, or else its text.
Nothing here changes a file that is there, and nothing shows a password unasked.";

/// Check, convert, show and compare configuration files
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Say whether a broker would start, what is wrong, why, and what to do
    Check(check::Args),
    /// Write mosquitto.conf as martlet.toml, which means the same
    Convert(convert::Args),
    /// Show what is in force, and the line that says so
    Show(show::Args),
    /// Show what differs between two files, and when a change would count
    Diff(diff::Args),
    /// Explain keys: their names in both files, defaults, units, and when a change counts
    Keys(keys::Args),
}

/// How files are read.
#[derive(Debug, Default, clap::Args)]
struct Reading {
    /// Whose defaults count for what is not written [default: mosquitto for a mosquitto.conf, else what the file says]
    #[arg(long, value_enum)]
    dialect: Option<DialectName>,
    /// The language of the file [default: its ending says it, or else its text]
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// A warning is as bad as an error
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DialectName {
    /// Martlet's own
    Native,
    /// Mosquitto 2.0
    Mosquitto,
    /// Mosquitto 1.6
    Mosquitto1,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// martlet.toml
    Toml,
    /// mosquitto.conf
    Conf,
}

/// Runs a tool.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.tool {
        Tool::Check(args) => check::run(args),
        Tool::Convert(args) => convert::run(args),
        Tool::Show(args) => show::run(args),
        Tool::Diff(args) => diff::run(args),
        Tool::Keys(args) => keys::run(args),
    }
}

impl Reading {
    fn read(&self, path: &Path) -> Result<Loaded, Failure> {
        let format = self.format.map(|name| match name {
            FormatName::Toml => Format::Native,
            FormatName::Conf => Format::Mosquitto,
        });
        // What cannot be read here is reported by the reader.
        let text = std::fs::read(path).unwrap_or_default();
        let format = format.unwrap_or_else(|| Format::of(path, &String::from_utf8_lossy(&text)));
        let usual = (format == Format::Mosquitto).then_some(Dialect::Mosquitto);
        let dialect = self.dialect.map(DialectName::dialect).or(usual);
        read(path, &Options { dialect, format: Some(format), strict: self.strict })
    }

    /// A configuration that can be used; else what is wrong goes to standard error.
    fn read_or_say(&self, path: &Path) -> Result<Option<Loaded>> {
        match self.read(path) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(failure) => {
                say(&format!("{}\n", render(&failure.reports, true)))?;
                Ok(None)
            }
        }
    }
}

impl DialectName {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Native => Dialect::Native,
            Self::Mosquitto => Dialect::Mosquitto,
            Self::Mosquitto1 => Dialect::Mosquitto1,
        }
    }
}

/// Prints, in colour on a terminal. Whoever reads it may leave when they have seen enough.
fn print(text: &str) -> io::Result<()> {
    forgive(anstream::stdout().lock().write_all(text.as_bytes()))
}

/// The same on standard error.
fn say(text: &str) -> io::Result<()> {
    forgive(anstream::stderr().lock().write_all(text.as_bytes()))
}

fn forgive(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A file to read.
#[derive(Debug, clap::Args)]
struct File {
    /// martlet.toml or mosquitto.conf
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

//! `martlet store check`: is everything there as it was written?

use std::process::ExitCode;

use anyhow::Result;
use martlet_server::tools::Checked;

use super::progress::Bar;
use super::report::report;
use super::{Folder, words};

const HELP: &str = "\
Every frame of the log is read, and every message that somebody needs. Exit status:
  0  nothing that anybody needs is damaged
  1  something is, or the store could not be read";

/// Verify all that is needed; say what is damaged, whom it concerns, and the cure
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// As one object of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let checked = check(&args.folder)?;
    let text = if args.json { format!("{}\n", checked.to_json()) } else { report(&checked) };
    words::print(&text)?;
    Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks a store, and shows how far it is.
pub(super) fn check(folder: &Folder) -> Result<Checked> {
    let store = folder.open()?;
    let mut bar = Bar::default();
    let checked = store.check(&mut |stage, done, total| bar.show(stage, done, total));
    bar.clear();
    checked.map_err(|error| folder.explain(error))
}

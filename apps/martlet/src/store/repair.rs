//! `martlet store repair`: takes out what is damaged, once that was agreed to.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Result, bail};
use martlet_server::tools::{Repaired, Store};

use super::check::check;
use super::report::report;
use super::{Folder, words};

const HELP: &str = "\
The store is checked first, and what is damaged and whom it concerns is said. Nothing is changed
before you agree. A segment is copied to the folder `quarantine` before it is touched, and stays
there; whatever can be read stays as it is. Then the store is checked again.

Behind a gap it is not certain any more which message of a queue an acknowledgement was for: the
clients concerned may get messages again that they had; none that is whole is lost.

Bring back a copy of the folder instead, if you have one that is as new. Exit status:
  0  a broker starts on the store
  1  it does not, or it was not agreed";

/// Take out what is damaged, so that a broker starts on the rest
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let before = check(&args.folder)?;
    words::print(&report(&before))?;
    if !before.needs_repair() {
        words::print("There is nothing to take out: a broker starts on this store. Nothing was changed.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !is_agreed()? {
        words::print("Nothing was changed.\n")?;
        return Ok(ExitCode::FAILURE);
    }
    let repaired = Store::repair(&args.folder.path()).map_err(|error| args.folder.explain(error))?;
    words::print(&taken_out(&repaired))?;
    let after = check(&args.folder)?;
    words::print(&report(&after))?;
    Ok(if !after.needs_repair() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_agreed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!(
            "nobody is there to be asked, so nothing was changed. To take out what is named above, say --yes"
        );
    }
    words::print("Take out what cannot be read, and keep what can? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn taken_out(repaired: &[Repaired]) -> String {
    let mut text = String::from("\n");
    for Repaired { place, positions, quarantined } in repaired {
        let (segment, offset) = (place.segment(), place.offset());
        let _ = match positions.is_empty() {
            true => write!(text, "segment {segment}: missing, begun anew"),
            false => write!(
                text,
                "segment {segment}, byte {offset}: positions {} to {} taken out",
                positions.start,
                positions.end - 1
            ),
        };
        let _ = match quarantined {
            Some(path) => writeln!(text, "; as it was: {}", path.display()),
            None => writeln!(text),
        };
    }
    text.push('\n');
    text
}

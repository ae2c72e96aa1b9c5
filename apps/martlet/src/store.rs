//! `martlet store`: looks after the store of a broker that is stopped. One file for each tool.

mod check;
mod dump;
mod export;
mod repair;
mod stat;

mod progress;
mod report;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};
use clap::Subcommand;
use martlet_server::tools::{OpenError, Store};

use crate::store_options::default_data_dir;

const EXAMPLES: &str = "\
Examples:
  What is in it, and who holds it:   martlet store stat
  For another program:               martlet store stat --json | jq .queues
  Is all of it whole?                martlet store check --data-dir /var/lib/martlet
  Take out what is not:              martlet store repair --data-dir /var/lib/martlet
  What happened to one client:       martlet store dump --client reader
  Where a topic went:                martlet store dump --topic 'alarms/#' --payloads
  Take the messages elsewhere:       martlet store export > messages.jsonl

Only `repair` changes anything, and asks before it does. All need the broker to be stopped;
a running one says the same on its topics:

  martlet sub -t '$SYS/broker/store/#' -t '$SYS/broker/ledger/#' -v";

/// Look after the store of a broker that is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Figures: sizes, sessions, what waits for whom, and who holds the oldest message
    Stat(stat::Args),
    /// Verify all that is needed; say what is damaged, whom it concerns, and the cure
    Check(check::Args),
    /// Take out what is damaged, so that a broker starts on the rest
    Repair(repair::Args),
    /// Print the log, a line a record
    Dump(dump::Args),
    /// Print retained, delayed and queued messages as JSON, a line each
    Export(export::Args),
}

/// Which store.
#[derive(Debug, clap::Args)]
struct Folder {
    /// The folder of the broker [default: ~/.local/share/martlet, or /var/lib/martlet]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// Runs a tool.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.tool {
        Tool::Stat(args) => stat::run(args),
        Tool::Check(args) => check::run(args),
        Tool::Repair(args) => repair::run(args),
        Tool::Dump(args) => dump::run(args),
        Tool::Export(args) => export::run(args),
    }
}

impl Folder {
    fn path(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(default_data_dir)
    }

    fn open(&self) -> Result<Store> {
        let path = self.path();
        Store::open(&path).map_err(|error| explain(&path, error))
    }

    /// What failed, and what to do next.
    fn explain(&self, error: OpenError) -> Error {
        explain(&self.path(), error)
    }
}

fn explain(folder: &Path, error: OpenError) -> Error {
    let folder = folder.display();
    match error {
        OpenError::InUse => anyhow!(
            "{folder} is in use, by a broker or by another of these tools. Stop the broker first, or ask it: it says \
             what its store is like on its topics\n  \
             martlet sub -t '$SYS/broker/store/#' -t '$SYS/broker/ledger/#' -v"
        ),
        OpenError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            anyhow!("there is no store in {folder}. Name the folder of the broker with --data-dir")
        }
        OpenError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            anyhow!("{error}. Run this as the user the broker runs as")
        }
        OpenError::Damaged(ref damage) => anyhow!(
            "the store in {folder} is damaged in segment {}, byte {}: {}. See all of it, and whom it concerns:\n  \
             martlet store check --data-dir {folder}",
            damage.segment,
            damage.offset,
            damage.what
        ),
        error => anyhow!("{folder}: {error}"),
    }
}

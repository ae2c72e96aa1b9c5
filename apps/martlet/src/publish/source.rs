//! Where the payload of one message comes from.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One of these is given.
#[derive(Debug, clap::Args)]
#[group(id = "source", multiple = false)]
pub(crate) struct Source {
    /// The message itself
    #[arg(short, long, value_name = "MESSAGE", allow_hyphen_values = true)]
    message: Option<String>,
    /// The contents of a file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Standard input, all of it one message
    #[arg(short = 's', long)]
    stdin_file: bool,
    /// An empty message
    #[arg(short, long)]
    null_message: bool,
}

impl Source {
    /// The names of its flags.
    pub(super) const FLAGS: [&str; 4] = ["message", "file", "stdin_file", "null_message"];

    /// Whether there is a message.
    pub(crate) const fn is_given(&self) -> bool {
        self.message.is_some() || self.file.is_some() || self.stdin_file || self.null_message
    }

    /// The payload; nothing where none is given.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        if let Some(path) = &self.file {
            return fs::read(path).with_context(|| format!("Unable to open file \"{}\"", path.display()));
        }
        if self.stdin_file {
            let mut payload = Vec::new();
            io::stdin().read_to_end(&mut payload).context("cannot read standard input")?;
            if payload.is_empty() {
                bail!("standard input is empty (Zero length input): send an empty message with -n");
            }
            return Ok(payload);
        }
        Ok(self.message.clone().unwrap_or_default().into_bytes())
    }
}

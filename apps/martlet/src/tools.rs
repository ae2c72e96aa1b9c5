//! Mosquitto's tools. Under their names the program *is* them: it takes their flags, says what they say, and exits as
//! they do. `martlet pub`, `sub`, `rr`, `passwd` and `ctrl` do the same and explain more.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command};

use crate::connect_options::{expand, parse};
use crate::{ctrl, passwd, publish, request, subscribe};

/// One of Mosquitto's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Publish,
    Subscribe,
    Request,
    Passwd,
    Ctrl,
}

impl Tool {
    /// Mosquitto's name, ours, and the tool.
    const ALL: [(&str, &str, Self); 5] = [
        ("mosquitto_pub", "pub", Self::Publish),
        ("mosquitto_sub", "sub", Self::Subscribe),
        ("mosquitto_rr", "rr", Self::Request),
        ("mosquitto_passwd", "passwd", Self::Passwd),
        ("mosquitto_ctrl", "ctrl", Self::Ctrl),
    ];

    /// The tool of this program's name, if it is one of theirs.
    pub(crate) fn of(program: &OsStr) -> Option<Self> {
        let name = Path::new(program).file_name()?;
        Self::ALL.iter().find(|(theirs, ..)| name == *theirs).map(|(.., tool)| *tool)
    }

    /// Runs it as itself.
    pub(crate) fn run(self, args: Vec<OsString>) -> Result<ExitCode> {
        let name = self.name();
        match self {
            Self::Publish => parse(name, args).map_or_else(Ok, |args| publish::run_as(name, args)),
            Self::Subscribe => parse(name, args).map_or_else(Ok, |args| subscribe::run_as(name, args)),
            Self::Request => parse(name, args).map_or_else(Ok, |args| request::run_as(name, args)),
            Self::Passwd => Ok(passwd::run_as_mosquitto(&args)),
            Self::Ctrl => parse(name, args).map_or_else(Ok, ctrl::run_as),
        }
    }

    fn name(self) -> &'static str {
        let (name, ..) =
            Self::ALL.iter().find(|(.., tool)| *tool == self).expect("every tool stands in the list");
        name
    }

    fn command(self) -> Command {
        let command = Command::new(self.name());
        match self {
            Self::Publish => publish::Args::augment_args(command),
            Self::Subscribe => subscribe::Args::augment_args(command),
            Self::Request => request::Args::augment_args(command),
            Self::Passwd => passwd::Args::augment_args(command),
            Self::Ctrl => ctrl::Args::augment_args(command),
        }
    }
}

/// The arguments of the program; behind the name of a tool with those of its options file.
pub(crate) fn with_options_file(mut args: Vec<OsString>) -> Result<Vec<OsString>> {
    let named = args.get(1).and_then(|name| Tool::ALL.iter().find(|(_, ours, _)| name == *ours));
    // The tool for password files connects nowhere and has no options file.
    let Some((theirs, _, tool)) = named.filter(|(.., tool)| *tool != Tool::Passwd) else { return Ok(args) };
    let given = args.split_off(2);
    args.extend(expand(&tool.command(), theirs, given)?);
    Ok(args)
}

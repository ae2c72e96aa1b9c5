//! `martlet config keys`: what can be written, and what it means.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::builder::styling::Style;
use martlet_config::{Dialect, Key, Status, keys};

use super::{DialectName, print};

const HELP: &str = "\
  martlet config keys                   a line for each key
  martlet config keys queue             all about those with queue in one of their names
  martlet config keys cleansession      under which name martlet.toml knows it, and where it stands";

/// Explain keys: their names in both files, defaults, units, and when a change counts
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// A name of the key, or a part of one
    word: Option<String>,
    /// Whose defaults to show
    #[arg(long, value_enum, default_value_t = DialectName::Native)]
    dialect: DialectName,
}

const BOLD: Style = Style::new().bold();

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let text: String = match &args.word {
        None => keys().map(line).collect(),
        Some(word) => {
            let known: Vec<_> = keys().filter(|key| is_called(key, word)).collect();
            if known.is_empty() {
                bail!("no key has {word:?} in its name; `martlet config keys` lists them all");
            }
            known.into_iter().map(|key| block(key, args.dialect.dialect())).collect::<Vec<_>>().join("\n")
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn is_called(key: &Key, word: &str) -> bool {
    let names = key.aliases.iter().chain([&key.name]).any(|name| name.contains(word));
    names || key.full_path().contains(word)
}

fn line(key: &'static Key) -> String {
    format!("{BOLD}{:42}{BOLD:#} {:32} {}\n", or_dash(&key.full_path()), or_dash(key.name), key.doc)
}

fn block(key: &'static Key, dialect: Dialect) -> String {
    let mut names = vec![key.name];
    names.extend(key.aliases);
    let names = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    let title = if key.path.is_empty() { key.name.to_owned() } else { key.full_path() };
    let mut text = format!("{BOLD}{title}{BOLD:#}\n  {}\n", key.doc);
    let mut add = |what: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {what:16} {value}\n"));
        }
    };
    add("mosquitto.conf:", &names);
    add("takes:", &key.takes());
    add("default:", &key.default_text(dialect));
    add("a change counts:", key.reload.name());
    add("since:", &key.since.map(|version| format!("Mosquitto {version}")).unwrap_or_default());
    match key.status {
        Status::Current => (),
        Status::Deprecated(instead) => add("deprecated:", instead),
        Status::Obsolete(why) => add("does nothing:", why),
        Status::Refused(substitute) => add("not supported:", substitute),
    }
    text
}

fn or_dash(name: &str) -> &str {
    if name.is_empty() { "-" } else { name }
}

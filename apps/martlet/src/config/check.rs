//! `martlet config check`: would a broker start with these files?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use martlet_config::{Loaded, Report, Severity, render};

use super::{Reading, print};

const HELP: &str = "\
Everything that is wrong is reported at once. The files that the configuration names (users,
access rules, certificates) are looked for as well; they are not read. Exit status:
  0  a broker would start
  1  it would not, or with --strict there is something to warn of";

/// Say whether a broker would start, what is wrong, why, and what to do
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// martlet.toml or mosquitto.conf, each on its own
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Say nothing; the exit status tells
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut is_good = true;
    for path in &args.files {
        let verdict = Verdict::of(path, &args.reading);
        is_good &= verdict.is_good;
        if !args.quiet {
            print(&verdict.text(path))?;
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Verdict {
    reports: Vec<Report>,
    is_good: bool,
}

impl Verdict {
    fn of(path: &Path, reading: &Reading) -> Self {
        let (mut reports, loaded) = match reading.read(path) {
            Ok(loaded) => (loaded.reports.clone(), Some(loaded)),
            Err(failure) => (failure.reports, None),
        };
        let mut is_good = loaded.is_some();
        let missing = loaded.iter().flat_map(missing);
        let before = reports.len();
        reports.extend(missing);
        is_good &= reports.len() == before;
        Self { reports, is_good }
    }

    fn text(&self, path: &Path) -> String {
        let count = |severity| self.reports.iter().filter(|it| it.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let mut text = render(&self.reports, true);
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let found = match (errors, warnings) {
            (0, 0) => "nothing is wrong".to_owned(),
            (0, warnings) => many(warnings, "warning"),
            (errors, 0) => many(errors, "error"),
            (errors, warnings) => format!("{} and {}", many(errors, "error"), many(warnings, "warning")),
        };
        let verdict = if self.is_good { "a broker starts with it" } else { "no broker starts with it" };
        text.push_str(&format!("{}: {verdict}, {found}\n", path.display()));
        text
    }
}

/// Files that a broker would look for in vain.
fn missing(loaded: &Loaded) -> Vec<Report> {
    let files = loaded.config.files();
    let wanted = files.iter().filter_map(|(key, file)| Some((key, file, fs::File::open(file).err()?)));
    wanted.map(|(key, file, error)| Report::of_missing_file(&loaded.origins, key, file, &error)).collect()
}

fn many(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

//! Reading a configuration, whichever file it stands in.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Config, Dialect};
use crate::files::{Disk, Files};
use crate::origin::Origins;
use crate::report::{Report, Severity};
use crate::source::Source;
use crate::{mosquitto, native};

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whose defaults count; `None`: those of the dialect that the file names, else the native ones.
    pub dialect: Option<Dialect>,
    /// In which language the file is written; `None`: its name and its text say it.
    pub format: Option<Format>,
    /// A warning is as bad as an error.
    pub strict: bool,
}

/// The language of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `martlet.toml`
    Native,
    /// `mosquitto.conf`
    Mosquitto,
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// Where it was written.
    pub origins: Origins,
    /// What there is to say about it: warnings.
    pub reports: Vec<Report>,
    /// The files that were read; a change of one of them is a change of the configuration.
    pub files: Vec<PathBuf>,
    /// The language of the first of them.
    pub format: Format,
}

/// A configuration that cannot be used: everything there is to say about it, in the order of the lines.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Errors, and warnings besides.
    pub reports: Vec<Report>,
}

/// What a reader makes of a file.
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) origins: Origins,
    pub(crate) reports: Vec<Report>,
    pub(crate) files: Vec<PathBuf>,
}

/// Reads the file at a path, and what it includes.
pub fn read(path: &Path, options: &Options) -> Result<Loaded, Failure> {
    read_with(path, options, &Disk)
}

/// Reads a file from anywhere.
pub fn read_with(path: &Path, options: &Options, files: &dyn Files) -> Result<Loaded, Failure> {
    let name = path.display().to_string();
    let bytes = files.read(path).map_err(|error| {
        let report = Report::about_file(Severity::Error, name.as_str(), "the file cannot be read".to_owned());
        Failure::of(report.because(error.to_string()).fix("look whether it is there and who may read it"))
    })?;
    let source = text_of(&name, bytes).map_err(|report| Failure::of(*report))?;
    let format = options.format.unwrap_or_else(|| Format::of(path, source.text()));
    let read = match format {
        Format::Native => native::read(path, source, options.dialect),
        Format::Mosquitto => mosquitto::read(path, source, options.dialect.unwrap_or_default(), files),
    };
    let Read { config, origins, reports, files } = read;
    let is_bad = |report: &Report| options.strict || report.severity == Severity::Error;
    if reports.iter().any(is_bad) {
        return Err(Failure { reports });
    }
    Ok(Loaded { config, origins, reports, files, format })
}

/// The text of a file, which must be UTF-8.
pub(crate) fn text_of(name: &str, bytes: Vec<u8>) -> Result<Source, Box<Report>> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = Source::new(name, text);
            let title = "the file is no text".to_owned();
            let report = Report::new(Severity::Error, &source, valid..valid + 1, title);
            Err(Box::new(report.because("this is no UTF-8").fix("save it as UTF-8: iconv -f latin1 -t utf8")))
        }
    }
}

impl Format {
    /// The language of a file: its name says it, else the first line that says something.
    pub fn of(path: &Path, text: &str) -> Self {
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Self::Native;
        }
        if path.extension().is_some_and(|extension| extension == "conf") {
            return Self::Mosquitto;
        }
        let said = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let key_of = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
        let is_native = said.is_some_and(|line| {
            line.starts_with('[') || key_of(line).is_some_and(|key| !key.contains(char::is_whitespace))
        });
        if is_native { Self::Native } else { Self::Mosquitto }
    }
}

impl Failure {
    fn of(report: Report) -> Self {
        Self { reports: vec![report] }
    }

    /// All reports, one below the other.
    pub fn render(&self, colour: bool) -> String {
        render(&self.reports, colour)
    }
}

/// Reports, one below the other.
pub fn render(reports: &[Report], colour: bool) -> String {
    let rendered: Vec<_> = reports.iter().map(|report| report.render(colour)).collect();
    rendered.join("\n\n")
}

/// One line for each.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, report) in self.reports.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{report}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

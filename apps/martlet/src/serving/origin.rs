//! Where a configuration comes from: a file, and what the command line says besides.

use std::path::PathBuf;

use martlet_config as written;
use martlet_server::{Config, Configured, Source, configure};

use super::log_settings::{self, Volume};
use crate::log::Log;
use crate::process::{State, tell_manager};

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The file; `None`: all is as it is by default.
    pub(crate) file: Option<PathBuf>,
    /// Whose habits the node has; `None`: the file says it.
    pub(crate) dialect: Option<written::Dialect>,
    /// Ports for clients on this machine, where the file names no listener.
    pub(crate) ports: Vec<u16>,
    /// How much is said, whatever the file says.
    pub(crate) volume: Volume,
    /// Where the secrets of TLS connections are written.
    pub(crate) key_log: Option<PathBuf>,
    /// A warning about the file is as bad as an error.
    pub(crate) is_strict: bool,
}

/// A configuration that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) written: written::Config,
    pub(crate) config: Config,
    pub(crate) warnings: Vec<String>,
    /// The files whose change is a change of it.
    pub(crate) files: Vec<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What is wrong, one line each.
    pub(crate) lines: Vec<String>,
    /// The same for a terminal, with the text it is about.
    pub(crate) explained: String,
}

/// An origin that is read again while the node runs.
#[derive(Debug)]
pub(super) struct Again {
    origin: Origin,
    log: Log,
    files: Vec<PathBuf>,
}

impl Origin {
    /// All that is said is said in this file.
    pub(crate) fn of_file(file: PathBuf) -> Self {
        Self {
            file: Some(file),
            dialect: None,
            ports: Vec::new(),
            volume: Volume::Written,
            key_log: None,
            is_strict: false,
        }
    }

    /// Reads all of it; an error says everything that is wrong.
    pub(crate) fn read(&self) -> Result<Read, Broken> {
        let mut loaded = self.load()?;
        let mut warnings = std::mem::take(&mut loaded.warnings);
        if let Some(ports) = self.ports_instead(&mut warnings, loaded.written.local_only) {
            loaded.written.listeners = ports;
        }
        if self.volume == Volume::Everything {
            loaded.written.log.types = written::LogType::ALL.to_vec();
        }
        let Configured { mut config, warnings: more } =
            configure(&loaded.written).map_err(|error| Broken::of(format!("Error: {error}.")))?;
        warnings.extend(more);
        if let Some(path) = &self.key_log {
            warnings.push(format!(
                "the secrets of all TLS connections are written to {}: whoever reads it can read them",
                path.display()
            ));
            config.listen.iter_mut().filter_map(|listen| listen.options.tls.as_mut()).for_each(|tls| {
                tls.key_log = Some(path.clone());
            });
        }
        let files = loaded.files.into_iter().chain(loaded.written.files().into_iter().map(|(_, file)| file));
        let files = files.collect();
        Ok(Read { written: loaded.written, config, warnings, files })
    }

    /// Something that reads it again, where there is a file.
    pub(super) fn into_source(self, log: Log, files: Vec<PathBuf>) -> Option<Again> {
        self.file.is_some().then_some(Again { origin: self, log, files })
    }

    fn load(&self) -> Result<Loaded, Broken> {
        let Some(file) = &self.file else {
            let dialect = self.dialect.unwrap_or(written::Dialect::Native);
            let written = written::Config::new(dialect);
            return Ok(Loaded { written, warnings: Vec::new(), files: Vec::new() });
        };
        let options = written::Options { dialect: self.dialect, format: None, strict: self.is_strict };
        match written::read(file, &options) {
            Ok(loaded) => Ok(Loaded {
                warnings: loaded.reports.iter().map(ToString::to_string).collect(),
                written: loaded.config,
                files: loaded.files,
            }),
            Err(failure) => Err(Broken {
                lines: failure.reports.iter().map(ToString::to_string).collect(),
                explained: written::render(&failure.reports, false),
            }),
        }
    }

    /// Listeners at the ports of the command line, where the file has none.
    fn ports_instead(&self, warnings: &mut Vec<String>, is_local: bool) -> Option<Vec<written::Listener>> {
        if self.ports.is_empty() {
            return None;
        }
        if !is_local {
            warnings.push("-p counts only where the configuration file names no listener".to_owned());
            return None;
        }
        let host = Some("localhost".to_owned());
        let dialect = self.dialect.unwrap_or(written::Dialect::Native);
        let listener =
            |port: &u16| written::Listener { host: host.clone(), ..written::Listener::new(dialect, *port) };
        Some(self.ports.iter().map(listener).collect())
    }
}

impl Broken {
    fn of(text: String) -> Self {
        Self { lines: vec![text.clone()], explained: text }
    }
}

/// What the file says, before the command line is asked.
struct Loaded {
    written: written::Config,
    warnings: Vec<String>,
    files: Vec<PathBuf>,
}

impl Source for Again {
    fn read(&mut self) -> Result<Config, String> {
        tell_manager(State::Reloading);
        let read = self.origin.read();
        tell_manager(State::Ready);
        let read = read.map_err(|broken| broken.lines.join(" "))?;
        self.files = read.files;
        read.warnings.iter().for_each(|warning| tracing::warn!("Warning: {warning}"));
        let settings = log_settings::of(&read.written, self.origin.volume);
        self.log.change(&settings).map_err(|error| format!("{error:#}."))?;
        Ok(read.config)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }
}

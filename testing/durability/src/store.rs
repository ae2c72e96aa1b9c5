//! A broker with a folder that outlives it: started, killed and started again on the same data.
//!
//! The rule: what differs between brokers stands here and nowhere else; experiments speak of settings.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use martlet_witness::{Broker, Program, free_port};
use rustix::process::{Resource, getrlimit};

/// How long a broker may take to read its store and listen.
pub(crate) const START_MAX: Duration = Duration::from_secs(30);

/// When a broker may acknowledge what must outlive it. Mosquitto promises nothing and gets its persistence, but for
/// `memory`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Durability {
    /// When it is on the disk.
    Always,
    /// When it is written; synced soon after.
    Interval,
    /// When it is written; the kernel says when it is on the disk.
    Never,
    /// At once: nothing is kept.
    Memory,
}

/// What an experiment asks of a broker. `None` leaves the default.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    /// Seconds between two checkpoints, Mosquitto's `autosave_interval`.
    pub(crate) checkpoint_seconds: Option<u32>,
    /// Messages that may wait for one session; 0: no limit.
    pub(crate) queue_messages_max: Option<usize>,
    pub(crate) in_flight_max: Option<u16>,
    pub(crate) queue_memory_max: Option<u64>,
    pub(crate) segment_size: Option<u64>,
    pub(crate) disk_max: Option<u64>,
    pub(crate) disk_free_min: Option<u64>,
    pub(crate) sys_seconds: Option<u32>,
}

impl Default for Settings {
    /// No limit on what waits, everything else as the broker has it.
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            checkpoint_seconds: None,
            queue_messages_max: Some(0),
            in_flight_max: None,
            queue_memory_max: None,
            segment_size: None,
            disk_max: None,
            disk_free_min: None,
            sys_seconds: None,
        }
    }
}

/// A program, its settings, its port and its folder.
pub(crate) struct Store<'a> {
    program: &'a Program,
    settings: Settings,
    folder: PathBuf,
    port: u16,
}

impl<'a> Store<'a> {
    /// A store in `folder`, which exists and is empty or holds an earlier one.
    pub(crate) fn new(program: &'a Program, settings: Settings, folder: &Path) -> Result<Self> {
        Ok(Self { program, settings, folder: folder.to_owned(), port: free_port()? })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its broker listens, when there is one.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts a broker and waits until it listens.
    pub(crate) fn start(&self) -> Result<Broker> {
        let mut broker = self.spawn()?;
        broker.wait_until_listening(START_MAX)?;
        Ok(broker)
    }

    /// Starts a broker and does not wait.
    pub(crate) fn spawn(&self) -> Result<Broker> {
        let descriptors = getrlimit(Resource::Nofile).maximum.context("descriptors are unlimited here")?;
        Broker::spawn(self.command_line()?, self.port, descriptors)
    }

    /// Bytes of the store's files that hold anything: segments are prepared with zeros.
    pub(crate) fn used(&self) -> Result<u64> {
        let mut used = 0;
        for file in files(&self.folder)? {
            // The broker may remove a file while we look.
            let Ok(bytes) = fs::read(&file) else { continue };
            used += bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        }
        Ok(used)
    }

    /// Bytes of the store's files.
    pub(crate) fn size(&self) -> Result<u64> {
        let sizes = files(&self.folder)?.into_iter().filter_map(|file| Some(fs::metadata(file).ok()?.len()));
        Ok(sizes.sum())
    }

    fn command_line(&self) -> Result<Vec<OsString>> {
        if self.program.is_martlet() { Ok(self.martlet()) } else { self.mosquitto() }
    }

    fn martlet(&self) -> Vec<OsString> {
        let Settings { queue_messages_max, sys_seconds, .. } = self.settings;
        let mut words: Vec<OsString> = vec![
            self.program.path().into(),
            "broker".into(),
            "-p".into(),
            self.port.to_string().into(),
            "--data-dir".into(),
            self.folder.clone().into(),
        ];
        let durability = match self.settings.durability {
            Durability::Always => "always",
            Durability::Interval => "interval",
            Durability::Never => "never",
            Durability::Memory => "memory",
        };
        let options = [
            ("--durability", Some(durability.to_owned())),
            ("--checkpoint-interval", self.settings.checkpoint_seconds.map(|seconds| seconds.to_string())),
            ("--queue-messages-max", queue_messages_max.map(|messages| messages.to_string())),
            // A limit in bytes would come first for an experiment that counts messages.
            ("--queue-bytes-max", queue_messages_max.map(|_| "0".to_owned())),
            ("--in-flight-max", self.settings.in_flight_max.map(|messages| messages.to_string())),
            ("--queue-memory-max", self.settings.queue_memory_max.map(|bytes| bytes.to_string())),
            ("--segment-size", self.settings.segment_size.map(|bytes| bytes.to_string())),
            ("--disk-max", self.settings.disk_max.map(|bytes| bytes.to_string())),
            ("--disk-free-min", self.settings.disk_free_min.map(|bytes| bytes.to_string())),
            ("--sys-interval", sys_seconds.map(|seconds| seconds.to_string())),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                words.extend([name.into(), value.into()]);
            }
        }
        words
    }

    fn mosquitto(&self) -> Result<Vec<OsString>> {
        let mut lines = format!("listener {} 127.0.0.1\nallow_anonymous true\nlog_type error\n", self.port);
        lines += "set_tcp_nodelay true\nmax_queued_bytes 0\nuser root\n";
        if let Some(messages) = self.settings.queue_messages_max {
            writeln!(lines, "max_queued_messages {messages}")?;
        }
        if let Some(messages) = self.settings.in_flight_max {
            writeln!(lines, "max_inflight_messages {messages}")?;
        }
        if let Some(seconds) = self.settings.sys_seconds {
            writeln!(lines, "sys_interval {seconds}")?;
        }
        if self.settings.durability != Durability::Memory {
            writeln!(lines, "persistence true\npersistence_location {}/", self.folder.display())?;
            writeln!(lines, "autosave_interval {}", self.settings.checkpoint_seconds.unwrap_or(1800))?;
        }
        // Beside the folder, which holds the store and nothing else.
        let file = self.folder.with_extension("conf");
        fs::write(&file, lines).with_context(|| format!("writing {}", file.display()))?;
        Ok(vec![self.program.path().into(), "-c".into(), file.into()])
    }
}

/// Every file below `folder`.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

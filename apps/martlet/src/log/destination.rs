//! Where lines go.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use super::syslog::{Facility, Syslog};
use super::{Line, Stamp};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, to which they are added.
    File(PathBuf),
    /// The system's log.
    Syslog(Facility),
    /// Topics below `$SYS/broker/log`.
    Topic,
}

/// Publishes lines, once there is a node that can.
#[derive(Clone, Default)]
pub(crate) struct Publish(Arc<OnceLock<Box<PublishLine>>>);

type PublishLine = dyn Fn(&str, &[u8]) + Send + Sync;

/// An open destination.
pub(super) enum Writer {
    Bytes(Box<dyn Write + Send>),
    Syslog(Syslog),
    Topic(Publish),
}

impl Destination {
    pub(super) fn open(&self, publish: &Publish) -> Result<Writer> {
        Ok(match self {
            Self::Stdout => Writer::Bytes(Box::new(io::stdout())),
            Self::Stderr => Writer::Bytes(Box::new(io::stderr())),
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file =
                    file.with_context(|| format!("the log file {} cannot be opened", path.display()))?;
                Writer::Bytes(Box::new(file))
            }
            Self::Syslog(facility) => Writer::Syslog(Syslog::open(*facility)),
            Self::Topic => Writer::Topic(publish.clone()),
        })
    }
}

impl Writer {
    /// Writes some lines; an error when there is no use in going on.
    pub(super) fn write(&mut self, lines: &[Arc<Line>], stamp: &Stamp) -> io::Result<()> {
        match self {
            Self::Bytes(to) => {
                let text: String = lines.iter().map(|line| stamp.line(line)).collect();
                to.write_all(text.as_bytes())?;
                to.flush()
            }
            Self::Syslog(syslog) => {
                lines.iter().for_each(|line| syslog.send(line));
                Ok(())
            }
            Self::Topic(publish) => {
                for line in lines {
                    if let Some(topic) = line.kind.topic() {
                        publish.line(topic, stamp.line(line).trim_end().as_bytes());
                    }
                }
                Ok(())
            }
        }
    }
}

impl Publish {
    pub(super) fn set(&self, publish: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        // A log serves one node: the first stays.
        drop(self.0.set(Box::new(publish)));
    }

    fn line(&self, topic: &str, line: &[u8]) {
        if let Some(publish) = self.0.get() {
            publish(topic, line);
        }
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publish").field(&self.0.get().is_some()).finish()
    }
}

//! The log of the program: where its lines go, which of them, and how they look.
//!
//! The rule: nobody who logs ever waits. Each destination has a thread and a bounded queue of its own; what finds no room
//! is dropped, counted, and the number is told once there is room again.

mod destination;
mod kind;
mod outlet;
mod stamp;
mod subscriber;
mod syslog;

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::Result;

pub(crate) use destination::{Destination, Publish};
pub(crate) use kind::{Kind, Kinds};
pub(crate) use stamp::Stamp;
pub(crate) use syslog::Facility;

use outlet::Outlet;

/// Says of the native log which lines it has, if it is set.
const VARIABLE: &str = "MARTLET_LOG";

/// What the operator wants of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Where lines go.
    pub(crate) destinations: Vec<Destination>,
    /// Which lines there are.
    pub(crate) kinds: Kinds,
    /// Connections that come and go are among them.
    pub(crate) tells_connections: bool,
    /// What a line begins with.
    pub(crate) stamp: Stamp,
}

/// The log, once started.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Shared>);

/// One line, on its way to every destination.
#[derive(Debug)]
struct Line {
    kind: Kind,
    at: SystemTime,
    text: String,
}

#[derive(Debug)]
struct Shared {
    kinds: AtomicU16,
    tells_connections: AtomicBool,
    outlets: RwLock<Vec<Outlet>>,
    publish: Publish,
}

impl LogSettings {
    /// Standard error, with time and level. `verbose` says more; the variable `MARTLET_LOG` says it finer.
    pub(crate) fn native(verbose: bool) -> Self {
        let named = std::env::var(VARIABLE).ok().and_then(|level| Kinds::up_to(&level));
        Self {
            destinations: vec![Destination::Stderr],
            kinds: named.unwrap_or(if verbose { Kinds::ALL } else { Kinds::USUAL }),
            tells_connections: true,
            stamp: Stamp::Level,
        }
    }
}

impl Log {
    /// Starts the log of this process.
    pub(crate) fn start(settings: &LogSettings) -> Result<Self> {
        let log = Self::new();
        log.change(settings)?;
        subscriber::install(log.clone())?;
        Ok(log)
    }

    fn new() -> Self {
        Self(Arc::new(Shared {
            kinds: AtomicU16::new(0),
            tells_connections: AtomicBool::new(true),
            outlets: RwLock::default(),
            publish: Publish::default(),
        }))
    }

    /// Goes on with other settings. Files are opened anew, so that whoever rotates them can have the log let go of the
    /// old one; when one cannot be opened all stays as it was.
    pub(crate) fn change(&self, settings: &LogSettings) -> Result<()> {
        let open = |destination: &Destination| {
            let writer = destination.open(&self.0.publish)?;
            Ok(Outlet::start(writer, settings.stamp.clone()))
        };
        let outlets = settings.destinations.iter().map(open).collect::<Result<Vec<_>>>()?;
        let mut current = self.0.outlets.write().unwrap_or_else(PoisonError::into_inner);
        // Those that were there write what they have, and end by themselves.
        *current = outlets;
        drop(current);
        self.0.kinds.store(settings.kinds.bits(), Ordering::Relaxed);
        self.0.tells_connections.store(settings.tells_connections, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// From here lines for `$SYS/broker/log/...` are published.
    pub(crate) fn publish_with(&self, publish: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.0.publish.set(publish);
    }

    /// Waits until all is written, though not for long.
    pub(crate) fn finish(self) {
        let outlets = self.0.outlets.read().unwrap_or_else(PoisonError::into_inner);
        outlets.iter().for_each(Outlet::finish);
    }

    fn kinds(&self) -> Kinds {
        Kinds::from_bits(self.0.kinds.load(Ordering::Relaxed))
    }

    fn has(&self, kind: Kind, is_connection: bool) -> bool {
        self.kinds().has(kind) && (!is_connection || self.0.tells_connections.load(Ordering::Relaxed))
    }

    fn push(&self, line: Line) {
        let line = Arc::new(line);
        let outlets = self.0.outlets.read().unwrap_or_else(PoisonError::into_inner);
        outlets.iter().for_each(|outlet| outlet.push(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: &std::path::Path) -> LogSettings {
        LogSettings {
            destinations: vec![Destination::File(path.to_owned())],
            kinds: Kinds::USUAL,
            tells_connections: false,
            stamp: Stamp::None,
        }
    }

    #[test]
    fn a_log_file_that_was_moved_away_is_let_go_of_when_the_settings_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (file, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = Log::new();
        log.change(&settings(&file)).unwrap();
        let line = |text: &str| Line { kind: Kind::Notice, at: SystemTime::now(), text: text.to_owned() };
        log.push(line("first"));
        log.clone().finish();
        std::fs::rename(&file, &old).unwrap();
        log.change(&settings(&file)).unwrap();
        log.push(line("second"));
        log.finish();
        assert_eq!(std::fs::read_to_string(old).unwrap(), "first\n");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "second\n");
    }

    #[test]
    fn a_destination_that_cannot_be_opened_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let log = Log::new();
        log.change(&settings(&file)).unwrap();
        let error = log.change(&settings(&folder.path().join("none/log"))).unwrap_err();
        assert!(format!("{error:#}").contains("none/log"), "{error:#}");
        log.push(Line { kind: Kind::Error, at: SystemTime::now(), text: "still here".to_owned() });
        log.finish();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "still here\n");
    }

    #[test]
    fn connections_are_told_of_only_where_they_are_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new();
        log.change(&settings(&folder.path().join("log"))).unwrap();
        assert!(log.has(Kind::Notice, false) && !log.has(Kind::Notice, true));
        assert!(!log.has(Kind::Debug, false));
    }
}

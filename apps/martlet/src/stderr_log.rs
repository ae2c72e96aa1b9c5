//! The log on standard error.
//!
//! The rule: nobody who logs ever waits. Standard error may be a pipe that nobody drains; then lines are dropped,
//! counted, and the number is told once there is room again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Bytes of lines that may wait to be written.
const WAITING_MAX: usize = 256 * 1024;
/// Lines of so long are gathered before they are written, so that many together cost one wake.
const GATHER: Duration = Duration::from_millis(10);
/// How long the end of the program waits for lines to be written.
const FINISH_MAX: Duration = Duration::from_millis(500);
/// Overrides what `-v` says.
const VARIABLE: &str = "MARTLET_LOG";

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Time, level, message.
    Native,
    /// Seconds since 1970, message.
    Mosquitto,
}

/// The log, once started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Vec<u8>,
    dropped: u64,
    /// The thread that writes has nothing to do.
    is_idle: bool,
}

struct SecondsSince1970;

/// Starts the log of this process.
pub(crate) fn start(style: Style, verbose: bool) -> Log {
    let log = Log::default();
    let level = if verbose { "debug" } else { "info" };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.clone())
        .with_ansi(false)
        .with_target(false);
    match style {
        Style::Native => lines.init(),
        Style::Mosquitto => lines.with_level(false).with_timer(SecondsSince1970).init(),
    }
    let writer = log.clone();
    let thread = thread::Builder::new().name("log".to_owned());
    // Without the thread there is no log, which is no reason not to serve.
    drop(thread.spawn(move || writer.write_lines(&mut io::stderr())));
    log
}

impl Log {
    /// Waits until all is written, though not for long.
    pub(crate) fn finish(self) {
        let lines = self.lock();
        let is_busy = |lines: &mut Lines| !(lines.is_idle && lines.waiting.is_empty());
        drop(self.0.changed.wait_timeout_while(lines, FINISH_MAX, is_busy));
    }

    /// Writes lines as they come; ends when they cannot be written any more.
    fn write_lines(&self, to: &mut impl Write) {
        while to.write_all(&self.next_lines()).is_ok() {
            thread::sleep(GATHER);
        }
    }

    /// Waits for lines.
    fn next_lines(&self) -> Vec<u8> {
        let mut lines = self.lock();
        lines.is_idle = true;
        self.0.changed.notify_all();
        let waited = self.0.changed.wait_while(lines, |lines| lines.waiting.is_empty());
        lines = waited.unwrap_or_else(PoisonError::into_inner);
        lines.is_idle = false;
        let dropped = mem::take(&mut lines.dropped);
        let mut waiting = mem::take(&mut lines.waiting);
        if dropped > 0 {
            let told =
                format!("{dropped} lines of the log were dropped: standard error took none for a while\n");
            waiting.extend_from_slice(told.as_bytes());
        }
        waiting
    }

    fn push(&self, line: &[u8]) {
        let mut lines = self.lock();
        if lines.waiting.len() + line.len() > WAITING_MAX {
            lines.dropped += 1;
            return;
        }
        lines.waiting.extend_from_slice(line);
        if lines.is_idle {
            self.0.changed.notify_all();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl FormatTime for SecondsSince1970 {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(to, "{}:", since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_drops_lines_and_tells_how_many() {
        let log = Log::default();
        let line = [b'x'; 1024];
        (0..WAITING_MAX / line.len() + 3).for_each(|_| log.push(&line));
        let written = log.next_lines();
        assert_eq!(&written[..WAITING_MAX], [b'x'; WAITING_MAX]);
        assert!(written[WAITING_MAX..].starts_with(b"3 lines of the log were dropped"));
        log.push(b"next\n");
        assert_eq!(log.next_lines(), b"next\n");
    }
}

//! One destination of the log: a bounded queue, and the thread that empties it.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::destination::Writer;
use super::{Line, Stamp};

/// Bytes of lines that may wait to be written.
const WAITING_MAX: usize = 256 * 1024;
/// Lines of so long are gathered before they are written, so that many together cost one wake.
const GATHER: Duration = Duration::from_millis(10);
/// How long the end of the program waits for lines to be written.
const FINISH_MAX: Duration = Duration::from_millis(500);

/// A destination and the lines that wait for it. When it is dropped its thread writes what is left, and ends.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Vec<Arc<Line>>,
    bytes: usize,
    dropped: u64,
    /// The thread that writes has nothing to do.
    is_idle: bool,
    /// No more will come.
    is_closed: bool,
}

impl Outlet {
    pub(super) fn start(mut writer: Writer, stamp: Stamp) -> Self {
        let queue = Arc::<Queue>::default();
        let lines = Arc::clone(&queue);
        let thread = thread::Builder::new().name("log".to_owned());
        // Without the thread there is no log, which is no reason not to serve.
        drop(thread.spawn(move || lines.write_all(&mut writer, &stamp)));
        Self(queue)
    }

    pub(super) fn push(&self, line: &Arc<Line>) {
        let mut lines = self.0.lock();
        if lines.bytes + line.text.len() > WAITING_MAX {
            lines.dropped += 1;
            return;
        }
        lines.bytes += line.text.len();
        lines.waiting.push(Arc::clone(line));
        if lines.is_idle {
            self.0.changed.notify_all();
        }
    }

    /// Waits until all is written, though not for long.
    pub(super) fn finish(&self) {
        let lines = self.0.lock();
        let is_busy = |lines: &mut Lines| !(lines.is_idle && lines.waiting.is_empty());
        drop(self.0.changed.wait_timeout_while(lines, FINISH_MAX, is_busy));
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    /// Writes lines as they come; ends when no more will, or when they cannot be written any more.
    fn write_all(&self, to: &mut Writer, stamp: &Stamp) {
        while let Some((mut lines, dropped)) = self.next() {
            if dropped > 0 {
                let text = format!("{dropped} lines of the log were dropped: nobody took them for a while");
                let last = lines.last().map(|line| (line.kind, line.at));
                let (kind, at) = last.unwrap_or((super::Kind::Warning, std::time::SystemTime::now()));
                lines.push(Arc::new(Line { kind, at, text }));
            }
            if to.write(&lines, stamp).is_err() {
                break;
            }
            thread::sleep(GATHER);
        }
    }

    /// Waits for lines; how many were dropped is told behind them.
    fn next(&self) -> Option<(Vec<Arc<Line>>, u64)> {
        let mut lines = self.lock();
        lines.is_idle = true;
        self.changed.notify_all();
        let is_quiet = |lines: &mut Lines| lines.waiting.is_empty() && !lines.is_closed;
        let mut lines = self.changed.wait_while(lines, is_quiet).unwrap_or_else(PoisonError::into_inner);
        lines.is_idle = false;
        lines.bytes = 0;
        let waiting = mem::take(&mut lines.waiting);
        (!waiting.is_empty()).then(|| (waiting, mem::take(&mut lines.dropped)))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::time::SystemTime;

    fn line(text: String) -> Arc<Line> {
        Arc::new(Line { kind: Kind::Notice, at: SystemTime::now(), text })
    }

    #[test]
    fn a_full_queue_drops_lines_and_tells_how_many() {
        let outlet = Outlet(Arc::default());
        let long = line("x".repeat(1024));
        (0..WAITING_MAX / 1024 + 3).for_each(|_| outlet.push(&long));
        let (written, dropped) = outlet.0.next().unwrap();
        assert_eq!((written.len(), dropped), (WAITING_MAX / 1024, 3));
        outlet.push(&line("next".to_owned()));
        let (written, dropped) = outlet.0.next().unwrap();
        assert_eq!((&*written[0].text, dropped), ("next", 0));
    }

    #[test]
    fn a_queue_that_is_closed_gives_what_it_has_and_ends() {
        let queue = Arc::<Queue>::default();
        let outlet = Outlet(Arc::clone(&queue));
        outlet.push(&line("last".to_owned()));
        drop(outlet);
        assert_eq!(queue.next().map(|(lines, _)| lines.len()), Some(1));
        assert!(queue.next().is_none());
    }
}

//! Child processes in groups of their own. The one rule: no process outlives its `Group`, nor this program if it is
//! told to end.

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time a killed process has to disappear.
const REAP: Duration = Duration::from_secs(5);
/// How often a client that has closed nothing is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The groups that run now.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A child and all it starts; killed when dropped.
pub(crate) struct Group {
    id: Pid,
    ended: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

/// How a program ended.
pub(crate) enum Ending {
    Exited(ExitStatus),
    TimedOut,
}

impl Group {
    /// Starts the command; answers its standard output as well, if that is a pipe.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<(Self, Option<ChildStdout>)> {
        let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let id = Pid::from_child(&child);
        running().insert(id.as_raw_nonzero().get());
        let stdout = child.stdout.take();
        let (tell, ended) = mpsc::channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                // Nobody listens any more when the group was dropped.
                let _ = tell.send(status);
            }
        });
        Ok((Group { id, ended, status: None }, stdout))
    }

    /// Waits for the child, no longer than the limit.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.ended.recv_timeout(limit).ok();
        }
        self.status
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The only error here is that everybody is gone already.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.wait(REAP);
        running().remove(&self.id.as_raw_nonzero().get());
    }
}

/// Runs the command to its end or the limit, and hands over each line it prints.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
    mut on_line: impl FnMut(&str),
) -> io::Result<Ending> {
    let deadline = Instant::now() + limit;
    let (mut group, stdout) = Group::spawn(command.stdout(Stdio::piped()))?;
    let lines = lines_of(stdout.expect("standard output is piped"));
    loop {
        match lines.recv_timeout(LOOK.min(deadline.saturating_duration_since(Instant::now()))) {
            Ok(line) => on_line(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => return Ok(Ending::TimedOut),
            // What a child left behind may hold the pipe open.
            Err(RecvTimeoutError::Timeout) if group.wait(Duration::ZERO).is_some() => {
                group.signal(Signal::KILL)
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    let left = deadline.saturating_duration_since(Instant::now());
    Ok(group.wait(left).map_or(Ending::TimedOut, Ending::Exited))
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (tell, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// From now on a signal that ends this program ends all groups first.
pub(crate) fn kill_all_on_signals() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            for id in running().iter().copied().filter_map(Pid::from_raw) {
                let _ = kill_process_group(id, Signal::KILL);
            }
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_and_status_are_handed_over() {
        let mut lines = Vec::new();
        let ending = run(&mut shell("echo one; echo two; exit 3"), Duration::from_secs(10), |line| {
            lines.push(line.to_owned());
        });
        assert!(matches!(ending, Ok(Ending::Exited(status)) if status.code() == Some(3)));
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_child_that_hangs_is_killed_with_its_children() {
        let start = Instant::now();
        let ending = run(&mut shell("sleep 60 & sleep 60"), Duration::from_millis(200), |_| {});
        assert!(matches!(ending, Ok(Ending::TimedOut)));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_child_left_behind_does_not_hold_up_the_end() {
        let start = Instant::now();
        let ending = run(&mut shell("sleep 60 & exit 0"), Duration::from_secs(50), |_| {});
        assert!(matches!(ending, Ok(Ending::Exited(status)) if status.success()));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

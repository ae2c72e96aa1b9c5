//! One process of a broker, from its start to its end.
//!
//! The rule: it never outlives this value.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Signal, getrlimit, kill_process, pidfd_open};
use tempfile::TempDir;

use crate::cleanup::{self, Leftover};
use crate::measure::Process;
use crate::program::Program;
use crate::report::Report;

/// How long a broker may take until it listens.
const START_MAX: Duration = Duration::from_secs(10);
/// How long a broker may take to end after SIGTERM.
pub const STOP_MAX: Duration = Duration::from_secs(10);
/// Lines of a broker's own words kept for a failure's message.
const LAST_WORDS: usize = 8;

/// A running broker.
pub struct Broker {
    child: Child,
    pid: Pid,
    address: SocketAddr,
    words: Arc<Mutex<Words>>,
    listeners: Vec<JoinHandle<()>>,
    /// Its working folder, so that what it writes vanishes with it.
    _folder: TempDir,
}

/// What it printed.
#[derive(Default)]
struct Words {
    last: Vec<String>,
    panic: Option<String>,
}

/// How it ended.
pub struct Ending {
    /// `None` when it had to be killed.
    status: Option<ExitStatus>,
    /// It was gone before it was asked to go.
    is_early: bool,
    /// The time from SIGTERM to its end.
    pub took: Duration,
    panic: Option<String>,
    last_words: String,
}

impl Broker {
    /// Starts `program` on a free port with as many descriptors as this machine allows.
    pub fn start(program: &Program) -> Result<Self> {
        Self::start_on(program, free_port()?)
    }

    /// The same on a certain port.
    pub fn start_on(program: &Program, port: u16) -> Result<Self> {
        let maximum = getrlimit(Resource::Nofile).maximum.context("descriptors are unlimited here")?;
        Self::start_with(program, port, maximum)
    }

    /// The same with a limit on its descriptors that it cannot raise.
    pub fn start_with(program: &Program, port: u16, descriptors: u64) -> Result<Self> {
        let mut broker = Self::spawn(program.command_line(port), port, descriptors)?;
        broker.wait_until_listening(START_MAX)?;
        Ok(broker)
    }

    /// Starts a command line that will listen on `port`, and does not wait until it does.
    pub fn spawn(command_line: Vec<OsString>, port: u16, descriptors: u64) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for the broker")?;
        let mut child = Command::new("/bin/sh")
            // The shell sets both limits and becomes the broker, which keeps its process identifier.
            .args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh"])
            .arg(descriptors.to_string())
            .args(command_line)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the broker")?;
        let pid = Pid::from_child(&child);
        cleanup::register(Leftover::Process(pid));
        let words = Arc::default();
        let mut listeners = Vec::new();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            listeners = vec![listen(stdout, Arc::clone(&words)), listen(stderr, Arc::clone(&words))];
        }
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { child, pid, address, words, listeners, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process, to be measured.
    pub fn process(&self) -> Process {
        Process::new(self.pid)
    }

    /// Its process identifier.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The last lines it printed.
    pub fn last_words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).last.join(" | ")
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("looking after the broker")?.is_some())
    }

    /// Waits until it listens; an error when it ends instead or takes longer than `most`.
    pub fn wait_until_listening(&mut self, most: Duration) -> Result<()> {
        let deadline = Instant::now() + most;
        // A connection would be a sharper question, but the broker would still hold it when its sockets are counted.
        while !self.process().listens(self.address.port()).unwrap_or(false) {
            if let Some(status) = self.child.try_wait()? {
                self.end();
                bail!("the broker did not start ({status}): {}", self.last_words());
            }
            if Instant::now() > deadline {
                bail!("the broker does not listen on port {} after {most:?}", self.address.port());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Kills it as no program can prevent, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Result<Ending> {
        let asked = Instant::now();
        let is_early = self.wait(Duration::ZERO)?;
        if !is_early {
            kill_process(self.pid, Signal::TERM).context("asking the broker to end")?;
        }
        let ended = self.wait(STOP_MAX)?;
        let took = asked.elapsed();
        let status = if ended { Some(self.child.wait()?) } else { None };
        self.end();
        let last_words = self.last_words();
        let panic = self.words.lock().unwrap_or_else(PoisonError::into_inner).panic.clone();
        Ok(Ending { status, is_early, took, panic, last_words })
    }

    /// Whether the process ends in time.
    fn wait(&self, most: Duration) -> Result<bool> {
        let process = pidfd_open(self.pid, PidfdFlags::empty()).context("watching the broker")?;
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        let most = Timespec::try_from(most).context("waiting for the broker's end")?;
        Ok(poll(&mut ends, Some(&most))? > 0)
    }

    fn end(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        cleanup::forget(&Leftover::Process(self.pid));
        for listener in self.listeners.drain(..) {
            drop(listener.join());
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

impl Ending {
    /// Requires what every broker owes: status 0 in time, and no panic on the way.
    pub fn judge(&self, report: &mut Report) {
        report.duration("exit", self.took);
        let last_words = &self.last_words;
        report
            .require(!self.is_early, || format!("the broker ended by itself; its last words: {last_words}"));
        match self.status {
            None => {
                report.fail(format!("still running {STOP_MAX:?} after SIGTERM; its last words: {last_words}"))
            }
            Some(status) if status.success() => {}
            Some(status) => {
                let how = status
                    .signal()
                    .map_or_else(|| status.to_string(), |signal| format!("killed by signal {signal}"));
                report.fail(format!("the broker ended with {how}; its last words: {last_words}"));
            }
        }
        if let Some(panic) = &self.panic {
            report.fail(format!("the broker panicked: {panic}"));
        }
    }
}

/// A port of 127.0.0.1 that nobody uses at this moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Reads what the broker prints, lest it blocks on a full pipe.
fn listen(pipe: impl Read + Send + 'static, words: Arc<Mutex<Words>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
            if words.panic.is_none() && speaks_of_panic(&line) {
                words.panic = Some(line.clone());
            }
            if words.last.len() == LAST_WORDS {
                words.last.remove(0);
            }
            words.last.push(line);
        }
    })
}

fn speaks_of_panic(line: &str) -> bool {
    ["panicked at", "has overflowed its stack", "Assertion `", "AddressSanitizer"]
        .iter()
        .any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_heard() {
        assert!(speaks_of_panic("thread 'runner-0' panicked at core/broker/src/shard.rs:1:1:"));
        assert!(!speaks_of_panic("client panic-1 connected"));
    }
}

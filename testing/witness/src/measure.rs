//! What the kernel says about a running process.
//!
//! The rule: only `/proc` is asked, never the broker itself.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;

/// A process seen from outside.
#[derive(Clone, Copy)]
pub struct Process(Pid);

impl Process {
    /// The process with this identifier.
    pub fn new(pid: Pid) -> Self {
        Self(pid)
    }

    /// Bytes in memory now. `smaps_rollup` counts pages; the `VmRSS` line may lag by the kernel's per-CPU batches.
    pub fn resident(self) -> Result<u64> {
        self.kilobytes("smaps_rollup", "Rss:")
    }

    /// Most bytes ever in memory since [`Self::forget_peak`].
    pub fn peak(self) -> Result<u64> {
        self.kilobytes("status", "VmHWM:")
    }

    /// Lets the peak begin anew at what is in memory now.
    pub fn forget_peak(self) -> Result<()> {
        // "5" is the kernel's word for it, see proc_pid_clear_refs(5).
        fs::write(self.file("clear_refs"), "5").context("resetting the peak of memory")
    }

    /// Processor time of all threads so far.
    pub fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The second field is the program's name and may contain anything but its own last parenthesis.
        let (_, fields) = stat.rsplit_once(')').context("stat has no program name")?;
        let ticks =
            fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
        Ok(Duration::from_secs(1) * ticks / per_second)
    }

    /// Whether SIGSTOP has reached all its threads: none is inside a system call any more.
    pub fn is_stopped(self) -> Result<bool> {
        let folder = self.file("task");
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let stat =
                fs::read_to_string(entry?.path().join("stat")).context("reading the state of a thread")?;
            let (_, fields) = stat.rsplit_once(')').context("stat has no program name")?;
            if !fields.trim_start().starts_with('T') {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sockets it holds open, listeners included.
    pub fn sockets(self) -> Result<usize> {
        let folder = self.file("fd");
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        let is_socket = |path: PathBuf| {
            fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        Ok(entries.filter_map(Result::ok).filter(|entry| is_socket(entry.path())).count())
    }

    /// Whether anything in its network namespace listens on `port` of IPv4.
    pub fn listens(self, port: u16) -> Result<bool> {
        let (suffix, table) = (format!(":{port:04X}"), self.read("net/tcp")?);
        Ok(table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().unwrap_or_default();
            let state = fields.nth(1).unwrap_or_default();
            local.ends_with(&suffix) && state == LISTEN
        }))
    }

    fn kilobytes(self, file: &str, label: &str) -> Result<u64> {
        let text = self.read(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        let number = line.and_then(|line| line.split_whitespace().next());
        let kilobytes: u64 = number.with_context(|| format!("{file} has no {label}"))?.parse()?;
        Ok(kilobytes * 1024)
    }

    fn read(self, name: &str) -> Result<String> {
        let file = self.file(name);
        fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
    }

    fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0.as_raw_nonzero()))
    }
}

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The smallest value that `percent` of all do not exceed; sorts them.
pub fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn myself() -> Process {
        Process::new(rustix::process::getpid())
    }

    #[test]
    fn a_listener_and_its_socket_are_seen() {
        let before = myself().sockets().expect("readable");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        assert!(myself().listens(port).expect("readable"));
        assert!(myself().sockets().expect("readable") > before);
        drop(listener);
        assert!(!myself().listens(port).expect("readable"));
    }

    #[test]
    fn memory_in_use_is_seen() {
        let before = myself().resident().expect("readable");
        let block = std::hint::black_box(vec![1u8; 32 << 20]);
        assert!(myself().resident().expect("readable") >= before + (30 << 20));
        assert!(myself().peak().expect("readable") >= before + (30 << 20));
        drop(block);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut values, 100), Duration::from_millis(200));
        assert_eq!(percentile(&mut [Duration::from_millis(3)], 99), Duration::from_millis(3));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}

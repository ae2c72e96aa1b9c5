//! What must not outlive a run: brokers, network namespaces, mounts, folders.
//!
//! The rule: whoever makes one registers it here first and forgets it after removing it, so that an interrupted run leaves nothing behind.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio, exit};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Something to remove.
#[derive(Clone, PartialEq, Eq)]
pub enum Leftover {
    /// A broker that may still run.
    Process(Pid),
    /// A network namespace known to `ip netns`.
    Namespace(String),
    /// A file system mounted here.
    Mount(PathBuf),
    /// A folder and everything in it.
    Folder(PathBuf),
}

static LEFTOVERS: Mutex<Vec<Leftover>> = Mutex::new(Vec::new());

/// Removes everything registered when this program is told to end.
pub fn on_signals() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            // The other way round: what came last stands on what came first.
            leftovers().drain(..).rev().for_each(|leftover| remove(&leftover));
            exit(130);
        }
    });
    Ok(())
}

/// Remembers `leftover` until [`forget`].
pub fn register(leftover: Leftover) {
    leftovers().push(leftover);
}

/// The leftover is gone.
pub fn forget(leftover: &Leftover) {
    leftovers().retain(|other| other != leftover);
}

fn leftovers() -> MutexGuard<'static, Vec<Leftover>> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes it now. Errors are of no use here: the thing may have gone by itself.
pub fn remove(leftover: &Leftover) {
    match leftover {
        Leftover::Process(pid) => {
            let _ = kill_process(*pid, Signal::KILL);
        }
        Leftover::Namespace(name) => {
            drop(Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status());
        }
        Leftover::Mount(folder) => {
            // Lazily, for a broker that was just killed may still hold files in it.
            drop(Command::new("umount").arg("--lazy").arg(folder).stderr(Stdio::null()).status());
        }
        Leftover::Folder(folder) => drop(fs::remove_dir_all(folder)),
    }
}

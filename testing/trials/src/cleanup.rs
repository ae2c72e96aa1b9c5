//! What must not outlive this tool: brokers and network namespaces.
//!
//! The rule: whoever makes one registers it here first and forgets it after removing it, so that an interrupted run leaves nothing behind.

use std::io;
use std::process::{Command, Stdio, exit};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Something to remove.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// A broker that may still run.
    Process(Pid),
    /// A network namespace known to `ip netns`.
    Namespace(String),
}

static LEFTOVERS: Mutex<Vec<Leftover>> = Mutex::new(Vec::new());

/// Removes everything registered when this tool is told to end.
pub(crate) fn on_signals() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            leftovers().drain(..).for_each(remove);
            exit(130);
        }
    });
    Ok(())
}

/// Remembers `leftover` until [`forget`].
pub(crate) fn register(leftover: Leftover) {
    leftovers().push(leftover);
}

/// The leftover is gone.
pub(crate) fn forget(leftover: &Leftover) {
    leftovers().retain(|other| other != leftover);
}

fn leftovers() -> MutexGuard<'static, Vec<Leftover>> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Errors are of no use here: the thing may have gone by itself.
fn remove(leftover: Leftover) {
    match leftover {
        Leftover::Process(pid) => {
            let _ = kill_process(pid, Signal::KILL);
        }
        Leftover::Namespace(name) => {
            drop(Command::new("ip").args(["netns", "del", &name]).stderr(Stdio::null()).status());
        }
    }
}

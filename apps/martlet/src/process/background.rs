//! `-d`: the same program again, on its own and without a terminal.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Tells the process that `-d` starts that it is the one in the background.
const IN_THE_BACKGROUND: &str = "MARTLET_IN_THE_BACKGROUND";

/// Is this the process that `-d` started?
pub(crate) fn is_in_background() -> bool {
    std::env::var_os(IN_THE_BACKGROUND).is_some()
}

/// Starts the same program again and leaves it to itself.
pub(crate) fn start_in_background(args: &[OsString]) -> Result<()> {
    let program = std::env::current_exe().context("the program does not find its own file")?;
    Command::new(program)
        .arg("mosquitto")
        .args(args)
        .env(IN_THE_BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the broker cannot be started in the background")?;
    Ok(())
}

/// Leaves the terminal's session: what it sends to its programs is not for this one any more.
pub(crate) fn go_on_alone() {
    // Who leads a session already has left.
    let _ = rustix::process::setsid();
}

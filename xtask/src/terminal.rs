//! What a person at a terminal sees. The rule kept here: colour only where a terminal will show
//! it, and never when `NO_COLOR` is set.

use std::io::{IsTerminal, Write};

/// Announces a step: one bold line.
pub(crate) fn step(name: &str) {
    println!("{}", paint(BOLD, &format!("── {name}")));
    // What a child process prints must come after the line that announces it.
    let _ = std::io::stdout().flush();
}

/// One good line.
pub(crate) fn good(text: &str) {
    println!("{} {text}", paint(GREEN, "ok"));
}

/// One line that wants attention and fails nothing.
pub(crate) fn warning(text: &str) {
    println!("{} {text}", paint(YELLOW, "warning"));
}

/// One line that fails the run.
pub(crate) fn failure(text: &str) {
    println!("{} {text}", paint(RED, "failed"));
}

/// The last word of a run that failed, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let label = if coloured(&std::io::stderr()) { format!("{RED}error{RESET}") } else { "error".to_owned() };
    eprintln!("{label} {error:#}");
}

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

fn paint(colour: &str, text: &str) -> String {
    if coloured(&std::io::stdout()) { format!("{colour}{text}{RESET}") } else { text.to_owned() }
}

fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

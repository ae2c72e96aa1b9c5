//! Figures and moments as people read them, and the way to where they read them.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use martlet_server::tools::WallTime;

/// Headings.
pub(super) const BOLD: Style = Style::new().bold();
/// What is damaged.
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
/// What is well.
pub(super) const GREEN: Style = AnsiColor::Green.on_default();

/// Text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// 1,234
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// 1.21 KiB
pub(super) fn bytes(number: u64) -> String {
    HumanBytes(number).to_string()
}

/// So many of a thing, in one word or the other.
pub(super) fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

/// A moment on the clock of this machine, and how far away it is.
pub(super) fn moment(at: WallTime, now: Timestamp) -> String {
    let time = clock(at, "%Y-%m-%d %H:%M:%S");
    let Some(at) = timestamp(at) else { return time };
    let away = Duration::try_from(now.duration_since(at));
    match away {
        Ok(ago) => format!("{time}, {} ago", HumanDuration(ago)),
        Err(_) => format!("{time}, in {}", HumanDuration(at.duration_since(now).unsigned_abs())),
    }
}

/// How long ago a moment was, in short.
pub(super) fn age(at: Option<WallTime>, now: Timestamp) -> String {
    let ago = at.and_then(timestamp).and_then(|at| Duration::try_from(now.duration_since(at)).ok());
    ago.map_or_else(|| "?".to_owned(), |ago| format!("{:#}", HumanDuration(ago)))
}

/// A moment on the clock of this machine.
pub(super) fn clock(at: WallTime, format: &str) -> String {
    match timestamp(at) {
        Some(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        None => format!("{} ms since 1970", at.0),
    }
}

fn timestamp(at: WallTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()
}

/// Prints, in colour on a terminal. Whoever reads it may leave when they have seen enough.
pub(super) fn print(text: &str) -> io::Result<()> {
    forgive(anstream::stdout().lock().write_all(text.as_bytes()))
}

/// It is no failure that nobody reads on.
pub(super) fn forgive(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

//! What a line begins with: the time, in the form the operator asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Line;

/// What a line begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Nothing.
    None,
    /// Time in UTC and level, as the native log has them.
    Level,
    /// Seconds since 1970, as Mosquitto has them.
    Seconds,
    /// Local time in a form of `strftime`.
    Format(Box<str>),
}

impl Stamp {
    /// The line as it is written, with its end.
    pub(super) fn line(&self, line: &Line) -> String {
        let text = &line.text;
        match self {
            Self::None => format!("{text}\n"),
            Self::Level => format!("{} {} {text}\n", utc(line.at), line.kind.level()),
            Self::Seconds => {
                let since = line.at.duration_since(UNIX_EPOCH).unwrap_or_default();
                format!("{}: {text}\n", since.as_secs())
            }
            Self::Format(format) => format!("{}: {text}\n", local(line.at, format)),
        }
    }
}

/// As the native log writes it, to the microsecond.
fn utc(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "-".to_owned(), |at| format!("{at:.6}"))
}

fn local(at: SystemTime, format: &str) -> String {
    let written = Timestamp::try_from(at).and_then(|at| {
        let zoned = at.to_zoned(TimeZone::system());
        jiff::fmt::strtime::format(format, &zoned)
    });
    written.unwrap_or_else(|_| "Time error".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::time::Duration;

    fn line() -> Line {
        let at = UNIX_EPOCH + Duration::from_micros(1_700_000_000_250_000);
        Line { kind: Kind::Warning, at, text: "text".to_owned() }
    }

    #[test]
    fn each_stamp_has_its_form() {
        assert_eq!(Stamp::None.line(&line()), "text\n");
        assert_eq!(Stamp::Seconds.line(&line()), "1700000000: text\n");
        assert_eq!(Stamp::Level.line(&line()), "2023-11-14T22:13:20.250000Z  WARN text\n");
    }

    #[test]
    fn a_form_of_strftime_is_followed_and_one_that_is_none_does_no_harm() {
        let year = Stamp::Format("%Y-%m-%dT%H".into()).line(&line());
        assert!(year.starts_with("2023-11-1") && year.ends_with(": text\n"), "{year}");
        assert_eq!(Stamp::Format("%Q%!".into()).line(&line()), "Time error: text\n");
    }
}

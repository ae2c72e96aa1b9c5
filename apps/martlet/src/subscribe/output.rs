//! Standard output, buffered until someone waits.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, Stdout, Write};

use jiff::Zoned;
use martlet_client::Received;

use super::format::Format;
use super::json::NotJson;
use super::watch::Watch;

/// How messages are printed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Style {
    /// Print the topic before the payload
    #[arg(short, long)]
    verbose: bool,
    /// Print messages like this
    #[arg(short = 'F', long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<Format>,
    /// Put no end of line behind a message
    #[arg(short = 'N', long)]
    no_newline: bool,
    /// Write JSON over several lines, for people
    #[arg(long)]
    pretty: bool,
    /// Print only so many of a hundred messages, chosen by chance
    #[arg(long, value_name = "CHANCE", value_parser = parse_chance)]
    random_filter: Option<Chance>,
    /// Give each topic a line of its own on the terminal, and renew it as messages come
    #[arg(short, long)]
    watch: bool,
}

/// How many of ten thousand messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chance(u64);

/// Where messages are printed, and how.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    style: Look,
    ends_line: bool,
    pretty: bool,
    chance: Option<Chance>,
    watch: Option<Watch>,
    /// One message, made whole before any of it is printed.
    line: Vec<u8>,
}

enum Look {
    Payload,
    TopicAndPayload,
    Format(Format),
}

impl Output {
    pub(crate) fn new(style: &Style) -> Self {
        let look = match (&style.format, style.verbose) {
            (Some(format), _) => Look::Format(format.clone()),
            (None, true) => Look::TopicAndPayload,
            (None, false) => Look::Payload,
        };
        let out = BufWriter::new(io::stdout());
        Self {
            out,
            style: look,
            ends_line: !style.no_newline && !style.watch,
            pretty: style.pretty,
            chance: style.random_filter,
            watch: style.watch.then(Watch::default),
            line: Vec::new(),
        }
    }

    /// Prints a message. One that its format cannot show is left out.
    pub(crate) fn print(&mut self, received: &Received) -> io::Result<Result<(), NotJson>> {
        if self.chance.is_some_and(|chance| !chance.is_met()) {
            return Ok(Ok(()));
        }
        let message = &received.message;
        let payload = &message.payload;
        self.line.clear();
        match &self.style {
            Look::Payload if payload.is_empty() => return Ok(Ok(())),
            // Mosquitto's way: what could not be told from other output is not said.
            Look::TopicAndPayload if payload.is_empty() && !self.ends_line && self.watch.is_none() => {
                return Ok(Ok(()));
            }
            Look::Payload => self.line.extend_from_slice(payload),
            Look::TopicAndPayload => {
                self.line.extend_from_slice(message.topic.as_bytes());
                self.line.push(b' ');
                self.line.extend_from_slice(if payload.is_empty() { b"(null)" } else { payload });
            }
            Look::Format(format) => {
                if let Err(fault) = format.render(received, &Zoned::now(), self.pretty, &mut self.line) {
                    return Ok(Err(fault));
                }
            }
        }
        if self.ends_line {
            self.line.push(b'\n');
        }
        match &mut self.watch {
            Some(watch) => watch.show(&message.topic, &self.line, &mut self.out)?,
            None => self.out.write_all(&self.line)?,
        }
        Ok(Ok(()))
    }

    /// For lines that are no messages.
    pub(crate) fn raw(&mut self) -> &mut impl Write {
        &mut self.out
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Chance {
    /// Whether this message is one of the lucky ones.
    fn is_met(self) -> bool {
        // The standard library seeds each of its hashers by chance.
        RandomState::new().build_hasher().finish() % 10_000 < self.0
    }
}

fn parse_chance(text: &str) -> Result<Chance, String> {
    const WRONG: &str = "the chance is from 0.1 to 100.0";
    let percent: f64 = text.parse().map_err(|_| WRONG.to_owned())?;
    if !(0.1..=100.0).contains(&percent) {
        return Err(WRONG.to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be up to 10000")]
    Ok(Chance((percent * 100.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_a_percentage() {
        assert_eq!(parse_chance("50"), Ok(Chance(5_000)));
        assert_eq!(parse_chance("0.1"), Ok(Chance(10)));
        for text in ["0", "100.1", "-1", "x", "NaN"] {
            assert!(parse_chance(text).is_err(), "{text}");
        }
        assert!(Chance(10_000).is_met() && !Chance(0).is_met());
    }
}

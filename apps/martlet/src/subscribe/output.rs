//! Standard output, buffered until someone waits.

use std::io::{self, BufWriter, Stdout, Write};

use jiff::Zoned;
use martlet_client::Received;

use super::Style;
use super::format::Format;
use super::json::NotJson;

/// Where messages are printed, and how.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    style: Look,
    ends_line: bool,
    /// One message, made whole before any of it is printed.
    line: Vec<u8>,
}

enum Look {
    Payload,
    TopicAndPayload,
    Format(Format),
}

impl Output {
    pub(super) fn new(style: &Style) -> Self {
        let look = match (&style.format, style.verbose) {
            (Some(format), _) => Look::Format(format.clone()),
            (None, true) => Look::TopicAndPayload,
            (None, false) => Look::Payload,
        };
        let out = BufWriter::new(io::stdout());
        Self { out, style: look, ends_line: !style.no_newline, line: Vec::new() }
    }

    /// Prints a message. One that its format cannot show is left out.
    pub(super) fn print(&mut self, received: &Received) -> io::Result<Result<(), NotJson>> {
        let message = &received.message;
        let payload = &message.payload;
        self.line.clear();
        match &self.style {
            Look::Payload if payload.is_empty() => return Ok(Ok(())),
            Look::Payload => self.line.extend_from_slice(payload),
            Look::TopicAndPayload => {
                self.line.extend_from_slice(message.topic.as_bytes());
                self.line.push(b' ');
                self.line.extend_from_slice(if payload.is_empty() { b"(null)" } else { payload });
            }
            Look::Format(format) => {
                if let Err(fault) = format.render(received, &Zoned::now(), &mut self.line) {
                    return Ok(Err(fault));
                }
            }
        }
        if self.ends_line {
            self.line.push(b'\n');
        }
        self.out.write_all(&self.line).map(Ok)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! From the events of our crates to lines of the log.

use std::fmt::{self, Write};
use std::time::SystemTime;

use anyhow::Result;
use martlet_server::log_target;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::{Kind, Line, Log};

/// Takes events; spans mean nothing to it.
struct Lines(Log);

/// Has every event of this process become a line.
pub(super) fn install(log: Log) -> Result<()> {
    Ok(tracing::subscriber::set_global_default(Lines(log))?)
}

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The settings may change, so it is asked each time; the level is asked first and costs next to nothing.
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.kinds().level())
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.has(Kind::of(metadata), metadata.target() == log_target::CONNECTION)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.push(Line { kind: Kind::of(event.metadata()), at: SystemTime::now(), text: text.0 });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The words of an event. What Clients chose may stand in it, so that control characters are written as such.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            return;
        }
        let words = format!("{value:?}");
        for letter in words.chars() {
            if letter.is_control() {
                self.0.extend(letter.escape_default());
            } else {
                self.0.push(letter);
            }
        }
    }

    fn record_error(&mut self, _: &Field, value: &(dyn std::error::Error + 'static)) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{value}");
    }
}

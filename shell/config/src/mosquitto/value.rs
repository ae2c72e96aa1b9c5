//! Plain values: yes or no, numbers, text, names.

use super::line::{Line, Word};
use super::{Block, Reader};
use crate::key::{Bounds, Key, Kind};
use crate::nearest::nearest;
use crate::report::{Report, Severity};
use crate::slot::{Value, Wrong};

/// The longest text Mosquitto takes.
const TEXT_BYTES_MAX: usize = 65_535;

impl Reader<'_> {
    /// A key with a plain value.
    pub(super) fn read_value(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        if let Some(value) = self.parse(key, line) {
            self.put(key, line, block, value);
        }
    }

    /// The value of a line, if it is one.
    pub(super) fn parse(&mut self, key: &'static Key, line: &Line<'_>) -> Option<Value> {
        let Some(word) = line.word() else {
            self.reports.push(empty(key, line));
            return None;
        };
        match key.kind {
            Kind::Bool => self.parse_bool(line, word),
            Kind::Number(bounds) => self.parse_number(key, line, word, bounds, 1),
            Kind::Time(bounds) => self.parse_number(key, line, word, bounds, bounds.unit.milliseconds()),
            Kind::Choice => Some(Value::Text(word.text.to_owned())),
            Kind::Text | Kind::Path | Kind::Secret | Kind::List | Kind::Words => self.parse_text(key, line),
        }
    }

    /// Puts a value where the key means it.
    pub(super) fn put(&mut self, key: &'static Key, line: &Line<'_>, block: Block, value: Value) {
        let (slot, path) = match self.slot(key, line, block) {
            Ok(found) => found,
            Err(report) => return self.reports.push(*report),
        };
        if let Err(wrong) = slot.set(value) {
            let report = refused(key, line, wrong);
            return self.reports.push(report);
        }
        self.note_origin(key, line, path);
    }

    /// Notes where a value stands; text that stands twice is an error of Mosquitto's, other things are not.
    pub(super) fn note_origin(&mut self, key: &'static Key, line: &Line<'_>, path: String) {
        let Some(before) = self.origins.put(path, line.origin()) else { return };
        let is_text = matches!(key.kind, Kind::Text | Kind::Path | Kind::Secret);
        if is_text && key.name != "user" {
            let title = format!("{} stands twice", line.key);
            self.reports.push(
                line.about_key(Severity::Error, title)
                    .because(format!("the first one is in {before}"))
                    .fix("keep the one that is meant"),
            );
        } else {
            let title = format!("{} stands twice", line.key);
            self.reports.push(
                line.about_key(Severity::Warning, title)
                    .because(format!("it takes the place of the one in {before}"))
                    .fix("keep the one that is meant"),
            );
        }
    }

    fn parse_bool(&mut self, line: &Line<'_>, word: Word<'_>) -> Option<Value> {
        match word.text {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => {
                let title = format!("{} is either true or false", line.key);
                let fix = match word.text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "true" => "write true",
                    "no" | "off" | "false" => "write false",
                    _ => "write true or false",
                };
                let report = line.about(word, Severity::Error, title);
                self.reports.push(report.because("this is neither").fix(fix));
                None
            }
        }
    }

    /// A number as C's `atoi` reads it, for so does Mosquitto.
    pub(super) fn parse_number(
        &mut self,
        key: &'static Key,
        line: &Line<'_>,
        word: Word<'_>,
        bounds: Bounds,
        factor: u64,
    ) -> Option<Value> {
        let number = self.number(line, word);
        if bounds.none.is_some_and(|none| i128::from(none) == number) {
            if number < i128::from(bounds.min) {
                self.reports.push(
                    line.about(
                        word,
                        Severity::Warning,
                        format!("{} {number} is taken for no limit", line.key),
                    )
                    .because(format!("Mosquitto refuses it: it wants {} at least", bounds.min))
                    .fix("take the line out, which means the same"),
                );
            }
            return Some(Value::Unset);
        }
        if number < i128::from(bounds.min)
            && let Some(instead) = bounds.lower_is
        {
            if bounds.none == Some(instead) {
                return Some(Value::Unset);
            }
            let title = format!("{} is too low: {instead} is used", line.key);
            let report = line.about(word, Severity::Warning, title);
            self.reports.push(
                report
                    .because(format!("it must be {} or more", bounds.min))
                    .fix(format!("write {} {instead}", line.key)),
            );
            return Some(Value::Number(instead.saturating_mul(factor)));
        }
        let fits = u64::try_from(number).ok().filter(|it| (bounds.min..=bounds.max).contains(it));
        if fits.is_none() {
            self.reports.push(out_of_range(key, line, word, bounds));
        }
        fits.map(|number| Value::Number(number.saturating_mul(factor)))
    }

    /// What `atoi` makes of a word, with a warning when it makes something else of it than it looks like.
    pub(super) fn number(&mut self, line: &Line<'_>, word: Word<'_>) -> i128 {
        let (sign, digits) = match word.text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, word.text.strip_prefix('+').unwrap_or(word.text)),
        };
        let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
        // More digits than any limit has are as good as infinitely many.
        let number = if end > 30 { i128::MAX } else { digits[..end].parse().unwrap_or(0) };
        let number = sign * number;
        if end < digits.len() || digits.is_empty() {
            let title = format!("{} wants a number", line.key);
            let report = line.about(word, Severity::Warning, title);
            self.reports.push(
                report
                    .because(format!("as in Mosquitto, this counts as {number}"))
                    .fix("write digits only: units are not understood here"),
            );
        }
        number
    }

    fn parse_text(&mut self, key: &'static Key, line: &Line<'_>) -> Option<Value> {
        let value = line.value();
        if value.len() > TEXT_BYTES_MAX || value.contains('\t') {
            self.error(
                line,
                &format!("the value of {} is no text", line.key),
                "it has a tab in it or is longer than 65535 bytes",
                "write it with spaces",
            );
            return None;
        }
        if key.kind != Kind::Secret && value.contains(" #") {
            self.warn(
                line,
                &format!("what stands behind # belongs to the value of {}", line.key),
                "as in Mosquitto, only a line that begins with # is a comment",
                "put the comment on a line of its own",
            );
        }
        Some(Value::Text(value.to_owned()))
    }
}

/// Mosquitto goes on without a word where these have no value.
pub(super) fn empty(key: &Key, line: &Line<'_>) -> Report {
    let goes_on = ["max_connections", "log_type", "protocol"].contains(&key.name);
    let severity = if goes_on { Severity::Warning } else { Severity::Error };
    let report = line.about_key(severity, format!("{} has no value", line.key)).because(key.doc);
    match key.choices() {
        choices if choices.is_empty() => report.fix("write one behind it, or put # before the line"),
        choices => report.fix(format!("write one behind it: {}", choices.join(", "))),
    }
}

fn out_of_range(key: &Key, line: &Line<'_>, word: Word<'_>, bounds: Bounds) -> Report {
    let unit = bounds.unit.name();
    let blank = if unit.is_empty() { "" } else { " " };
    let range = if bounds.max == u64::MAX {
        format!("{} or more", bounds.min)
    } else {
        format!("from {} to {}", bounds.min, bounds.max)
    };
    line.about(word, Severity::Error, format!("{} is out of range", line.key))
        .because(format!("it must be {range}{blank}{unit}"))
        .fix(key.doc)
}

fn refused(key: &Key, line: &Line<'_>, wrong: Wrong) -> Report {
    let title = match &wrong {
        Wrong::NoneOf(_) => format!("{} does not know this", line.key),
        _ => format!("{} cannot have this value", line.key),
    };
    let report = line.about_value(Severity::Error, title);
    match wrong {
        Wrong::Type => report.because("it is of another type").fix(key.doc),
        Wrong::TooLarge => report.because("it is too large").fix(key.doc),
        Wrong::Entry { why, .. } => report.because(why).fix(key.doc),
        Wrong::NoneOf(names) => {
            let meant = line.word().and_then(|word| nearest(word.text, names.iter().copied()));
            let report = report.because(format!("it must be one of {}", names.join(", ")));
            match meant {
                Some(name) => report.fix(format!("did you mean {name}?")),
                None => report.fix("write one of them, or put # before the line"),
            }
        }
    }
}

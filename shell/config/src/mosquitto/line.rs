//! A line of `mosquitto.conf`: a key, a space, and the rest.

use std::ops::Range;

use crate::origin::Origin;
use crate::report::{Report, Severity};
use crate::source::Source;

/// A line with a key.
pub(super) struct Line<'s> {
    source: &'s Source,
    number: u32,
    pub(super) key: &'s str,
    /// A tab parts key and value.
    pub(super) has_tab: bool,
    key_start: usize,
    rest: &'s str,
    rest_start: usize,
}

/// A part of the value, with its place.
#[derive(Clone, Copy)]
pub(super) struct Word<'s> {
    pub(super) text: &'s str,
    start: usize,
}

const BLANKS: [char; 4] = [' ', '\t', '\x0b', '\x0c'];

/// The lines that say something: neither empty nor a comment.
pub(super) fn lines(source: &Source) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    let lines = source.text().split_inclusive('\n').zip(1..).map(move |(text, number)| {
        let line = (text, number, start);
        start += text.len();
        line
    });
    lines.filter_map(|(text, number, start)| Line::new(source, text, number, start))
}

impl<'s> Line<'s> {
    fn new(source: &'s Source, text: &'s str, number: u32, start: usize) -> Option<Self> {
        let text = text.trim_end_matches(['\n', '\r']);
        let content = text.trim_start_matches(BLANKS);
        if content.is_empty() || content.starts_with('#') {
            return None;
        }
        let key_start = start + text.len() - content.len();
        let key_end = content.find([' ', '\t']).unwrap_or(content.len());
        let (key, rest) = content.split_at(key_end);
        let trimmed = rest.trim_start_matches(BLANKS);
        Some(Self {
            source,
            number,
            key,
            has_tab: rest.starts_with('\t'),
            key_start,
            rest: trimmed.trim_end_matches(BLANKS),
            rest_start: key_start + content.len() - trimmed.len(),
        })
    }

    /// Everything behind the key, without blanks around it.
    pub(super) fn value(&self) -> &'s str {
        self.rest
    }

    /// The words behind the key.
    pub(super) fn words(&self) -> impl Iterator<Item = Word<'s>> + use<'s> {
        let (rest, start) = (self.rest, self.rest_start);
        let base = rest.as_ptr() as usize;
        rest.split([' ', '\t'])
            .filter(|text| !text.is_empty())
            .map(move |text| Word { text, start: start + (text.as_ptr() as usize - base) })
    }

    /// The first word behind the key, which is all that most keys look at.
    pub(super) fn word(&self) -> Option<Word<'s>> {
        self.words().next()
    }

    pub(super) fn origin(&self) -> Origin {
        Origin { file: self.source.name().clone(), line: self.number }
    }

    pub(super) fn about_key(&self, severity: Severity, title: String) -> Report {
        let span = self.key_start..self.key_start + self.key.len();
        Report::new(severity, self.source, span, title)
    }

    /// A report about the value; about the key when there is none.
    pub(super) fn about_value(&self, severity: Severity, title: String) -> Report {
        if self.rest.is_empty() {
            return self.about_key(severity, title);
        }
        Report::new(severity, self.source, self.rest_start..self.rest_start + self.rest.len(), title)
    }

    pub(super) fn about(&self, word: Word<'_>, severity: Severity, title: String) -> Report {
        Report::new(severity, self.source, word.span(), title)
    }
}

impl Word<'_> {
    fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u32, String, String)> {
        let source = Source::new("a.conf", text);
        lines(&source).map(|line| (line.number, line.key.to_owned(), line.value().to_owned())).collect()
    }

    #[test]
    fn keys_are_parted_from_values() {
        let lines = read("# port 1\r\n\r\n  port  1883 \r\nuser a b\n   # x\npersistence");
        let expected = [(3, "port", "1883"), (4, "user", "a b"), (6, "persistence", "")];
        let expected = expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned()));
        assert_eq!(lines, expected);
    }

    #[test]
    fn words_know_their_place() {
        let source = Source::new("a.conf", "\n topic  a/#   out 2\n");
        let line = lines(&source).next().unwrap();
        let words: Vec<_> = line.words().map(|word| (word.text, &source.text()[word.span()])).collect();
        assert_eq!(words, [("a/#", "a/#"), ("out", "out"), ("2", "2")]);
    }
}

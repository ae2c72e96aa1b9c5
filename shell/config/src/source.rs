//! The text of a file, with the places in it, and what of it may be shown.
//!
//! The one rule: a line that may hold a secret is shown without what stands behind its key, right or wrong.

use std::ops::Range;
use std::sync::Arc;

use crate::key::{Kind, keys};

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    name: Arc<str>,
    text: Arc<str>,
    /// Where lines begin.
    lines: Arc<[usize]>,
}

/// All files that were read.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

/// A line of a file, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Counted from 1.
    pub(crate) line: u32,
    pub(crate) text: String,
    /// What is meant, in bytes of `text`.
    pub(crate) span: Range<usize>,
}

/// What stands for a secret.
const MASK: &str = "***";
/// A longer line is cut: nobody reads it, and a file that is no configuration may have nothing but one.
const SHOWN_MAX: usize = 200;

impl Source {
    pub(crate) fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { name: name.into(), text, lines }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The number of the line that holds this byte, from 1.
    pub(crate) fn line_of(&self, offset: usize) -> u32 {
        let lines = self.lines.partition_point(|start| *start <= offset);
        u32::try_from(lines.max(1)).unwrap_or(u32::MAX)
    }

    /// The place of a line, from 1, without the blanks around it.
    pub(crate) fn line(&self, number: u32) -> Range<usize> {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let start = self.lines.get(index).copied().unwrap_or(self.text.len());
        let line = self.text[start..].lines().next().unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        start + blanks..start + line.trim_end().len().max(blanks)
    }

    /// The line where a span begins, without its secrets; of a span over several lines the first.
    pub(crate) fn excerpt(&self, span: Range<usize>) -> Excerpt {
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let shown = floor(line, shown_until(&self.text[..line_start], line).min(SHOWN_MAX));
        let cut = |offset: usize| floor(line, offset.saturating_sub(line_start)).min(shown);
        let mut text = line[..shown].to_owned();
        let mut range = cut(span.start)..cut(span.end.max(span.start));
        if shown < line.len() {
            text.push_str(if shown == floor(line, SHOWN_MAX) { "…" } else { MASK });
            if range.end == shown && span.end > line_start + shown {
                range.end = text.len();
            }
        }
        // What the terminal would obey is not shown to it.
        let text: String =
            text.chars().map(|it| if it.is_control() && it.len_utf8() == 1 { ' ' } else { it }).collect();
        Excerpt { line: self.line_of(line_start), text, span: range }
    }
}

impl Sources {
    pub(crate) fn add(&mut self, source: Source) {
        self.0.push(source);
    }

    pub(crate) fn first(&self) -> Option<&Source> {
        self.0.first()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Source> {
        self.0.iter().find(|source| &*source.name == name)
    }
}

/// The last boundary of a character at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// How much of a line may be shown: all, or what stands before the value of a secret.
fn shown_until(before: &str, line: &str) -> usize {
    if is_in_text_of_several_lines(before) {
        return 0;
    }
    let mut word_start = None;
    let mut is_first = true;
    for (at, character) in line.char_indices().chain([(line.len(), ' ')]) {
        if character.is_alphanumeric() || "_-.".contains(character) {
            word_start.get_or_insert(at);
        } else if let Some(start) = word_start.take() {
            let rest = &line[at..];
            let is_key = rest.trim_start_matches([' ', '\t', '"', '\'']).starts_with('=');
            if (is_key || std::mem::take(&mut is_first)) && may_be_secret(&line[start..at]) {
                return line.len() - rest.trim_start_matches([' ', '\t', '=', '"', '\'']).len();
            }
        }
    }
    line.len()
}

/// Inside TOML's text of several lines, which may belong to a secret.
fn is_in_text_of_several_lines(before: &str) -> bool {
    before.matches("\"\"\"").count() % 2 == 1 || before.matches("'''").count() % 2 == 1
}

/// Is what stands behind this word perhaps a secret? Misspelt keys are asked about as well.
pub(crate) fn may_be_secret(word: &str) -> bool {
    let last = word.rsplit('.').next().unwrap_or(word);
    let known = keys().find(|key| {
        let path = key.path.rsplit('.').next().unwrap_or(key.path);
        [key.name, path].contains(&last) || key.aliases.contains(&last)
    });
    if let Some(key) = known {
        return key.kind == Kind::Secret;
    }
    let word = word.to_ascii_lowercase();
    ["pasw", "pass", "pwd", "psk", "secret", "token", "api_key"].iter().any(|part| word.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, meant: &str) -> Excerpt {
        let start = text.find(meant).unwrap();
        Source::new("a.conf", text).excerpt(start..start + meant.len())
    }

    #[test]
    fn a_line_is_shown_with_what_is_meant() {
        let excerpt = shown("port 1883\r\nmax_qos 9\r\n", "9");
        assert_eq!(excerpt, Excerpt { line: 2, text: "max_qos 9".to_owned(), span: 8..9 });
        let umlaut = shown("# ä\nuser ö", "ö");
        assert_eq!((umlaut.line, &umlaut.text[umlaut.span]), (2, "ö"));
    }

    #[test]
    fn secrets_are_not_shown() {
        for line in [
            "remote_password hunter2",
            "password hunter2",
            "remote_pasword hunter2",
            "bridge_psk  hunter2",
            "auth_opt_pg_password hunter2",
            "remote_password = \"hunter2\"",
            "bridge.remote_password='hunter2'",
            "bridge = [{ name = 'a', psk = \"hunter2\" }]",
            "remote_password = \"\"\"\nhunter2\n\"\"\"",
        ] {
            let excerpt = shown(line, "hunter2");
            assert!(!excerpt.text.contains("hunter"), "{}", excerpt.text);
            assert!(excerpt.text.ends_with(MASK), "{}", excerpt.text);
            assert!(excerpt.text.get(excerpt.span.clone()).is_some(), "{excerpt:?}");
        }
        for line in ["password_file /etc/pw", "psk_hint there", "bridge_identity me", "topic passages/# out"]
        {
            assert_eq!(shown(line, line).text, line);
        }
    }

    #[test]
    fn no_place_is_out_of_bounds() {
        let text = "ä\nb\u{7}\u{1b}[31m";
        let source = Source::new("a", text);
        for start in 0..text.len() + 3 {
            for end in 0..text.len() + 3 {
                let excerpt = source.excerpt(start..end);
                assert!(excerpt.text.get(excerpt.span.clone()).is_some(), "{start}..{end} {excerpt:?}");
                assert!(!excerpt.text.contains('\u{1b}'));
            }
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        let excerpt = shown(&format!("user {}end", "é".repeat(500)), "end");
        assert!(excerpt.text.len() < 250 && excerpt.text.ends_with('…'));
    }
}

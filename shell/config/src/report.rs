//! What is wrong with a configuration, said so that somebody can act on it.
//!
//! The one rule: a report names the place, why it is wrong, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin as Place, Renderer, Snippet};

use crate::origin::Origin;
use crate::source::{Excerpt, Source, Sources};

/// Something wrong with a configuration, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// The file.
    pub file: Arc<str>,
    /// Why, beside the text that is meant.
    pub why: String,
    /// What to do about it.
    pub fix: Option<String>,
    excerpt: Option<Excerpt>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, and there is something to know.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// Reports that anybody reads; a file with more wrong lines is probably no configuration.
const REPORTS_MAX: usize = 50;

/// Has enough been said about a file?
pub(crate) fn is_enough(reports: &[Report]) -> bool {
    reports.len() >= REPORTS_MAX
}

impl Report {
    pub(crate) fn new(severity: Severity, source: &Source, span: Range<usize>, title: String) -> Self {
        Self {
            severity,
            title,
            file: source.name().clone(),
            why: String::new(),
            fix: None,
            excerpt: Some(source.excerpt(span)),
        }
    }

    /// What ends a list of reports that would be too long.
    pub(crate) fn of_more(source: &Source) -> Self {
        Self::about_file(
            Severity::Error,
            source.name().clone(),
            "there is more, which is not shown".to_owned(),
        )
        .because("reading stopped here")
        .fix("mend what stands above, and look whether this is the file you meant")
    }

    /// A report about a whole line.
    pub(crate) fn at(severity: Severity, origin: &Origin, sources: &Sources, title: String) -> Self {
        match sources.named(&origin.file) {
            Some(source) => Self::new(severity, source, source.line(origin.line), title),
            None => Self::about_file(severity, origin.file.clone(), title),
        }
    }

    /// A report about a file as a whole.
    pub(crate) fn about_file(severity: Severity, file: impl Into<Arc<str>>, title: String) -> Self {
        Self { severity, title, file: file.into(), why: String::new(), fix: None, excerpt: None }
    }

    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The line, from 1, if it is about one.
    pub fn line(&self) -> Option<u32> {
        self.excerpt.as_ref().map(|excerpt| excerpt.line)
    }

    /// The report over several lines, with the text underlined; in colour for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let mut group = Group::with_title(level.primary_title(self.title.as_str()));
        if let Some(excerpt) = &self.excerpt {
            let why = (!self.why.is_empty()).then_some(self.why.as_str());
            let mark = AnnotationKind::Primary.span(excerpt.span.clone()).label(why);
            let line = usize::try_from(excerpt.line).unwrap_or(usize::MAX);
            let snippet = Snippet::source(excerpt.text.as_str()).path(&*self.file).line_start(line);
            group = group.element(snippet.annotation(mark));
        } else {
            group = group.element(Place::path(&*self.file));
            if !self.why.is_empty() {
                group = group.element(Level::NOTE.message(self.why.as_str()));
            }
        }
        if let Some(fix) = &self.fix {
            group = group.element(Level::HELP.message(fix.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// On one line, for a log.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line() {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.title)?;
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        if let Some(fix) = &self.fix {
            write!(f, "; {fix}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_underlines_what_is_meant() {
        let source = Source::new("m.conf", "port 1883\nmax_qos 9\n");
        let report = Report::new(Severity::Error, &source, 18..19, "max_qos is out of range".to_owned())
            .because("there are only 0, 1 and 2")
            .fix("write max_qos 2");
        insta::assert_snapshot!(report.render(false));
        assert_eq!(
            report.to_string(),
            "m.conf:2: max_qos is out of range: there are only 0, 1 and 2; write max_qos 2"
        );
    }

    #[test]
    fn a_file_as_a_whole_can_be_wrong() {
        let report = Report::about_file(Severity::Error, "gone.conf", "the file cannot be read".to_owned())
            .because("No such file or directory");
        insta::assert_snapshot!(report.render(false));
        assert_eq!(report.line(), None);
    }
}

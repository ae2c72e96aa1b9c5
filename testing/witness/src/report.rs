//! What a trial or an experiment measured and what it found wanting, for a terminal and as JSON.
//!
//! The rule: a trial passes when nothing it required was missing; a figure alone never decides.

use std::fmt::{self, Write};
use std::time::Duration;

/// The figures and failures of one trial, in the order they were found.
#[derive(Default)]
pub struct Report {
    part: String,
    figures: Vec<Figure>,
    failures: Vec<String>,
    skipped: Option<String>,
}

/// The one unit of all durations; people read them in milliseconds below one second.
const SECONDS: &str = "s";

struct Figure {
    part: String,
    name: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// Names the part of the trial that the following figures and failures belong to.
    pub fn part(&mut self, name: &str) {
        self.part = if name.is_empty() { String::new() } else { format!("{name}: ") };
    }

    /// A number of things.
    pub fn count(&mut self, name: &str, value: usize) {
        // Counts here stay far below 2^53.
        self.number(name, value as f64, "");
    }

    /// A duration.
    pub fn duration(&mut self, name: &str, value: Duration) {
        self.number(name, value.as_secs_f64(), SECONDS);
    }

    /// Any other number with its unit.
    pub fn number(&mut self, name: &str, value: f64, unit: &'static str) {
        self.figures.push(Figure { part: self.part.clone(), name: name.to_owned(), value, unit });
    }

    /// Fails the trial unless `holds`; the message says what was found, not what was hoped for.
    pub fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.fail(otherwise());
        }
    }

    /// Fails the trial.
    pub fn fail(&mut self, what: String) {
        self.failures.push(format!("{}{what}", self.part));
    }

    /// The trial cannot be held on this machine.
    pub fn skip(&mut self, why: &str) {
        self.skipped = Some(why.to_owned());
    }

    fn verdict(&self) -> Verdict {
        match (&self.skipped, self.failures.is_empty()) {
            (_, false) => Verdict::Failed,
            (Some(_), true) => Verdict::Skipped,
            (None, true) => Verdict::Passed,
        }
    }
}

/// A trial that has been held.
pub struct Outcome {
    /// Its name.
    pub trial: String,
    /// How long it was held.
    pub took: Duration,
    /// What came of it.
    pub report: Report,
}

impl Outcome {
    /// Whether something required was missing.
    pub fn has_failed(&self) -> bool {
        self.report.verdict() == Verdict::Failed
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::Skipped => "skipped",
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_short = self.unit == SECONDS && self.value < 1.0;
        let (value, unit) = if is_short { (self.value * 1e3, "ms") } else { (self.value, self.unit) };
        let decimals = if value.fract() == 0.0 { 0 } else { 2 };
        write!(f, "{} {value:.decimals$}", self.name)?;
        if unit.is_empty() { Ok(()) } else { write!(f, " {unit}") }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.trial, self.report.verdict())?;
        for part in self.report.figures.chunk_by(|one, next| one.part == next.part) {
            let figures: Vec<String> = part.iter().map(Figure::to_string).collect();
            let name = part.first().map_or("", |figure| &figure.part);
            write!(f, "\n    {name}{}", figures.join(", "))?;
        }
        if let Some(why) = &self.report.skipped {
            write!(f, "\n    skipped: {why}")?;
        }
        for failure in &self.report.failures {
            write!(f, "\n    failed: {failure}")?;
        }
        Ok(())
    }
}

/// One line per trial and one with the sums.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines = vec![format!("{:<14}{:<9}{:>7}  {}", "trial", "verdict", "s", "wanting")];
    for Outcome { trial, took, report } in outcomes {
        let remark = match (&report.skipped, report.failures.as_slice()) {
            (Some(why), []) => why.clone(),
            (_, []) => String::new(),
            (_, [only]) => only.clone(),
            (_, [first, others @ ..]) => format!("{first} (and {} more)", others.len()),
        };
        let line = format!("{trial:<14}{:<9}{:>7.1}  {remark}", report.verdict(), took.as_secs_f64());
        lines.push(line.lines().next().unwrap_or_default().trim_end().to_owned());
    }
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.report.verdict() == verdict).count();
    lines.push(format!(
        "{} passed, {} failed, {} skipped",
        count(Verdict::Passed),
        count(Verdict::Failed),
        count(Verdict::Skipped)
    ));
    lines.join("\n")
}

/// Everything, for other programs.
pub fn json(program: &str, outcomes: &[Outcome]) -> String {
    let trials: Vec<String> = outcomes.iter().map(trial_json).collect();
    format!("{{\n\"program\": {},\n\"trials\": [\n{}\n]\n}}\n", quoted(program), trials.join(",\n"))
}

fn trial_json(Outcome { trial, took, report }: &Outcome) -> String {
    let figures: Vec<String> = report
        .figures
        .iter()
        .map(|Figure { part, name, value, unit }| {
            let name = quoted(&format!("{part}{name}"));
            format!("{{\"name\": {name}, \"value\": {value}, \"unit\": {}}}", quoted(unit))
        })
        .collect();
    let failures: Vec<String> = report.failures.iter().map(|failure| quoted(failure)).collect();
    let skipped = report.skipped.as_deref().map_or_else(|| "null".to_owned(), quoted);
    format!(
        "{{\"trial\": {}, \"verdict\": {}, \"seconds\": {:.3}, \"skipped\": {skipped},\n \"failures\": [{}],\n \"figures\": [{}]}}",
        quoted(trial),
        quoted(&report.verdict().to_string()),
        took.as_secs_f64(),
        failures.join(", "),
        figures.join(", ")
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => {
                write!(quoted, "\\u{:04x}", u32::from(control)).expect("a String takes everything");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(report: Report) -> Outcome {
        Outcome { trial: "storm".to_owned(), took: Duration::from_millis(1500), report }
    }

    #[test]
    fn one_failure_decides_and_names_its_part() {
        let mut report = Report::default();
        report.part("1024");
        report.require(true, || "not this".to_owned());
        report.require(false, || "two lost".to_owned());
        report.count("sent", 300);
        report.duration("p99", Duration::from_micros(2500));
        let outcome = outcome(report);
        assert!(outcome.has_failed());
        assert_eq!(
            outcome.to_string(),
            "storm FAIL\n    1024: sent 300, p99 2.50 ms\n    failed: 1024: two lost"
        );
    }

    #[test]
    fn a_skipped_trial_is_counted_as_such() {
        let mut report = Report::default();
        report.skip("needs root");
        let table = table(&[outcome(report), outcome(Report::default())]);
        assert!(table.contains("needs root"), "{table}");
        assert!(table.ends_with("1 passed, 0 failed, 1 skipped"), "{table}");
    }

    #[test]
    fn json_escapes_what_a_broker_printed() {
        assert_eq!(quoted("a \"b\"\\\n"), r#""a \"b\"\\\u000a""#);
    }
}

//! Clippy over everything, warnings as errors.
//!
//! The rule kept here: one run tells all. Denying warnings inside the compiler would stop at the
//! first crate with one and hide those of every crate above it; so warnings stay warnings there
//! and are counted here.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;

/// Runs Clippy and prints what it finds, each finding once.
pub(super) fn check() -> Result<()> {
    let format = if std::io::stdout().is_terminal() {
        "--message-format=json-diagnostic-rendered-ansi"
    } else {
        "--message-format=json"
    };
    let mut clippy = process::cargo();
    clippy
        .args(["clippy", "--quiet", "--keep-going"])
        .args(["--workspace", "--all-targets", format])
        .stdout(Stdio::piped());
    let line = process::line_of(&clippy);
    let mut child = clippy.spawn().with_context(|| format!("cannot start `{line}`"))?;
    let output = child.stdout.take().expect("the output was asked for");

    let mut seen = BTreeSet::new();
    for message in BufReader::new(output).lines() {
        if let Some(finding) = finding_in(&message?)
            && seen.insert(finding.clone())
        {
            print!("{finding}");
        }
    }
    let ended_well = child.wait()?.success();
    match seen.len() {
        0 if ended_well => Ok(()),
        0 => bail!("`{line}` failed"),
        findings => bail!("{findings} findings of the compiler and Clippy"),
    }
}

/// The rendered text of a warning or an error; summaries without a place are left out.
fn finding_in(line: &str) -> Option<String> {
    let message: Message = serde_json::from_str(line).ok()?;
    let diagnostic = message.message.filter(|_| message.reason == "compiler-message")?;
    let has_place = !diagnostic.spans.is_empty();
    let counts = matches!(diagnostic.level.as_str(), "warning" | "error");
    (has_place && counts).then_some(diagnostic.rendered)
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: String,
    spans: Vec<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: &str, spans: &str) -> String {
        format!(
            r#"{{"reason": "compiler-message", "message":
                {{"level": "{level}", "rendered": "{level}: here\n", "spans": [{spans}]}}}}"#
        )
    }

    #[test]
    fn a_warning_with_a_place_is_a_finding() {
        assert_eq!(finding_in(&message("warning", "{}")).as_deref(), Some("warning: here\n"));
    }

    #[test]
    fn summaries_and_other_news_are_none() {
        assert_eq!(finding_in(&message("warning", "")), None);
        assert_eq!(finding_in(&message("failure-note", "{}")), None);
        assert_eq!(finding_in(r#"{"reason": "build-finished", "success": false}"#), None);
        assert_eq!(finding_in("not json"), None);
    }
}

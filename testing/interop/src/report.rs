//! The results as a table with the details of every failure below it, and as JSON.

use crate::outcome::{Check, Outcome, Verdict};
use crate::run::{Results, Row};
use serde_json::{Value, json};
use std::fmt::Write;

/// A failure's detail beyond this is cut; the logs have the rest.
const DETAIL_CHARACTERS: usize = 600;

/// Scenario, client, and a column for each broker.
pub(crate) fn table(results: &Results) -> String {
    let mut lines = vec![vec!["scenario".to_owned(), "client".to_owned()]];
    lines[0].extend(results.brands.iter().map(|(brand, version)| format!("{brand} {version}")));
    for row in &results.rows {
        let mut line = vec![row.title.to_owned(), row.client.clone()];
        line.extend(row.outcomes.iter().map(verdict));
        lines.push(line);
    }
    let mut text = String::from("\n");
    let widths = widths(&lines);
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    for row in &results.rows {
        details(results, row, &mut text);
    }
    text
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    (0..columns).map(width).collect()
}

/// The cell of a scenario and broker.
pub(crate) fn verdict(outcome: &Outcome) -> String {
    let (checks, failed, known) = (outcome.checks.len(), outcome.failures().count(), outcome.known().count());
    let mut cell = if checks == 0 {
        "FAIL, no results".to_owned()
    } else if failed > 0 {
        format!("FAIL {failed} of {checks}")
    } else if known > 0 {
        format!("known {known} of {checks}")
    } else {
        format!("pass {checks}")
    };
    let _ = write!(cell, ", {:.1} s", outcome.took.as_secs_f64());
    for (figure, value) in &outcome.figures {
        let _ = write!(cell, ", {figure} {value}");
    }
    cell
}

fn details(results: &Results, row: &Row, text: &mut String) {
    for ((brand, _), outcome) in results.brands.iter().zip(&row.outcomes) {
        for check in outcome.failures().chain(outcome.known()) {
            let (word, detail) = match &check.verdict {
                Verdict::Failed(detail) => ("FAIL", detail.clone()),
                Verdict::Known { why, detail } => ("known", format!("{why}\n{detail}")),
                Verdict::Passed => continue,
            };
            let _ = writeln!(text, "\n{word}  {brand}  {}  {}: {}", row.name, row.client, check.name);
            let cut: String = detail.chars().take(DETAIL_CHARACTERS).collect();
            for line in cut.lines().filter(|line| !line.is_empty()) {
                let _ = writeln!(text, "      {line}");
            }
        }
    }
}

/// Everything, for other programs.
pub(crate) fn json(results: &Results) -> String {
    let brokers: Vec<Value> = results
        .brands
        .iter()
        .map(|(brand, version)| json!({ "broker": brand.to_string(), "version": version }))
        .collect();
    let rows: Vec<Value> = results.rows.iter().map(|row| row_json(results, row)).collect();
    format!("{:#}\n", json!({ "passed": results.passed(), "brokers": brokers, "scenarios": rows }))
}

fn row_json(results: &Results, row: &Row) -> Value {
    let outcomes: serde_json::Map<String, Value> = results
        .brands
        .iter()
        .zip(&row.outcomes)
        .map(|((brand, _), outcome)| (brand.to_string(), outcome_json(outcome)))
        .collect();
    json!({ "name": row.name, "scenario": row.title, "client": row.client, "outcomes": outcomes })
}

fn outcome_json(outcome: &Outcome) -> Value {
    let checks: Vec<Value> = outcome.checks.iter().map(check_json).collect();
    let figures: serde_json::Map<String, Value> =
        outcome.figures.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "passed": outcome.passed(),
        "seconds": outcome.took.as_secs_f64(),
        "figures": figures,
        "checks": checks,
    })
}

fn check_json(check: &Check) -> Value {
    let mut fields = json!({ "check": check.name, "ms": check.milliseconds });
    match &check.verdict {
        Verdict::Passed => fields["verdict"] = json!("passed"),
        Verdict::Failed(detail) => {
            fields["verdict"] = json!("failed");
            fields["detail"] = json!(detail);
        }
        Verdict::Known { why, detail } => {
            fields["verdict"] = json!("known");
            fields["why"] = json!(why);
            fields["detail"] = json!(detail);
        }
    }
    fields
}

//! What became of a scenario on one broker, read from the client's result lines.

use crate::broker::Brand;
use crate::scenario::Scenario;
use serde::Deserialize;
use std::time::Duration;

/// All checks of one scenario on one broker.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The client's own name and version.
    pub(crate) client: Option<String>,
    pub(crate) checks: Vec<Check>,
    /// Numbers to show beside the verdict.
    pub(crate) figures: Vec<(String, u64)>,
    pub(crate) took: Duration,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) milliseconds: Option<f64>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Passed,
    /// Failed as this broker is known to.
    Known {
        why: &'static str,
        detail: String,
    },
    Failed(String),
}

/// A line of a client's standard output.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Check { check: String, ok: bool, ms: Option<f64>, detail: Option<String> },
    Figure { figure: String, value: u64 },
    Client { client: String },
}

impl Outcome {
    /// Takes in one line of a client.
    pub(crate) fn read(&mut self, line: &str, scenario: &Scenario, brand: Brand) {
        match serde_json::from_str(line) {
            Ok(Line::Check { check, ok, ms, detail }) => {
                let verdict = match (ok, scenario.known(brand, &check)) {
                    (true, _) => Verdict::Passed,
                    (false, Some(why)) => Verdict::Known { why, detail: detail.unwrap_or_default() },
                    (false, None) => Verdict::Failed(detail.unwrap_or_default()),
                };
                self.checks.push(Check { name: check, verdict, milliseconds: ms });
            }
            Ok(Line::Figure { figure, value }) => self.figures.push((figure, value)),
            Ok(Line::Client { client }) => self.client = Some(client),
            Err(_) => self.fail("result lines", format!("not a result line: {line}")),
        }
    }

    pub(crate) fn pass(&mut self, check: &str) {
        self.checks.push(Check::of(check, Verdict::Passed));
    }

    pub(crate) fn fail(&mut self, check: &str, detail: String) {
        self.checks.push(Check::of(check, Verdict::Failed(detail)));
    }

    /// Whether everything passed, or failed as known.
    pub(crate) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.failures().next().is_none()
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.verdict, Verdict::Failed(_)))
    }

    pub(crate) fn known(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.verdict, Verdict::Known { .. }))
    }
}

impl Check {
    pub(crate) fn of(name: &str, verdict: Verdict) -> Self {
        Check { name: name.to_owned(), verdict, milliseconds: None }
    }

    #[cfg(test)]
    pub(crate) fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect() -> Scenario {
        let all = crate::catalogue::scenarios();
        all.into_iter().find(|scenario| scenario.name == "reconnect-autopaho-v5").expect("in the catalogue")
    }

    fn outcome(lines: &[&str], brand: Brand) -> Outcome {
        let mut outcome = Outcome::default();
        for line in lines {
            outcome.read(line, &reconnect(), brand);
        }
        outcome
    }

    #[test]
    fn a_known_failure_fails_only_where_it_is_not_known() {
        let lost = r#"{"check": "nothing lost", "ok": false, "ms": 1.5, "detail": "3 missing"}"#;
        assert!(outcome(&[lost], Brand::Mosquitto).passed());
        assert!(!outcome(&[lost], Brand::Martlet).passed());
    }

    #[test]
    fn an_outcome_without_checks_has_not_passed() {
        let silent =
            outcome(&[r#"{"client": "quiet 1.0"}"#, r#"{"figure": "lost", "value": 0}"#], Brand::Martlet);
        assert_eq!(silent.client.as_deref(), Some("quiet 1.0"));
        assert_eq!(silent.figures, [("lost".to_owned(), 0)]);
        assert!(!silent.passed());
    }

    #[test]
    fn another_line_is_a_failure() {
        assert!(!outcome(&["hello"], Brand::Mosquitto).passed());
    }
}

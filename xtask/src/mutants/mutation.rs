//! The entries of `docs/spec/mutations.toml`. The rule kept here: an entry names exactly one place
//! of the code, and one that no longer does is an error that says how to mend it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::trial::TestName;

/// Where the entries stand, relative to the root.
pub(super) const LIST: &str = "docs/spec/mutations.toml";

/// One rule and how to disable it.
#[derive(Debug)]
pub(super) struct Mutation {
    /// The statements the line obeys, as a comment cites them: `MQTT-3.3.1-5`, `3.1.1 MQTT-3.3.1-7`.
    pub(super) statements: Vec<String>,
    /// What we promise beyond the statements, in our own words.
    promise: Option<String>,
    /// The lines that keep it: mostly one.
    pub(super) edits: Vec<Edit>,
    /// The test that must fail.
    pub(super) test: TestName,
}

/// One place of the code and what it becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// Relative to the root.
    pub(super) file: String,
    line: String,
    becomes: String,
}

/// A file with one place edited.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// The number of the first line that changed.
    pub(super) line: usize,
    pub(super) text: String,
}

/// All entries below `root`, in the order of the file.
pub(super) fn read(root: &Path) -> Result<Vec<Mutation>> {
    let text = std::fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    parse(&text).with_context(|| format!("{LIST} is wrong"))
}

fn parse(text: &str) -> Result<Vec<Mutation>> {
    let list: List = toml::from_str(text)?;
    let check = |entry: Entry| {
        let file = entry.file.clone();
        entry.check().with_context(|| format!("an entry of {file}"))
    };
    list.mutation.into_iter().map(check).collect()
}

impl Mutation {
    /// What it is about, in a word.
    pub(super) fn title(&self) -> String {
        let statements = self.statements.iter().map(|statement| format!("[{statement}]"));
        let parts: Vec<String> = statements.chain(self.promise.clone()).collect();
        parts.join(" ")
    }

    /// Whether any of these words stands in its title; without words, it always does.
    pub(super) fn is_about(&self, words: &[String]) -> bool {
        let title = self.title().to_lowercase();
        words.is_empty() || words.iter().any(|word| title.contains(&word.to_lowercase()))
    }

    /// Whether it disables this statement.
    pub(super) fn is_of(&self, statement: &str) -> bool {
        self.statements.iter().any(|own| own == statement)
    }
}

impl Edit {
    /// The file with the line replaced.
    pub(super) fn apply(&self, text: &str) -> Result<Edited> {
        let Self { file, line, becomes } = self;
        let shown = line.trim();
        let mut places = text.match_indices(line);
        let Some((at, _)) = places.next() else {
            bail!("the code moved: {file} no longer holds `{shown}`; have the entry follow it");
        };
        let others = places.count();
        if others > 0 {
            let times = others + 1;
            bail!(
                "{file} holds `{shown}` {times} times; have the entry name more of the line, or its neighbour"
            );
        }
        let before = &text[..at];
        let indentation = line.len() - line.trim_start().len();
        Ok(Edited {
            line: text[..at + indentation].matches('\n').count() + 1,
            text: [before, becomes, &text[at + line.len()..]].concat(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    mutation: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    statements: Vec<String>,
    promise: Option<String>,
    file: String,
    line: String,
    becomes: String,
    #[serde(default)]
    also: Vec<Edit>,
    test: String,
}

impl Entry {
    fn check(self) -> Result<Mutation> {
        let Self { statements, promise, file, line, becomes, also, test } = self;
        let mut edits = vec![Edit { file, line, becomes }];
        edits.extend(also);
        if statements.is_empty() && promise.is_none() {
            bail!("it says neither which statements nor which promise the line keeps");
        }
        if edits.iter().any(|edit| edit.line.trim().is_empty() || edit.line == edit.becomes) {
            bail!("`line` must be code, and `becomes` something else");
        }
        let test = TestName::parse(&test).with_context(|| {
            format!(
                "`{test}` is no test: write -p PACKAGE --test FILE NAME, or -p PACKAGE --lib MODULE::NAME"
            )
        })?;
        Ok(Mutation { statements, promise, edits, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"
[[mutation]]
statements = ["MQTT-3.3.1-5", "3.1.1 MQTT-3.3.1-7"]
file = "core/a.rs"
line = "kept.insert(topic);"
becomes = ""
test = "-p a --test retained a_message_is_kept"
"#;

    fn mutation() -> Mutation {
        parse(ENTRY).unwrap().remove(0)
    }

    #[test]
    fn an_entry_is_read() {
        let mutation = mutation();
        assert_eq!(mutation.title(), "[MQTT-3.3.1-5] [3.1.1 MQTT-3.3.1-7]");
        assert!(mutation.is_of("MQTT-3.3.1-5") && !mutation.is_of("MQTT-3.3.1-7"));
        assert_eq!(mutation.test.to_string(), "-p a --test retained a_message_is_kept");
    }

    #[test]
    fn a_rule_may_be_kept_by_more_than_one_line() {
        let also = "also = [{ file = \"core/b.rs\", line = \"b\", becomes = \"c\" }]\ntest =";
        let mutation = parse(&ENTRY.replace("test =", also)).unwrap().remove(0);
        let files: Vec<&str> = mutation.edits.iter().map(|edit| &*edit.file).collect();
        assert_eq!(files, ["core/a.rs", "core/b.rs"]);
    }

    #[test]
    fn words_choose_by_the_title() {
        let is_about = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            mutation().is_about(&words)
        };
        assert!(is_about(&[]) && is_about(&["3.3.1"]) && is_about(&["4.8", "mqtt-3.3"]));
        assert!(!is_about(&["4.8"]));
    }

    #[test]
    fn an_entry_that_says_too_little_is_refused() {
        for (what, instead) in [
            (r#"statements = ["MQTT-3.3.1-5", "3.1.1 MQTT-3.3.1-7"]"#, ""),
            (r#"line = "kept.insert(topic);""#, r#"line = " ""#),
            (r#"becomes = """#, r#"becomes = "kept.insert(topic);""#),
            ("--test retained", "retained"),
            ("file =", "folder = \"core\"\nfile ="),
            ("test =", "also = [{ file = \"b.rs\", line = \"\", becomes = \"\" }]\ntest ="),
        ] {
            assert!(parse(&ENTRY.replace(what, instead)).is_err(), "{instead}");
        }
    }

    #[test]
    fn the_line_is_replaced_and_its_number_told() {
        let edited = mutation().edits[0].apply("fn keep() {\n    kept.insert(topic);\n}\n").unwrap();
        assert_eq!(edited, Edited { line: 2, text: "fn keep() {\n    \n}\n".to_owned() });
    }

    #[test]
    fn a_line_that_moved_is_told() {
        let error = mutation().edits[0].apply("fn keep() {}\n").unwrap_err().to_string();
        assert!(error.contains("the code moved: core/a.rs no longer holds"), "{error}");
    }

    #[test]
    fn a_line_that_stands_twice_is_told() {
        let error = mutation().edits[0].apply(&"kept.insert(topic);\n".repeat(2)).unwrap_err().to_string();
        assert!(error.contains("2 times"), "{error}");
    }
}

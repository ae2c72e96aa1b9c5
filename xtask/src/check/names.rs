//! `ARCHITECTURE.md` is true: every path and every symbol it names in code type exists.
//!
//! The rule kept here: what looks like a path (it holds a `/`, or ends like a file of ours) must
//! be one; what looks like a symbol (`Type`, `Type::function`, `snake_case`, `call()`) must be
//! defined in the code. Shouted words such as PUBLISH, shell commands and `std::…` are neither.

use std::path::Path;

use super::symbols::Symbols;
use super::{Finding, Weight};
use crate::tree::File;

const DOCUMENT: &str = "ARCHITECTURE.md";

/// Every name in the document that leads nowhere.
pub(super) fn check(root: &Path, files: &[File]) -> Vec<Finding> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else {
        return vec![Finding {
            place: DOCUMENT.to_owned(),
            what: "the document is missing".to_owned(),
            cure: "write it: bird's eye, code map, invariants".to_owned(),
            weight: Weight::Error,
        }];
    };
    let symbols = Symbols::of(files);
    let mut findings = Vec::new();
    for (line, name) in names_in(&document.text) {
        let (what, cure) = match name {
            Name::Path(path) if !exists(root, &path) => (
                format!("names the path `{path}`, which does not exist"),
                "tell the path from the root as it is now; change the page with the code",
            ),
            Name::Symbol(symbol) if !symbols.defines(&symbol) => (
                format!("names `{symbol}`, which no code defines"),
                "tell the name as it is now, with its owner: `Type::function`",
            ),
            Name::Path(_) | Name::Symbol(_) => continue,
        };
        findings.push(Finding {
            place: format!("{DOCUMENT}:{line}"),
            what,
            cure: cure.to_owned(),
            weight: Weight::Error,
        });
    }
    findings
}

#[derive(Debug, PartialEq, Eq)]
enum Name {
    Path(String),
    Symbol(String),
}

/// Names with the line they stand on.
fn names_in(markdown: &str) -> Vec<(usize, Name)> {
    let mut names = Vec::new();
    let mut fence: Option<Fence> = None;
    for (number, line) in markdown.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = match fence {
                Some(_) => None,
                None => Some(Fence::of(language)),
            };
            continue;
        }
        let found: Vec<Name> = match fence {
            None => spans_in(line).filter_map(name_in_a_span).collect(),
            Some(Fence::Figure) => line.split_whitespace().filter_map(name_in_a_figure).collect(),
            Some(Fence::Code) => Vec::new(),
        };
        names.extend(found.into_iter().map(|name| (number, name)));
    }
    names
}

#[derive(Clone, Copy)]
enum Fence {
    /// A drawing in letters: its paths and `Type::function`s are checked.
    Figure,
    /// Commands or code: left alone.
    Code,
}

impl Fence {
    fn of(language: &str) -> Self {
        match language.trim() {
            "" | "text" => Self::Figure,
            _ => Self::Code,
        }
    }
}

/// What stands between pairs of backticks on one line.
fn spans_in(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn name_in_a_span(span: &str) -> Option<Name> {
    if looks_like_a_path(span) {
        return Some(Name::Path(span.to_owned()));
    }
    looks_like_a_symbol(span).then(|| Name::Symbol(span.to_owned()))
}

/// A figure holds words as well, so only what cannot be one counts.
fn name_in_a_figure(word: &str) -> Option<Name> {
    const FOLDERS: &[&str] = &["core/", "shell/", "apps/", "testing/", "xtask/", "docs/"];
    let word = word.trim_matches(|letter: char| ",;:()".contains(letter));
    if FOLDERS.iter().any(|folder| word.starts_with(folder)) && looks_like_a_path(word) {
        return Some(Name::Path(word.to_owned()));
    }
    (word.contains("::") && looks_like_a_symbol(word)).then(|| Name::Symbol(word.to_owned()))
}

fn looks_like_a_path(text: &str) -> bool {
    const ENDINGS: &[&str] = &[".rs", ".toml", ".md", ".svg", ".lock"];
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "_-./*".contains(letter);
    let named = text.contains('/') || ENDINGS.iter().any(|ending| text.ends_with(ending));
    named && text.len() > 1 && text.chars().all(letters)
}

fn looks_like_a_symbol(text: &str) -> bool {
    let name = text.trim_end_matches("()");
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.is_empty() || !name.split("::").all(|part| !part.is_empty() && part.chars().all(letters)) {
        return false;
    }
    let others = ["std", "core", "alloc", "crate", "self"];
    if name.split_once("::").is_some_and(|(first, _)| others.contains(&first)) {
        return false;
    }
    let camel = name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.contains(|letter: char| letter.is_ascii_lowercase());
    name.contains("::") || name.contains('_') || name.len() < text.len() || camel
}

/// `core/*` exists when `core` does.
fn exists(root: &Path, path: &str) -> bool {
    let folder = path.split('*').next().unwrap_or(path);
    root.join(folder.trim_end_matches('/')).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// A project with one crate, one type and the given page.
    fn findings_of(page: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("core/topic/src")).unwrap();
        let code = "pub struct TopicName {\n}\n\nimpl TopicName {\n    pub fn parse() {}\n}\n";
        std::fs::write(root.path().join("core/topic/src/name.rs"), code).unwrap();
        let files = [file(DOCUMENT, page), file("core/topic/src/name.rs", code)];
        check(root.path(), &files)
            .into_iter()
            .map(|finding| format!("{} {}", finding.place, finding.what))
            .collect()
    }

    #[test]
    fn a_true_page_has_no_findings() {
        let page = "The folder `core/topic` (and `core/*`), `core/topic/src/name.rs`, `TopicName`\n\
                    and `TopicName::parse`; a PUBLISH, `PUBLISH`, `cargo xtask check`, `std::fs::File`.\n\
                    ```text\n1 core/topic/src/name.rs  TopicName::parse  bytes / name\n```\n\
                    ```sh\ncat core/no/such/file\n```\n";
        assert_eq!(findings_of(page), Vec::<String>::new());
    }

    #[test]
    fn a_missing_path_is_found() {
        assert_eq!(
            findings_of("first\nsee `core/topic/src/filter.rs` and `STYLE.md`\n"),
            [
                "ARCHITECTURE.md:2 names the path `core/topic/src/filter.rs`, which does not exist",
                "ARCHITECTURE.md:2 names the path `STYLE.md`, which does not exist",
            ]
        );
    }

    #[test]
    fn a_renamed_symbol_is_found() {
        assert_eq!(
            findings_of("`TopicName::read`, `TopicFilter`, `read_topic()`\n"),
            [
                "ARCHITECTURE.md:1 names `TopicName::read`, which no code defines",
                "ARCHITECTURE.md:1 names `TopicFilter`, which no code defines",
                "ARCHITECTURE.md:1 names `read_topic()`, which no code defines",
            ]
        );
    }

    #[test]
    fn a_figure_is_held_to_its_names() {
        assert_eq!(
            findings_of("```text\n1 core/net.rs  Connection::read   QoS 1/2\n```\n"),
            [
                "ARCHITECTURE.md:2 names the path `core/net.rs`, which does not exist",
                "ARCHITECTURE.md:2 names `Connection::read`, which no code defines",
            ]
        );
    }

    #[test]
    fn a_missing_page_is_found() {
        let findings = check(Path::new("."), &[]);
        assert_eq!(findings.len(), 1);
    }
}

//! What a compiler does not see in the files of the project: the promise of core to stay safe,
//! files that grow too long, paths of one machine, loose ends without an issue.

use super::{Finding, Weight};
use crate::tree::File;

/// Longer files want a reason a reader would accept.
const LINES_MAX: usize = 600;
/// A module doc with this line gives the reason.
const REASON_FOR_LENGTH: &str = "//! Long on purpose:";
/// Each crate of core says so itself, so that no attribute further down can take it back.
const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";
/// Folders that exist on somebody's machine and on nobody else's.
const FOLDERS_OF_A_MACHINE: &[&str] =
    &[concat!("/", "work"), concat!("/", "farm"), concat!("/", "root"), concat!("/", "tmp")];
/// Words that promise to come back.
const LOOSE_ENDS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// The one registry that everybody can reach.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every finding in these files.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if file.path.ends_with("Cargo.lock") {
            other_registries(file, &mut findings);
            continue;
        }
        paths_of_a_machine(file, &mut findings);
        loose_ends(file, &mut findings);
        if file.is_rust() {
            too_long(file, &mut findings);
        }
        if is_root_of_a_core_crate(&file.path) {
            forbids_unsafe(file, &mut findings);
        }
    }
    findings
}

/// `core/session/src/lib.rs`
fn is_root_of_a_core_crate(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["core", _, "src", "lib.rs"])
}

fn forbids_unsafe(file: &File, findings: &mut Vec<Finding>) {
    if !file.text.lines().any(|line| line.trim() == FORBID_UNSAFE) {
        findings.push(Finding {
            place: file.path.clone(),
            what: "a crate of core must forbid unsafe code itself".to_owned(),
            cure: format!("write {FORBID_UNSAFE} below its module doc"),
            weight: Weight::Error,
        });
    }
}

fn too_long(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    let has_reason = file.text.lines().any(|line| line.starts_with(REASON_FOR_LENGTH));
    if lines > LINES_MAX && !has_reason {
        findings.push(Finding {
            place: file.path.clone(),
            what: format!("{lines} lines; few files of ours are above {LINES_MAX}"),
            cure: format!(
                "one idea per file: cut it (long tests go to a file of their own), or give the reason: `{REASON_FOR_LENGTH} …`"
            ),
            weight: Weight::Warning,
        });
    }
}

fn paths_of_a_machine(file: &File, findings: &mut Vec<Finding>) {
    for (number, line) in numbered(file) {
        if let Some(folder) = FOLDERS_OF_A_MACHINE.iter().find(|folder| holds_path(line, folder)) {
            findings.push(Finding {
                place: format!("{}:{number}", file.path),
                what: format!("names {folder}, a folder of one machine"),
                cure: "take the folder from an argument or the environment, or make a temporary one"
                    .to_owned(),
                weight: Weight::Error,
            });
        }
    }
}

fn loose_ends(file: &File, findings: &mut Vec<Finding>) {
    if file.is_markdown() {
        return;
    }
    for (number, line) in numbered(file) {
        let Some(word) = LOOSE_ENDS.iter().find(|word| holds_word(line, word)) else {
            continue;
        };
        let names_an_issue =
            line.split('#').skip(1).any(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
        if !names_an_issue {
            findings.push(Finding {
                place: format!("{}:{number}", file.path),
                what: format!("{word} without the number of an issue"),
                cure: format!("do it now, or open an issue and write {word} #123"),
                weight: Weight::Error,
            });
        }
    }
}

fn other_registries(file: &File, findings: &mut Vec<Finding>) {
    for (number, line) in numbered(file) {
        if let Some(source) = line.strip_prefix("source = ")
            && source.trim_matches('"') != REGISTRY
        {
            findings.push(Finding {
                place: format!("{}:{number}", file.path),
                what: format!("a dependency comes from {source}"),
                cure: "depend on what crates.io has, so that everybody can build".to_owned(),
                weight: Weight::Error,
            });
        }
    }
}

fn numbered(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Whether an absolute path in `line` starts with `folder`.
fn holds_path(line: &str, folder: &str) -> bool {
    let part_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || "_.-}".contains(letter);
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        !before.is_some_and(part_of_a_name)
            && after.is_none_or(|letter| letter == '/' || "\"'`) ".contains(letter))
    })
}

fn holds_word(line: &str, word: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(letter) && !after.is_some_and(letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(path: &str, text: &str) -> Vec<Finding> {
        check(&[File { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_core_crate_forbids_unsafe_code() {
        let with = "//! Topics.\n#![forbid(unsafe_code)]\n";
        assert!(findings_of("core/topic/src/lib.rs", with).is_empty());
        assert_eq!(findings_of("core/topic/src/lib.rs", "//! Topics.\n").len(), 1);
        assert!(findings_of("core/topic/src/name.rs", "//! Names.\n").is_empty());
        assert!(findings_of("shell/net/src/lib.rs", "//! Sockets.\n").is_empty());
    }

    #[test]
    fn a_long_file_is_a_warning_unless_it_says_why() {
        let long = "let a = 1;\n".repeat(LINES_MAX + 1);
        let findings = findings_of("a.rs", &long);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].weight, Weight::Warning);
        let reasoned = format!("{REASON_FOR_LENGTH} one match.\n{long}");
        assert!(findings_of("a.rs", &reasoned).is_empty());
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in FOLDERS_OF_A_MACHINE {
            let text = format!("ok\ncat \"{folder}/main/x\"\n");
            let findings = findings_of(".ci/run", &text);
            assert_eq!(findings.len(), 1, "{text}");
            assert_eq!(findings[0].place, ".ci/run:2");
        }
        for text in ["a/work/b", "${root}/tmp/x", "/workshop", "net/root/"] {
            assert!(findings_of("a.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_loose_end_names_its_issue() {
        let word = LOOSE_ENDS[0];
        assert_eq!(findings_of("a.rs", &format!("// {word}: later")).len(), 1);
        assert!(findings_of("a.rs", &format!("// {word} #12: later")).is_empty());
        assert!(findings_of("a.rs", &format!("let {word}S = 1;")).is_empty());
    }

    #[test]
    fn the_lock_file_names_one_registry() {
        let own = format!("source = \"{REGISTRY}\"\n");
        assert!(findings_of("Cargo.lock", &own).is_empty());
        let other = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(findings_of("Cargo.lock", other).len(), 1);
    }
}

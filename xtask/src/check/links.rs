//! Relative links in our documents lead somewhere. Links into the world are not followed: a check
//! must not depend on other people's servers.

use std::path::Path;

use super::{Finding, Weight};
use crate::tree::File;

/// Every relative link in a Markdown file whose target does not exist.
pub(super) fn check(root: &Path, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_markdown()) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (number, line) in file.text.lines().enumerate() {
            for target in relative_targets(line) {
                if !root.join(folder).join(target).exists() {
                    findings.push(Finding {
                        place: format!("{}:{}", file.path, number + 1),
                        what: format!("links to {target}, which does not exist"),
                        cure: "links are relative to the file they stand in".to_owned(),
                        weight: Weight::Error,
                    });
                }
            }
        }
    }
    findings
}

/// The files in `](target)`, without anchors and without addresses in the world.
fn relative_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_link_is_found_and_the_rest_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("docs/map.svg"), "").unwrap();
        let files = [File {
            path: "docs/page.md".to_owned(),
            text: "![map](map.svg) [up](../docs#top) [world](https://mqtt.org) [here](#x)\n\
                   [gone](../gone.md)\n"
                .to_owned(),
        }];
        let findings = check(root.path(), &files);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "docs/page.md:2");
        assert_eq!(findings[0].what, "links to ../gone.md, which does not exist");
    }
}

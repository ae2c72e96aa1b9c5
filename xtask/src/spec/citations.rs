//! Where the code cites a statement. The rule kept here: a citation stands in a comment, in
//! brackets; in the doc comment of a `#[test]` it is a proof, everywhere else a pointer.

use std::collections::BTreeMap;
use std::fmt;

use super::statements::Id;
use crate::tree::File;

/// A line of the code, for a proof with the name of its test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    path: String,
    line: usize,
    test: Option<String>,
}

/// All citations of the project.
#[derive(Debug, Default)]
pub(super) struct Citations {
    by_id: BTreeMap<Id, Vec<Place>>,
    malformed: Vec<Place>,
}

impl Citations {
    /// Reads all Rust files; this tool's own examples do not count.
    pub(super) fn of(files: &[File]) -> Self {
        let mut citations = Self::default();
        for file in files {
            if file.is_rust() && !file.path.starts_with("xtask/") {
                citations.read(file);
            }
        }
        citations
    }

    /// The tests that prove a statement.
    pub(super) fn tests_of(&self, id: &Id) -> Vec<&Place> {
        self.places_of(id).filter(|place| place.test.is_some()).collect()
    }

    /// The other places that cite it.
    pub(super) fn code_of(&self, id: &Id) -> Vec<&Place> {
        self.places_of(id).filter(|place| place.test.is_none()).collect()
    }

    /// Every citation.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Id, &Place)> {
        self.by_id.iter().flat_map(|(id, places)| places.iter().map(move |place| (id, place)))
    }

    /// What looks like a citation and cannot be read.
    pub(super) fn malformed(&self) -> &[Place] {
        &self.malformed
    }

    fn places_of(&self, id: &Id) -> impl Iterator<Item = &Place> {
        self.by_id.get(id).into_iter().flatten()
    }

    fn read(&mut self, file: &File) {
        // Doc comments and attributes gather until the item they belong to opens.
        let mut pending: Vec<(Id, usize)> = Vec::new();
        let mut is_test = false;
        let mut inside_attribute = false;
        for (number, line) in (1..).zip(file.text.lines()) {
            let code = line.trim();
            if let Some(comment) = comment_of(code) {
                let cited = self.read_comment(comment, file, number);
                if code.starts_with("///") {
                    pending.extend(cited.into_iter().map(|id| (id, number)));
                } else {
                    let mut pointers = cited.into_iter().map(|id| (id, number)).collect();
                    self.settle(&mut pointers, file, None);
                }
            } else if inside_attribute || code.starts_with("#[") {
                is_test |= code == "#[test]";
                inside_attribute = !code.ends_with(']');
            } else if !code.is_empty() {
                let test = name_of_function(code).filter(|_| is_test);
                self.settle(&mut pending, file, test);
                is_test = false;
            }
        }
        self.settle(&mut pending, file, None);
    }

    /// The statements of a comment; slips are noted.
    fn read_comment(&mut self, comment: &str, file: &File, line: usize) -> Vec<Id> {
        let mut ids = Vec::new();
        for cited in cited_in(comment) {
            match cited {
                Ok(id) => ids.push(id),
                Err(Malformed) => self.malformed.push(Place { path: file.path.clone(), line, test: None }),
            }
        }
        ids
    }

    fn settle(&mut self, pending: &mut Vec<(Id, usize)>, file: &File, test: Option<&str>) {
        for (id, line) in pending.drain(..) {
            self.by_id.entry(id).or_default().push(Place {
                path: file.path.clone(),
                line,
                test: test.map(str::to_owned),
            });
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)?;
        match &self.test {
            Some(test) => write!(f, " {test}"),
            None => Ok(()),
        }
    }
}

/// The text of a comment, wherever on its line it starts. A `//` inside a string is taken for a
/// comment as well, which does no harm: only brackets with a statement count.
fn comment_of(code: &str) -> Option<&str> {
    let at = code.find("//")?;
    Some(&code[at..])
}

fn name_of_function(code: &str) -> Option<&str> {
    let (_, after) = code.split_once("fn ")?;
    let end = after.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    Some(&after[..end])
}

#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// The statements in every pair of brackets that holds one.
fn cited_in(comment: &str) -> Vec<Result<Id, Malformed>> {
    let mut cited = Vec::new();
    for opened in comment.split('[').skip(1) {
        let Some((inside, _)) = opened.split_once(']') else {
            continue;
        };
        let first = inside.trim_start_matches("3.1.1 ").trim_start_matches("5.0 ");
        let looks_like_one = first
            .strip_prefix("MQTT-")
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
        if looks_like_one {
            cited.extend(ids_in(inside));
        }
    }
    cited
}

/// `MQTT-4.8.2-5, -6` and `3.1.1 MQTT-4.3.3-2, MQTT-4.3.3-1`: the version holds for the whole
/// pair of brackets, the section until another is named.
fn ids_in(inside: &str) -> Vec<Result<Id, Malformed>> {
    let (version, list) = match inside.split_once(' ') {
        Some((version @ ("3.1.1" | "5.0"), list)) => (version, list),
        _ => ("5.0", inside),
    };
    let mut section = "";
    let mut ids = Vec::new();
    for part in list.split(',').map(str::trim) {
        let id = if part.starts_with('-') {
            Id::new(version, &format!("{section}{part}"))
        } else {
            section = part.rsplit_once('-').map_or("", |(section, _)| section);
            Id::new(version, part)
        };
        ids.push(id.ok_or(Malformed));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn citations(text: &str) -> Citations {
        Citations::of(&[File { path: "core/broker/tests/will.rs".to_owned(), text: text.to_owned() }])
    }

    fn id(name: &str) -> Id {
        Id::new("5.0", name).unwrap()
    }

    fn tests_of(citations: &Citations, name: &str) -> Vec<String> {
        let places = citations.tests_of(&id(name));
        places.into_iter().map(Place::to_string).collect()
    }

    #[test]
    fn the_doc_comment_of_a_test_is_a_proof() {
        let citations = citations(
            "/// A will is sent. [MQTT-3.1.2-8]\n\
             #[test]\n\
             fn a_will_is_sent() {\n\
             }\n",
        );
        assert_eq!(tests_of(&citations, "MQTT-3.1.2-8"), ["core/broker/tests/will.rs:1 a_will_is_sent"]);
        assert!(citations.code_of(&id("MQTT-3.1.2-8")).is_empty());
    }

    #[test]
    fn so_is_that_of_a_property_with_attributes() {
        let citations = citations(
            "proptest! {\n\
             \x20   #![proptest_config(quick())]\n\
             \n\
             \x20   /// [MQTT-1.5.5-1]\n\
             \x20   ///\n\
             \x20   /// The fewest bytes.\n\
             \x20   #[test]\n\
             \x20   #[cfg_attr(\n\
             \x20       miri,\n\
             \x20       ignore\n\
             \x20   )]\n\
             \x20   fn fewest_bytes(value in 0u32..9) {\n\
             \x20   }\n\
             }\n",
        );
        assert_eq!(tests_of(&citations, "MQTT-1.5.5-1").len(), 1);
    }

    #[test]
    fn a_comment_in_the_code_is_a_pointer() {
        let citations = citations(
            "/// Obeys. [MQTT-3.1.2-8]\n\
             fn publish_will() {\n\
             \x20   let a = 1; // [MQTT-3.1.2-10]\n\
             }\n\
             #[test]\n\
             fn not_this_one() {\n\
             \x20   // [MQTT-3.1.2-14]\n\
             }\n",
        );
        for name in ["MQTT-3.1.2-8", "MQTT-3.1.2-10", "MQTT-3.1.2-14"] {
            assert!(tests_of(&citations, name).is_empty(), "{name}");
            assert_eq!(citations.code_of(&id(name)).len(), 1, "{name}");
        }
    }

    #[test]
    fn one_pair_of_brackets_may_hold_several() {
        let cited = |comment| -> Vec<String> {
            let ids = cited_in(comment).into_iter().map(Result::unwrap);
            ids.map(|id| id.to_string()).collect()
        };
        assert_eq!(
            cited("[MQTT-4.8.2-5, -6] and [3.1.1 MQTT-4.3.3-2, MQTT-4.3.3-1]"),
            ["[MQTT-4.8.2-5]", "[MQTT-4.8.2-6]", "[3.1.1 MQTT-4.3.3-2]", "[3.1.1 MQTT-4.3.3-1]"]
        );
        assert!(cited("[MQTT] [`Shard`] [0; 4] [see](MQTT-1.md)").is_empty());
    }

    #[test]
    fn a_slip_in_a_citation_is_told() {
        for slip in ["[MQTT-3.8-4]", "[MQTT-3.1.2.7]", "[3.1.1 MQTT-4.3.3]"] {
            let citations = citations(&format!("// {slip}\n"));
            assert_eq!(citations.malformed().len(), 1, "{slip}");
        }
    }
}

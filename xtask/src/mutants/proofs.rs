//! What `cargo xtask spec` knows of each statement: its tests and the code that cites it. The rule
//! kept here: its table is the one source; nothing is worked out a second time.

use anyhow::{Context, Result};

use super::mutation::Mutation;
use crate::process;

/// Every statement, in the order of the standard.
#[derive(Debug)]
pub(super) struct Proofs {
    all: Vec<Proof>,
}

/// One statement with what stands for it.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// `MQTT-3.3.1-5`, `3.1.1 MQTT-3.3.1-7`
    pub(super) id: String,
    pub(super) says: String,
    binds_client_alone: bool,
    /// The files that cite it, tests aside.
    code: Vec<String>,
    pub(super) tests: Vec<ProvingTest>,
}

/// A test that cites a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProvingTest {
    /// File and line.
    pub(super) path: String,
    /// Without its modules.
    pub(super) name: String,
}

impl Proofs {
    /// Asks this same tool for its table.
    pub(super) fn of_the_project() -> Result<Self> {
        let tool = std::env::current_exe().context("cannot tell where this tool lies")?;
        let table = process::output_of(process::program_at_root(tool).args(["spec", "--table"]))?;
        Ok(Self::parse(&table))
    }

    fn parse(table: &str) -> Self {
        let mut all: Vec<Proof> = Vec::new();
        for line in table.lines() {
            if let Some((id, says)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]  ")) {
                all.push(Proof { id: id.to_owned(), says: says.to_owned(), ..Proof::default() });
            } else if let Some(proof) = all.last_mut() {
                proof.read(line.trim());
            }
        }
        Self { all }
    }

    /// The statements that bind a Server and have a test of their own.
    pub(super) fn of_servers(&self) -> impl Iterator<Item = &Proof> {
        self.all.iter().filter(|proof| !proof.binds_client_alone && !proof.tests.is_empty())
    }

    pub(super) fn get(&self, id: &str) -> Option<&Proof> {
        self.all.iter().find(|proof| proof.id == id)
    }

    /// A mutation is of statements that exist, and its test is one of theirs.
    pub(super) fn complaints(&self, mutation: &Mutation) -> Vec<String> {
        let complaint = |id: &String| match self.get(id) {
            None => Some(format!("no standard has {id}")),
            Some(proof) if !proof.has_test(mutation.test.last_name()) => {
                Some(format!("{} does not cite [{id}] in its doc comment", mutation.test.name))
            }
            Some(_) => None,
        };
        mutation.statements.iter().filter_map(complaint).collect()
    }

    /// The statements of a mutation that none of its files cites, though it is there that they are obeyed.
    pub(super) fn uncited<'a>(&self, mutation: &'a Mutation) -> Vec<&'a str> {
        let is_cited = |id: &str| {
            let code = self.get(id).map_or(&[][..], |proof| &proof.code);
            mutation.edits.iter().any(|edit| code.contains(&edit.file))
        };
        mutation.statements.iter().map(String::as_str).filter(|id| !is_cited(id)).collect()
    }
}

impl Proof {
    fn read(&mut self, line: &str) {
        if line == "no test: binds the Client alone" {
            self.binds_client_alone = true;
        } else if let Some(place) = line.strip_prefix("code ") {
            let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
            self.code.push(file.to_owned());
        } else if let Some((path, name)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(' ')) {
            self.tests.push(ProvingTest { path: path.to_owned(), name: name.to_owned() });
        }
    }

    fn has_test(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
[MQTT-1.0.0-1]  One.
    code core/a/src/a.rs:5
    test core/a/src/a.rs:92 one_is_obeyed
[MQTT-1.0.0-2]  Two.
    no test: binds the Client alone
    test shell/client/tests/a.rs:1 our_client_obeys_two
[MQTT-1.0.0-3]  Three.
    no test: never applies
[3.1.1 MQTT-1.0.0-1]  One, older.
    same as [MQTT-1.0.0-1]
    MISSING
";

    #[test]
    fn the_table_is_read() {
        let proofs = Proofs::parse(TABLE);
        assert_eq!(proofs.all.len(), 4);
        let one = proofs.get("MQTT-1.0.0-1").unwrap();
        assert_eq!(one.says, "One.");
        assert_eq!(one.code, ["core/a/src/a.rs"]);
        assert_eq!(
            one.tests,
            [ProvingTest { path: "core/a/src/a.rs:92".to_owned(), name: "one_is_obeyed".to_owned() }]
        );
        assert!(one.has_test("one_is_obeyed") && !one.has_test("one"));
    }

    #[test]
    fn only_tested_statements_of_servers_are_drawn() {
        let proofs = Proofs::parse(TABLE);
        let drawn: Vec<&str> = proofs.of_servers().map(|proof| proof.id.as_str()).collect();
        assert_eq!(drawn, ["MQTT-1.0.0-1"]);
    }
}

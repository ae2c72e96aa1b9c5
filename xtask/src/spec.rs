//! `cargo xtask spec`: every normative statement has a test, or one line that says why not.
//!
//! The rule kept here: a statement counts as proven only by a test that cites it in its doc
//! comment; a comment in the code is a pointer, not a proof.

mod citations;
mod statements;

use anyhow::{Result, bail};
use citations::{Citations, Place};
use statements::{Id, Standing, Statements};

use crate::{terminal, tree};

/// Check that every normative statement of MQTT has a test or a reason.
///
/// The statements stand in docs/spec/statements.toml. A test names those it proves in its doc
/// comment: [MQTT-3.3.1-5] for MQTT 5.0, [3.1.1 MQTT-3.3.1-7] where only 3.1.1 says so; several in
/// one pair of brackets are parted by commas. Fails on a statement that has neither, and on a
/// citation of a statement that does not exist.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print what is missing in numbers only, and never fail.
    #[arg(long)]
    report: bool,

    /// Print every statement with the code that cites it and the tests that prove it.
    #[arg(long, conflicts_with = "report")]
    table: bool,

    /// Only statements whose id holds this, for instance 3.8 or MQTT-4.8.2.
    #[arg(value_name = "ID")]
    filter: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = tree::root();
    let statements = Statements::read(&root)?;
    let citations = Citations::of(&tree::text_files(&root)?);
    let chosen = |id: &Id| arguments.filter.as_ref().is_none_or(|part| id.name.contains(part.as_str()));
    if arguments.table {
        print_table(&statements, &citations, chosen);
        return Ok(());
    }

    let missing: Vec<&Id> = statements
        .ids()
        .filter(|id| chosen(id) && standing(id, &statements, &citations) == Proof::Missing)
        .collect();
    let unknown = unknown_ids(&statements, &citations);
    for (id, place) in &unknown {
        terminal::failure(&format!("{place} cites {id}, which no standard has"));
    }
    for place in citations.malformed() {
        terminal::failure(&format!(
            "{place} looks like a citation and is none: write [MQTT-3.3.1-5] or [3.1.1 MQTT-3.3.1-7]"
        ));
    }
    if !arguments.report {
        for id in &missing {
            let says = &statements.get(id).says;
            terminal::failure(&format!("{id} has neither test nor reason: {says}"));
        }
    }
    print_counts(&statements, &citations);

    let wrong = unknown.len() + citations.malformed().len();
    if arguments.report || (missing.is_empty() && wrong == 0) {
        return Ok(());
    }
    bail!(
        "{} statements without test or reason, {wrong} wrong citations (docs/spec/statements.toml says how to cure both)",
        missing.len()
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Tested,
    Reasoned,
    Client,
    Missing,
}

/// A test of the statement itself counts, then a reason; then whatever its 5.0 equivalent has.
fn standing(id: &Id, statements: &Statements, citations: &Citations) -> Proof {
    if !citations.tests_of(id).is_empty() {
        return Proof::Tested;
    }
    match &statements.get(id).standing {
        Standing::Wanted => Proof::Missing,
        Standing::Reasoned(_) => Proof::Reasoned,
        Standing::Client => Proof::Client,
        Standing::SameAs(other) => standing(other, statements, citations),
    }
}

fn unknown_ids<'a>(statements: &Statements, citations: &'a Citations) -> Vec<(&'a Id, &'a Place)> {
    citations.all().filter(|(id, _)| !statements.contains(id)).collect()
}

fn print_counts(statements: &Statements, citations: &Citations) {
    for version in statements.versions() {
        let count = |wanted: Proof| {
            statements
                .ids()
                .filter(|id| id.version == version)
                .filter(|id| standing(id, statements, citations) == wanted)
                .count()
        };
        let all = statements.ids().filter(|id| id.version == version).count();
        println!(
            "MQTT {version}: {all} statements: {} tested, {} with a reason, {} for the Client alone, {} missing",
            count(Proof::Tested),
            count(Proof::Reasoned),
            count(Proof::Client),
            count(Proof::Missing),
        );
    }
}

fn print_table(statements: &Statements, citations: &Citations, chosen: impl Fn(&Id) -> bool) {
    for id in statements.ids().filter(|id| chosen(id)) {
        let statement = statements.get(id);
        println!("{id}  {}", statement.says);
        match &statement.standing {
            Standing::Wanted => {}
            Standing::Reasoned(reason) => println!("    no test: {reason}"),
            Standing::Client => println!("    no test: binds the Client alone"),
            Standing::SameAs(other) => println!("    same as {other}"),
        }
        for place in citations.code_of(id) {
            println!("    code {place}");
        }
        for place in citations.tests_of(id) {
            println!("    test {place}");
        }
        if standing(id, statements, citations) == Proof::Missing {
            println!("    MISSING");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    const LIST: &str = r#"
["5.0"]
"MQTT-1.0.0-1" = { says = "one" }
"MQTT-1.0.0-2" = { says = "two", reason = "never applies" }
"MQTT-1.0.0-3" = { says = "three", role = "client" }
["3.1.1"]
"MQTT-9.0.0-1" = { says = "one", same_as = "MQTT-1.0.0-1" }
"MQTT-9.0.0-2" = { says = "own" }
"#;

    fn citations(test: &str) -> Citations {
        Citations::of(&[File {
            path: "core/a/tests/a.rs".to_owned(),
            text: format!("/// {test}\n#[test]\nfn proves() {{}}\n"),
        }])
    }

    fn missing(test: &str) -> Vec<String> {
        let statements = Statements::parse(LIST).unwrap();
        let citations = citations(test);
        statements
            .ids()
            .filter(|id| standing(id, &statements, &citations) == Proof::Missing)
            .map(Id::to_string)
            .collect()
    }

    #[test]
    fn a_statement_without_test_or_reason_is_missing() {
        assert_eq!(missing("Nothing."), ["[MQTT-1.0.0-1]", "[3.1.1 MQTT-9.0.0-1]", "[3.1.1 MQTT-9.0.0-2]"]);
    }

    #[test]
    fn one_test_proves_the_same_statement_of_both_versions() {
        assert_eq!(missing("[MQTT-1.0.0-1]"), ["[3.1.1 MQTT-9.0.0-2]"]);
    }

    #[test]
    fn a_test_of_3_1_1_alone_does_not_prove_5_0() {
        assert_eq!(missing("[3.1.1 MQTT-9.0.0-1, MQTT-9.0.0-2]"), ["[MQTT-1.0.0-1]"]);
    }

    #[test]
    fn a_cited_statement_exists() {
        let statements = Statements::parse(LIST).unwrap();
        let cited = citations("[MQTT-1.0.0-4]");
        let unknown = unknown_ids(&statements, &cited);
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0].0.to_string(), "[MQTT-1.0.0-4]");
    }
}

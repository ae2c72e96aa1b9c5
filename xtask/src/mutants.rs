//! `cargo xtask mutants`: would a test notice if the code ceased to obey a rule?
//!
//! The rule kept here: a rule counts as guarded only if its test passes on the code as it is and
//! fails, by a check of its own and not in the compiler, once the one line is disabled.

mod copy;
mod draw;
mod mutation;
mod proofs;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use copy::Copy;
use mutation::{Edit, LIST, Mutation};
use proofs::Proofs;
use trial::{Outcome, TestName, Trials};

use crate::{terminal, tree};

/// Disable rules one at a time, and see that the named test fails.
///
/// Each entry of docs/spec/mutations.toml names a statement or a promise, the line of code that
/// keeps it, what the line becomes, and the test that must fail then. The tracked files are copied
/// to a folder of their own below the target folder; the checkout is never touched. Prints a
/// table; fails if a mutation is not caught or does not compile.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only mutations whose statement or promise holds this, for instance 3.3.1 or PUBACK.
    #[arg(value_name = "ID")]
    only: Vec<String>,

    /// Only check that every line still stands where its entry says; takes a second.
    #[arg(long)]
    check: bool,

    /// Draw N server-side statements that have a test by lot, and tell which of them have a mutation.
    #[arg(long, value_name = "N", conflicts_with_all = ["check", "only"])]
    draw: Option<usize>,

    /// The seed of the draw: the same seed draws the same statements.
    #[arg(long, value_name = "S", default_value_t = 2, requires = "draw")]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = tree::root();
    let proofs = Proofs::of_the_project()?;
    let mutations = mutation::read(&root)?;
    if let Some(count) = arguments.draw {
        print_draw(&proofs, &mutations, count, arguments.seed);
        return Ok(());
    }

    let chosen: Vec<&Mutation> =
        mutations.iter().filter(|mutation| mutation.is_about(&arguments.only)).collect();
    if chosen.is_empty() {
        bail!("no mutation in {LIST} is about {}", arguments.only.join(" or "));
    }
    let placed = place(&root, &proofs, &chosen)?;
    if arguments.check {
        return Ok(());
    }
    let outcomes = perform(&root, &placed)?;
    report(&placed, &outcomes)
}

/// A mutation whose lines were found.
struct Placed<'a> {
    mutation: &'a Mutation,
    places: String,
}

/// Finds the lines of each mutation; everything wrong with the entries is told at once.
fn place<'a>(root: &Path, proofs: &Proofs, mutations: &[&'a Mutation]) -> Result<Vec<Placed<'a>>> {
    let mut placed = Vec::new();
    let mut wrong = 0;
    let mut uncited = BTreeSet::new();
    for &mutation in mutations {
        let mut complaints = proofs.complaints(mutation);
        match mutation.edits.iter().map(|edit| place_of(root, edit)).collect::<Result<Vec<_>>>() {
            Ok(places) => placed.push(Placed { mutation, places: places.join(", ") }),
            Err(error) => complaints.push(format!("{error:#}")),
        }
        for complaint in &complaints {
            terminal::failure(&format!("{}: {complaint}", mutation.title()));
        }
        wrong += complaints.len();
        uncited.extend(proofs.uncited(mutation).into_iter().map(|id| (id, &mutation.edits[0].file)));
    }
    for (id, file) in uncited {
        terminal::warning(&format!("{file} obeys [{id}], but no comment there says so"));
    }
    if wrong > 0 {
        bail!("{wrong} things to mend in {LIST}");
    }
    terminal::good(&format!(
        "lines that stand where their entry says: {} of {}",
        placed.len(),
        mutations.len()
    ));
    Ok(placed)
}

fn place_of(root: &Path, edit: &Edit) -> Result<String> {
    let file = &edit.file;
    let text = std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
    Ok(format!("{file}:{}", edit.apply(&text)?.line))
}

/// Runs each test on the code as it is, then on its mutation.
fn perform(root: &Path, placed: &[Placed<'_>]) -> Result<Vec<Outcome>> {
    let copy = Copy::of(root)?;
    let trials = Trials::in_copy(&copy);
    let count = placed.len();
    let mut as_it_is: BTreeMap<&TestName, Outcome> = BTreeMap::new();
    for (at, Placed { mutation, .. }) in placed.iter().enumerate() {
        if !as_it_is.contains_key(&mutation.test) {
            progress(&format!("{} of {count} as it is: {}", at + 1, mutation.test));
            as_it_is.insert(&mutation.test, trials.run(&mutation.test)?);
        }
    }
    let mut outcomes = Vec::new();
    for (at, Placed { mutation, .. }) in placed.iter().enumerate() {
        progress(&format!("{} of {count} disabled: {}", at + 1, mutation.title()));
        outcomes.push(match &as_it_is[&mutation.test] {
            Outcome::Passed => copy.with(mutation, || trials.run(&mutation.test))?,
            other => Outcome::Unfit(Box::new(other.clone())),
        });
    }
    progress("");
    Ok(outcomes)
}

fn report(placed: &[Placed<'_>], outcomes: &[Outcome]) -> Result<()> {
    print_table(placed, outcomes);
    let mut missed = 0;
    for (Placed { mutation, .. }, outcome) in placed.iter().zip(outcomes) {
        if let Some(why) = outcome.why_not_caught() {
            missed += 1;
            terminal::failure(&format!("{} ({}): {why}", mutation.title(), mutation.test));
        }
    }
    if missed > 0 {
        bail!("{missed} of {} mutations are not caught", placed.len());
    }
    terminal::good(&format!("caught: {0} of {0}", placed.len()));
    Ok(())
}

fn print_table(placed: &[Placed<'_>], outcomes: &[Outcome]) {
    let head = ["statement", "line", "test", "caught"].map(str::to_owned);
    let rows = placed.iter().zip(outcomes).map(|(Placed { mutation, places }, outcome)| {
        [mutation.title(), places.clone(), mutation.test.name.clone(), outcome.to_string()]
    });
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let widths: [usize; 4] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("| {} |", cells.join(" | "));
        if at == 0 {
            println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
}

fn print_draw(proofs: &Proofs, mutations: &[Mutation], count: usize, seed: u64) {
    let all: Vec<&str> = proofs.of_servers().map(|proof| proof.id.as_str()).collect();
    println!("seed {seed} draws {count} of {} server-side statements with a test", all.len());
    for id in draw::draw(&all, count, seed) {
        let proof = proofs.get(id).expect("it was drawn from them");
        println!("[{id}]  {}", proof.says);
        for test in &proof.tests {
            println!("    test {} {}", test.path, test.name);
        }
        let mut mutated = mutations.iter().filter(|mutation| mutation.is_of(id)).peekable();
        if mutated.peek().is_none() {
            println!("    no mutation");
        }
        for mutation in mutated {
            println!("    mutation of {}: {}", mutation.edits[0].file, mutation.test.name);
        }
    }
}

/// One line that the next one replaces; only where somebody watches.
fn progress(text: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        // A terminal that went away is no reason to stop.
        let _ = write!(terminal, "\r\x1b[K{text}").and_then(|()| terminal.flush());
    }
}

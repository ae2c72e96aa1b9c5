//! `cargo xtask check`: what can be known about a change without running it.
//!
//! The rule kept here: a finding says where, what and the cure, and every step runs even when an
//! earlier one failed, so that one run tells all.

mod arrows;
mod links;
mod lints;
mod names;
mod sources;
mod symbols;

use std::fmt;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{process, terminal, tree};

/// Check formatting, lints, the arrows between crates, and what the documents name.
///
/// Nothing is changed. Warnings are errors, except where a line says `warning`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these steps (may be repeated); all of them when left out.
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// `cargo fmt --check`, the fuzz targets included.
    Format,
    /// Which crate may name which: the floors of the house.
    Arrows,
    /// `#![forbid(unsafe_code)]` in core, sizes, paths of a machine, loose ends.
    Sources,
    /// Every path and symbol that ARCHITECTURE.md names exists.
    Names,
    /// Every relative link in a document leads somewhere.
    Links,
    /// What we let in from others: deny.toml, where cargo-deny is installed.
    Licences,
    /// Clippy over all targets, warnings as errors.
    Lints,
    /// rustdoc, warnings as errors.
    Docs,
}

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// A file, with its line where one is to blame.
    pub(crate) place: String,
    /// What is wrong there, and the rule it breaks.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) cure: String,
    /// Whether the check fails.
    pub(crate) weight: Weight,
}

/// Whether a finding fails the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Worth a look.
    Warning,
    /// Fails the check.
    Error,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, cure, .. } = self;
        write!(f, "{place}: {what}\n         cure: {cure}")
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut failed = Vec::new();
    for &step in Step::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(&step) {
            continue;
        }
        let name = name_of(step);
        terminal::step(&name);
        let started = Instant::now();
        match perform(step) {
            Ok(()) => terminal::good(&format!("{:.1} s", started.elapsed().as_secs_f64())),
            Err(error) => {
                terminal::failure(&format!("{error:#}"));
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("check failed: {}", failed.join(", "));
    }
    Ok(())
}

fn perform(step: Step) -> Result<()> {
    let root = tree::root();
    match step {
        Step::Format => format(),
        Step::Arrows => report(&arrows::check()?),
        Step::Sources => report(&sources::check(&tree::text_files(&root)?)),
        Step::Names => report(&names::check(&root, &tree::text_files(&root)?)),
        Step::Links => report(&links::check(&root, &tree::text_files(&root)?)),
        Step::Lints => lints::check(),
        Step::Licences => licences(),
        Step::Docs => process::run(
            process::cargo()
                .args(["doc", "--quiet", "--keep-going", "--workspace", "--no-deps"])
                .args(["--document-private-items"])
                .env("RUSTDOCFLAGS", "--deny=warnings"),
        ),
    }
}

/// Advisories are left to a run with the network: `cargo deny check`.
fn licences() -> Result<()> {
    if !process::succeeds(process::cargo().args(["deny", "--version"])) {
        terminal::warning("not checked: `cargo install --locked cargo-deny` installs the tool");
        return Ok(());
    }
    process::run(process::cargo().args([
        "deny",
        "--offline",
        "--log-level=error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

fn format() -> Result<()> {
    const CURE: &str = "`cargo fmt` formats what it names";
    let workspace = process::run(process::cargo().args(["fmt", "--all", "--check"]));
    let fuzz_manifest = tree::root().join("fuzz/Cargo.toml");
    let fuzz = if fuzz_manifest.exists() {
        process::run(process::cargo().args(["fmt", "--check", "--manifest-path"]).arg(fuzz_manifest))
    } else {
        Ok(())
    };
    workspace.and(fuzz).map_err(|error| error.context(CURE))
}

/// Prints every finding; an error among them fails the step.
fn report(findings: &[Finding]) -> Result<()> {
    for finding in findings {
        match finding.weight {
            Weight::Warning => terminal::warning(&finding.to_string()),
            Weight::Error => terminal::failure(&finding.to_string()),
        }
    }
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    match errors {
        0 => Ok(()),
        1 => bail!("one place to mend"),
        several => bail!("{several} places to mend"),
    }
}

fn name_of(step: Step) -> String {
    step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

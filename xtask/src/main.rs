//! The project's own tool: the only one to learn. Every subcommand is one word that a developer
//! and `.ci/run` say alike.
//!
//! The rule kept here: this file only reads the command line; each word has its own module.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

mod bench;
mod broker;
mod check;
mod fuzz;
mod mutants;
mod powercut;
mod process;
mod programs;
mod spec;
mod suites;
mod terminal;
mod test;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tool.
///
/// Day by day: `cargo xtask check` while you write, `cargo xtask test` before you commit.
/// Every word explains itself with --help.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    Check(check::Arguments),
    Test(test::Arguments),
    Spec(spec::Arguments),
    Mutants(mutants::Arguments),
    Fuzz(fuzz::Arguments),
    Interop(programs::InteropArguments),
    Trials(programs::TrialsArguments),
    Durability(programs::DurabilityArguments),
    Powercut(powercut::Arguments),
    Suites(suites::Arguments),
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().word {
        Word::Check(arguments) => check::run(&arguments),
        Word::Test(arguments) => test::run(&arguments),
        Word::Spec(arguments) => spec::run(&arguments),
        Word::Mutants(arguments) => mutants::run(&arguments),
        Word::Fuzz(arguments) => fuzz::run(&arguments),
        Word::Interop(arguments) => programs::interop(&arguments),
        Word::Trials(arguments) => programs::trials(&arguments),
        Word::Durability(arguments) => programs::durability(&arguments),
        Word::Powercut(arguments) => powercut::run(&arguments),
        Word::Suites(arguments) => suites::run(&arguments),
        Word::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            ExitCode::FAILURE
        }
    }
}

//! One test, built and run. The rule kept here: only a test that ran and failed by itself counts
//! as one that noticed; what does not compile, does not end or dies proves nothing.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::copy::Copy;
use crate::process;

/// The tests named here take milliseconds; a mutation may make one wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// How libtest ends when a test failed.
const TESTS_FAILED: i32 = 101;

/// One test, as `cargo test` finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestName {
    package: String,
    program: Program,
    /// With its modules: `frame::tests::a_test`.
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Program {
    /// The unit tests of the library.
    Library,
    /// A file of `tests/`.
    Integration(String),
}

impl TestName {
    /// Reads `-p PACKAGE --test FILE NAME` or `-p PACKAGE --lib NAME`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (package, program, name) = match words[..] {
            ["-p", package, "--lib", name] => (package, Program::Library, name),
            ["-p", package, "--test", file, name] => (package, Program::Integration(file.to_owned()), name),
            _ => return None,
        };
        Some(Self { package: package.to_owned(), program, name: name.to_owned() })
    }

    /// Without its modules.
    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }

    /// Whether a check of the test's own may stand at this place: a unit test lies beside the code, the checks of all
    /// others in tests and in the crates that help them.
    fn may_judge_at(&self, place: &str) -> bool {
        let is_product = place.contains("/src/") && !place.starts_with("testing/");
        self.program == Program::Library || !is_product
    }
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-p {} ", self.package)?;
        match &self.program {
            Program::Library => f.write_str("--lib ")?,
            Program::Integration(file) => write!(f, "--test {file} ")?,
        }
        f.write_str(&self.name)
    }
}

/// What came of running a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passed.
    Passed,
    /// It failed, by what is checked at this place.
    Failed { at: String },
    /// The code itself panicked there, so that the test came to no judgement.
    Panicked { at: String },
    /// The compiler said no.
    NotCompiled { first_error: String },
    /// It did not end in time.
    Hung,
    /// The program died.
    Died { status: ExitStatus },
    /// It comes to this without any mutation, so it cannot tell.
    Unfit(Box<Outcome>),
}

impl Outcome {
    /// What to do about a mutation that was not caught.
    pub(super) fn why_not_caught(&self) -> Option<String> {
        Some(match self {
            Self::Failed { .. } => return None,
            Self::Passed => "the test passes without the rule: strengthen it, or name another".to_owned(),
            Self::NotCompiled { first_error } => {
                format!("the mutation must compile, and does not: {first_error}")
            }
            Self::Panicked { at } => {
                format!("{at} panics before the test can judge: disable the rule more gently")
            }
            Self::Hung => {
                format!("the test did not end in {} s: a test that waits proves little", PATIENCE.as_secs())
            }
            Self::Died { status } => format!("the test program died with {status}, which proves little"),
            Self::Unfit(without) => format!("without any mutation: {without}"),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("SURVIVES"),
            Self::Failed { at } => write!(f, "by {at}"),
            Self::Panicked { .. } => f.write_str("PANICS"),
            Self::NotCompiled { .. } => f.write_str("DOES NOT COMPILE"),
            Self::Hung => f.write_str("HANGS"),
            Self::Died { .. } => f.write_str("DIES"),
            Self::Unfit(_) => f.write_str("FAILS ANYWAY"),
        }
    }
}

/// Builds and runs tests in a copy of the project.
pub(super) struct Trials<'a> {
    copy: &'a Copy,
}

impl<'a> Trials<'a> {
    pub(super) fn in_copy(copy: &'a Copy) -> Self {
        Self { copy }
    }

    /// Runs one test as the copy stands now.
    pub(super) fn run(&self, test: &TestName) -> Result<Outcome> {
        let mut build = self.build(test);
        let output =
            build.output().with_context(|| format!("cannot start `{}`", process::line_of(&build)))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Ok(Outcome::NotCompiled { first_error: first_error(&errors) });
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let program = test_program(&messages).with_context(|| format!("no test program for {test}"))?;
        self.run_program(&program, test)
    }

    fn build(&self, test: &TestName) -> Command {
        let mut build = process::cargo();
        build
            .current_dir(self.copy.root())
            .env("CARGO_TARGET_DIR", self.copy.target())
            // Nobody debugs these; without it they link in half the time.
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .args(["test", "--no-run", "--quiet", "--message-format=json-render-diagnostics"])
            .args(["--package", &test.package]);
        match &test.program {
            Program::Library => build.arg("--lib"),
            Program::Integration(file) => build.args(["--test", file]),
        };
        build
    }

    /// The output goes to a file, so that a program which is killed leaves nobody reading.
    fn run_program(&self, program: &TestProgram, test: &TestName) -> Result<Outcome> {
        let path = self.copy.root().with_file_name("output");
        let output = File::create(&path).context("cannot make a file for the test's output")?;
        let mut child = Command::new(&program.executable)
            .args(["--exact", &test.name])
            .current_dir(program.folder())
            .env_remove("RUST_BACKTRACE")
            // Properties draw the same cases every time, so that they catch the same every time.
            .env("PROPTEST_RNG_SEED", "1")
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .spawn()
            .with_context(|| format!("cannot start the program of {test}"))?;
        let ended_by = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() < ended_by => std::thread::sleep(Duration::from_millis(2)),
                None => {
                    child.kill()?;
                    child.wait()?;
                    return Ok(Outcome::Hung);
                }
            }
        };
        judge(status, &String::from_utf8_lossy(&std::fs::read(&path)?), test)
    }
}

/// What libtest's words and its end come to.
fn judge(status: ExitStatus, output: &str, test: &TestName) -> Result<Outcome> {
    if !output.contains("\nrunning 1 test\n") {
        bail!("there is no test {test}");
    }
    let failed = output.contains(&format!("test {} ", test.name)) && output.contains("test result: FAILED.");
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        Some(TESTS_FAILED) if failed => {
            let at = place_of_panic(output);
            if test.may_judge_at(&at) { Outcome::Failed { at } } else { Outcome::Panicked { at } }
        }
        _ => Outcome::Died { status },
    })
}

/// `core/broker/tests/publish.rs:12` of `panicked at core/broker/tests/publish.rs:12:5:`
fn place_of_panic(output: &str) -> String {
    let place = output.split("panicked at ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let place = place.trim_end_matches(':');
    place.rsplit_once(':').map_or(place, |(place, _column)| place).to_owned()
}

fn first_error(errors: &str) -> String {
    let first = errors.lines().find(|line| line.starts_with("error"));
    first.unwrap_or("it does not say why").to_owned()
}

/// A line of Cargo's that tells of a program it built.
#[derive(Deserialize)]
struct Artifact {
    profile: Profile,
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct TestProgram {
    executable: PathBuf,
    manifest_path: PathBuf,
}

impl TestProgram {
    /// The folder of its package, where Cargo would run it.
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// Of what was built, the one program that holds tests.
fn test_program(messages: &str) -> Option<TestProgram> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut tests = artifacts.filter(|artifact| artifact.profile.test);
    tests.find_map(|Artifact { executable, manifest_path, .. }| {
        Some(TestProgram { executable: executable?, manifest_path })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn test_name() -> TestName {
        TestName::parse("-p martlet-broker --test publish a_test").unwrap()
    }

    fn judged(code: i32, output: &str) -> Result<Outcome> {
        judge(ExitStatus::from_raw(code << 8), output, &test_name())
    }

    #[test]
    fn a_test_is_named_as_for_cargo() {
        for text in ["-p a --test b c", "-p a --lib b::tests::c"] {
            let test = TestName::parse(text).unwrap();
            assert_eq!(test.to_string(), text);
            assert_eq!(test.last_name(), "c");
        }
        for text in ["", "-p a c", "--test b c", "-p a --test b", "-p a --lib b c"] {
            assert_eq!(TestName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_test_that_ran_and_failed_has_noticed() {
        let failed = "\nrunning 1 test\ntest a_test ... FAILED\n\nfailures:\n\n---- a_test stdout ----\n\n\
            thread 'a_test' (7) panicked at core/broker/tests/publish.rs:12:5:\nassertion failed\n\n\
            test result: FAILED. 0 passed; 1 failed;\n";
        let noticed = Outcome::Failed { at: "core/broker/tests/publish.rs:12".to_owned() };
        assert_eq!(judged(101, failed).unwrap(), noticed);
        assert_eq!(noticed.why_not_caught(), None);

        let passed =
            judged(0, "\nrunning 1 test\ntest a_test ... ok\n\ntest result: ok. 1 passed;\n").unwrap();
        assert_eq!(passed, Outcome::Passed);
        let died = judged(134, "\nrunning 1 test\n").unwrap();
        assert!(matches!(died, Outcome::Died { .. }));
        assert!(passed.why_not_caught().is_some() && died.why_not_caught().is_some());
    }

    #[test]
    fn a_test_that_does_not_exist_is_told() {
        let error = judged(0, "\nrunning 0 tests\n\ntest result: ok. 0 passed;\n").unwrap_err();
        assert_eq!(error.to_string(), "there is no test -p martlet-broker --test publish a_test");
    }

    #[test]
    fn the_program_with_the_tests_is_found_among_what_was_built() {
        let messages = r#"{"reason":"compiler-artifact","profile":{"test":false},"executable":"bin","manifest_path":"a/Cargo.toml"}
{"reason":"build-script-executed","package_id":"b"}
{"reason":"compiler-artifact","profile":{"test":true},"executable":"deps/a-1","manifest_path":"a/Cargo.toml"}
{"reason":"build-finished","success":true}"#;
        let program = test_program(messages).unwrap();
        assert_eq!(program.executable, Path::new("deps/a-1"));
        assert_eq!(program.folder(), Path::new("a"));
        assert_eq!(test_program("{}"), None);
    }

    #[test]
    fn the_first_error_is_told() {
        let errors =
            "   Compiling a\nerror[E0308]: mismatched types\n --> a.rs:1:1\nerror: could not compile\n";
        assert_eq!(first_error(errors), "error[E0308]: mismatched types");
    }
}

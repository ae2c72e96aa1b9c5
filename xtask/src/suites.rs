//! `cargo xtask suites`: other people's suites, run against us unchanged. The suites are checkouts
//! outside the project and are never written to; the harness that runs them (Python, standard
//! library) lives outside as well.
//!
//! The rule kept here: both suites run whatever the first one says, and one failure fails the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{broker, process, terminal};

/// Run Mosquitto's broker and client tests and Paho's interoperability tests against Martlet.
///
/// The broker is built for release and started by a small script in a temporary folder: for
/// Mosquitto's tests as `martlet mosquitto …`, in Mosquitto's dialect, for Paho's tests as
/// `martlet broker …`, in its own, which follows the specification where Mosquitto does not.
///
///   cargo xtask suites --harness HARNESS --mosquitto MOSQUITTO --paho PAHO
///   cargo xtask suites --harness HARNESS --mosquitto MOSQUITTO -- '02-*' --show-output
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The folder with run_mosquitto_suite.py and run_paho_interop.py.
    #[arg(long, value_name = "FOLDER", env = "MARTLET_SUITES_DIR")]
    harness: PathBuf,

    /// A checkout of eclipse/mosquitto at v2.0.20.
    #[arg(long, value_name = "CHECKOUT", env = "MOSQUITTO_CHECKOUT")]
    mosquitto: Option<PathBuf>,

    /// A checkout of eclipse/paho.mqtt.testing.
    #[arg(long, value_name = "CHECKOUT", env = "PAHO_TESTING_CHECKOUT")]
    paho: Option<PathBuf>,

    /// More arguments for the broker under Paho's tests.
    #[arg(long, value_name = "ARGUMENTS", default_value = "", allow_hyphen_values = true)]
    paho_broker: String,

    /// Arguments for Mosquitto's suite, after `--`. Without any: the tests that start the broker
    /// with a port and no configuration file, each retried once when it fails.
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.mosquitto.is_none() && arguments.paho.is_none() {
        bail!("name at least one suite: --mosquitto CHECKOUT, --paho CHECKOUT");
    }
    let harness = std::path::absolute(&arguments.harness)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let martlet = broker::release()?;
    let mut failed = Vec::new();
    if let Some(checkout) = &arguments.mosquitto {
        let script = format!("exec {} mosquitto \"$@\"\n", quoted(&martlet));
        let mut command = suite(&harness, "run_mosquitto_suite.py", checkout)?;
        command.arg("--broker").arg(wrapper(scratch.path(), "mosquitto", &script)?);
        if arguments.rest.is_empty() {
            let list = scratch.path().join("port-tests.list");
            fs::write(&list, port_tests(&harness)?.join("\n"))?;
            command.args(["--retries", "1", "--list-file"]).arg(list);
        } else {
            command.args(&arguments.rest);
        }
        perform("Mosquitto's broker tests", &mut command, &mut failed);
        if arguments.rest.is_empty() {
            let mut command = client_tests(scratch.path(), &martlet, checkout)?;
            perform("Mosquitto's client tests", &mut command, &mut failed);
        }
    }
    if let Some(checkout) = &arguments.paho {
        let script = paho_script(&martlet, &arguments.paho_broker);
        let mut command = suite(&harness, "run_paho_interop.py", checkout)?;
        command.arg("--broker").arg(wrapper(scratch.path(), "paho", &script)?);
        perform("Paho's interoperability tests", &mut command, &mut failed);
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn suite(harness: &Path, script: &str, checkout: &Path) -> Result<Command> {
    let script = harness.join(script);
    for needed in [&script, checkout] {
        if !needed.exists() {
            bail!("{} does not exist", needed.display());
        }
    }
    let mut command = process::program_at_root("python3");
    command.arg(script).arg("--checkout").arg(std::path::absolute(checkout)?);
    Ok(command)
}

/// Mosquitto's `test/client/test.sh`, which looks for the programs where Mosquitto builds them: there they are Martlet
/// under Mosquitto's names.
fn client_tests(scratch: &Path, martlet: &Path, checkout: &Path) -> Result<Command> {
    let tree = scratch.join("tree");
    for name in ["src/mosquitto", "client/mosquitto_pub", "client/mosquitto_sub", "client/mosquitto_rr"] {
        let link = tree.join(name);
        fs::create_dir_all(link.parent().context("every name has a folder")?)?;
        std::os::unix::fs::symlink(martlet, link)?;
    }
    let folder = tree.join("test/client");
    fs::create_dir_all(&folder)?;
    let script = checkout.join("test/client/test.sh");
    fs::copy(&script, folder.join("test.sh")).with_context(|| format!("cannot copy {}", script.display()))?;
    let mut command = Command::new("bash");
    command.arg("./test.sh").current_dir(folder);
    Ok(command)
}

/// Writes the script that a suite starts as if it were the broker.
fn wrapper(folder: &Path, name: &str, script: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    // The suite may start the broker as another user.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Paho's harness writes a small mosquitto.conf with an access list: the port, the longest keep
/// alive and the topics nobody may use. The script says the same in Martlet's own flags.
fn paho_script(martlet: &Path, more: &str) -> String {
    let quoted = quoted(martlet);
    let script = r#"while [ $# -gt 0 ]; do
  if [ "$1" = -c ]; then conf=$2; fi
  shift
done
value() { sed -n "s/^$1 \\([^ ]*\\).*/\\1/p" "$2"; }
# The suite knows no Reason Code above 0x80 for a refused SUBSCRIBE.
set -- broker --durability memory -p "$(value listener "$conf")" --conceal-denials
for seconds in $(value max_keepalive "$conf"); do set -- "$@" --keep-alive-max "$seconds"; done
for list in $(value acl_file "$conf"); do
  for filter in $(value 'topic deny' "$list"); do set -- "$@" --deny-subscribe "$filter"; done
done
"#;
    format!("{script}exec {quoted} \"$@\" {more}\n")
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// The CORE tests that start the broker with `-p` only: what a broker without a configuration
/// file can be asked.
fn port_tests(harness: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Usage {
        /// Which tests start the broker with which arguments.
        argv: BTreeMap<String, Vec<String>>,
    }
    let read = |name: &str| {
        let path = harness.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let usage: Usage = serde_json::from_str(&read("config-keys.json")?)?;
    let used_with = |flag: &str| -> BTreeSet<&str> {
        let flagged = |arguments: &str| arguments.split(' ').any(|word| word == flag);
        usage
            .argv
            .iter()
            .filter(|(arguments, _)| flagged(arguments))
            .flat_map(|(_, tests)| tests.iter().map(String::as_str))
            .collect()
    };
    let (with_port, with_file) = (used_with("-p"), used_with("-c"));
    let core = read("core.list")?;
    Ok(core
        .lines()
        .map(str::trim)
        .filter(|test| with_port.contains(test) && !with_file.contains(test))
        .map(str::to_owned)
        .collect())
}

fn perform(name: &str, command: &mut Command, failed: &mut Vec<String>) {
    terminal::step(name);
    match process::run(command) {
        Ok(()) => terminal::good(name),
        Err(error) => {
            terminal::failure(&format!("{error:#}"));
            failed.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_tests_use_a_port_and_no_file() {
        let harness = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(harness.path().join(name), text).unwrap();
        write("core.list", "# the CORE tests\nport.py\nfile.py\nboth.py\nneither.py\n");
        write(
            "config-keys.json",
            r#"{"keys": {}, "argv": {
                "-v -p PORT": ["port.py", "both.py", "not-core.py"],
                "-v -c FILE": ["file.py", "both.py"]}}"#,
        );
        assert_eq!(port_tests(harness.path()).unwrap(), ["port.py"]);
    }

    #[test]
    fn the_wrapper_says_the_configuration_in_flags() {
        let folder = tempfile::tempdir().unwrap();
        let (conf, list) = (folder.path().join("a.conf"), folder.path().join("a.acl"));
        let listed = list.display();
        fs::write(&list, "topic readwrite #\ntopic deny test/no\n").unwrap();
        fs::write(&conf, format!("listener 18830 127.0.0.1\nacl_file {listed}\nmax_keepalive 60\n")).unwrap();
        let script = paho_script(Path::new("echo"), "--more");
        let wrapper = wrapper(folder.path(), "paho", &script).unwrap();
        let output = Command::new(wrapper).arg("-v").arg("-c").arg(&conf).output();
        assert_eq!(
            String::from_utf8(output.unwrap().stdout).unwrap(),
            "broker --durability memory -p 18830 --conceal-denials --keep-alive-max 60 --deny-subscribe test/no --more\n"
        );
    }
}

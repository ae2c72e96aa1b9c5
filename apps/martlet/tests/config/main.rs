//! `martlet config` as people use it: what it prints, and its exit status.
#![allow(clippy::unwrap_used, reason = "a test that is wrong may fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use tempfile::TempDir;

/// What somebody comes with from Mosquitto.
const MOSQUITTO: &str = "\
# At home.
persistence true
max_queued_messages 100
allow_anonymous true
listener 1883
listener 8883
certfile server.crt
keyfile server.key

connection office
address 10.0.0.1
remote_password hunter2
topic sensors/# out 1
";

/// The evening it does not start.
const BROKEN: &str = "\
max_conections 100
cleansession false
store_clean_interval 10
log_dest dlt
listener 8883
max_qos 3
password_file
";

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// What a run prints in a folder, and how it ends.
fn run(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martlet"));
    let output = command.arg("config").args(args).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let said = if stderr.is_empty() { String::new() } else { format!("\n--- standard error\n{stderr}") };
    format!("$ martlet config {}\n{stdout}{said}=> {}", args.join(" "), output.status.code().unwrap())
}

fn certificates() -> [(&'static str, &'static str); 3] {
    [("m.conf", MOSQUITTO), ("server.crt", ""), ("server.key", "")]
}

#[test]
fn check_says_what_is_wrong_and_what_to_do() {
    let folder = folder(&[("m.conf", BROKEN)]);
    assert_snapshot!(run(folder.path(), &["check", "m.conf"]));
}

#[test]
fn check_looks_for_files() {
    let folder = folder(&[("m.conf", MOSQUITTO)]);
    assert_snapshot!(run(folder.path(), &["check", "m.conf"]));
}

#[test]
fn check_is_content_with_what_starts() {
    let folder = folder(&certificates());
    assert!(run(folder.path(), &["check", "m.conf"]).ends_with("nothing is wrong\n=> 0"));
    assert!(run(folder.path(), &["check", "-q", "m.conf", "m.conf"]).ends_with("m.conf\n=> 0"));
    fs::write(folder.path().join("old.conf"), "retry_interval 20\n").unwrap();
    assert!(run(folder.path(), &["check", "old.conf"]).ends_with("a broker starts with it, 1 warning\n=> 0"));
    assert!(run(folder.path(), &["check", "--strict", "old.conf"]).ends_with("=> 1"));
    assert!(run(folder.path(), &["check", "gone.conf"]).ends_with("=> 1"));
    assert!(
        run(folder.path(), &["check", "--dialect", "mosquitto1", "old.conf"]).contains("nothing is wrong")
    );
}

#[test]
fn convert_explains_each_key() {
    let folder = folder(&certificates());
    let converted = run(folder.path(), &["convert", "m.conf"]);
    assert!(!converted.contains("hunter2"));
    assert_snapshot!(converted);
    assert!(run(folder.path(), &["convert", "m.conf", "--with-secrets"]).contains("hunter2"));
}

#[test]
fn what_is_converted_means_the_same() {
    let folder = folder(&certificates());
    assert!(run(folder.path(), &["convert", "m.conf", "-o", "m.toml"]).ends_with("=> 0"));
    let written = folder.path().join("m.toml");
    assert!(fs::read_to_string(&written).unwrap().contains("hunter2"), "it would not work without");
    assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run(folder.path(), &["diff", "m.conf", "m.toml"]).ends_with("m.toml\n=> 0"));
    let again = run(folder.path(), &["convert", "m.conf", "-o", "m.toml"]);
    assert!(again.contains("there already") && again.ends_with("=> 1"), "{again}");
}

#[test]
fn show_names_the_line_that_says_so() {
    let folder = folder(&certificates());
    assert_snapshot!(run(folder.path(), &["show", "m.conf"]));
    let queues = run(folder.path(), &["show", "m.conf", "queue", "--all"]);
    assert!(queues.contains("limits.queue_policy") && queues.contains("default"), "{queues}");
    assert!(!queues.contains("certfile") && !queues.contains("hunter2"));
    assert!(run(folder.path(), &["show", "gone.conf"]).ends_with("=> 1"));
}

#[test]
fn diff_says_when_a_change_counts() {
    let changed =
        MOSQUITTO.replace("100", "5").replace("listener 1883", "listener 1884").replace("hunter2", "x");
    let folder = folder(&[("m.conf", MOSQUITTO), ("n.conf", &changed)]);
    assert_snapshot!(run(folder.path(), &["diff", "m.conf", "n.conf"]));
    assert!(run(folder.path(), &["diff", "m.conf", "gone.conf"]).ends_with("=> 2"));
}

#[test]
fn keys_are_explained() {
    let folder = folder(&[]);
    assert_snapshot!(run(folder.path(), &["keys", "max_queued"]));
    assert!(run(folder.path(), &["keys"]).lines().count() > 150);
    assert!(run(folder.path(), &["keys", "bananas"]).contains("no key has \"bananas\" in its name"));
}

#[test]
fn help_teaches() {
    let folder = folder(&[]);
    for tool in [
        &["--help"][..],
        &["check", "--help"],
        &["convert", "--help"],
        &["show", "--help"],
        &["diff", "--help"],
    ] {
        assert_snapshot!(format!("help_{}", tool[0].trim_start_matches('-')), run(folder.path(), tool));
    }
}

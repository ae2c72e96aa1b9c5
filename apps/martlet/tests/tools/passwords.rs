//! `mosquitto_passwd`: password files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Done, Tools, done, feed};

fn passwd(tools: &Tools, line: &str) -> Done {
    done(tools.tool("mosquitto_passwd").args(line.split(' ')).output().unwrap())
}

#[test]
fn users_come_and_go() {
    let tools = Tools::new();
    assert_eq!(passwd(&tools, "-c -b file ada one").code, Some(0));
    assert_eq!(passwd(&tools, "-b -H sha512 file bob two").code, Some(0));
    let text = fs::read_to_string(tools.folder().join("file")).unwrap();
    assert!(text.starts_with("ada:$7$101$") && text.contains("\nbob:$6$"), "{text}");
    let mode = fs::metadata(tools.folder().join("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(passwd(&tools, "-D file ada").code, Some(0));
    let done = passwd(&tools, "-D file ada");
    assert_eq!(
        (done.code, done.words.as_str()),
        (Some(1), "Warning: User ada not found in password file.\n")
    );
}

#[test]
fn the_password_is_asked_for_twice() {
    let tools = Tools::new();
    let ask = |line: &str, typed: &str| {
        feed(tools.tool("mosquitto_passwd").args(line.split(' ')), typed.as_bytes())
    };
    let done = ask("-c file ada", "secret\nsecret\n");
    assert_eq!((done.code, done.output.as_str()), (Some(0), "Password: \nReenter password: \n"));
    for (typed, words) in [("a\nb\n", "Error: Passwords do not match.\n"), ("\n", "Error: Empty password.\n")]
    {
        let done = ask("file bob", typed);
        assert_eq!((done.code, done.words.as_str()), (Some(1), words));
    }
    assert!(!fs::read_to_string(tools.folder().join("file")).unwrap().contains("bob"));
}

#[test]
fn passwords_written_by_hand_are_hashed() {
    let tools = Tools::new();
    tools.file("file", "ada:plain\n");
    assert_eq!(passwd(&tools, "-U file").code, Some(0));
    assert!(fs::read_to_string(tools.folder().join("file")).unwrap().starts_with("ada:$7$101$"));
}

/// Debian's program knows the files we write, and we those it writes.
#[test]
fn files_go_back_and_forth() {
    let tools = Tools::new();
    let Some(mut theirs) = tools.debians("mosquitto_passwd") else { return };
    assert_eq!(passwd(&tools, "-c -b file ada one").code, Some(0));
    assert!(theirs.args(["-b", "file", "bob", "two"]).status().unwrap().success());
    assert_eq!(passwd(&tools, "-D file bob").code, Some(0));
    assert_eq!(fs::read_to_string(tools.folder().join("file")).unwrap().lines().count(), 1);
}

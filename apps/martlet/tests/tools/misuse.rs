//! What is wrong with a command line, in the words and with the status of Mosquitto's tools.

use std::process::Command;

use crate::support::{Tools, done};

/// A tool, its arguments, and the first line it says; all of them leave with 1.
const MISUSES: &[(&str, &str, &str)] = &[
    ("mosquitto_pub", "-t", "Error: -t argument given but no topic specified."),
    ("mosquitto_pub", "-h", "Error: -h argument given but no host specified."),
    ("mosquitto_pub", "-t a/# -m b", "Error: Invalid publish topic 'a/#', does it contain '+' or '#'?"),
    (
        "mosquitto_sub",
        "-t a/#/b",
        "Error: Invalid subscription topic 'a/#/b', are all '+' and '#' wildcards correct?",
    ),
    ("mosquitto_pub", "-t a -m b -f c", "Error: Only one type of message can be sent at once."),
    ("mosquitto_pub", "-t a -l -s", "Error: Only one type of message can be sent at once."),
    ("mosquitto_sub", "-t a -C 0", "Error: Invalid message count \"0\"."),
    ("mosquitto_sub", "-q", "Error: -q argument given but no QoS specified."),
    ("mosquitto_pub", "-q 3 -t a -m b", "Error: Invalid QoS given: 3"),
    ("mosquitto_sub", "--nonsense", "Error: Unknown option '--nonsense'."),
    ("mosquitto_sub", "-i a", "Error: You must specify a topic to subscribe to."),
    ("mosquitto_pub", "-t a", "Error: Both topic and message must be supplied."),
    (
        "mosquitto_pub",
        "-t a -m b -k 4",
        "Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.",
    ),
    ("mosquitto_pub", "-t a -m b --will-payload x", "Error: Will payload given, but no will topic given."),
    ("mosquitto_pub", "-t a -m x --psk 12", "Error: --psk-identity required if --psk used."),
    (
        "mosquitto_pub",
        "-t a -m x --cert a",
        "Error: Both certfile and keyfile must be provided if one of them is set.",
    ),
    ("mosquitto_pub", "-i a -I b -t a -m x", "Error: -i and -I argument cannot be used together."),
    ("mosquitto_sub", "-t a -c", "Error: You must provide a client id if you are using the -c option."),
    ("mosquitto_rr", "-t a", "Error: All of topic, message, and response topic must be supplied."),
    ("mosquitto_pub", "-h 127.0.0.1 -p 1 -t a -m b", "Error: Connection refused"),
    ("mosquitto_pub", "-t a -m b --unix /nonexistent", "Error: No such file or directory"),
    ("mosquitto_pub", "-h nowhere.invalid -t a -m b", "Unable to connect (Lookup error.)."),
];

fn first_line(command: &mut Command, line: &str) -> (Option<i32>, String) {
    let done = done(command.args(line.split(' ')).output().unwrap());
    (done.code, done.words.trim_start().lines().next().unwrap_or_default().to_owned())
}

#[test]
fn misuse_is_told_in_mosquittos_words() {
    let tools = Tools::new();
    for (name, line, words) in MISUSES {
        assert_eq!(first_line(&mut tools.tool(name), line), (Some(1), (*words).to_owned()), "{name} {line}");
    }
}

/// The same of Debian's programs, so that the table above is no invention.
#[test]
fn mosquitto_says_the_same() {
    let tools = Tools::new();
    for (name, line, words) in MISUSES {
        let Some(mut theirs) = tools.debians(name) else { return };
        assert_eq!(first_line(&mut theirs, line), (Some(1), (*words).to_owned()), "{name} {line}");
    }
}

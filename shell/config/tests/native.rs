//! What `martlet.toml` means beyond single keys, and what it says to whoever mistypes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use martlet_config::{
    Config, Dialect, Direction, Failure, Loaded, Options, Severity, differences, read_with, rows, to_toml,
};

fn read(text: &str) -> Result<Loaded, Failure> {
    let files = BTreeMap::from([(PathBuf::from("martlet.toml"), text.as_bytes().to_vec())]);
    read_with(Path::new("martlet.toml"), &Options::default(), &files)
}

fn config(text: &str) -> Config {
    read(text).unwrap_or_else(|failure| panic!("{text}\n{}", failure.render(false))).config
}

fn error(text: &str) -> String {
    let reports = read(text).expect_err(text).reports;
    let error = reports.iter().find(|report| report.severity == Severity::Error);
    error.map(ToString::to_string).expect("a failure has an error")
}

const WHOLE: &str = r#"
dialect = "mosquitto"

[security]
per_listener = true

[limits]
queue_bytes_max = "16 MiB"
session_expiry_max = "2w"
connect_timeout = "5s"

[[listener]]
host = "0.0.0.0"
port = 8883

[listener.tls]
certfile = "s.crt"
keyfile = "s.key"

[listener.security]
password_file = "users"

[[listener.security.plugin]]
path = "mosquitto_dynamic_security.so"
options.config_file = "d.json"

[[listener]]
unix_socket = "/run/m.sock"
security.allow_anonymous = true

[[bridge]]
name = "office"
addresses = ["a", "[::1]:8883"]
remote_password = "hush"

[[bridge.topic]]
pattern = "a/#"
direction = "both"
qos = 2
remote_prefix = "r/"
"#;

#[test]
fn a_whole_file_is_read() {
    let config = config(WHOLE);
    assert_eq!(config.dialect, Dialect::Mosquitto);
    assert_eq!(config.limits.queue_bytes_max, Some(16 * 1024 * 1024));
    assert_eq!(config.limits.session_expiry_max.map(|it| it.as_secs()), Some(14 * 24 * 3600));
    assert_eq!(config.limits.queue_messages_max, Some(1000), "the default of the dialect");
    let labels: Vec<_> = config.listeners.iter().map(martlet_config::Listener::label).collect();
    assert_eq!(labels, ["0.0.0.0:8883", "/run/m.sock"]);
    assert_eq!(config.listeners[0].security.plugins[0].option("config_file"), Some("d.json"));
    assert!(config.allows_anonymous(&config.listeners[1]) && !config.allows_anonymous(&config.listeners[0]));
    let bridge = &config.bridges[0];
    assert_eq!(bridge.addresses, ["a:1883", "[::1]:8883"]);
    assert_eq!((bridge.topics[0].direction, bridge.topics[0].qos), (Direction::Both, 2));
    assert_eq!(bridge.remote_password.as_ref().map(|it| it.reveal()), Some("hush"));
}

#[test]
fn nothing_is_the_default() {
    let native = config("");
    assert_eq!(native, Config::new(Dialect::Native));
    assert!(native.local_only && native.allows_anonymous(&native.listeners[0]));
}

#[test]
fn the_dialect_of_the_command_line_wins() {
    let files = BTreeMap::from([(PathBuf::from("a.toml"), b"dialect = \"mosquitto\"".to_vec())]);
    let options = Options { dialect: Some(Dialect::Native), ..Options::default() };
    let loaded = read_with(Path::new("a.toml"), &options, &files).unwrap();
    assert_eq!(loaded.config, Config::new(Dialect::Native));
}

#[test]
fn mistyped_keys_are_explained() {
    for (text, expected) in [
        ("[limits]\nqueue_mesages_max = 5", "did you mean queue_messages_max?"),
        ("[limits]\nmax_queued_messages = 5", "here it is called queue_messages_max, in [limits]"),
        ("acl_file = \"a\"", "here it is called acl_file, in [security]"),
        ("[[listener]]\nmax_qos = 1", "here it is called qos_max, in [[listener]]"),
        ("[[listner]]\nport = 1", "did you mean listener?"),
        ("[listener]\nport = 1", "begin each with [[listener]]"),
        ("[[listener]]\nport = 1\n[listener.tls]\ncertfle = \"a\"", "did you mean certfile?"),
        ("[[bridge]]\nname = \"a\"\n[[bridge.topic]]\npatern = \"a\"", "did you mean pattern?"),
        ("bananas = 5", "`martlet config keys` lists all keys"),
        ("limits = 5", "limits wants a table: [limits]"),
        ("[limits]\nkeep_alive_max = true", "it must be a number"),
        ("[limits]\nqueue_policy = \"drop\"", "it must be one of spill, mosquitto"),
        ("[limits]\nconnect_timeout = \"5 minutes\"", "as text it must be a number and one of ms"),
        ("[limits]\nconnect_timeout = \"1500ms\"", "finer than the unit"),
        ("[limits]\nconnect_timeout = 0", "from 1 to 3600 seconds"),
        ("[limits]\nqueue_bytes_max = -1", "0 or more bytes"),
        ("port = ", "this is no TOML"),
        ("[limits]\n[limits]", "this is no TOML"),
        ("[[listener]]\nport = 1883\n[[listener]]\nport = 1883", "two listeners have the same address"),
        ("[[listener]]\nport = 1\nunix_socket = \"a\"", "two addresses"),
        ("[[bridge]]\naddresses = [\"a\"]", "this bridge has no name"),
        ("[[bridge]]\nname = \"a\"\naddresses = [\"a:b\"]", "this is no address"),
        ("[[security.plugin]]\npath = \"auth.so\"", "loads no plug-ins made of C"),
        ("[log]\ndestinations = [\"file\"]", "there is no log file"),
        ("[security]\ndeny_publish = [\"a/#/b\"]", "is no topic filter"),
        ("process.user = \"a\\u0007\"", "invisible character"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn errors_underline_the_text() {
    let failure = read("[limits]\nqueue_policy = \"drop\"\nkeep_alive_max = \"long\"\n").unwrap_err();
    insta::assert_snapshot!(failure.render(false));
}

#[test]
fn secrets_are_in_no_error_and_no_row() {
    for text in [
        "[[bridge]]\nname = \"a\"\naddresses = [\"b\"]\nremote_password = 'hunter2' x\n",
        "[[bridge]]\nname = \"a\"\nremote_pasword = \"hunter2\"\n",
        "[[bridge]]\nname = \"a\"\npsk = [\"hunter2\"]\n",
        "[[bridge]]\nname = \"a\"\nremote_password = \"\"\"hunter2\nhunter2\"\"\"\n",
        "bridge = [{ name = \"a\", remote_password = \"hunter2\", nonsense = 5 }]",
    ] {
        let failure = read(text).unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert!(!failure.render(false).contains("hunter2"), "{}", failure.render(false));
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
    let loaded = read(&WHOLE.replace("hush", "hunter2")).unwrap();
    let shown = rows(&loaded.config, &loaded.origins);
    assert!(shown.iter().all(|row| !row.value.contains("hunter2")));
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    assert!(!to_toml(&loaded.config, false).contains("hunter2"));
    assert!(to_toml(&loaded.config, true).contains("hunter2"));
}

#[test]
fn what_is_written_reads_back() {
    let config = config(WHOLE);
    let written = to_toml(&config, true);
    assert_eq!(self::config(&written), config, "{written}");
    insta::assert_snapshot!(written);
}

#[test]
fn differences_are_named_with_what_they_need() {
    let after = WHOLE.replace("\"16 MiB\"", "5").replace("8883\n", "8884\n").replace("hush", "other");
    let found = differences(&config(WHOLE), &config(&after));
    let of = |path: &str| found.iter().find(|it| it.path == path).unwrap_or_else(|| panic!("{path}"));
    let queue = of("limits.queue_bytes_max");
    assert_eq!((queue.before.as_deref(), queue.after.as_deref()), (Some("16777216"), Some("5")));
    assert_eq!(queue.key.map(|key| key.reload), Some(martlet_config::Reload::Live));
    assert!(of("listener[0.0.0.0:8883].port").after.is_none());
    assert!(of("listener[0.0.0.0:8884].port").before.is_none());
    // That a secret is another one can be seen, not which.
    assert!(of("bridge[office].remote_password").after.as_deref().is_some_and(|it| !it.contains("other")));
    assert!(differences(&config(WHOLE), &config(WHOLE)).is_empty());
}

#[test]
fn files_that_are_read_are_known() {
    let files: Vec<_> = config(WHOLE).files().into_iter().map(|(path, _)| path).collect();
    let expected =
        ["listener[0].tls.certfile", "listener[0].tls.keyfile", "listener[0].security.password_file"];
    for path in expected {
        assert!(files.iter().any(|it| it == path), "{path}: {files:?}");
    }
    assert_eq!(files.len(), expected.len());
}

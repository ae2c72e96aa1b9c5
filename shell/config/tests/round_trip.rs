//! Any bytes are read without harm, and what was understood survives being written as `martlet.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use martlet_config::{
    Dialect, Failure, Format, Loaded, Options, differences, keys, read_with, rows, to_toml,
};
use proptest::prelude::*;

fn read(bytes: &[u8], format: Format, dialect: Option<Dialect>) -> Result<Loaded, Failure> {
    let files = BTreeMap::from([
        (PathBuf::from("m"), bytes.to_vec()),
        (PathBuf::from("d/a.conf"), b"listener 5\nmax_qos 1\n".to_vec()),
    ]);
    read_with(Path::new("m"), &Options { dialect, format: Some(format), strict: false }, &files)
}

fn check(bytes: &[u8], format: Format, dialect: Dialect) {
    match read(bytes, format, Some(dialect)) {
        Ok(loaded) => {
            let toml = to_toml(&loaded.config, true);
            let again = read(toml.as_bytes(), Format::Native, None);
            let again = again.unwrap_or_else(|failure| panic!("{toml}\n{}", failure.render(false)));
            assert_eq!(again.config, loaded.config, "{toml}");
            assert!(differences(&again.config, &loaded.config).is_empty());
            assert!(!rows(&loaded.config, &loaded.origins).is_empty());
            for report in loaded.reports {
                report.render(true);
            }
        }
        Err(failure) => {
            assert!(!failure.reports.is_empty() && !failure.render(false).is_empty());
        }
    }
}

/// A line that may well mean something.
fn line() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = keys().map(|key| key.name).filter(|name| !name.is_empty()).collect();
    let values = [
        "",
        "0",
        "1",
        "-1",
        "5",
        "65536",
        "99999999999999999999",
        "true",
        "false",
        "a",
        "a b",
        "\"\"",
        "#",
        "a/#",
        "out 1 l/ r/",
        "file /a",
        "all",
        "none",
        "mqtt",
        "websockets",
        "1883 ::1",
        "0 /s",
        "2w",
        "tlsv1.2",
        "ä",
        "a\"b\\c",
        "5,4",
        "1 2 3",
        "host:1",
        "mosquitto_dynamic_security.so",
        "lazy",
        "syslog",
        "d",
        "spill",
    ];
    let value =
        prop_oneof![4 => proptest::sample::select(values.to_vec()).prop_map(str::to_owned), 1 => ".{0,12}"];
    let block = prop_oneof![
        Just("listener 1884".to_owned()),
        Just("allow_anonymous true".to_owned()),
        Just("connection c\naddress h\ntopic #".to_owned()),
        Just("plugin mosquitto_dynamic_security.so\nplugin_opt_config_file f".to_owned()),
    ];
    let any = (proptest::sample::select(names), value).prop_map(|(name, value)| format!("{name} {value}"));
    prop_oneof![1 => block, 6 => any]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), native: bool) {
        let format = if native { Format::Native } else { Format::Mosquitto };
        check(&bytes, format, Dialect::Native);
    }

    #[test]
    fn lines_of_keys_survive(
        lines in proptest::collection::vec(line(), 0..6),
        dialect in proptest::sample::select(vec![Dialect::Native, Dialect::Mosquitto, Dialect::Mosquitto1]),
    ) {
        check(lines.join("\n").as_bytes(), Format::Mosquitto, dialect);
    }

    #[test]
    fn paths_of_keys_survive(
        entries in proptest::collection::btree_map(
            proptest::sample::select(keys().filter(|it| !it.path.is_empty()).map(|it| it.full_path()).collect::<Vec<_>>()),
            proptest::sample::select(vec!["0", "1", "1883", "true", "\"a\"", "[]", "[\"a\"]", "\"5s\"", "{}", "''"]),
            0..4,
        ),
    ) {
        let text: String = entries.iter().map(|(path, value)| format!("{path} = {value}\n")).collect();
        check(text.as_bytes(), Format::Native, Dialect::Native);
    }
}

#[test]
fn every_single_line_survives() {
    for key in keys().filter(|key| !key.name.is_empty()) {
        for value in ["", "1", "-1", "true", "a", "#", "file", "file a", "9999999999999999999999"] {
            for above in ["", "listener 1\n", "connection c\naddress h\ntopic #\n"] {
                let text = format!("{above}{} {value}", key.name);
                check(text.as_bytes(), Format::Mosquitto, Dialect::Mosquitto);
            }
        }
    }
}

/// What is no configuration at all is not read to its end.
#[test]
fn a_file_without_a_right_line_ends_soon() {
    for line in
        ["nonsense\n", "remote_pasword x\n", "listener x\n", "nonsense = 1\n", "[[listener]]\nnonsense = 1\n"]
    {
        for format in [Format::Native, Format::Mosquitto] {
            let failure = read(line.repeat(20_000).as_bytes(), format, None).unwrap_err();
            assert!(failure.reports.len() < 100, "{}", failure.reports.len());
        }
    }
    let many: String = (1..20_000).map(|port| format!("listener {port} ::1\n")).collect();
    assert!(
        read(many.as_bytes(), Format::Mosquitto, None).is_ok_and(|it| it.config.listeners.len() == 19_999)
    );
}

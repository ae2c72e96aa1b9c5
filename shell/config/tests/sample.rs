//! The sample file that comes with Mosquitto: each of its lines, un-commented, starts a broker or says what to do.
//!
//! The file is not ours, so that its keys stand here as a list of our own; where the real file is on the machine it is
//! read as well (`MOSQUITTO_CONF`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use martlet_config::{Dialect, Format, Options, keys, read_with, render};

/// What somebody un-comments, as the sample file has it, value or not.
const LINES: &str = include_str!("fixtures/sample.conf");

/// What reading a line alone says.
fn outcome(line: &str) -> String {
    let files = BTreeMap::from([(PathBuf::from("mosquitto.conf"), line.as_bytes().to_vec())]);
    let options =
        Options { dialect: Some(Dialect::Mosquitto), format: Some(Format::Mosquitto), strict: false };
    match read_with(Path::new("mosquitto.conf"), &options, &files) {
        Ok(loaded) if loaded.reports.is_empty() => "starts".to_owned(),
        Ok(loaded) => format!("starts\n{}", render(&loaded.reports, false)),
        Err(failure) => {
            for report in &failure.reports {
                assert!(!report.why.is_empty() && report.fix.is_some(), "{report}");
            }
            format!("does not start\n{}", failure.render(false))
        }
    }
}

#[test]
fn every_line_starts_or_says_what_to_do() {
    let outcomes: Vec<_> = LINES
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| format!("## {line}\n{}", outcome(line)))
        .collect();
    insta::assert_snapshot!(outcomes.join("\n\n"));
}

#[test]
fn the_list_has_every_key_of_mosquitto_2_0() {
    let listed: BTreeSet<_> = LINES.lines().filter_map(|line| line.split(' ').next()).collect();
    for key in keys().filter(|key| {
        key.since.is_none()
            && !key.name.is_empty()
            && !key.name.ends_with('_')
            && !key.name.starts_with("plugin_")
    }) {
        let is_ours = key.name == "queue_policy";
        assert!(is_ours || listed.contains(key.name), "{}", key.name);
    }
}

/// Each commented line of the real file that looks like a setting.
#[test]
fn so_does_the_real_file() {
    let path = std::env::var_os("MOSQUITTO_CONF")
        .unwrap_or_else(|| "/usr/share/doc/mosquitto/examples/mosquitto.conf".into());
    let Ok(text) = std::fs::read_to_string(&path) else { return };
    let settings = text.lines().filter_map(|line| line.strip_prefix('#'));
    for line in settings.filter(|line| line.starts_with(|it: char| it.is_ascii_lowercase())) {
        assert!(!outcome(line).is_empty());
        let unknown = outcome(line).contains("is no key of mosquitto.conf");
        assert!(!unknown, "{line}");
    }
}

//! A `mosquitto.conf` somebody wrote, and a file it includes behind a line of `%`: whatever it says, reading ends in a
//! configuration or in reasons, and a configuration survives being written as `martlet.toml`.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use martlet_config::{Dialect, Format, Options, read_with, rows, to_toml};

fuzz_target!(|data: &[u8]| {
    let (main, included) = parts(data);
    let files = BTreeMap::from([
        (PathBuf::from("m.conf"), main.to_vec()),
        (PathBuf::from("d/a.conf"), included.to_vec()),
    ]);
    for dialect in [Dialect::Native, Dialect::Mosquitto, Dialect::Mosquitto1] {
        let options = Options { dialect: Some(dialect), format: Some(Format::Mosquitto), strict: false };
        match read_with(Path::new("m.conf"), &options, &files) {
            Ok(loaded) => {
                rows(&loaded.config, &loaded.origins);
                let toml = to_toml(&loaded.config, true);
                let again = BTreeMap::from([(PathBuf::from("m.toml"), toml.into_bytes())]);
                let again = read_with(Path::new("m.toml"), &Options::default(), &again);
                let again = again.unwrap_or_else(|failure| panic!("{}", failure.render(false)));
                assert_eq!(again.config, loaded.config);
            }
            Err(failure) => assert!(!failure.render(true).is_empty()),
        }
    }
});

fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    const SEPARATOR: &[u8] = b"\n%\n";
    let at = data.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    at.map_or((data, &[]), |at| (&data[..at], &data[at + SEPARATOR.len()..]))
}

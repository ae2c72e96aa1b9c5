//! A `martlet.toml` somebody wrote: reading ends in a configuration or in reasons, and a configuration survives being
//! written again.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use martlet_config::{Failure, Loaded, Options, differences, read_with, rows, to_toml};

fuzz_target!(|data: &[u8]| match read(data) {
    Ok(loaded) => {
        rows(&loaded.config, &loaded.origins);
        let toml = to_toml(&loaded.config, true);
        let again = read(toml.as_bytes()).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        assert_eq!(again.config, loaded.config);
        assert!(differences(&again.config, &loaded.config).is_empty());
    }
    Err(failure) => assert!(!failure.render(true).is_empty()),
});

fn read(bytes: &[u8]) -> Result<Loaded, Failure> {
    let files = BTreeMap::from([(PathBuf::from("m.toml"), bytes.to_vec())]);
    read_with(Path::new("m.toml"), &Options::default(), &files)
}

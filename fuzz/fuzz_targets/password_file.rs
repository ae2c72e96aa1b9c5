//! A password file, and the same bytes as a PSK file. Nothing panics, every problem names a line that is there, and what
//! is read is written and read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_auth::{PasswordFile, PasswordHash, PskFile};

fuzz_target!(|data: &[u8]| {
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    let (file, problems) = PasswordFile::parse(data);
    assert!(file.len() + problems.len() <= 2 * lines);
    assert!(problems.iter().all(|problem| (1..=lines).contains(&(problem.line as usize))));
    if let Ok(text) = std::str::from_utf8(data) {
        for part in text.split([':', '\n']) {
            let Ok(hash) = PasswordHash::parse(part.trim()) else { continue };
            assert_eq!(PasswordHash::parse(&hash.to_string()), Ok(hash));
        }
    }
    match PskFile::parse(data) {
        Ok((file, problems)) => assert!(file.len() <= lines && problems.len() <= lines),
        Err(problem) => assert!((1..=lines).contains(&(problem.line as usize))),
    }
});

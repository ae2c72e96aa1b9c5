//! The messages, and where their text stands in a store.
//!
//! The rule: a message tells its number, wherever it is found.

use std::collections::HashMap;
use std::fs;

use anyhow::Result;

use crate::store::{self, Store};

/// The size of the messages of the first run.
const SIZE: usize = 163;
/// Stands before the number in every payload.
const MARK: &[u8] = b"\"message\":";
const DIGITS: usize = 7;

/// The message with this number, JSON of the first run's size.
pub(super) fn payload(message: usize) -> Vec<u8> {
    let mut json = format!(
        "{{\"message\":{message:0DIGITS$},\"device\":\"sensor-{:04}\",\"temperature\":{}.{},\"remark\":\"",
        message % 1000,
        message % 40,
        message % 10
    );
    let end = "\"}";
    json.extend(std::iter::repeat_n('.', SIZE.saturating_sub(json.len() + end.len())));
    json += end;
    json.into_bytes()
}

/// The number of the message that begins here.
pub(super) fn number_in(payload: &[u8]) -> Option<usize> {
    let start = find(payload, MARK)? + MARK.len();
    str::from_utf8(payload.get(start..start + DIGITS)?).ok()?.parse().ok()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Messages whose text stands more than once in the store.
pub(super) fn stored_twice(store: &Store<'_>) -> Result<usize> {
    let mut times: HashMap<usize, usize> = HashMap::new();
    for file in store::files(store.folder())? {
        let Ok(bytes) = fs::read(&file) else { continue };
        let mut rest = &bytes[..];
        while let Some(at) = find(rest, MARK) {
            if let Some(message) = number_in(&rest[at..]) {
                *times.entry(message).or_default() += 1;
            }
            rest = &rest[at + MARK.len()..];
        }
    }
    Ok(times.values().filter(|times| **times > 1).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_the_size_of_the_first_run_and_tells_its_number() {
        for message in [0, 7, 9_999, 1_234_567] {
            let payload = payload(message);
            assert_eq!(payload.len(), SIZE);
            assert_eq!(number_in(&payload), Some(message));
        }
    }
}

//! What somebody answers to a question about SRV records. Nothing panics, no name is longer than DNS has them, and there are
//! no more Servers than the answer has room for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_client::service::parse_answer;

fuzz_target!(|data: &[u8]| {
    let id = data.first_chunk().copied().map_or(0, u16::from_be_bytes);
    let Some(services) = parse_answer(data, id) else { return };
    const RECORD_BYTES_MIN: usize = 18;
    assert!(services.len() <= data.len() / RECORD_BYTES_MIN);
    assert!(services.iter().all(|service| (1..=255).contains(&service.host.len())));
});

//! Dynamic security: a file before the first zero, requests after it, one between two zeros. Nothing panics, every answer
//! is a list of answers, what is refused changes nothing, and what holds is written and read alike at any time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_auth::{Admin, DynamicSecurity};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let Ok((mut security, _)) = DynamicSecurity::in_memory(parts.next().unwrap_or_default()) else { return };
    check_kept(&security);
    for request in parts.take(8) {
        let before = security.to_file();
        let handled = security.handle(request, Admin { client_id: "c", username: None });
        let answer: Value = serde_json::from_slice(&handled.response).expect("the answer is JSON");
        assert!(answer["responses"].is_array());
        assert!(handled.error.is_none());
        if handled.effects.has_changed {
            check_kept(&security);
        } else {
            assert!(handled.effects.kick.is_empty());
            assert_eq!(security.to_file(), before);
        }
    }
});

/// What would be saved is what would be read.
fn check_kept(security: &DynamicSecurity) {
    let file = security.to_file();
    let (again, problems) = DynamicSecurity::in_memory(&file).expect("what is written can be read");
    assert_eq!(problems, []);
    assert_eq!(again.to_file(), file);
}

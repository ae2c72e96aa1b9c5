//! WebSocket frames of a stranger: whatever pieces they come in, the same MQTT comes out and the same is answered. The
//! first byte of the input says how large the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_net::unframe_all;

fuzz_target!(|data: &[u8]| {
    let Some((step, stream)) = data.split_first() else { return };
    let whole = unframe_all(stream, usize::MAX);
    assert!(whole.0.len() <= stream.len());
    assert_eq!(unframe_all(stream, usize::from(*step) + 1), whole);
});

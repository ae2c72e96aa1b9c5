//! A disk that gives back something else than was written: bits flipped, files cut short, frames twice, exchanged or made
//! up. Whatever it is, opening it ends, in an error or in what was known at some time, and no body is read that was not
//! written.
//!
//! The first byte chooses a store; each eight behind it say an edit, and are what is made up.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use martlet_powercut::AtRest;

const STORES: u64 = 4;

fuzz_target!(|data: &[u8]| {
    static AT_REST: OnceLock<Vec<AtRest>> = OnceLock::new();
    let stores = AT_REST.get_or_init(|| (0..STORES).map(AtRest::new).collect());
    let [store, edits @ ..] = data else { return };
    let store = &stores[usize::from(*store) % stores.len()];
    if let Err(broken) = store.check(&store.edited(edits), false) {
        panic!("{}", broken.what);
    }
});

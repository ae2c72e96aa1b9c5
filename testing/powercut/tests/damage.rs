//! Bits that decay while a store is at rest: each is reported or harmless, and nothing is passed over in silence.

use martlet_powercut::{AtRest, Chance};

#[test]
fn no_flipped_bit_is_served_or_skipped() {
    const FLIPS: usize = 1000;
    for seed in 0..4 {
        let store = AtRest::new(seed);
        let mut chance = Chance::new(seed);
        let mut refused = 0;
        for _ in 0..FLIPS {
            let bit = chance.below(store.bits());
            let opened = store.check(&store.flipped(bit), true);
            let opened = opened.unwrap_or_else(|broken| panic!("seed {seed}, bit {bit}: {}", broken.what));
            refused += usize::from(!opened);
        }
        assert!(refused > 0, "none of {FLIPS} bits mattered");
    }
}

#[test]
fn no_frame_that_was_on_the_disk_is_skipped() {
    for seed in 0..8 {
        let store = AtRest::new(seed);
        for damaged in store.scrambled(&mut Chance::new(seed)) {
            let checked = store.check(&damaged, true);
            checked.unwrap_or_else(|broken| panic!("seed {seed}: {}", broken.what));
        }
    }
}

#[test]
fn no_edit_brings_what_never_was() {
    for seed in 0..4 {
        let store = AtRest::new(seed);
        let mut chance = Chance::new(seed);
        for _ in 0..400 {
            let edits: Vec<u8> = (0..=chance.index(4)).flat_map(|_| chance.number().to_le_bytes()).collect();
            let checked = store.check(&store.edited(&edits), false);
            checked.unwrap_or_else(|broken| panic!("seed {seed}, edits {edits:?}: {}", broken.what));
        }
    }
}

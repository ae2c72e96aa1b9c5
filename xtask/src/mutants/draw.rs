//! A draw by lot that everybody can repeat. The rule kept here: whether a statement is drawn
//! before another depends on the seed and the two alone, so a new test moves one place at most.

/// `count` of `all`, by the seed, in the order of the draw.
pub(super) fn draw<'a>(all: &[&'a str], count: usize, seed: u64) -> Vec<&'a str> {
    let mut all = all.to_vec();
    all.sort_by_key(|name| (lot(name, seed), *name));
    all.truncate(count);
    all
}

/// FNV-1a over the seed and the name, its bits mixed once more by the end of SplitMix64.
fn lot(name: &str, seed: u64) -> u64 {
    let mut lot = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.to_le_bytes().into_iter().chain(name.bytes()) {
        lot = (lot ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    lot = (lot ^ (lot >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    lot = (lot ^ (lot >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    lot ^ (lot >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    #[test]
    fn the_seed_decides_and_not_the_order_given() {
        let mut turned = ALL;
        turned.reverse();
        assert_eq!(draw(&ALL, 3, 7), draw(&turned, 3, 7));
        let draws: Vec<_> = (0..20).map(|seed| draw(&ALL, 3, seed)).collect();
        assert!(draws.iter().any(|other| *other != draws[0]));
    }

    #[test]
    fn everything_is_drawn_at_last_and_nothing_twice() {
        let mut drawn = draw(&ALL, 100, 1);
        drawn.sort_unstable();
        assert_eq!(drawn, ALL);
    }

    #[test]
    fn one_more_statement_moves_one_place_at_most() {
        for seed in 0..20 {
            let before = draw(&ALL[..5], 3, seed);
            let after = draw(&ALL, 3, seed);
            let kept = after.iter().filter(|name| before.contains(name)).count();
            assert!(kept >= 2, "{seed}: {before:?} {after:?}");
        }
    }
}

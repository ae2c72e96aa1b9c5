//! Random numbers that repeat.
//!
//! The rule: the same seed gives the same numbers on every machine and in every version (SplitMix64).

/// A sequence of numbers fixed by its seed.
pub struct Random(u64);

impl Random {
    /// The sequence number `stream` of `seed`: streams differ even when their numbers are neighbours.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(Self(seed ^ Self(stream).number()).number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a usize has at most 64 bits");
        usize::try_from(self.number() % limit).expect("smaller than a usize")
    }

    /// `count` random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        // The first outputs for the state 1234567, as published with the algorithm.
        let mut random = Random(1_234_567);
        assert_eq!(random.number(), 6_457_827_717_110_365_317);
        assert_eq!(random.number(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Random::new(7, 0).bytes(16), Random::new(7, 1).bytes(16));
        assert_eq!(Random::new(7, 1).bytes(16), Random::new(7, 1).bytes(16));
    }
}

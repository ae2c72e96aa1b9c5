//! Names that are numbers.

/// The logical shards of a node. Fixed: the home of a Session is computed from it.
const SHARDS: u8 = 64;

/// One of the node's 64 logical shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u8);

/// A Session that exists or existed; never used again, not even for the same Client Identifier.
/// Zero is nobody's: the publisher of what the node itself publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionNumber(pub u64);

/// The place of a copy in its Session's order, counted from zero. Its Packet Identifier follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ordinal(pub u64);

/// The place of a batch in its shard's order, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BatchNumber(pub u64);

/// The place of a frame in the log, counted from one; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// A checkpoint, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CheckpointNumber(pub u64);

/// A Message that waits for its time, under `$delayed`. Made as session numbers are, and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DelayedNumber(pub u64);

impl ShardId {
    /// How many there are.
    pub const COUNT: usize = SHARDS as usize;

    /// The shard with this index.
    ///
    /// # Panics
    /// When there is no such shard, which only a mistake of ours can ask for.
    pub const fn new(index: u8) -> Self {
        assert!(index < SHARDS);
        Self(index)
    }

    /// The shard whose name is in the lowest digit of a number, as [`SessionNumber::of`] puts it there.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below the number of shards")]
    const fn of_number(number: u64) -> Self {
        Self((number % SHARDS as u64) as u8)
    }

    /// Its place in a table of all shards.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// The home of a Client's Session: the one place that decides it. The hash must not depend on the process.
    pub fn home_of(client_id: &str) -> Self {
        let folded = stable_hash(client_id) % u64::from(SHARDS);
        Self(u8::try_from(folded).expect("below 64"))
    }
}

/// Some of the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardSet(u64);

impl ShardSet {
    /// Adds one, if it is not there.
    pub const fn insert(&mut self, shard: ShardId) {
        self.0 |= 1 << shard.0;
    }
}

impl IntoIterator for ShardSet {
    type Item = ShardId;
    type IntoIter = ShardSetIter;

    fn into_iter(self) -> ShardSetIter {
        ShardSetIter(self.0)
    }
}

/// The shards of a set, in order.
#[derive(Debug, Clone)]
pub struct ShardSetIter(u64);

impl Iterator for ShardSetIter {
    type Item = ShardId;

    fn next(&mut self) -> Option<ShardId> {
        let index = u8::try_from(self.0.trailing_zeros()).ok().filter(|index| *index < SHARDS)?;
        self.0 &= self.0 - 1;
        Some(ShardId(index))
    }
}

/// A hash that never changes, between processes and versions.
pub fn stable_hash(text: &str) -> u64 {
    // FNV-1a, with its better upper half folded in.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

impl SessionNumber {
    /// The node itself, as a publisher.
    pub const NODE: Self = Self(0);

    /// The `count`-th Session (from one) that `shard` opened: unique on the node without asking anybody.
    pub const fn of(shard: ShardId, count: u64) -> Self {
        Self(count * SHARDS as u64 + shard.0 as u64)
    }

    /// The shard that opened it.
    pub const fn shard(self) -> ShardId {
        ShardId::of_number(self.0)
    }

    /// How many Sessions its shard had opened, this one included.
    pub const fn count(self) -> u64 {
        self.0 / SHARDS as u64
    }
}

impl DelayedNumber {
    /// The `count`-th Message (from one) that `shard` delayed.
    pub const fn of(shard: ShardId, count: u64) -> Self {
        Self(count * SHARDS as u64 + shard.0 as u64)
    }

    /// The shard that keeps it.
    pub const fn shard(self) -> ShardId {
        ShardId::of_number(self.0)
    }

    /// How many its shard had delayed, this one included.
    pub const fn count(self) -> u64 {
        self.0 / SHARDS as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_stable_and_spread() {
        assert_eq!(ShardId::home_of("sensor-1"), ShardId::home_of("sensor-1"));
        let mut sessions = [0_u32; ShardId::COUNT];
        for client in 0..6400 {
            sessions[ShardId::home_of(&format!("client-{client}")).index()] += 1;
        }
        assert!(sessions.iter().all(|&count| (50..=200).contains(&count)), "{sessions:?}");
    }

    #[test]
    fn a_set_of_shards_has_each_once_and_in_order() {
        let mut set = ShardSet::default();
        [63, 0, 7, 63].into_iter().for_each(|index| set.insert(ShardId::new(index)));
        assert!(set.into_iter().eq([0, 7, 63].map(ShardId::new)));
        assert_eq!(ShardSet::default().into_iter().next(), None);
    }

    #[test]
    fn numbers_of_different_shards_never_meet() {
        let (a, b) = (ShardId::new(0), ShardId::new(63));
        assert_ne!(SessionNumber::of(a, 2), SessionNumber::of(b, 1));
        assert_ne!(SessionNumber::of(a, 1), SessionNumber::NODE);
        assert_eq!(SessionNumber::of(b, 7).count(), 7);
    }
}

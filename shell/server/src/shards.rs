//! The shards of one runner.

use martlet_broker::{Counters, Outbox, Shard};
use martlet_record::{Now, ShardId, Time};

/// Some shards of a node, and when the first of them has something to do.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Box<[Option<Box<Shard>>]>,
    /// Those that were stepped since their deadlines were asked for, one bit each.
    stepped: u64,
    /// No shard has anything to do before.
    earliest: Option<Time>,
}

impl Shards {
    /// These shards, each in its place.
    pub(crate) fn new(shards: Vec<Shard>) -> Self {
        let mut places: Vec<Option<Box<Shard>>> = ShardId::all().map(|_| None).collect();
        for shard in shards {
            let index = shard.id().index();
            places[index] = Some(Box::new(shard));
        }
        Self { shards: places.into(), stepped: u64::MAX, earliest: None }
    }

    /// The shard, to be stepped, if it is one of ours.
    #[inline]
    pub(crate) fn step(&mut self, id: ShardId) -> Option<&mut Shard> {
        self.stepped |= 1 << id.index();
        self.shards[id.index()].as_deref_mut()
    }

    /// Is it one of ours?
    #[inline]
    pub(crate) fn has(&self, id: ShardId) -> bool {
        self.shards[id.index()].is_some()
    }

    /// All of them, to be stepped.
    pub(crate) fn step_all(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.stepped = u64::MAX;
        self.shards.iter_mut().flatten().map(Box::as_mut)
    }

    /// All of them, for a look.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().flatten().map(Box::as_ref)
    }

    /// Ticks those whose deadline came.
    pub(crate) fn tick(&mut self, now: Now, out: &mut Outbox) {
        if self.next_deadline().is_none_or(|at| at > now.time) {
            return;
        }
        self.earliest = None;
        for shard in self.step_all() {
            if shard.next_deadline().is_some_and(|at| at <= now.time) {
                shard.tick(now, out);
            }
        }
    }

    /// When a shard has something to do: never too late, and too early at most once.
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        while self.stepped != 0 {
            let index = self.stepped.trailing_zeros() as usize;
            self.stepped &= self.stepped - 1;
            let deadline = self.shards[index].as_ref().and_then(|shard| shard.next_deadline());
            self.earliest = self.earliest.into_iter().chain(deadline).min();
        }
        self.earliest
    }

    /// The sum of what they counted.
    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        self.shards.iter().flatten().for_each(|shard| sum += shard.counters());
        sum
    }
}

//! The shards of one runner.

use std::sync::Arc;

use martlet_broker::{Counters, Node, Outbox, Shard};
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
    /// New shards of `node`: those for which `is_ours` says so.
    pub(crate) fn new(node: &Arc<Node>, is_ours: impl Fn(ShardId) -> bool) -> Self {
        let shard = |id| is_ours(id).then(|| Box::new(Shard::new(id, Arc::clone(node))));
        Self { shards: ShardId::all().map(shard).collect(), stepped: 0, earliest: None }
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

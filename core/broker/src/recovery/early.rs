//! Copies whose Sessions no snapshot has brought yet.
//!
//! A checkpoint's fold begins where the checkpoint began, before the Sessions wrote themselves down. A snapshot says up to
//! which place in the log its queue is complete; what lies between there and the snapshot itself is kept here for it.

use std::collections::{HashMap, HashSet};

use martlet_record::{Position, SessionNumber, ShardId, Stored};
use martlet_session::MessageCopy;

use super::Hashed;

#[derive(Debug, Default)]
pub(super) struct Early {
    copies: HashMap<SessionNumber, Vec<(Position, MessageCopy)>, Hashed>,
    /// Shards that are not through with the checkpoint the fold began with.
    awaited: HashSet<ShardId, Hashed>,
}

impl Early {
    /// Every Session is known from its beginning.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Sessions are known when all shards are through with the checkpoint at the beginning.
    pub(super) fn until_all_are_through() -> Self {
        Self { awaited: ShardId::all().collect(), ..Self::default() }
    }

    /// Are there snapshots to come?
    pub(super) fn is_open(&self) -> bool {
        !self.awaited.is_empty()
    }

    pub(super) fn push(&mut self, session: SessionNumber, position: Position, copy: MessageCopy) {
        self.copies.entry(session).or_default().push((position, copy));
    }

    /// The copies of a Session that its snapshot, which has those up to `entered`, has not.
    pub(super) fn take(
        &mut self,
        session: SessionNumber,
        entered: Position,
    ) -> impl Iterator<Item = MessageCopy> + use<> {
        let copies = self.copies.remove(&session).unwrap_or_default();
        copies.into_iter().filter(move |(position, _)| *position > entered).map(|(_, copy)| copy)
    }

    /// The Session ended before it was written down. What became of the copies it had was decided then; of those behind
    /// them, what another member must get is left.
    pub(super) fn forget(&mut self, session: SessionNumber, entered: Position) {
        if let Some(copies) = self.copies.get_mut(&session) {
            copies.retain(|(position, copy)| *position > entered && copy.share.is_some());
        }
    }

    /// Another member got this copy.
    pub(super) fn pass(&mut self, session: SessionNumber, stored: Option<Stored>) {
        let Some(copies) = self.copies.get_mut(&session) else { return };
        let is_it = |copy: &MessageCopy| copy.body.as_ref().is_some_and(|body| body.stored() == stored);
        if let Some(place) = copies.iter().position(|(_, copy)| is_it(copy)) {
            copies.remove(place);
        }
    }

    /// A shard is through. After the last, what is left belongs to Sessions that are over.
    pub(super) fn through(&mut self, shard: ShardId) -> Vec<(SessionNumber, MessageCopy)> {
        let was_last = self.awaited.remove(&shard) && self.awaited.is_empty();
        if was_last { self.take_orphans() } else { Vec::new() }
    }

    /// Copies for a Shared Subscription whose Sessions never came.
    pub(super) fn take_orphans(&mut self) -> Vec<(SessionNumber, MessageCopy)> {
        let all = std::mem::take(&mut self.copies).into_iter();
        let copies =
            all.flat_map(|(session, copies)| copies.into_iter().map(move |(_, copy)| (session, copy)));
        copies.filter(|(_, copy)| copy.share.is_some()).collect()
    }
}

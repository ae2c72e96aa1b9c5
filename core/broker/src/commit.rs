//! What waits for a commit: replies, copies for persistent Sessions, retained messages of a Subscription.

use std::collections::VecDeque;

use martlet_packet::ReasonCode;
use martlet_record::{Batch, BatchNumber, Completion, Now, Outcome, PublishRecord, Record, ShardSet};

use martlet_session::Violation;

use crate::Shard;
use crate::outbox::Outbox;
use crate::publish::recorded_copy;

/// The shards that a batch concerns: its own, and the homes of the Sessions its Messages go to.
pub fn shards_of(batch: &Batch) -> ShardSet {
    let mut shards = ShardSet::default();
    shards.insert(batch.shard);
    for record in &batch.records {
        if let Record::Published(published) = record {
            published.copies.iter().for_each(|(shard, _)| shards.insert(*shard));
        }
    }
    shards
}

impl Shard {
    /// A batch of this shard, or one with copies for its Sessions, came to its end. Batches come in log order.
    ///
    /// Only what is committed is acted on: of any other outcome nobody is told anything.
    pub fn completed(&mut self, completion: &Completion, now: Now, out: &mut Outbox) {
        if completion.outcome != Outcome::Committed {
            return self.abandon(completion, now, out);
        }
        let batch = &completion.batch;
        self.entered = completion.position;
        let is_own = batch.shard == self.id;
        if is_own {
            self.release_replies(batch.number, now, out);
            while let Some((_, message, to)) = self.held.pop_front_if(|(number, ..)| *number <= batch.number)
            {
                out.deliveries.push_shared(message, to);
            }
        }
        for record in &batch.records {
            match record {
                Record::Published(published) => self.enqueue_committed(published, now, out),
                Record::Subscribed(made) if is_own => {
                    self.replay(made, now, out);
                    self.send_queued(made.slot, now, out);
                }
                Record::Received { session, slot, ordinal } if is_own => {
                    self.release(*slot, *session, *ordinal, out);
                }
                _ => {}
            }
        }
    }

    /// What waited for a batch that is not known to be durable gets no answer, and cannot go on: whoever waited is
    /// disconnected, and finds out by coming back what was kept.
    fn abandon(&mut self, completion: &Completion, now: Now, out: &mut Outbox) {
        let number = completion.batch.number;
        if completion.batch.shard != self.id {
            return;
        }
        self.held.retain(|(held_by, ..)| *held_by != number);
        let (lost, kept): (VecDeque<_>, _) =
            self.awaiting.drain(..).partition(|(waits_for, ..)| *waits_for == number);
        self.awaiting = kept;
        for (_, slot, connection) in lost {
            let text = "the journal did not confirm that it kept what was sent";
            self.refuse(
                slot,
                connection,
                Violation::new(ReasonCode::ImplementationSpecificError, text),
                now,
                out,
            );
        }
    }

    /// Copies enter their queues only here, in log order.
    fn enqueue_committed(&mut self, published: &PublishRecord, now: Now, out: &mut Outbox) {
        let home = self.id;
        let mine = published.copies.iter().filter(|(shard, _)| *shard == home);
        for copy in mine.flat_map(|(_, copies)| copies) {
            self.enqueue(copy.slot, copy.session, recorded_copy(&published.body, copy), now, out);
            if self.sessions.numbered(copy.slot, copy.session).is_some() {
                self.send_queued(copy.slot, now, out);
            }
        }
    }

    /// Replies that waited for batches up to this one leave.
    fn release_replies(&mut self, committed: BatchNumber, now: Now, out: &mut Outbox) {
        while let Some((_, slot, id)) = self.awaiting.pop_front_if(|(number, ..)| *number <= committed) {
            let Some(resident) = self.sessions.connected(slot, id) else { continue };
            let Some(connection) = resident.session.connection.as_deref_mut() else { continue };
            connection.release(out.outgoing(id), committed);
            if !connection.open && !connection.has_pending() {
                self.open(slot, now, out);
            }
        }
    }
}

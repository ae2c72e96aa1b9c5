//! A shard writes itself down, a slice a turn, so that the log before it is no longer needed.
//!
//! The rule: a slice is what was decided up to the batch it is part of. Only copies that other shards' batches bring may be
//! missing, and the snapshot says up to which place in the log it has them.

use std::sync::Arc;
use std::time::Duration;

use martlet_record::{
    Body, CheckpointNumber, DelayedNumber, KeptCopy, KeptProgress, KeptSession, Message, Now, Ordinal,
    Position, Record, SessionNumber, SessionRecord,
};
use martlet_session::{CopyState, MessageCopy, Session};
use martlet_topic::{Limits, TopicName};

use crate::Shard;
use crate::outbox::Outbox;
use crate::retained::Deleted;

/// How far a shard has written itself down.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The last checkpoint it is through with.
    done: CheckpointNumber,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The Session in this slot is next.
    Sessions(u32),
    /// Some copies of this Session are left.
    Copies { slot: u32, session: SessionNumber, from: Ordinal, until: Ordinal },
    /// Retained messages that lie in this shard's stripe, and deletions there.
    Retained { kept: std::vec::IntoIter<Arc<Message>>, deleted: Vec<Deleted> },
    /// Messages that wait under `$delayed`, from this number on.
    Delayed(DelayedNumber),
}

impl Shard {
    /// Writes down the next slice for a checkpoint: about `budget` records and copies. False when nothing is left.
    pub fn write_down(
        &mut self,
        checkpoint: CheckpointNumber,
        budget: usize,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        if self.snapshot.done >= checkpoint {
            return false;
        }
        let mut left = budget;
        let mut stage = std::mem::take(&mut self.snapshot.stage);
        while left > 0 {
            stage = match stage {
                Stage::Idle => Stage::Sessions(0),
                Stage::Sessions(slot) => self.write_session(slot, now, &mut left),
                Stage::Copies { slot, session, from, until } => {
                    self.write_copies(slot, session, from, until, &mut left)
                }
                Stage::Retained { kept, deleted } => self.write_retained(kept, deleted, &mut left),
                Stage::Delayed(from) => match self.write_delayed(from, &mut left) {
                    Some(next) => Stage::Delayed(next),
                    None => {
                        self.end_snapshot(checkpoint);
                        break;
                    }
                },
            };
        }
        if self.snapshot.done < checkpoint {
            self.snapshot.stage = stage;
        }
        self.journal(out);
        true
    }

    fn end_snapshot(&mut self, checkpoint: CheckpointNumber) {
        self.snapshot = Snapshot { done: checkpoint, stage: Stage::Idle };
        let (opened, delayed, version) = (self.opened, self.delayed.count(), self.node.retained.version());
        self.records.push(Record::Snapshotted { checkpoint, opened, delayed, version });
    }

    fn write_session(&mut self, slot: u32, now: Now, left: &mut usize) -> Stage {
        if slot >= self.sessions.slots() {
            let (kept, deleted) = self.node.retained.snapshot(self.id);
            return Stage::Retained { kept: kept.into_iter(), deleted };
        }
        let next = Stage::Sessions(slot + 1);
        let Some(resident) = self.sessions.get(slot) else { return next };
        let session = &resident.session;
        if !session.recorded {
            return next;
        }
        *left = left.saturating_sub(1);
        let kept = kept_session(session, self.entered, now);
        let until = kept.next;
        let session = kept.terms.session;
        self.records.push(Record::Kept(kept));
        Stage::Copies { slot, session, from: Ordinal(0), until }
    }

    fn write_copies(
        &mut self,
        slot: u32,
        number: SessionNumber,
        from: Ordinal,
        until: Ordinal,
        left: &mut usize,
    ) -> Stage {
        let next = Stage::Sessions(slot + 1);
        // A note of what was sent must not follow a slice that has it: the fold takes slices as they stand.
        self.record_sent_of(slot);
        let Some(resident) = self.sessions.numbered(slot, number) else { return next };
        let unfinished = resident.session.outbound.unfinished_from(from);
        let slice = unfinished.take_while(|(ordinal, _)| *ordinal < until).take(*left);
        let copies: Vec<_> = slice.map(|(ordinal, copy)| kept_copy(ordinal, copy)).collect();
        let Some(last) = copies.last().map(|copy| copy.ordinal) else { return next };
        *left -= copies.len();
        self.records.push(Record::KeptCopies { session: number, copies });
        Stage::Copies { slot, session: number, from: Ordinal(last.0 + 1), until }
    }

    fn write_retained(
        &mut self,
        mut kept: std::vec::IntoIter<Arc<Message>>,
        mut deleted: Vec<Deleted>,
        left: &mut usize,
    ) -> Stage {
        while *left > 0 {
            *left -= 1;
            if let Some(Deleted { topic, version }) = deleted.pop() {
                self.records.push(Record::Retained { topic, version, body: None });
                continue;
            }
            let Some(message) = kept.next() else { return Stage::Delayed(DelayedNumber(0)) };
            let name =
                TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
            let source = self.node.retained.source(name);
            let (topic, version): (Box<str>, _) = (message.topic().into(), message.version);
            if let Some(source) = source {
                self.records.push(Record::RetainedBy { topic: topic.clone(), version, source });
            }
            self.records.push(Record::Retained { topic, version, body: Some(Body::Held(message)) });
        }
        Stage::Retained { kept, deleted }
    }
}

fn kept_session(session: &Session, entered: Position, now: Now) -> KeptSession {
    let subscriptions = session.subscriptions.iter();
    KeptSession {
        terms: SessionRecord {
            session: session.number,
            client_id: session.client_id.clone(),
            expiry: session.expiry,
            will: session.will.as_ref().map(|will| will.to_record()),
        },
        inbound: session.inbound.iter().collect(),
        subscriptions: subscriptions
            .map(|(filter, subscription)| (filter.clone(), subscription.options, subscription.id))
            .collect(),
        next: session.outbound.next_ordinal(),
        entered,
        absent: session.disconnected.map(|since| millis(now.time.since(since))),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn kept_copy(ordinal: Ordinal, copy: MessageCopy) -> KeptCopy {
    let progress = match copy.state {
        CopyState::Queued => KeptProgress::Queued,
        CopyState::Sent => KeptProgress::Sent,
        CopyState::Received | CopyState::Released | CopyState::Finished => KeptProgress::Released,
    };
    let MessageCopy { body, subscription_ids, share, qos, retain, .. } = copy;
    KeptCopy { ordinal, progress, body, qos, retain, subscription_ids, share }
}

/// The copy that was kept.
pub(crate) fn restored_copy(kept: &KeptCopy) -> MessageCopy {
    MessageCopy {
        body: kept.body.clone(),
        subscription_ids: kept.subscription_ids.clone(),
        share: kept.share.clone(),
        qos: kept.qos,
        retain: kept.retain,
        state: match kept.progress {
            KeptProgress::Queued => CopyState::Queued,
            KeptProgress::Sent => CopyState::Sent,
            KeptProgress::Released => CopyState::Released,
        },
    }
}

//! Writing down what became of a copy: in the ledger always, in the journal when its Session is persistent.

use martlet_packet::QoS;
use martlet_record::{Body, Message, Ordinal, Record, SessionNumber, Settled, Time};
use martlet_session::{MessageCopy, Overflow, QueueLimits, Session};
use std::sync::Arc;

use crate::Ledger;

/// The ledgers of a shard and of one Client, and the shard's records of this turn.
#[derive(Debug)]
pub(crate) struct Books<'a> {
    pub(crate) ledger: &'a mut Ledger,
    /// The same for this Client alone.
    pub(crate) tally: &'a mut Ledger,
    pub(crate) records: &'a mut Vec<Record>,
    pub(crate) session: SessionNumber,
    pub(crate) is_persistent: bool,
}

/// Did a copy find room?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enqueued {
    Queued,
    /// A copy, this or the one that waited longest, was dropped for it.
    Dropped,
    /// Its Client reads so slowly that the policy parts with it.
    TooSlow,
}

impl Books<'_> {
    /// A copy ended this way.
    pub(crate) fn settle(&mut self, ordinal: Ordinal, how: Settled) {
        self.count(how);
        if self.is_persistent {
            self.records.push(Record::Settled { session: self.session, ordinal, how });
        }
    }

    /// Queues a copy, or lets the overflow policy decide. What the log knows need not be held in memory.
    pub(crate) fn enqueue(
        &mut self,
        session: &mut Session,
        copy: MessageCopy,
        limits: &QueueLimits,
        now: Time,
    ) -> Enqueued {
        self.ledger.accepted += 1;
        self.tally.accepted += 1;
        let is_logged = self.is_persistent && copy.body.as_ref().and_then(Body::stored).is_some();
        let spills =
            is_logged && (session.connection.is_none() || session.outbound.is_crowded(copy.size(), limits));
        let is_full = session.outbound.is_full(copy.size(), limits);
        if copy.qos == QoS::AtMostOnce && session.outbound.is_at_limit(copy.size(), limits) {
            // Its publisher cannot be told.
            let ordinal = session.outbound.skip();
            self.settle(ordinal, Settled::QueueFull);
            return Enqueued::Dropped;
        }
        match limits.overflow {
            Overflow::Disconnect if is_full && session.connection.is_some() && is_logged => {
                session.outbound.enqueue(copy, spills);
                Enqueued::TooSlow
            }
            Overflow::Spill | Overflow::Disconnect if is_logged => {
                session.outbound.enqueue(copy, spills);
                Enqueued::Queued
            }
            // The gate stops publishers; what was under way already is kept.
            Overflow::RejectPublisher => {
                session.outbound.enqueue(copy, spills);
                Enqueued::Queued
            }
            Overflow::Spill | Overflow::Disconnect | Overflow::DropNewest | Overflow::DropOldest => {
                self.enqueue_within(session, copy, limits, spills, now)
            }
        }
    }

    /// Queues a copy within limits. What expired at the head of a full queue makes room first.
    fn enqueue_within(
        &mut self,
        session: &mut Session,
        copy: MessageCopy,
        limits: &QueueLimits,
        spills: bool,
        now: Time,
    ) -> Enqueued {
        let is_expired = |first: &MessageCopy| first.is_expired(now);
        while session.outbound.is_full(copy.size(), limits)
            && session.outbound.first_queued().is_some_and(is_expired)
            && let Some((expired, _)) = session.outbound.pop_queued()
        {
            self.settle(expired, Settled::Expired);
        }
        if !session.outbound.is_full(copy.size(), limits) {
            session.outbound.enqueue(copy, spills);
            return Enqueued::Queued;
        }
        if limits.overflow == Overflow::DropOldest {
            while session.outbound.is_full(copy.size(), limits)
                && let Some((oldest, gone)) = session.outbound.pop_queued()
            {
                self.settle(oldest, if is_expired(&gone) { Settled::Expired } else { Settled::QueueFull });
            }
        }
        if session.outbound.is_full(copy.size(), limits) {
            let ordinal = session.outbound.skip();
            self.settle(ordinal, Settled::QueueFull);
        } else {
            session.outbound.enqueue(copy, spills);
        }
        if limits.overflow == Overflow::Disconnect { Enqueued::TooSlow } else { Enqueued::Dropped }
    }

    fn count(&mut self, how: Settled) {
        self.ledger.settle(how);
        self.tally.settle(how);
    }
}

/// A copy that was not sent yet.
pub(crate) fn queued_copy(message: &Arc<Message>, recipient: &crate::Recipient) -> MessageCopy {
    MessageCopy {
        body: Some(Body::Held(Arc::clone(message))),
        subscription_ids: recipient.subscription_ids.clone(),
        share: recipient.share.clone(),
        qos: recipient.copy_qos(message.qos),
        retain: message.retain && recipient.retain_as_published,
        state: martlet_session::CopyState::Queued,
    }
}

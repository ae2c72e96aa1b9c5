//! Durable facts. Each is written once, by the shard that decided it, and names its object.

use std::sync::Arc;

use martlet_packet::{PacketId, QoS, SubscriptionOptions};
use martlet_topic::SubscriptionFilter;

use crate::{
    Body, CheckpointNumber, DelayedNumber, Message, Ordinal, Position, SessionNumber, ShardId, WallTime,
};

/// A durable fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A persistent Session began, or began to be persistent.
    Opened(SessionRecord),
    /// Its Network Connection came back with new terms.
    Resumed(SessionRecord),
    /// Its Network Connection ended; its clocks run from here.
    Disconnected {
        /// Which Session.
        session: SessionNumber,
        /// Session Expiry Interval in force, in seconds.
        expiry: u32,
        /// The Will is discarded (DISCONNECT with 0x00), not kept for its delay.
        will_discarded: bool,
        /// When.
        at: WallTime,
    },
    /// The Session is over: whatever names its number is void from here.
    Ended {
        /// Which Session.
        session: SessionNumber,
        /// Why.
        why: Ending,
        /// Copies committed up to this position had entered its queue: what became of them stands beside this record.
        entered: Position,
    },
    /// A Subscription was made or replaced, with the retained Messages it brings.
    Subscribed(SubscribeRecord),
    /// A Subscription was deleted.
    Unsubscribed {
        /// Which Session.
        session: SessionNumber,
        /// The filter as the Client wrote it.
        filter: SubscriptionFilter,
    },
    /// A Message with all persistent Sessions that get it.
    Published(PublishRecord),
    /// A retained message was replaced, or deleted when `body` is `None`.
    Retained {
        /// Topic Name.
        topic: Box<str>,
        /// Node-wide order of changes: the fold keeps the highest.
        version: u64,
        /// The new one.
        body: Option<Body>,
    },
    /// Who published the retained message of this version, for the question whether it still may.
    RetainedBy {
        /// Topic Name.
        topic: Box<str>,
        /// Of the retained message: of another version it says nothing.
        version: u64,
        /// The publisher.
        source: RetainedSource,
    },
    /// A Message for `$delayed` waits for its time.
    Delayed(DelayedRecord),
    /// Copies up to this one were sent at least once.
    Sent {
        /// Whose copies.
        session: SessionNumber,
        /// The last of them.
        up_to: Ordinal,
    },
    /// The Client answered PUBREC: its copy is received, only PUBREL and PUBCOMP are left.
    Received {
        /// Whose copy.
        session: SessionNumber,
        /// Where its home keeps it in memory: a hint, checked against the number.
        slot: u32,
        /// Which copy.
        ordinal: Ordinal,
    },
    /// A copy is finished.
    Settled {
        /// Whose copy.
        session: SessionNumber,
        /// Which copy.
        ordinal: Ordinal,
        /// How.
        how: Settled,
    },
    /// The Client released an inbound QoS 2 Packet Identifier.
    Released {
        /// Which Session.
        session: SessionNumber,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// For a checkpoint: a Session as it stands, but for its queue.
    Kept(KeptSession),
    /// For a checkpoint: some of its copies as they stand, ascending; slices of one Session ascend too.
    KeptCopies {
        /// Whose.
        session: SessionNumber,
        /// The copies.
        copies: Vec<KeptCopy>,
    },
    /// For a checkpoint: a shard has written down everything it holds.
    Snapshotted {
        /// Which checkpoint.
        checkpoint: CheckpointNumber,
        /// Sessions the shard opened so far, so that no number returns.
        opened: u64,
        /// Messages the shard delayed so far.
        delayed: u64,
        /// The last version of a retained message that was given so far.
        version: u64,
    },
}

impl Record {
    /// The Sessions it is about, some of them several times.
    pub fn sessions(&self) -> Vec<SessionNumber> {
        match self {
            Self::Opened(terms) | Self::Resumed(terms) => vec![terms.session],
            Self::Kept(kept) => vec![kept.terms.session],
            Self::Subscribed(made) => vec![made.session],
            Self::Published(published) => {
                let copies = published.copies.iter().flat_map(|(_, copies)| copies).map(|copy| copy.session);
                let mark = published.mark.map(|(session, _)| session);
                copies.chain(mark).chain(published.will_of).chain(published.passed_from).collect()
            }
            Self::Delayed(delayed) => delayed.mark.iter().map(|(session, _)| *session).collect(),
            Self::Disconnected { session, .. }
            | Self::Ended { session, .. }
            | Self::Unsubscribed { session, .. }
            | Self::Sent { session, .. }
            | Self::Received { session, .. }
            | Self::Settled { session, .. }
            | Self::Released { session, .. }
            | Self::KeptCopies { session, .. } => vec![*session],
            Self::Retained { .. } | Self::RetainedBy { .. } | Self::Snapshotted { .. } => Vec::new(),
        }
    }

    /// The Messages it names, but for a Will.
    pub fn bodies(&self) -> impl Iterator<Item = &Body> {
        let one = match self {
            Self::Published(published) => Some(&published.body),
            Self::Retained { body, .. } => body.as_ref(),
            Self::Delayed(delayed) => Some(&delayed.body),
            _ => None,
        };
        let replayed = match self {
            Self::Subscribed(made) => Some(made.queued_copies()),
            _ => None,
        };
        let kept = match self {
            Self::KeptCopies { copies, .. } => copies.as_slice(),
            _ => &[],
        };
        let replayed = replayed.into_iter().flatten().map(|copy| &copy.body);
        one.into_iter().chain(replayed).chain(kept.iter().filter_map(|copy| copy.body.as_ref()))
    }
}

/// Who published a retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedSource {
    /// Its Client Identifier.
    pub client_id: Box<str>,
    /// Its User Name.
    pub username: Option<Box<str>>,
    /// Which rules of access hold for it.
    pub realm: u16,
}

/// The terms of a persistent Session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its number.
    pub session: SessionNumber,
    /// Its Client.
    pub client_id: Box<str>,
    /// Session Expiry Interval in seconds; `u32::MAX` is for ever.
    pub expiry: u32,
    /// Its Will.
    pub will: Option<WillRecord>,
}

/// A Will Message that waits for its Network Connection to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WillRecord {
    /// What is published.
    pub message: Arc<Message>,
    /// Message Expiry Interval in seconds, counted from the publication.
    pub expiry: Option<u32>,
    /// Will Delay Interval in seconds.
    pub delay: u32,
}

/// A Subscription with the retained copies it queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRecord {
    /// Whose Subscription.
    pub session: SessionNumber,
    /// Where its home keeps it in memory: a hint, checked against the number.
    pub slot: u32,
    /// The filter as the Client wrote it.
    pub filter: SubscriptionFilter,
    /// Subscription Options.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub subscription_id: Option<u32>,
    /// Retained Messages it brings, oldest first.
    pub replayed: Vec<ReplayedCopy>,
}

/// A retained Message as one Subscription gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedCopy {
    /// The retained Message.
    pub body: Body,
    /// Quality of Service it is sent with.
    pub qos: QoS,
}

impl SubscribeRecord {
    /// The retained Messages that are queued, not sent at once: those with QoS 1 and 2.
    pub fn queued_copies(&self) -> impl Iterator<Item = &ReplayedCopy> {
        self.replayed.iter().filter(|copy| copy.qos > QoS::AtMostOnce)
    }
}

/// A Message, once, with the persistent Sessions that get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRecord {
    /// The Message.
    pub body: Body,
    /// Copies by home shard; homes never match again.
    pub copies: Vec<(ShardId, Vec<CopyRecord>)>,
    /// The publisher's inbound QoS 2 mark, set in the same frame.
    pub mark: Option<(SessionNumber, PacketId)>,
    /// The Session whose Will this is: firing and Message are one fact.
    pub will_of: Option<SessionNumber>,
    /// The delayed Message this was: its end and its publication are one fact.
    pub was_delayed: Option<DelayedNumber>,
    /// The ended Session whose copy, chosen for a Shared Subscription, goes to another member by this.
    pub passed_from: Option<SessionNumber>,
}

impl PublishRecord {
    /// A Message for these copies, and nothing else that it would mean.
    pub fn new(body: Body, copies: Vec<(ShardId, Vec<CopyRecord>)>) -> Self {
        Self { body, copies, mark: None, will_of: None, was_delayed: None, passed_from: None }
    }
}

/// A Message that is published later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayedRecord {
    /// Its number.
    pub number: DelayedNumber,
    /// When it is published.
    pub due: WallTime,
    /// The Message, under the Topic Name it is published with.
    pub body: Body,
    /// The publisher's inbound QoS 2 mark, set in the same frame.
    pub mark: Option<(SessionNumber, PacketId)>,
}

/// A persistent Session as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSession {
    /// Its terms.
    pub terms: SessionRecord,
    /// Inbound QoS 2 Packet Identifiers that are not released.
    pub inbound: Vec<PacketId>,
    /// Its Subscriptions.
    pub subscriptions: Vec<(SubscriptionFilter, SubscriptionOptions, Option<u32>)>,
    /// The ordinal of its next copy.
    pub next: Ordinal,
    /// Copies committed up to this position had entered its queue; those behind it come from the log.
    pub entered: Position,
    /// Milliseconds for which it has had no Network Connection, on the clock that never jumps; `None` while it has one.
    pub absent: Option<u64>,
}

/// A copy as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCopy {
    /// Its place in its Session's order.
    pub ordinal: Ordinal,
    /// How far it came.
    pub progress: KeptProgress,
    /// The Message; gone once PUBREC said that the Client has it.
    pub body: Option<Body>,
    /// Quality of Service it is sent with.
    pub qos: QoS,
    /// RETAIN as it is sent.
    pub retain: bool,
    /// Subscription Identifiers it carries.
    pub subscription_ids: Option<Arc<[u32]>>,
    /// The Shared Subscription it was chosen for.
    pub share: Option<Arc<SubscriptionFilter>>,
}

/// How far a copy came, as a checkpoint keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeptProgress {
    /// Never sent.
    Queued,
    /// Sent, not answered.
    Sent,
    /// PUBREC came: only PUBREL and PUBCOMP are left.
    Released,
}

/// One Session's copy of a Message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRecord {
    /// Whose.
    pub session: SessionNumber,
    /// Where its home keeps it in memory: a hint, checked against the number.
    pub slot: u32,
    /// Quality of Service it is sent with: QoS 1 or 2.
    pub qos: QoS,
    /// RETAIN as it is sent.
    pub retain: bool,
    /// Subscription Identifiers it carries.
    pub subscription_ids: Option<Arc<[u32]>>,
    /// The Shared Subscription it was chosen for.
    pub share: Option<Arc<SubscriptionFilter>>,
}

/// How a copy was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// PUBACK or PUBCOMP of success.
    Delivered,
    /// The Client answered with a Reason Code of 0x80 or more: it has it and does not want it.
    Refused,
    /// Its Message Expiry Interval passed before it was sent.
    Expired,
    /// The queue was full.
    QueueFull,
    /// The Client's Maximum Packet Size does not hold it [MQTT-3.1.2-25].
    TooLarge,
    /// It was a retained message that a newer one replaced before it was queued; it never entered the books.
    Replaced,
    /// The disk gave back something else than was written.
    Damaged,
    /// The Client may no longer receive it.
    Denied,
}

/// Why a Session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A CONNECT with Clean Start.
    CleanStart,
    /// Its Session Expiry Interval passed, or was zero when its Network Connection ended.
    Expired,
}

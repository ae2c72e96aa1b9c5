//! Durable facts. Each is written once, by the shard that decided it, and names its object.

use std::sync::Arc;

use martlet_packet::{PacketId, QoS, SubscriptionOptions};
use martlet_topic::SubscriptionFilter;

use crate::{Message, Ordinal, SessionNumber, ShardId, WallTime};

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
    /// A retained message was replaced, or deleted when `message` is `None`.
    Retained {
        /// Topic Name.
        topic: Box<str>,
        /// Node-wide order of changes: the fold keeps the highest.
        version: u64,
        /// The new one.
        message: Option<Arc<Message>>,
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
    pub message: Arc<Message>,
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
    pub message: Arc<Message>,
    /// Copies by home shard; homes never match again.
    pub copies: Vec<(ShardId, Vec<CopyRecord>)>,
    /// The publisher's inbound QoS 2 mark, set in the same frame.
    pub mark: Option<(SessionNumber, PacketId)>,
    /// The Session whose Will this is: firing and Message are one fact.
    pub will_of: Option<SessionNumber>,
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
}

/// Why a Session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A CONNECT with Clean Start.
    CleanStart,
    /// Its Session Expiry Interval passed, or was zero when its Network Connection ended.
    Expired,
}

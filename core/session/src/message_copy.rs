//! One Session's copy of a Message.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Message, Time};
use martlet_topic::SubscriptionFilter;

/// A Message as one Session gets it with QoS 1 or 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageCopy {
    /// The Message; gone once PUBREC said that the Client has it.
    pub message: Option<Arc<Message>>,
    /// Subscription Identifiers it carries [MQTT-3.3.4-3].
    pub subscription_ids: Option<Arc<[u32]>>,
    /// The Shared Subscription it was chosen for.
    pub share: Option<Arc<SubscriptionFilter>>,
    /// Quality of Service it is sent with.
    pub qos: QoS,
    /// RETAIN as it is sent.
    pub retain: bool,
    /// How far it came.
    pub state: CopyState,
}

/// How far a copy came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyState {
    /// Never sent.
    Queued,
    /// Sent, not answered: sent again with DUP when the Client comes back [MQTT-3.3.1-1].
    Sent,
    /// PUBREC came; PUBREL waits until that is durable.
    Received,
    /// PUBREL was sent, PUBCOMP is awaited.
    Released,
    /// Finished; it only keeps its place until those before it are finished too.
    Finished,
}

impl MessageCopy {
    /// Bytes of its payload, as long as it has one.
    pub fn payload_len(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.payload_len())
    }

    /// Has the time of its Message run out?
    pub fn is_expired(&self, now: Time) -> bool {
        self.message.as_ref().is_some_and(|message| message.is_expired(now))
    }

    /// Bytes it is counted with against limits.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.message.as_ref().map_or(0, |message| message.size())
    }
}

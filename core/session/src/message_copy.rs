//! One Session's copy of a Message.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, Message, Stored, Time};
use martlet_topic::SubscriptionFilter;

/// A Message as one Session gets it with QoS 1 or 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageCopy {
    /// The Message; gone once PUBREC said that the Client has it.
    pub body: Option<Body>,
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
    /// The Message, if it is at hand.
    pub fn message(&self) -> Option<&Arc<Message>> {
        self.body.as_ref().and_then(Body::held)
    }

    /// Bytes of its payload, as long as it is at hand.
    pub fn payload_len(&self) -> usize {
        self.message().map_or(0, |message| message.payload_len())
    }

    /// Has the time of its Message run out? One that is not at hand is asked when it is.
    pub fn is_expired(&self, now: Time) -> bool {
        self.message().is_some_and(|message| message.is_expired(now))
    }

    /// Bytes it is counted with against limits, wherever its Message lies.
    pub fn size(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| size_of::<Message>() + body.len());
        size_of::<Self>() + body
    }

    /// What must be read back before it can be sent.
    pub(crate) fn missing(&self) -> Option<Stored> {
        match &self.body {
            Some(Body::Stored(stored)) => Some(*stored),
            Some(Body::Held(_)) | None => None,
        }
    }

    /// Lets go of the Message, if the log has it.
    pub(crate) fn let_go(&mut self) {
        if let Some(stored) = self.body.as_ref().and_then(Body::stored) {
            self.body = Some(Body::Stored(stored));
        }
    }
}

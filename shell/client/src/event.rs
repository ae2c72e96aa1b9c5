//! What happened, as the application hears of it. What ends the Connection is an [`Error`](crate::Error) instead.

use martlet_packet::{PacketId, PropertiesBuf, ReasonCode};

use crate::Message;

/// What the Server's packets amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The Server accepted the Connection.
    Connected(Connected),
    /// A Message came. Its acknowledgement lies in the out buffer.
    Received(Received),
    /// A Message of QoS 1 or 2 is done: acknowledged to the end, or refused with a Reason Code of 0x80 or above.
    Published {
        /// What [`publish`](crate::Protocol::publish) returned.
        packet_id: PacketId,
        /// What became of it; always Success in MQTT 3.x.
        reason: ReasonCode,
        /// Why, in the Server's words.
        reason_string: Option<String>,
    },
    /// A SUBSCRIBE was answered.
    Subscribed {
        /// What [`subscribe`](crate::Protocol::subscribe) returned.
        packet_id: PacketId,
        /// One for each Topic Filter, in their order.
        reasons: Vec<ReasonCode>,
    },
    /// An UNSUBSCRIBE was answered.
    Unsubscribed {
        /// What [`unsubscribe`](crate::Protocol::unsubscribe) returned.
        packet_id: PacketId,
        /// One for each Topic Filter, in their order; none in MQTT 3.x.
        reasons: Vec<ReasonCode>,
    },
}

/// What the CONNACK said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connected {
    /// Whether the Server kept a Session.
    pub session_present: bool,
    /// All properties, the Assigned Client Identifier among them.
    pub properties: PropertiesBuf,
}

/// A Message from the Server, and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The Message; where an alias stood for the Topic Name, the name is filled in.
    pub message: Message,
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Its Packet Identifier, for QoS 1 and 2.
    pub packet_id: Option<PacketId>,
    /// The identifiers of the Subscriptions it matches.
    pub subscription_ids: Vec<u32>,
}

//! What the model is made of: a Session with its copies, and Network Connections.

use std::borrow::Cow;

use martlet_packet::{Packet, PacketId, Properties, Publish, PublishQoS, QoS, Version};
use martlet_record::MessageRef;
use martlet_session::MessageCopy;
use martlet_simulator::raw;

pub(crate) const TOPIC: &str = "t";

/// What was published.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) qos: QoS,
    /// Message Expiry Interval, in seconds.
    pub(crate) expiry: Option<u32>,
    pub(crate) payload: Vec<u8>,
}

/// What a CONNECT asks for.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) version: Version,
    pub(crate) clean_start: bool,
    pub(crate) expiry: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: Option<u32>,
}

/// What a Client answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the names of the packets")]
pub(crate) enum Answer {
    PubAck,
    PubRec,
    PubComp,
}

/// The subscriber's Session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) number: u32,
    /// What it is promised goes through the log.
    pub(crate) is_kept: bool,
    pub(crate) expiry: u32,
    pub(crate) is_subscribed: bool,
    pub(crate) connection: Option<usize>,
    pub(crate) disconnected: u64,
    pub(crate) copies: Vec<Copy>,
    /// How many copies it ever had, dropped ones included.
    pub(crate) ordinals: u64,
}

/// Its copy of a Message.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) ordinal: u64,
    pub(crate) qos: QoS,
    pub(crate) published: Message,
    /// When it was published.
    pub(crate) at: u64,
    pub(crate) state: State,
    /// Sent over this Network Connection.
    pub(crate) is_seen: bool,
}

/// How far a copy came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Sent,
    Received,
    Released,
}

/// A Network Connection of the subscriber.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) version: Version,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: usize,
    pub(crate) is_open: bool,
    pub(crate) is_closed: bool,
    pub(crate) is_deaf: bool,
    /// Bytes its socket has not taken.
    pub(crate) waiting: Vec<u8>,
    /// Bytes it took since somebody looked.
    pub(crate) heard: Vec<u8>,
}

impl Session {
    pub(crate) fn new(number: u32, is_kept: bool) -> Self {
        Self {
            number,
            is_kept,
            expiry: 0,
            is_subscribed: false,
            connection: None,
            disconnected: 0,
            copies: Vec::new(),
            ordinals: 0,
        }
    }
}

impl Connection {
    pub(crate) fn new(terms: &Terms) -> Self {
        let maximum_packet_size = terms.maximum_packet_size.map_or(usize::MAX, |maximum| maximum as usize);
        Self {
            version: terms.version,
            receive_maximum: terms.receive_maximum,
            maximum_packet_size,
            is_open: false,
            is_closed: false,
            is_deaf: false,
            waiting: Vec::new(),
            heard: Vec::new(),
        }
    }
}

impl Copy {
    pub(crate) fn new(ordinal: u64, qos: QoS, published: Message, at: u64) -> Self {
        Self { ordinal, qos, published, at, state: State::Queued, is_seen: false }
    }

    pub(crate) fn id(&self) -> u16 {
        u16::try_from(self.ordinal + 1).expect("few copies")
    }

    pub(crate) fn expires(&self) -> Option<u64> {
        self.published.expiry.map(|seconds| self.at + u64::from(seconds) * 1000)
    }

    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    /// What is held for it counts: the Message, until the Client has it, and what knows of it.
    pub(crate) fn size(&self) -> usize {
        let expires = self.expires().map(martlet_record::Time::from_millis);
        let message = MessageRef { expires, ..MessageRef::new(TOPIC, &self.published.payload) }.to_message();
        let message = size_of::<martlet_record::Message>() + message.encoded_len();
        let is_held = matches!(self.state, State::Queued | State::Sent);
        size_of::<MessageCopy>() + if is_held { message } else { 0 }
    }

    /// Its PUBLISH as it goes over the wire now: with DUP if it did before.
    pub(crate) fn packet(&self, version: Version, now: u64) -> Vec<u8> {
        let remaining = |expires: u64| expires.saturating_sub(now).div_ceil(1000);
        let publish = Publish {
            dup: self.state == State::Sent,
            retain: false,
            qos: match self.qos {
                QoS::AtMostOnce => PublishQoS::AtMostOnce,
                QoS::AtLeastOnce => PublishQoS::AtLeastOnce(packet_id(self.id())),
                QoS::ExactlyOnce => PublishQoS::ExactlyOnce(packet_id(self.id())),
            },
            topic: TOPIC,
            topic_alias: None,
            message_expiry: self.expires().map(|at| u32::try_from(remaining(at)).expect("soon")),
            subscription_ids: Cow::Borrowed(&[]),
            properties: Properties::default(),
            payload: &self.published.payload,
        };
        raw(version, &Packet::Publish(publish))
    }
}

pub(crate) fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("identifiers begin with one")
}

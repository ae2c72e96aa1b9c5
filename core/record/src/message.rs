//! An Application Message: what a PUBLISH carries once accepted.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use martlet_packet::QoS;

use crate::body::encoded_len;
use crate::place::PlaceCell;
use crate::{Place, SessionNumber, Stored, Time};

/// A Message as it passes through: its bytes still lie where they arrived.
#[derive(Debug, Clone, Copy)]
pub struct MessageRef<'a> {
    /// Topic Name.
    pub topic: &'a str,
    /// MQTT 5 properties that are handed on unaltered, in the publisher's order [MQTT-3.3.2-17].
    pub properties: &'a [u8],
    /// Application data.
    pub payload: &'a [u8],
    /// Quality of Service it was published with.
    pub qos: QoS,
    /// RETAIN as the publisher set it.
    pub retain: bool,
    /// Who published it, for No Local.
    pub publisher: SessionNumber,
    /// When it expires [MQTT-3.3.2-5]; `None`: never.
    pub expires: Option<Time>,
    /// The version of the retained message it became; zero when it was not retained.
    pub version: u64,
}

/// A Message that waits: one immutable block, shared by all who still need it.
#[derive(Debug, Clone)]
pub struct Message {
    block: Bytes,
    topic_len: u16,
    properties_len: u32,
    /// Quality of Service it was published with.
    pub qos: QoS,
    /// RETAIN as the publisher set it.
    pub retain: bool,
    /// Who published it.
    pub publisher: SessionNumber,
    expires: Option<Time>,
    /// Bytes of its body in the log.
    encoded_len: u32,
    /// The version of the retained message it became; zero when it was not retained.
    pub version: u64,
    place: PlaceCell,
}

/// The Message of a record: at hand, or in the log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// It is at hand. The log writes it once, and refers to its place from then on.
    Held(Arc<Message>),
    /// It must be read back before it can be sent.
    Stored(Stored),
}

impl<'a> MessageRef<'a> {
    /// A Message of the node's own, with nothing but a Topic Name and a payload: QoS 0, not retained, never expiring.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Self {
            topic,
            properties: &[],
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            publisher: SessionNumber::NODE,
            expires: None,
            version: 0,
        }
    }

    /// A copy that may wait, in one block.
    pub fn to_message(&self) -> Message {
        let mut block =
            BytesMut::with_capacity(self.topic.len() + self.properties.len() + self.payload.len());
        block.extend_from_slice(self.topic.as_bytes());
        block.extend_from_slice(self.properties);
        block.extend_from_slice(self.payload);
        Message {
            block: block.freeze(),
            topic_len: u16::try_from(self.topic.len()).expect("a Topic Name fits two bytes of length"),
            properties_len: u32::try_from(self.properties.len()).expect("properties fit a packet"),
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher,
            expires: self.expires,
            encoded_len: encoded_len(
                [self.topic.len(), self.properties.len(), self.payload.len()],
                self.expires.is_some(),
            ),
            version: self.version,
            place: PlaceCell::default(),
        }
    }

    /// Has its time run out?
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// What a Message is made of.
pub(crate) struct Parts {
    pub(crate) block: Bytes,
    pub(crate) topic_len: u16,
    pub(crate) properties_len: u32,
}

impl Message {
    /// A Message that was read from the log.
    pub(crate) fn from_parts(
        parts: Parts,
        qos: QoS,
        retain: bool,
        expires: Option<Time>,
        place: Option<Place>,
    ) -> Self {
        let Parts { block, topic_len, properties_len } = parts;
        let publisher = SessionNumber::NODE;
        let payload_len = block.len() - usize::from(topic_len) - properties_len as usize;
        let lengths = [usize::from(topic_len), properties_len as usize, payload_len];
        let message = Self {
            block,
            topic_len,
            properties_len,
            qos,
            retain,
            publisher,
            expires,
            encoded_len: encoded_len(lengths, expires.is_some()),
            version: 0,
            place: PlaceCell::default(),
        };
        place.into_iter().for_each(|place| message.set_place(place));
        message
    }

    /// Where the log keeps it, once it does.
    pub fn place(&self) -> Option<Place> {
        self.place.get()
    }

    /// The journal wrote it here. Whoever hears of the commit finds the place; only the first counts.
    pub fn set_place(&self, place: Place) {
        self.place.set(place);
    }

    /// When it expires; `None`: never.
    pub fn expires(&self) -> Option<Time> {
        self.expires
    }

    /// Bytes of its body in the log.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len as usize
    }

    /// Its body in the log, once it is there.
    pub fn stored(&self) -> Option<Stored> {
        self.place().map(|place| Stored { place, len: self.encoded_len })
    }

    /// Borrowed, as the hot path takes it.
    pub fn view(&self) -> MessageRef<'_> {
        let (topic, rest) = self.block.split_at(usize::from(self.topic_len));
        let (properties, payload) = rest.split_at(self.properties_len as usize);
        MessageRef {
            topic: std::str::from_utf8(topic).expect("it was a str when the block was made"),
            properties,
            payload,
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher,
            expires: self.expires,
            version: self.version,
        }
    }

    /// Topic Name.
    pub fn topic(&self) -> &str {
        self.view().topic
    }

    /// The payload by reference: whoever holds it keeps the whole block.
    pub fn payload(&self) -> Bytes {
        self.block.slice(usize::from(self.topic_len) + self.properties_len as usize..)
    }

    /// Topic Name, properties and payload, one behind the other.
    pub(crate) fn block(&self) -> &[u8] {
        &self.block
    }

    pub(crate) fn topic_len(&self) -> usize {
        usize::from(self.topic_len)
    }

    pub(crate) fn properties_len(&self) -> usize {
        self.properties_len as usize
    }

    /// Bytes of its payload.
    pub fn payload_len(&self) -> usize {
        self.block.len() - usize::from(self.topic_len) - self.properties_len as usize
    }

    /// Bytes it is counted with against limits: its block and what holds it.
    pub fn size(&self) -> usize {
        self.block.len() + size_of::<Self>()
    }

    /// Has its time run out?
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

impl Body {
    /// The Message, if it is at hand.
    pub fn held(&self) -> Option<&Arc<Message>> {
        match self {
            Self::Held(message) => Some(message),
            Self::Stored(_) => None,
        }
    }

    /// Where the log keeps it, once it does.
    pub fn stored(&self) -> Option<Stored> {
        match self {
            Self::Held(message) => message.stored(),
            Self::Stored(stored) => Some(*stored),
        }
    }

    /// Bytes of its payload and all that goes with it.
    pub fn len(&self) -> usize {
        match self {
            Self::Held(message) => message.encoded_len(),
            Self::Stored(stored) => stored.len as usize,
        }
    }

    /// No body is.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl From<Arc<Message>> for Body {
    fn from(message: Arc<Message>) -> Self {
        Self::Held(message)
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.block == other.block
            && self.topic_len == other.topic_len
            && self.properties_len == other.properties_len
            && (self.qos, self.retain, self.publisher) == (other.qos, other.retain, other.publisher)
            && (self.expires, self.version) == (other.expires, other.version)
    }
}

impl Eq for Message {}

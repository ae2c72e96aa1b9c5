//! PUBLISH (MQTT 5.0, §3.3): the packet that carries Messages. Reading and writing it never allocates, but for the
//! identifiers when a Server sends several.

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::frame::Frame;
use crate::packet::check_shortest;
use crate::place::Place;
use crate::properties::Fields;
use crate::property::id;
use crate::{PacketId, Properties, QoS, Version, put, varint};

/// A PUBLISH packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Whether it is to be retained, or was.
    pub retain: bool,
    /// The QoS, with the Packet Identifier where it has one.
    pub qos: PublishQoS,
    /// The Topic Name; empty in MQTT 5.0 when the alias stands for it.
    pub topic: &'a str,
    /// The Topic Alias as sent; 0 and numbers above the maximum are the session's to refuse.
    pub topic_alias: Option<u16>,
    /// The Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// The identifiers of the Subscriptions that match.
    pub subscription_ids: Cow<'a, [u32]>,
    /// All other properties in the publisher's order.
    pub properties: Properties<'a>,
    /// The Application Message itself.
    pub payload: &'a [u8],
}

/// The QoS of a PUBLISH: there is no QoS 0 with a Packet Identifier and no other without. [MQTT-2.2.1-2]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishQoS {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce(PacketId),
    /// QoS 2.
    ExactlyOnce(PacketId),
}

impl PublishQoS {
    /// The bare QoS.
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce(_) => QoS::AtLeastOnce,
            Self::ExactlyOnce(_) => QoS::ExactlyOnce,
        }
    }

    /// The Packet Identifier, where there is one.
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce(packet_id) | Self::ExactlyOnce(packet_id) => Some(packet_id),
        }
    }
}

const FIRST: u8 = 0x30;
const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;

impl<'a> Publish<'a> {
    /// A PUBLISH of QoS 0 with nothing but a Topic Name and a payload.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Self {
            dup: false,
            retain: false,
            qos: PublishQoS::AtMostOnce,
            topic,
            topic_alias: None,
            message_expiry: None,
            subscription_ids: Cow::Borrowed(&[]),
            properties: Properties::from_checked(&[]),
            payload,
        }
    }

    /// Reads the packet; `frame` must be a PUBLISH.
    // Inlined, it is written where the caller wants it; a copy of the packet would cost as much as reading it.
    #[inline(always)]
    pub fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        check_shortest(version, &frame)?;
        let mut cursor = Cursor::new(frame.body);
        let topic = cursor.topic_name("Topic Name")?;
        let qos = match frame.first >> 1 & 3 {
            0 => PublishQoS::AtMostOnce,
            1 => PublishQoS::AtLeastOnce(cursor.packet_id()?),
            2 => PublishQoS::ExactlyOnce(cursor.packet_id()?),
            _ => return Err(malformed("QoS", "is 3 [MQTT-3.3.1-4]")),
        };
        let (properties, fields) = if version.is_v5() {
            decode_properties(&mut cursor)?
        } else {
            (Properties::default(), Fields::default())
        };
        if topic.is_empty() && fields.topic_alias.is_none() {
            return Err(malformed("Topic Name", "is empty and there is no Topic Alias [MQTT-4.7.3-1]"));
        }
        Ok(Self {
            dup: frame.first & DUP != 0,
            retain: frame.first & RETAIN != 0,
            qos,
            topic,
            topic_alias: fields.topic_alias,
            message_expiry: fields.message_expiry,
            subscription_ids: match fields.subscription_ids {
                none if none.is_empty() => Cow::Borrowed(&[]),
                some => Cow::Owned(some),
            },
            properties,
            payload: cursor.rest(),
        })
    }

    /// Appends the packet as this version writes it.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        self.encode_head(version, out);
        out.extend_from_slice(self.payload);
    }

    /// Appends all but the payload, for writers that send the payload from where it lies.
    #[inline]
    pub fn encode_head(&self, version: Version, out: &mut Vec<u8>) {
        let properties = if version.is_v5() { self.property_len() } else { 0 };
        put::fixed_header(self.first_byte(), self.remaining_len(version, properties), out);
        put::binary(self.topic.as_bytes(), out);
        if let Some(packet_id) = self.qos.packet_id() {
            put::u16(packet_id.get(), out);
        }
        if version.is_v5() {
            put::varint(put::length(properties), out);
            if properties > 0 {
                self.encode_properties(out);
            }
        }
    }

    /// Subscription Identifiers first, then the publisher's in their order [MQTT-3.3.2-18], and the expiry last: the
    /// order of Mosquitto, which some tests compare byte for byte.
    fn encode_properties(&self, out: &mut Vec<u8>) {
        for subscription_id in &*self.subscription_ids {
            out.push(id::SUBSCRIPTION_IDENTIFIER);
            put::varint(*subscription_id, out);
        }
        self.properties.append_to(out);
        if let Some(alias) = self.topic_alias {
            out.push(id::TOPIC_ALIAS);
            put::u16(alias, out);
        }
        if let Some(seconds) = self.message_expiry {
            out.push(id::MESSAGE_EXPIRY_INTERVAL);
            put::u32(seconds, out);
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> usize {
        let properties = if version.is_v5() { self.property_len() } else { 0 };
        put::packet_len(self.remaining_len(version, properties))
    }

    const fn first_byte(&self) -> u8 {
        FIRST | (self.dup as u8) << 3 | (self.qos.qos() as u8) << 1 | self.retain as u8
    }

    #[inline]
    fn remaining_len(&self, version: Version, properties: usize) -> usize {
        let packet_id = if self.qos.packet_id().is_some() { 2 } else { 0 };
        let properties = if version.is_v5() { put::block_len(properties) } else { 0 };
        2 + self.topic.len() + packet_id + properties + self.payload.len()
    }

    #[inline]
    fn property_len(&self) -> usize {
        self.subscription_ids.iter().map(|id| 1 + varint::len(*id)).sum::<usize>()
            + self.properties.byte_len()
            + self.topic_alias.map_or(0, |_| 3)
            + self.message_expiry.map_or(0, |_| 5)
    }
}

/// Most have none.
#[inline]
fn decode_properties<'a>(cursor: &mut Cursor<'a>) -> Result<(Properties<'a>, Fields), Error> {
    if let [0, payload @ ..] = cursor.rest() {
        *cursor = Cursor::new(payload);
        return Ok(Default::default());
    }
    Properties::decode(Place::Publish, cursor)
}

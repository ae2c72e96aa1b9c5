//! PUBLISH (MQTT 5.0, §3.3): the packet that carries Messages. Reading and writing it never allocates, but for the
//! identifiers when a Server sends several.

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::frame::{Frame, check_first_byte};
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
        check_first_byte(frame.first)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{MalformedPacket, ProtocolError};
    use crate::written::{VERSIONS, bytes, is, refused, writes};
    use crate::{Packet, PropertiesBuf, Property};

    const SEVEN: PublishQoS = PublishQoS::AtLeastOnce(PacketId::new(7).expect("not 0"));

    #[test]
    fn qos_0_has_no_packet_identifier() {
        let publish = Packet::Publish(Publish::new("a/b", b"hello"));
        is(Version::V3_1, "30 0A 0003 'a/b' 'hello'", &publish);
        is(Version::V3_1_1, "30 0A 0003 'a/b' 'hello'", &publish);
        is(Version::V5, "30 0B 0003 'a/b' 00 'hello'", &publish);
    }

    #[test]
    fn dup_qos_and_retain_are_flags() {
        let seven = PacketId::new(7).expect("not 0");
        let publish = Publish { dup: true, retain: true, ..Publish::new("a", b"!") };
        let once = Packet::Publish(Publish { qos: SEVEN, ..publish.clone() });
        is(Version::V3_1_1, "3B 06 0001 'a' 0007 '!'", &once);
        let exactly = Packet::Publish(Publish { dup: false, qos: PublishQoS::ExactlyOnce(seven), ..publish });
        is(Version::V5, "35 07 0001 'a' 0007 00 '!'", &exactly);
    }

    /// Figure 3-9.
    #[test]
    fn the_example_of_the_specification() {
        let publish = Publish {
            qos: PublishQoS::AtLeastOnce(PacketId::new(10).expect("not 0")),
            ..Publish::new("a/b", &[])
        };
        is(Version::V5, "32 08 0003 'a/b' 000A 00", &Packet::Publish(publish));
    }

    /// [MQTT-2.2.1-3], [MQTT-2.2.1-4]
    #[test]
    fn a_packet_identifier_of_0_is_refused() {
        for version in VERSIONS {
            refused(version, "32 05 0001 'a' 0000", ProtocolError, "Packet Identifier");
            refused(version, "34 05 0001 'a' 0000", ProtocolError, "Packet Identifier");
        }
    }

    /// [MQTT-4.7.3-1]
    #[test]
    fn an_empty_topic_name_needs_an_alias() {
        refused(Version::V3_1_1, "30 03 0000 'x'", MalformedPacket, "Topic Name");
        refused(Version::V5, "30 04 0000 00 'x'", MalformedPacket, "Topic Name");
        let publish = Publish { topic_alias: Some(3), ..Publish::new("", b"x") };
        is(Version::V5, "30 07 0000 03 230003 'x'", &Packet::Publish(publish));
    }

    /// [MQTT-3.3.2-2], [MQTT-4.7.0-1]
    #[test]
    fn a_topic_name_has_no_wildcard() {
        for version in VERSIONS {
            refused(version, "30 05 0003 'a/+'", MalformedPacket, "Topic Name contains a wildcard");
            refused(version, "30 05 0003 'a/#'", MalformedPacket, "Topic Name contains a wildcard");
        }
    }

    /// [MQTT-3.3.2-1]
    #[test]
    fn a_topic_name_is_utf_8_and_ends_before_the_packet_does() {
        for version in VERSIONS {
            refused(version, "30 04 0002 'a' FF", MalformedPacket, "Topic Name is not valid UTF-8");
            refused(version, "30 04 0002 'a' 00", MalformedPacket, "Topic Name");
            refused(version, "30 03 0002 'a'", MalformedPacket, "Topic Name ends behind its packet");
            refused(version, "30 01 00", MalformedPacket, "Topic Name ends behind its packet");
            refused(
                version,
                "32 04 0001 'a' 00",
                MalformedPacket,
                "Packet Identifier ends behind its packet",
            );
        }
        refused(Version::V5, "30 03 0001 'a'", MalformedPacket, "Property Length");
        refused(Version::V5, "30 05 0001 'a' 02 00", MalformedPacket, "Property Length");
    }

    /// The order in which Mosquitto writes them. [MQTT-3.3.2-18]
    #[test]
    fn identifiers_come_first_and_the_expiry_last() {
        let mut properties = PropertiesBuf::default();
        properties
            .push(Property::UserProperty("b", "1"))
            .push(Property::ContentType("t"))
            .push(Property::UserProperty("a", "2"));
        let publish = Publish {
            topic_alias: Some(5),
            message_expiry: Some(60),
            subscription_ids: Cow::Borrowed(&[1, 200]),
            properties: properties.as_properties(),
            ..Publish::new("a", b"x")
        };
        let written =
            "30 24 0001 'a' 1F 0B01 0BC801 260001'b'0001'1' 030001't' 260001'a'0001'2' 230005 020000003C 'x'";
        is(Version::V5, written, &Packet::Publish(publish.clone()));
        writes(Version::V3_1_1, &Packet::Publish(publish), "30 04 0001 'a' 'x'");
    }

    #[test]
    fn properties_with_fields_of_their_own_are_taken_out_of_the_block() {
        let bytes = bytes("30 15 0001 'a' 10 020000000A 030001't' 230001 0B07 0101 'x'");
        let frame = crate::frame(&bytes, 100).expect("right").expect("whole");
        let publish = Publish::decode(Version::V5, frame).expect("right");
        assert_eq!((publish.message_expiry, publish.topic_alias), (Some(10), Some(1)));
        assert_eq!(*publish.subscription_ids, [7]);
        let rest: Vec<_> = publish.properties.iter().collect();
        assert_eq!(rest, [Property::ContentType("t"), Property::PayloadFormatIndicator(true)]);
        assert_eq!(publish.properties.byte_len(), 6);
    }

    #[test]
    fn the_head_is_all_but_the_payload() {
        let publish = Publish { qos: SEVEN, ..Publish::new("a", b"payload") };
        for version in VERSIONS {
            let (mut head, mut whole) = (Vec::new(), Vec::new());
            publish.encode_head(version, &mut head);
            publish.encode(version, &mut whole);
            assert_eq!([&head[..], b"payload"].concat(), whole);
        }
    }
}

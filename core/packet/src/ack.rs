//! PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5.0, §3.4 to §3.7), which differ in nothing but their type and the Reason
//! Codes they may carry.

use crate::cursor::Cursor;
use crate::error::{Error, protocol};
use crate::frame::{Frame, PacketType};
use crate::place::Place;
use crate::{PacketId, Properties, ReasonCode, Version, put};

/// A PUBACK, PUBREC, PUBREL or PUBCOMP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The PUBLISH it speaks of.
    pub packet_id: PacketId,
    /// What came of it; always Success in MQTT 3.x.
    pub reason: ReasonCode,
    /// Reason String and User Properties.
    pub properties: Properties<'a>,
}

impl<'a> Ack<'a> {
    /// An acknowledgement of success without properties.
    pub const fn new(packet_id: PacketId) -> Self {
        Self { packet_id, reason: ReasonCode::Success, properties: Properties::from_checked(&[]) }
    }

    /// The same with this Reason Code.
    pub const fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { reason, ..Self::new(packet_id) }
    }

    pub(crate) fn decode(version: Version, packet_type: PacketType, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let mut ack = Self::new(cursor.packet_id()?);
        if version.is_v5() {
            if !cursor.is_empty() {
                ack.reason = reason(packet_type, cursor.u8("Reason Code")?)?;
            }
            // A Remaining Length below 4 says that there are no properties.
            if !cursor.is_empty() {
                (ack.properties, _) = Properties::decode(Place::Ack, &mut cursor)?;
            }
        }
        cursor.end(packet_type.name())?;
        Ok(ack)
    }

    /// Appends the packet; MQTT 5.0 leaves out a Reason Code of Success, and the Property Length of no properties.
    ///
    /// # Panics
    /// When the type is none of the four.
    pub fn encode(&self, packet_type: PacketType, version: Version, out: &mut Vec<u8>) {
        let first = match packet_type {
            PacketType::PubAck => 0x40,
            PacketType::PubRec => 0x50,
            PacketType::PubRel => 0x62,
            PacketType::PubComp => 0x70,
            other => panic!("{other} is not encoded as an acknowledgement of a PUBLISH"),
        };
        put::fixed_header(first, self.remaining_len(version), out);
        put::u16(self.packet_id.get(), out);
        if version.is_v5() && self.has_reason() {
            out.push(self.reason.into());
            if !self.properties.is_empty() {
                put::properties(version, self.properties, out);
            }
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        if !version.is_v5() || !self.has_reason() {
            2
        } else if self.properties.is_empty() {
            3
        } else {
            3 + put::properties_len(version, self.properties)
        }
    }

    fn has_reason(&self) -> bool {
        self.reason != ReasonCode::Success || !self.properties.is_empty()
    }
}

/// What may come of a PUBLISH (§3.4.2.1, §3.5.2.1). [MQTT-3.4.2-1], [MQTT-3.5.2-1]
const PUBLISH_REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
];
/// What may come of a PUBREC and a PUBREL (§3.6.2.1, §3.7.2.1). [MQTT-3.6.2-1], [MQTT-3.7.2-1]
const RELEASE_REASONS: &[ReasonCode] = &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];

fn reason(packet_type: PacketType, code: u8) -> Result<ReasonCode, Error> {
    let allowed = match packet_type {
        PacketType::PubAck | PacketType::PubRec => PUBLISH_REASONS,
        _ => RELEASE_REASONS,
    };
    ReasonCode::among(allowed, code)
        .ok_or(protocol("Reason Code", "is none of those of the packet type (§2.4)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{
        MalformedPacket, NoMatchingSubscribers, PacketIdentifierNotFound, ProtocolError, QuotaExceeded,
    };
    use crate::written::{VERSIONS, is, read, refused, writes};
    use crate::{Packet, PropertiesBuf, Property};

    fn id(number: u16) -> PacketId {
        PacketId::new(number).expect("not 0")
    }

    /// [MQTT-2.2.1-5]
    #[test]
    fn success_is_the_packet_identifier_alone() {
        for version in VERSIONS {
            is(version, "40 02 1234", &Packet::PubAck(Ack::new(id(0x1234))));
            is(version, "50 02 1234", &Packet::PubRec(Ack::new(id(0x1234))));
            is(version, "62 02 1234", &Packet::PubRel(Ack::new(id(0x1234))));
            is(version, "70 02 1234", &Packet::PubComp(Ack::new(id(0x1234))));
        }
    }

    #[test]
    fn mqtt_5_adds_the_reason_when_there_is_one() {
        is(Version::V5, "40 03 0001 10", &Packet::PubAck(Ack::with_reason(id(1), NoMatchingSubscribers)));
        is(Version::V5, "50 03 0001 97", &Packet::PubRec(Ack::with_reason(id(1), QuotaExceeded)));
        is(Version::V5, "62 03 0001 92", &Packet::PubRel(Ack::with_reason(id(1), PacketIdentifierNotFound)));
        is(Version::V5, "70 03 0001 92", &Packet::PubComp(Ack::with_reason(id(1), PacketIdentifierNotFound)));
        writes(Version::V3_1_1, &Packet::PubAck(Ack::with_reason(id(1), QuotaExceeded)), "40 02 0001");
    }

    #[test]
    fn what_may_be_left_out_may_be_there() {
        for written in ["40 03 0001 00", "40 04 0001 00 00"] {
            assert_eq!(read(Version::V5, written), Ok(Packet::PubAck(Ack::new(id(1)))));
        }
    }

    #[test]
    fn properties_bring_the_reason_with_them() {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::ReasonString("p")).push(Property::UserProperty("k", "v"));
        let ack = Ack { properties: properties.as_properties(), ..Ack::new(id(1)) };
        is(Version::V5, "40 0F 0001 00 0B 1F0001'p' 260001'k'0001'v'", &Packet::PubAck(ack));
    }

    /// [MQTT-3.4.2-1], [MQTT-3.5.2-1]
    #[test]
    fn puback_and_pubrec_have_nine_reasons() {
        let allowed = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
        for code in 0..=u8::MAX {
            for first in ["40", "50"] {
                let written = format!("{first} 03 0001 {code:02X}");
                assert_eq!(read(Version::V5, &written).is_ok(), allowed.contains(&code), "{written}");
            }
        }
        refused(Version::V5, "40 04 0001 FF 00", ProtocolError, "Reason Code");
    }

    /// [MQTT-3.6.2-1], [MQTT-3.7.2-1]
    #[test]
    fn pubrel_and_pubcomp_have_two_reasons() {
        for code in 0..=u8::MAX {
            for first in ["62", "70"] {
                let written = format!("{first} 03 0001 {code:02X}");
                assert_eq!(read(Version::V5, &written).is_ok(), matches!(code, 0x00 | 0x92), "{written}");
            }
        }
    }

    #[test]
    fn nothing_may_be_missing_or_left_over() {
        for first in ["40", "50", "62", "70"] {
            for version in VERSIONS {
                refused(version, &format!("{first} 00"), MalformedPacket, "Packet Identifier");
                refused(version, &format!("{first} 01 01"), MalformedPacket, "Packet Identifier");
                refused(version, &format!("{first} 02 0000"), ProtocolError, "Packet Identifier is 0");
            }
            refused(
                Version::V3_1_1,
                &format!("{first} 03 0001 00"),
                MalformedPacket,
                "behind its last field",
            );
            refused(
                Version::V5,
                &format!("{first} 05 0001 00 00 00"),
                MalformedPacket,
                "behind its last field",
            );
            refused(Version::V5, &format!("{first} 04 0001 00 01"), MalformedPacket, "Property Length");
        }
    }

    #[test]
    #[should_panic(expected = "CONNECT is not encoded as an acknowledgement")]
    fn an_acknowledgement_is_of_one_of_four_types() {
        Ack::new(id(1)).encode(PacketType::Connect, Version::V5, &mut Vec::new());
    }
}

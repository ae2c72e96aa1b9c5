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

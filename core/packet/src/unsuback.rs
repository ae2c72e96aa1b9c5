//! UNSUBACK (MQTT 5.0, §3.11).

use crate::cursor::Cursor;
use crate::error::{Error, malformed, protocol};
use crate::frame::Frame;
use crate::place::Place;
use crate::{PacketId, Properties, ReasonCode, Version, put};

/// An UNSUBACK packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// The UNSUBSCRIBE it answers. [MQTT-3.10.4-5]
    pub packet_id: PacketId,
    /// Reason String and User Properties.
    pub properties: Properties<'a>,
    /// What came of each Topic Filter, in their order [MQTT-3.11.3-1]; MQTT 3.x does not tell.
    pub reasons: Vec<ReasonCode>,
}

const FIRST: u8 = 0xB0;

impl<'a> UnsubAck<'a> {
    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let packet_id = cursor.packet_id()?;
        if !version.is_v5() {
            cursor.end("UNSUBACK")?;
            return Ok(Self { packet_id, properties: Properties::default(), reasons: Vec::new() });
        }
        let (properties, _) = Properties::decode(Place::UnsubAck, &mut cursor)?;
        if cursor.is_empty() {
            return Err(malformed("UNSUBACK", "has no Reason Code [MQTT-3.11.3-1]"));
        }
        let reasons = cursor.rest().iter().map(|code| reason(*code)).collect::<Result<_, _>>()?;
        Ok(Self { packet_id, properties, reasons })
    }

    /// Appends the packet as this version writes it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
        put::u16(self.packet_id.get(), out);
        if version.is_v5() {
            put::properties(version, self.properties, out);
            out.extend(self.reasons.iter().map(|reason| u8::from(*reason)));
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        if version.is_v5() {
            2 + put::properties_len(version, self.properties) + self.reasons.len()
        } else {
            2
        }
    }
}

/// The codes of §3.11.3. [MQTT-3.11.3-2]
const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoSubscriptionExisted,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
];

fn reason(code: u8) -> Result<ReasonCode, Error> {
    ReasonCode::among(REASONS, code)
        .ok_or(protocol("Reason Code", "is none of those of UNSUBACK [MQTT-3.11.3-2]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use crate::ReasonCode::{MalformedPacket, NoSubscriptionExisted, ProtocolError, Success};
    use crate::written::{VERSIONS, is, read, refused, writes};

    fn unsuback(reasons: Vec<ReasonCode>) -> Packet<'static> {
        Packet::UnsubAck(UnsubAck { packet_id: PacketId::FIRST, properties: Properties::default(), reasons })
    }

    /// [MQTT-2.2.1-6], [MQTT-3.11.3-1]
    #[test]
    fn reasons_stand_in_the_order_of_the_filters() {
        let reasons = unsuback(vec![Success, NoSubscriptionExisted]);
        is(Version::V5, "B0 05 0001 00 00 11", &reasons);
        writes(Version::V3_1_1, &reasons, "B0 02 0001");
    }

    #[test]
    fn mqtt_3_does_not_tell() {
        is(Version::V3_1, "B0 02 0001", &unsuback(Vec::new()));
        is(Version::V3_1_1, "B0 02 0001", &unsuback(Vec::new()));
    }

    /// [MQTT-3.11.3-2]
    #[test]
    fn the_reasons_are_those_of_the_table() {
        let allowed = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
        for code in 0..=u8::MAX {
            let written = format!("B0 04 0001 00 {code:02X}");
            assert_eq!(read(Version::V5, &written).is_ok(), allowed.contains(&code), "{written}");
        }
    }

    #[test]
    fn nothing_may_be_missing_or_left_over() {
        for version in VERSIONS {
            refused(version, "B0 00", MalformedPacket, "Packet Identifier");
            refused(version, "B0 02 0000", ProtocolError, "Packet Identifier");
        }
        refused(Version::V3_1_1, "B0 03 0001 00", MalformedPacket, "behind its last field");
        refused(Version::V5, "B0 03 0001 00", MalformedPacket, "no Reason Code");
    }
}

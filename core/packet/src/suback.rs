//! SUBACK (MQTT 5.0, §3.9).

use crate::cursor::Cursor;
use crate::error::{Error, malformed, protocol};
use crate::frame::Frame;
use crate::place::Place;
use crate::{PacketId, Properties, ReasonCode, Version, put};

/// A SUBACK packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// The SUBSCRIBE it answers. [MQTT-3.8.4-2]
    pub packet_id: PacketId,
    /// Reason String and User Properties.
    pub properties: Properties<'a>,
    /// What came of each Topic Filter, in their order [MQTT-3.9.3-1]. MQTT 3.x knows one failure.
    pub reasons: Vec<ReasonCode>,
}

const FIRST: u8 = 0x90;
/// The only failure MQTT 3.1.1 knows; by its number MQTT 5.0's "Unspecified error".
const FAILURE: ReasonCode = ReasonCode::UnspecifiedError;

impl<'a> SubAck<'a> {
    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let packet_id = cursor.packet_id()?;
        let mut properties = Properties::default();
        if version.is_v5() {
            (properties, _) = Properties::decode(Place::SubAck, &mut cursor)?;
        }
        if cursor.is_empty() {
            return Err(malformed("SUBACK", "has no Reason Code [MQTT-3.8.4-6]"));
        }
        let reasons = cursor.rest().iter().map(|code| reason(version, *code)).collect::<Result<_, _>>()?;
        Ok(Self { packet_id, properties, reasons })
    }

    /// Appends the packet as this version writes it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
        put::u16(self.packet_id.get(), out);
        put::properties(version, self.properties, out);
        out.extend(self.reasons.iter().map(|reason| match version {
            Version::V3_1 | Version::V3_1_1 if reason.is_error() => u8::from(FAILURE),
            _ => u8::from(*reason),
        }));
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        2 + put::properties_len(version, self.properties) + self.reasons.len()
    }
}

/// The codes of §3.9.3. [MQTT-3.9.3-2]
const REASONS: &[ReasonCode] = &[
    ReasonCode::GrantedQoS0,
    ReasonCode::GrantedQoS1,
    ReasonCode::GrantedQoS2,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];
/// The return codes of MQTT 3.x. [3.1.1 MQTT-3.9.3-2]
const RETURN_CODES: &[ReasonCode] =
    &[ReasonCode::GrantedQoS0, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2, FAILURE];

fn reason(version: Version, code: u8) -> Result<ReasonCode, Error> {
    ReasonCode::among(if version.is_v5() { REASONS } else { RETURN_CODES }, code)
        .ok_or(protocol("Reason Code", "is none of those of SUBACK [MQTT-3.9.3-2]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use crate::ReasonCode::{GrantedQoS2, MalformedPacket, NotAuthorized, ProtocolError};
    use crate::written::{VERSIONS, is, read, refused, writes};

    fn suback(reasons: Vec<ReasonCode>) -> Packet<'static> {
        Packet::SubAck(SubAck { packet_id: PacketId::FIRST, properties: Properties::default(), reasons })
    }

    /// [MQTT-2.2.1-6], [MQTT-3.9.3-1]
    #[test]
    fn reasons_stand_in_the_order_of_the_filters() {
        let granted = suback(vec![GrantedQoS2, ReasonCode::GrantedQoS0, FAILURE]);
        is(Version::V3_1, "90 05 0001 02 00 80", &granted);
        is(Version::V3_1_1, "90 05 0001 02 00 80", &granted);
        is(Version::V5, "90 06 0001 00 02 00 80", &granted);
    }

    /// [3.1.1 MQTT-3.9.3-2]
    #[test]
    fn mqtt_3_knows_one_failure() {
        writes(Version::V3_1_1, &suback(vec![NotAuthorized, GrantedQoS2]), "90 04 0001 80 02");
        for code in 0..=u8::MAX {
            let written = format!("90 03 0001 {code:02X}");
            assert_eq!(read(Version::V3_1_1, &written).is_ok(), [0, 1, 2, 0x80].contains(&code), "{written}");
        }
    }

    /// [MQTT-3.9.3-2]
    #[test]
    fn the_reasons_are_those_of_the_table() {
        let allowed = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
        for code in 0..=u8::MAX {
            let written = format!("90 04 0001 00 {code:02X}");
            assert_eq!(read(Version::V5, &written).is_ok(), allowed.contains(&code), "{written}");
        }
    }

    #[test]
    fn nothing_may_be_missing() {
        for version in VERSIONS {
            refused(version, "90 01 00", MalformedPacket, "Packet Identifier");
            refused(version, "90 02 0000", ProtocolError, "Packet Identifier");
        }
        refused(Version::V3_1_1, "90 02 0001", MalformedPacket, "no Reason Code");
        refused(Version::V5, "90 03 0001 00", MalformedPacket, "no Reason Code");
    }
}

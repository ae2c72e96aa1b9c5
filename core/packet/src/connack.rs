//! CONNACK (MQTT 5.0, §3.2).

use crate::cursor::Cursor;
use crate::error::{Error, malformed, protocol};
use crate::frame::Frame;
use crate::place::Place;
use crate::{Properties, ReasonCode, Version, put};

/// A CONNACK packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the Server kept a Session for this Client. MQTT 3.1 does not know it.
    pub session_present: bool,
    /// Whether the Connection is accepted. MQTT 3.x is told the nearest Connect Return code.
    pub reason: ReasonCode,
    /// The properties.
    pub properties: Properties<'a>,
}

const FIRST: u8 = 0x20;

impl<'a> ConnAck<'a> {
    /// A refusal, or an acceptance without a Session and without properties.
    pub const fn new(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::from_checked(&[]) }
    }

    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let flags = cursor.u8("Connect Acknowledge Flags")?;
        let code = cursor.u8("Connect Reason Code")?;
        // MQTT 3.1 reserves the whole byte and does not say what it holds.
        let session_present = match (version, flags) {
            (Version::V3_1, _) | (_, 0) => false,
            (_, 1) => true,
            _ => return Err(malformed("Connect Acknowledge Flags", "have reserved bits set [MQTT-3.2.2-1]")),
        };
        let mut connack = Self { session_present, ..Self::new(reason(version, code)?) };
        if version.is_v5() {
            (connack.properties, _) = Properties::decode(Place::ConnAck, &mut cursor)?;
        }
        if connack.session_present && connack.reason != ReasonCode::Success {
            return Err(protocol("Session Present", "is set in a refusal [MQTT-3.2.2-6]"));
        }
        cursor.end("CONNACK")?;
        Ok(connack)
    }

    /// Appends the packet as this version writes it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
        out.push((self.session_present && version != Version::V3_1).into());
        out.push(if version.is_v5() { self.reason.into() } else { self.reason.connect_return_code() });
        put::properties(version, self.properties, out);
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        2 + put::properties_len(version, self.properties)
    }
}

/// The codes of §3.2.2.2. [MQTT-3.2.2-8]
const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerUnavailable,
    ReasonCode::ServerBusy,
    ReasonCode::Banned,
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QoSNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::ConnectionRateExceeded,
];

fn reason(version: Version, code: u8) -> Result<ReasonCode, Error> {
    if version.is_v5() {
        ReasonCode::among(REASONS, code)
            .ok_or(protocol("Connect Reason Code", "is none of those of CONNACK [MQTT-3.2.2-8]"))
    } else {
        ReasonCode::from_connect_return_code(code)
            .ok_or(malformed("Connect Return code", "is reserved (MQTT 3.1.1, §3.2.2.3)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{MalformedPacket, NotAuthorized, ProtocolError, Success};
    use crate::written::{VERSIONS, is, read, refused, writes};
    use crate::{Packet, PropertiesBuf, Property};

    #[test]
    fn an_acceptance_tells_of_the_session() {
        let connack = Packet::ConnAck(ConnAck { session_present: true, ..ConnAck::new(Success) });
        is(Version::V3_1_1, "20 02 01 00", &connack);
        is(Version::V5, "20 03 01 00 00", &connack);
        writes(Version::V3_1, &connack, "20 02 00 00");
    }

    #[test]
    fn mqtt_3_is_told_a_connect_return_code() {
        let refusal = Packet::ConnAck(ConnAck::new(NotAuthorized));
        is(Version::V3_1, "20 02 00 05", &refusal);
        is(Version::V3_1_1, "20 02 00 05", &refusal);
        is(Version::V5, "20 03 00 87 00", &refusal);
        refused(Version::V3_1_1, "20 02 00 06", MalformedPacket, "reserved");
    }

    /// As Mosquitto accepts.
    #[test]
    fn properties_follow_in_their_order() {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::TopicAliasMaximum(10)).push(Property::ReceiveMaximum(20));
        let connack = ConnAck { properties: properties.as_properties(), ..ConnAck::new(Success) };
        is(Version::V5, "20 09 00 00 06 22000A 210014", &Packet::ConnAck(connack));
    }

    /// [MQTT-3.2.2-8]
    #[test]
    fn the_reasons_are_those_of_the_table() {
        let allowed = [
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ];
        for code in 0..=u8::MAX {
            let written = format!("20 03 00 {code:02X} 00");
            assert_eq!(read(Version::V5, &written).is_ok(), allowed.contains(&code), "{written}");
        }
    }

    /// [MQTT-3.2.2-1]
    #[test]
    fn reserved_flags_are_refused_but_in_mqtt_3_1() {
        refused(Version::V3_1_1, "20 02 02 00", MalformedPacket, "Acknowledge Flags");
        refused(Version::V5, "20 03 80 00 00", MalformedPacket, "Acknowledge Flags");
        assert!(read(Version::V3_1, "20 02 80 00").is_ok());
    }

    /// [MQTT-3.2.2-6]
    #[test]
    fn a_refusal_has_no_session() {
        refused(Version::V3_1_1, "20 02 01 05", ProtocolError, "Session Present");
        refused(Version::V5, "20 03 01 87 00", ProtocolError, "Session Present");
    }

    #[test]
    fn nothing_may_be_missing_or_left_over() {
        for version in VERSIONS {
            refused(version, "20 01 00", MalformedPacket, "Connect Reason Code");
        }
        refused(Version::V3_1_1, "20 03 00 00 00", MalformedPacket, "behind its last field");
        refused(Version::V5, "20 04 00 00 00 00", MalformedPacket, "behind its last field");
        refused(Version::V5, "20 02 00 00", MalformedPacket, "Property Length");
    }
}

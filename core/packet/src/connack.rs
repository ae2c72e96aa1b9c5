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
            .ok_or(malformed("Connect Return code", "is reserved [3.1.1 MQTT-3.2.2-6]"))
    }
}

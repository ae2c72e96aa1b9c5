//! AUTH (MQTT 5.0, §3.15), which older versions do not have.

use crate::cursor::Cursor;
use crate::error::{Error, protocol};
use crate::frame::Frame;
use crate::place::Place;
use crate::{Properties, ReasonCode, Version, put};

/// An AUTH packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, Continue authentication or Re-authenticate.
    pub reason: ReasonCode,
    /// The properties; nothing can be done without the Authentication Method among them.
    pub properties: Properties<'a>,
}

const FIRST: u8 = 0xF0;

impl<'a> Auth<'a> {
    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        if !version.is_v5() {
            return Err(protocol("packet type", "15 is forbidden before MQTT 5.0"));
        }
        let mut cursor = Cursor::new(frame.body);
        let mut auth = Self { reason: ReasonCode::Success, properties: Properties::default() };
        if !cursor.is_empty() {
            auth.reason = reason(cursor.u8("Authenticate Reason Code")?)?;
        }
        if !cursor.is_empty() {
            (auth.properties, _) = Properties::decode(Place::Auth, &mut cursor)?;
        }
        cursor.end("AUTH")?;
        Ok(auth)
    }

    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(), out);
        if self.remaining_len() > 0 {
            out.push(self.reason.into());
            put::properties(Version::V5, self.properties, out);
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self) -> usize {
        put::packet_len(self.remaining_len())
    }

    /// Success without properties is the empty packet. (§3.15.2.1)
    fn remaining_len(&self) -> usize {
        if self.reason == ReasonCode::Success && self.properties.is_empty() {
            0
        } else {
            1 + put::properties_len(Version::V5, self.properties)
        }
    }
}

/// The codes of §3.15.2.1. [MQTT-3.15.2-1]
const REASONS: &[ReasonCode] =
    &[ReasonCode::Success, ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate];

fn reason(code: u8) -> Result<ReasonCode, Error> {
    ReasonCode::among(REASONS, code)
        .ok_or(protocol("Authenticate Reason Code", "is none of those of AUTH [MQTT-3.15.2-1]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{ContinueAuthentication, MalformedPacket, ProtocolError, Success};
    use crate::written::{is, read, refused};
    use crate::{Packet, PropertiesBuf, Property};

    #[test]
    fn success_without_properties_is_empty() {
        is(Version::V5, "F0 00", &Packet::Auth(Auth { reason: Success, properties: Properties::default() }));
    }

    #[test]
    fn method_and_data_are_exchanged() {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::AuthenticationMethod("m")).push(Property::AuthenticationData(&[0, 0xFF]));
        let auth = Auth { reason: ContinueAuthentication, properties: properties.as_properties() };
        is(Version::V5, "F0 0B 18 09 150001'm' 16000200FF", &Packet::Auth(auth));
        refused(Version::V5, "F0 06 18 04 160001'd'", ProtocolError, "Authentication Data");
    }

    /// [MQTT-3.15.2-1]
    #[test]
    fn there_are_three_reasons() {
        for code in 0..=u8::MAX {
            let written = format!("F0 02 {code:02X} 00");
            assert_eq!(read(Version::V5, &written).is_ok(), [0x00, 0x18, 0x19].contains(&code), "{written}");
        }
    }

    #[test]
    fn older_versions_do_not_have_it() {
        refused(Version::V3_1, "F0 00", ProtocolError, "15 is forbidden");
        refused(Version::V3_1_1, "F0 00", ProtocolError, "15 is forbidden");
    }

    #[test]
    fn nothing_may_be_left_over() {
        refused(Version::V5, "F0 03 00 00 00", MalformedPacket, "behind its last field");
    }
}

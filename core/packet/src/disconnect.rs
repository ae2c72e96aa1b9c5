//! DISCONNECT (MQTT 5.0, §3.14).

use crate::cursor::Cursor;
use crate::error::{Error, unanswered};
use crate::frame::Frame;
use crate::place::Place;
use crate::{Properties, ReasonCode, Version, put};

/// A DISCONNECT packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why; always "Normal disconnection" in MQTT 3.x.
    pub reason: ReasonCode,
    /// The properties.
    pub properties: Properties<'a>,
}

const FIRST: u8 = 0xE0;

impl<'a> Disconnect<'a> {
    /// A DISCONNECT without properties.
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::from_checked(&[]) }
    }

    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let mut disconnect = Self::new(ReasonCode::NormalDisconnection);
        if version.is_v5() {
            if !cursor.is_empty() {
                disconnect.reason = reason(cursor.u8("Disconnect Reason Code")?)?;
            }
            // A Remaining Length below 2 says that there are no properties.
            if !cursor.is_empty() {
                (disconnect.properties, _) = Properties::decode(Place::Disconnect, &mut cursor)?;
            }
        }
        cursor.end("DISCONNECT")?;
        Ok(disconnect)
    }

    /// Appends the packet; MQTT 5.0 leaves out a normal Reason Code, and the Property Length of no properties.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
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
            0
        } else if self.properties.is_empty() {
            1
        } else {
            1 + put::properties_len(version, self.properties)
        }
    }

    fn has_reason(&self) -> bool {
        self.reason != ReasonCode::NormalDisconnection || !self.properties.is_empty()
    }
}

/// The codes of §3.14.2.1, of both sides. [MQTT-3.14.2-1]
const REASONS: &[ReasonCode] = &[
    ReasonCode::NormalDisconnection,
    ReasonCode::DisconnectWithWillMessage,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerBusy,
    ReasonCode::ServerShuttingDown,
    ReasonCode::KeepAliveTimeout,
    ReasonCode::SessionTakenOver,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::TopicNameInvalid,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::MessageRateTooHigh,
    ReasonCode::QuotaExceeded,
    ReasonCode::AdministrativeAction,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QoSNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::ConnectionRateExceeded,
    ReasonCode::MaximumConnectTime,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

/// Nobody waits for an answer to a goodbye.
fn reason(code: u8) -> Result<ReasonCode, Error> {
    ReasonCode::among(REASONS, code)
        .ok_or(unanswered("Disconnect Reason Code", "is none of those of DISCONNECT [MQTT-3.14.2-1]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{MalformedPacket, ServerShuttingDown};
    use crate::written::{VERSIONS, is, read, refused, writes};
    use crate::{Packet, PropertiesBuf, Property};

    #[test]
    fn a_normal_one_is_empty() {
        for version in VERSIONS {
            is(version, "E0 00", &Packet::Disconnect(Disconnect::new(ReasonCode::NormalDisconnection)));
        }
        for written in ["E0 01 00", "E0 02 00 00"] {
            assert_eq!(
                read(Version::V5, written),
                Ok(Packet::Disconnect(Disconnect::new(ReasonCode::NormalDisconnection)))
            );
        }
    }

    #[test]
    fn mqtt_5_says_why() {
        let packet = Packet::Disconnect(Disconnect::new(ServerShuttingDown));
        is(Version::V5, "E0 01 8B", &packet);
        writes(Version::V3_1_1, &packet, "E0 00");
        let mut properties = PropertiesBuf::default();
        properties.push(Property::SessionExpiryInterval(0));
        let packet = Disconnect {
            properties: properties.as_properties(),
            ..Disconnect::new(ReasonCode::NormalDisconnection)
        };
        is(Version::V5, "E0 07 00 05 1100000000", &Packet::Disconnect(packet));
    }

    /// A goodbye is not answered. [MQTT-3.14.2-1]
    #[test]
    fn the_reasons_are_those_of_the_table() {
        let others = [0x84, 0x85, 0x86, 0x88, 0x8A, 0x8C, 0x91, 0x92];
        for code in 0..=u8::MAX {
            let allowed =
                [0x00, 0x04].contains(&code) || (0x80..=0xA2).contains(&code) && !others.contains(&code);
            match read(Version::V5, &format!("E0 01 {code:02X}")) {
                Ok(_) => assert!(allowed, "{code:#04x}"),
                Err(error) => {
                    assert!(!allowed && matches!(error, Error::Unanswered { .. }), "{code:#04x} {error:?}")
                }
            }
        }
    }

    #[test]
    fn nothing_may_be_left_over() {
        refused(Version::V3_1_1, "E0 01 00", MalformedPacket, "behind its last field");
        refused(Version::V5, "E0 03 00 00 00", MalformedPacket, "behind its last field");
        refused(Version::V5, "E0 02 00 01", MalformedPacket, "Property Length");
    }
}

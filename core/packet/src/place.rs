//! Where properties may stand: the one table of which property belongs to which packet (MQTT 5.0, Table 2-4).

use crate::error::{Error, malformed, protocol};
use crate::property::id;

/// A property block by the packet it stands in, the Will's apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Connect,
    Will,
    ConnAck,
    Publish,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP, which all allow the same.
    Ack,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
}

impl Place {
    /// Whether the property belongs here.
    pub(crate) const fn allows(self, id: u8) -> bool {
        self.allowed() >> id & 1 == 1
    }

    /// Whether the property may stand here more than once: a User Property always, and the Subscription Identifiers
    /// of all Subscriptions that match a PUBLISH.
    pub(crate) const fn allows_again(self, id: u8) -> bool {
        id == id::USER_PROPERTY || id == id::SUBSCRIPTION_IDENTIFIER && matches!(self, Self::Publish)
    }

    const fn allowed(self) -> u64 {
        match self {
            Self::Connect => CONNECT,
            Self::Will => WILL,
            Self::ConnAck => CONNACK,
            Self::Publish => PUBLISH,
            Self::Ack | Self::SubAck | Self::UnsubAck => ACK,
            Self::Subscribe => SUBSCRIBE,
            Self::Unsubscribe => UNSUBSCRIBE,
            Self::Disconnect => DISCONNECT,
            Self::Auth => AUTH,
        }
    }

    /// The error for a property that does not belong here. It is malformed by §2.2.2.2; where clients meet Mosquitto's
    /// answer, a Protocol Error, that one is kept.
    pub(crate) const fn misplaced(self, property: &'static str) -> Error {
        const RULE: &str = "does not belong to this packet (§2.2.2.2)";
        match self {
            Self::Publish | Self::Ack | Self::Disconnect => protocol(property, RULE),
            _ => malformed(property, RULE),
        }
    }

    /// The error for a value the property must not have: a Protocol Error, but Mosquitto calls SUBSCRIBE and
    /// UNSUBSCRIBE malformed.
    pub(crate) const fn illegal(self, property: &'static str, rule: &'static str) -> Error {
        match self {
            Self::Subscribe | Self::Unsubscribe => malformed(property, rule),
            _ => protocol(property, rule),
        }
    }
}

const CONNECT: u64 = set(&[
    id::SESSION_EXPIRY_INTERVAL,
    id::AUTHENTICATION_METHOD,
    id::AUTHENTICATION_DATA,
    id::REQUEST_PROBLEM_INFORMATION,
    id::REQUEST_RESPONSE_INFORMATION,
    id::RECEIVE_MAXIMUM,
    id::TOPIC_ALIAS_MAXIMUM,
    id::USER_PROPERTY,
    id::MAXIMUM_PACKET_SIZE,
]);
const WILL: u64 = MESSAGE | set(&[id::WILL_DELAY_INTERVAL]);
const CONNACK: u64 = set(&[
    id::SESSION_EXPIRY_INTERVAL,
    id::ASSIGNED_CLIENT_IDENTIFIER,
    id::SERVER_KEEP_ALIVE,
    id::AUTHENTICATION_METHOD,
    id::AUTHENTICATION_DATA,
    id::RESPONSE_INFORMATION,
    id::SERVER_REFERENCE,
    id::REASON_STRING,
    id::RECEIVE_MAXIMUM,
    id::TOPIC_ALIAS_MAXIMUM,
    id::MAXIMUM_QOS,
    id::RETAIN_AVAILABLE,
    id::USER_PROPERTY,
    id::MAXIMUM_PACKET_SIZE,
    id::WILDCARD_SUBSCRIPTION_AVAILABLE,
    id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    id::SHARED_SUBSCRIPTION_AVAILABLE,
]);
const PUBLISH: u64 = MESSAGE | set(&[id::SUBSCRIPTION_IDENTIFIER, id::TOPIC_ALIAS]);
/// What describes an Application Message, by PUBLISH or by Will.
const MESSAGE: u64 = set(&[
    id::PAYLOAD_FORMAT_INDICATOR,
    id::MESSAGE_EXPIRY_INTERVAL,
    id::CONTENT_TYPE,
    id::RESPONSE_TOPIC,
    id::CORRELATION_DATA,
    id::USER_PROPERTY,
]);
const ACK: u64 = set(&[id::REASON_STRING, id::USER_PROPERTY]);
const SUBSCRIBE: u64 = set(&[id::SUBSCRIPTION_IDENTIFIER, id::USER_PROPERTY]);
const UNSUBSCRIBE: u64 = set(&[id::USER_PROPERTY]);
const DISCONNECT: u64 =
    set(&[id::SESSION_EXPIRY_INTERVAL, id::SERVER_REFERENCE, id::REASON_STRING, id::USER_PROPERTY]);
const AUTH: u64 =
    set(&[id::AUTHENTICATION_METHOD, id::AUTHENTICATION_DATA, id::REASON_STRING, id::USER_PROPERTY]);

/// The identifiers as bits; all of them are below 64.
const fn set(mut ids: &[u8]) -> u64 {
    let mut bits = 0;
    while let [id, rest @ ..] = ids {
        bits |= 1 << *id;
        ids = rest;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use Place::{
        Ack, Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, Will,
    };

    const PLACES: [Place; 11] =
        [Connect, Will, ConnAck, Publish, Ack, Subscribe, SubAck, Unsubscribe, UnsubAck, Disconnect, Auth];

    /// Table 2-4, row by row.
    #[test]
    fn each_property_is_allowed_where_the_table_says() {
        let table: [(u8, &[Place]); 27] = [
            (0x01, &[Publish, Will]),
            (0x02, &[Publish, Will]),
            (0x03, &[Publish, Will]),
            (0x08, &[Publish, Will]),
            (0x09, &[Publish, Will]),
            (0x0B, &[Publish, Subscribe]),
            (0x11, &[Connect, ConnAck, Disconnect]),
            (0x12, &[ConnAck]),
            (0x13, &[ConnAck]),
            (0x15, &[Connect, ConnAck, Auth]),
            (0x16, &[Connect, ConnAck, Auth]),
            (0x17, &[Connect]),
            (0x18, &[Will]),
            (0x19, &[Connect]),
            (0x1A, &[ConnAck]),
            (0x1C, &[ConnAck, Disconnect]),
            (0x1F, &[ConnAck, Ack, SubAck, UnsubAck, Disconnect, Auth]),
            (0x21, &[Connect, ConnAck]),
            (0x22, &[Connect, ConnAck]),
            (0x23, &[Publish]),
            (0x24, &[ConnAck]),
            (0x25, &[ConnAck]),
            (0x26, &PLACES),
            (0x27, &[Connect, ConnAck]),
            (0x28, &[ConnAck]),
            (0x29, &[ConnAck]),
            (0x2A, &[ConnAck]),
        ];
        for place in PLACES {
            for id in 0..64 {
                let allowed = table.iter().any(|(row, places)| *row == id && places.contains(&place));
                assert_eq!(place.allows(id), allowed, "{id:#04x} in {place:?}");
            }
        }
    }

    #[test]
    fn only_user_properties_and_identifiers_of_a_publish_may_repeat() {
        for place in PLACES {
            let repeating: Vec<u8> = (0..64).filter(|id| place.allows_again(*id)).collect();
            assert_eq!(repeating, if place == Publish { vec![0x0B, 0x26] } else { vec![0x26] });
        }
    }
}

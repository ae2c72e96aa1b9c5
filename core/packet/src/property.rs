//! One property: its identifier, its value, its bytes (MQTT 5.0, §2.2.2.2).

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::place::Place;
use crate::{QoS, put, text, varint};

/// One property with its value. All 27 of MQTT 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property<'a> {
    /// 0x01: whether the payload is UTF-8 text.
    PayloadFormatIndicator(bool),
    /// 0x02: seconds until the Message is worthless.
    MessageExpiryInterval(u32),
    /// 0x03: what the payload is.
    ContentType(&'a str),
    /// 0x08: where a response is wanted.
    ResponseTopic(&'a str),
    /// 0x09: by which a requester knows the response.
    CorrelationData(&'a [u8]),
    /// 0x0B: the number a subscriber gave its Subscription.
    SubscriptionIdentifier(u32),
    /// 0x11: seconds the Session outlives its Connection.
    SessionExpiryInterval(u32),
    /// 0x12: the Client Identifier the Server chose.
    AssignedClientIdentifier(&'a str),
    /// 0x13: the Keep Alive the Server wants, in seconds.
    ServerKeepAlive(u16),
    /// 0x15: the name of the enhanced authentication.
    AuthenticationMethod(&'a str),
    /// 0x16: what the method exchanges.
    AuthenticationData(&'a [u8]),
    /// 0x17: whether Reason Strings and User Properties are wanted on failures.
    RequestProblemInformation(bool),
    /// 0x18: seconds between the end of the Connection and the Will.
    WillDelayInterval(u32),
    /// 0x19: whether Response Information is wanted.
    RequestResponseInformation(bool),
    /// 0x1A: from which a Client makes Response Topics.
    ResponseInformation(&'a str),
    /// 0x1C: another Server to use.
    ServerReference(&'a str),
    /// 0x1F: why, for people.
    ReasonString(&'a str),
    /// 0x21: how many QoS 1 and 2 PUBLISH packets the sender takes at a time.
    ReceiveMaximum(u16),
    /// 0x22: the highest Topic Alias the sender takes.
    TopicAliasMaximum(u16),
    /// 0x23: the number that stands for the Topic Name.
    TopicAlias(u16),
    /// 0x24: the highest QoS the Server takes.
    MaximumQoS(QoS),
    /// 0x25: whether the Server keeps retained Messages.
    RetainAvailable(bool),
    /// 0x26: a name and a value of the user.
    UserProperty(&'a str, &'a str),
    /// 0x27: bytes of the largest packet the sender takes.
    MaximumPacketSize(u32),
    /// 0x28: whether Topic Filters may have wildcards.
    WildcardSubscriptionAvailable(bool),
    /// 0x29: whether Subscriptions may have identifiers.
    SubscriptionIdentifiersAvailable(bool),
    /// 0x2A: whether Subscriptions may be shared.
    SharedSubscriptionAvailable(bool),
}

/// Property identifiers. All are below 0x80, so that each is one byte, and below 64, so that sets fit a word.
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;
}

impl<'a> Property<'a> {
    /// The property's identifier.
    pub const fn id(&self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(..) => id::PAYLOAD_FORMAT_INDICATOR,
            Self::MessageExpiryInterval(..) => id::MESSAGE_EXPIRY_INTERVAL,
            Self::ContentType(..) => id::CONTENT_TYPE,
            Self::ResponseTopic(..) => id::RESPONSE_TOPIC,
            Self::CorrelationData(..) => id::CORRELATION_DATA,
            Self::SubscriptionIdentifier(..) => id::SUBSCRIPTION_IDENTIFIER,
            Self::SessionExpiryInterval(..) => id::SESSION_EXPIRY_INTERVAL,
            Self::AssignedClientIdentifier(..) => id::ASSIGNED_CLIENT_IDENTIFIER,
            Self::ServerKeepAlive(..) => id::SERVER_KEEP_ALIVE,
            Self::AuthenticationMethod(..) => id::AUTHENTICATION_METHOD,
            Self::AuthenticationData(..) => id::AUTHENTICATION_DATA,
            Self::RequestProblemInformation(..) => id::REQUEST_PROBLEM_INFORMATION,
            Self::WillDelayInterval(..) => id::WILL_DELAY_INTERVAL,
            Self::RequestResponseInformation(..) => id::REQUEST_RESPONSE_INFORMATION,
            Self::ResponseInformation(..) => id::RESPONSE_INFORMATION,
            Self::ServerReference(..) => id::SERVER_REFERENCE,
            Self::ReasonString(..) => id::REASON_STRING,
            Self::ReceiveMaximum(..) => id::RECEIVE_MAXIMUM,
            Self::TopicAliasMaximum(..) => id::TOPIC_ALIAS_MAXIMUM,
            Self::TopicAlias(..) => id::TOPIC_ALIAS,
            Self::MaximumQoS(..) => id::MAXIMUM_QOS,
            Self::RetainAvailable(..) => id::RETAIN_AVAILABLE,
            Self::UserProperty(..) => id::USER_PROPERTY,
            Self::MaximumPacketSize(..) => id::MAXIMUM_PACKET_SIZE,
            Self::WildcardSubscriptionAvailable(..) => id::WILDCARD_SUBSCRIPTION_AVAILABLE,
            Self::SubscriptionIdentifiersAvailable(..) => id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
            Self::SharedSubscriptionAvailable(..) => id::SHARED_SUBSCRIPTION_AVAILABLE,
        }
    }

    /// Reads one property and checks all that does not depend on its neighbours.
    pub(crate) fn decode(place: Place, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        Ok(match cursor.varint("property identifier")?.try_into().unwrap_or(u8::MAX) {
            id::PAYLOAD_FORMAT_INDICATOR => {
                Self::PayloadFormatIndicator(boolean(place, cursor, "Payload Format Indicator")?)
            }
            id::MESSAGE_EXPIRY_INTERVAL => {
                Self::MessageExpiryInterval(cursor.u32("Message Expiry Interval")?)
            }
            id::CONTENT_TYPE => Self::ContentType(cursor.string("Content Type")?),
            id::RESPONSE_TOPIC => Self::ResponseTopic(response_topic(place, cursor)?),
            id::CORRELATION_DATA => Self::CorrelationData(cursor.binary("Correlation Data")?),
            id::SUBSCRIPTION_IDENTIFIER => {
                Self::SubscriptionIdentifier(subscription_identifier(place, cursor)?)
            }
            id::SESSION_EXPIRY_INTERVAL => {
                Self::SessionExpiryInterval(cursor.u32("Session Expiry Interval")?)
            }
            id::ASSIGNED_CLIENT_IDENTIFIER => {
                Self::AssignedClientIdentifier(cursor.string("Assigned Client Identifier")?)
            }
            id::SERVER_KEEP_ALIVE => Self::ServerKeepAlive(cursor.u16("Server Keep Alive")?),
            id::AUTHENTICATION_METHOD => Self::AuthenticationMethod(cursor.string("Authentication Method")?),
            id::AUTHENTICATION_DATA => Self::AuthenticationData(cursor.binary("Authentication Data")?),
            id::REQUEST_PROBLEM_INFORMATION => {
                Self::RequestProblemInformation(boolean(place, cursor, "Request Problem Information")?)
            }
            id::WILL_DELAY_INTERVAL => Self::WillDelayInterval(cursor.u32("Will Delay Interval")?),
            id::REQUEST_RESPONSE_INFORMATION => {
                Self::RequestResponseInformation(boolean(place, cursor, "Request Response Information")?)
            }
            id::RESPONSE_INFORMATION => Self::ResponseInformation(cursor.string("Response Information")?),
            id::SERVER_REFERENCE => Self::ServerReference(cursor.string("Server Reference")?),
            id::REASON_STRING => Self::ReasonString(cursor.string("Reason String")?),
            id::RECEIVE_MAXIMUM => Self::ReceiveMaximum(receive_maximum(place, cursor)?),
            id::TOPIC_ALIAS_MAXIMUM => Self::TopicAliasMaximum(cursor.u16("Topic Alias Maximum")?),
            id::TOPIC_ALIAS => Self::TopicAlias(cursor.u16("Topic Alias")?),
            id::MAXIMUM_QOS => Self::MaximumQoS(maximum_qos(place, cursor)?),
            id::RETAIN_AVAILABLE => Self::RetainAvailable(boolean(place, cursor, "Retain Available")?),
            id::USER_PROPERTY => {
                Self::UserProperty(cursor.string("User Property")?, cursor.string("User Property")?)
            }
            id::MAXIMUM_PACKET_SIZE => Self::MaximumPacketSize(maximum_packet_size(place, cursor)?),
            id::WILDCARD_SUBSCRIPTION_AVAILABLE => Self::WildcardSubscriptionAvailable(boolean(
                place,
                cursor,
                "Wildcard Subscription Available",
            )?),
            id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE => Self::SubscriptionIdentifiersAvailable(boolean(
                place,
                cursor,
                "Subscription Identifiers Available",
            )?),
            id::SHARED_SUBSCRIPTION_AVAILABLE => {
                Self::SharedSubscriptionAvailable(boolean(place, cursor, "Shared Subscription Available")?)
            }
            _ => return Err(malformed("property identifier", "is unknown (§2.2.2.2)")),
        })
    }

    /// The name in the specification.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PayloadFormatIndicator(..) => "Payload Format Indicator",
            Self::MessageExpiryInterval(..) => "Message Expiry Interval",
            Self::ContentType(..) => "Content Type",
            Self::ResponseTopic(..) => "Response Topic",
            Self::CorrelationData(..) => "Correlation Data",
            Self::SubscriptionIdentifier(..) => "Subscription Identifier",
            Self::SessionExpiryInterval(..) => "Session Expiry Interval",
            Self::AssignedClientIdentifier(..) => "Assigned Client Identifier",
            Self::ServerKeepAlive(..) => "Server Keep Alive",
            Self::AuthenticationMethod(..) => "Authentication Method",
            Self::AuthenticationData(..) => "Authentication Data",
            Self::RequestProblemInformation(..) => "Request Problem Information",
            Self::WillDelayInterval(..) => "Will Delay Interval",
            Self::RequestResponseInformation(..) => "Request Response Information",
            Self::ResponseInformation(..) => "Response Information",
            Self::ServerReference(..) => "Server Reference",
            Self::ReasonString(..) => "Reason String",
            Self::ReceiveMaximum(..) => "Receive Maximum",
            Self::TopicAliasMaximum(..) => "Topic Alias Maximum",
            Self::TopicAlias(..) => "Topic Alias",
            Self::MaximumQoS(..) => "Maximum QoS",
            Self::RetainAvailable(..) => "Retain Available",
            Self::UserProperty(..) => "User Property",
            Self::MaximumPacketSize(..) => "Maximum Packet Size",
            Self::WildcardSubscriptionAvailable(..) => "Wildcard Subscription Available",
            Self::SubscriptionIdentifiersAvailable(..) => "Subscription Identifiers Available",
            Self::SharedSubscriptionAvailable(..) => "Shared Subscription Available",
        }
    }

    /// Writes identifier and value.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.id());
        match *self {
            Self::PayloadFormatIndicator(value)
            | Self::RequestProblemInformation(value)
            | Self::RequestResponseInformation(value)
            | Self::RetainAvailable(value)
            | Self::WildcardSubscriptionAvailable(value)
            | Self::SubscriptionIdentifiersAvailable(value)
            | Self::SharedSubscriptionAvailable(value) => out.push(value.into()),
            Self::MaximumQoS(value) => out.push(value.into()),
            Self::ServerKeepAlive(value)
            | Self::ReceiveMaximum(value)
            | Self::TopicAliasMaximum(value)
            | Self::TopicAlias(value) => put::u16(value, out),
            Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value)
            | Self::MaximumPacketSize(value) => put::u32(value, out),
            Self::SubscriptionIdentifier(value) => put::varint(value, out),
            Self::ContentType(value)
            | Self::ResponseTopic(value)
            | Self::AssignedClientIdentifier(value)
            | Self::AuthenticationMethod(value)
            | Self::ResponseInformation(value)
            | Self::ServerReference(value)
            | Self::ReasonString(value) => put::binary(value.as_bytes(), out),
            Self::CorrelationData(value) | Self::AuthenticationData(value) => put::binary(value, out),
            Self::UserProperty(name, value) => {
                put::binary(name.as_bytes(), out);
                put::binary(value.as_bytes(), out);
            }
        }
    }
}

/// Splits the first property off a checked block: its identifier and its bytes, identifier included.
pub(crate) fn split_first(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&id, value) = bytes.split_first()?;
    let binary = |at: usize| Some(at + 2 + usize::from(u16::from_be_bytes(*value.get(at..)?.first_chunk()?)));
    let len = match id {
        id::PAYLOAD_FORMAT_INDICATOR
        | id::REQUEST_PROBLEM_INFORMATION
        | id::REQUEST_RESPONSE_INFORMATION
        | id::MAXIMUM_QOS
        | id::RETAIN_AVAILABLE
        | id::WILDCARD_SUBSCRIPTION_AVAILABLE
        | id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE
        | id::SHARED_SUBSCRIPTION_AVAILABLE => 1,
        id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS_MAXIMUM | id::TOPIC_ALIAS => 2,
        id::MESSAGE_EXPIRY_INTERVAL
        | id::SESSION_EXPIRY_INTERVAL
        | id::WILL_DELAY_INTERVAL
        | id::MAXIMUM_PACKET_SIZE => 4,
        id::SUBSCRIPTION_IDENTIFIER => match varint::read(value) {
            varint::Varint::Value(_, len) => len,
            _ => return None,
        },
        id::CONTENT_TYPE
        | id::RESPONSE_TOPIC
        | id::CORRELATION_DATA
        | id::ASSIGNED_CLIENT_IDENTIFIER
        | id::AUTHENTICATION_METHOD
        | id::AUTHENTICATION_DATA
        | id::RESPONSE_INFORMATION
        | id::SERVER_REFERENCE
        | id::REASON_STRING => binary(0)?,
        id::USER_PROPERTY => binary(binary(0)?)?,
        _ => return None,
    };
    let (property, rest) = bytes.split_at_checked(1 + len)?;
    Some((id, property, rest))
}

fn boolean(place: Place, cursor: &mut Cursor<'_>, property: &'static str) -> Result<bool, Error> {
    match cursor.u8(property)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(place.illegal(property, "is neither 0 nor 1")),
    }
}

fn response_topic<'a>(place: Place, cursor: &mut Cursor<'a>) -> Result<&'a str, Error> {
    let topic = cursor.name("Response Topic")?;
    if text::has_wildcard(topic.as_bytes()) {
        return Err(place.illegal("Response Topic", "contains a wildcard [MQTT-3.3.2-14]"));
    }
    Ok(topic)
}

fn subscription_identifier(place: Place, cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    match cursor.varint("Subscription Identifier")? {
        0 => Err(place.illegal("Subscription Identifier", "is 0 (§3.8.2.1.2)")),
        id => Ok(id),
    }
}

fn receive_maximum(place: Place, cursor: &mut Cursor<'_>) -> Result<u16, Error> {
    match cursor.u16("Receive Maximum")? {
        0 => Err(place.illegal("Receive Maximum", "is 0 (§3.1.2.11.3)")),
        maximum => Ok(maximum),
    }
}

fn maximum_packet_size(place: Place, cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    match cursor.u32("Maximum Packet Size")? {
        0 => Err(place.illegal("Maximum Packet Size", "is 0 (§3.1.2.11.4)")),
        maximum => Ok(maximum),
    }
}

fn maximum_qos(place: Place, cursor: &mut Cursor<'_>) -> Result<QoS, Error> {
    match QoS::try_from(cursor.u8("Maximum QoS")?) {
        Ok(qos) if qos < QoS::ExactlyOnce => Ok(qos),
        _ => Err(place.illegal("Maximum QoS", "is neither 0 nor 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::bytes;

    /// Each property as §2.2.2.2 lays it out.
    const ALL: [(&str, Property<'static>); 27] = [
        ("01 01", Property::PayloadFormatIndicator(true)),
        ("02 00000102", Property::MessageExpiryInterval(258)),
        ("03 0001't'", Property::ContentType("t")),
        ("08 0003'a/b'", Property::ResponseTopic("a/b")),
        ("09 0002 00FF", Property::CorrelationData(&[0, 0xFF])),
        ("0B C801", Property::SubscriptionIdentifier(200)),
        ("11 FFFFFFFF", Property::SessionExpiryInterval(u32::MAX)),
        ("12 0001'i'", Property::AssignedClientIdentifier("i")),
        ("13 003C", Property::ServerKeepAlive(60)),
        ("15 0001'm'", Property::AuthenticationMethod("m")),
        ("16 0001 00", Property::AuthenticationData(&[0])),
        ("17 00", Property::RequestProblemInformation(false)),
        ("18 00000005", Property::WillDelayInterval(5)),
        ("19 01", Property::RequestResponseInformation(true)),
        ("1A 0001'r'", Property::ResponseInformation("r")),
        ("1C 0001's'", Property::ServerReference("s")),
        ("1F 0003'why'", Property::ReasonString("why")),
        ("21 0014", Property::ReceiveMaximum(20)),
        ("22 000A", Property::TopicAliasMaximum(10)),
        ("23 0001", Property::TopicAlias(1)),
        ("24 01", Property::MaximumQoS(QoS::AtLeastOnce)),
        ("25 00", Property::RetainAvailable(false)),
        ("26 0001'k' 0001'v'", Property::UserProperty("k", "v")),
        ("27 00010000", Property::MaximumPacketSize(65_536)),
        ("28 01", Property::WildcardSubscriptionAvailable(true)),
        ("29 01", Property::SubscriptionIdentifiersAvailable(true)),
        ("2A 01", Property::SharedSubscriptionAvailable(true)),
    ];

    #[test]
    fn each_is_read_as_it_is_written() {
        for (written, property) in ALL {
            let written = bytes(written);
            let mut cursor = Cursor::new(&written);
            assert_eq!(Property::decode(Place::Publish, &mut cursor), Ok(property));
            assert!(cursor.is_empty());
            let mut out = Vec::new();
            property.encode(&mut out);
            assert_eq!(out, written);
            assert_eq!(split_first(&written), Some((property.id(), &written[..], &[][..])));
        }
    }

    #[test]
    fn each_can_be_cut_short_at_every_byte() {
        for (written, property) in ALL {
            let written = bytes(written);
            for len in 1..written.len() {
                let error =
                    Property::decode(Place::Publish, &mut Cursor::new(&written[..len])).expect_err("short");
                assert!(error.to_string().starts_with(property.name()), "{error}");
                assert_eq!(split_first(&written[..len]), None);
            }
        }
    }

    #[test]
    fn no_other_identifier_is_known() {
        let known: Vec<u8> = ALL.iter().map(|(_, property)| property.id()).collect();
        for id in (0..0x80).filter(|id| !known.contains(id)) {
            let written = [id, 0, 1, 0, 1, 0];
            let error = Property::decode(Place::Publish, &mut Cursor::new(&written)).expect_err("unknown");
            assert!(error.to_string().starts_with("property identifier"), "{error}");
        }
        // 0x81 in two bytes, and 1 in two bytes. [MQTT-1.5.5-1]
        for written in [[0x81, 0x01, 0], [0x81, 0x00, 1]] {
            assert!(Property::decode(Place::Publish, &mut Cursor::new(&written)).is_err());
        }
    }

    #[test]
    fn numbers_that_say_nothing_are_refused() {
        for written in [
            "01 02",
            "17 02",
            "19 FF",
            "24 02",
            "25 02",
            "28 02",
            "29 02",
            "2A 02",
            "21 0000",
            "27 00000000",
            "0B 00",
        ] {
            let property = bytes(written);
            let error = |place| {
                Property::decode(place, &mut Cursor::new(&property)).expect_err("illegal").reason_code()
            };
            assert_eq!(error(Place::Connect), crate::ReasonCode::ProtocolError, "{written}");
            assert_eq!(error(Place::Subscribe), crate::ReasonCode::MalformedPacket, "{written}");
        }
    }

    /// [MQTT-3.3.2-14], [MQTT-3.3.2-13]
    #[test]
    fn a_response_topic_is_a_topic_name() {
        for written in ["08 0003'a/+'", "08 0001'#'", "08 0001 FF", "08 0001 07"] {
            assert!(Property::decode(Place::Publish, &mut Cursor::new(&bytes(written))).is_err());
        }
    }

    /// Control characters stay allowed where a text is for people. [MQTT-1.5.7-1], [MQTT-3.3.2-19]
    #[test]
    fn texts_are_utf_8_without_nul() {
        for written in ["1F 0001 FF", "1F 0001 00", "26 0001 FF 0001'v'", "26 0001'k' 0001 00", "03 0001 FF"]
        {
            assert!(Property::decode(Place::Publish, &mut Cursor::new(&bytes(written))).is_err());
        }
        let lines = bytes("26 0001'k' 0003 'a' 0A 'b'");
        assert_eq!(
            Property::decode(Place::Publish, &mut Cursor::new(&lines)),
            Ok(Property::UserProperty("k", "a\nb"))
        );
    }
}

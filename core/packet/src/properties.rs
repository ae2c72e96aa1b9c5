//! A block of properties, checked once and borrowed from the packet it came in.
//!
//! Topic Alias, Message Expiry Interval, Subscription Identifier and Will Delay Interval have fields of their own in the
//! packets that carry them. A block may hold their bytes; nobody sees them through it, and they are not written.

use crate::QoS;
use crate::cursor::Cursor;
use crate::error::{Error, protocol};
use crate::place::Place;
use crate::property::{self, Property, id};

/// A checked property block: the right packet, the right multiplicity, legal values. The default is empty.
#[derive(Clone, Copy, Default)]
pub struct Properties<'a> {
    bytes: &'a [u8],
    /// How many of `bytes` belong to properties that have no field of their own.
    visible: usize,
}

/// The values that have fields of their own in the packets that carry them.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) topic_alias: Option<u16>,
    pub(crate) message_expiry: Option<u32>,
    pub(crate) will_delay: Option<u32>,
    pub(crate) subscription_ids: Vec<u32>,
}

impl<'a> Properties<'a> {
    /// The block that [`append_to`](Self::append_to) or [`PropertiesBuf`](crate::PropertiesBuf) made these bytes of.
    pub const fn from_checked(bytes: &'a [u8]) -> Self {
        Self { bytes, visible: bytes.len() }
    }

    /// Whether it has no properties.
    pub const fn is_empty(&self) -> bool {
        self.visible == 0
    }

    /// Bytes of the block, without the length before it.
    pub const fn byte_len(&self) -> usize {
        self.visible
    }

    /// Appends the block, without the length before it.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        if self.visible == self.bytes.len() {
            out.extend_from_slice(self.bytes);
        } else {
            self.raw().for_each(|(_, property)| out.extend_from_slice(property));
        }
    }

    /// The properties in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + use<'a> {
        self.raw().filter_map(|(_, property)| Self::read(property))
    }

    /// The Payload Format Indicator.
    pub fn payload_format(&self) -> Option<bool> {
        match self.find(id::PAYLOAD_FORMAT_INDICATOR)? {
            Property::PayloadFormatIndicator(value) => Some(value),
            _ => None,
        }
    }

    /// The Content Type.
    pub fn content_type(&self) -> Option<&'a str> {
        match self.find(id::CONTENT_TYPE)? {
            Property::ContentType(value) => Some(value),
            _ => None,
        }
    }

    /// The Response Topic.
    pub fn response_topic(&self) -> Option<&'a str> {
        match self.find(id::RESPONSE_TOPIC)? {
            Property::ResponseTopic(value) => Some(value),
            _ => None,
        }
    }

    /// The Correlation Data.
    pub fn correlation_data(&self) -> Option<&'a [u8]> {
        match self.find(id::CORRELATION_DATA)? {
            Property::CorrelationData(value) => Some(value),
            _ => None,
        }
    }

    /// The Session Expiry Interval.
    pub fn session_expiry(&self) -> Option<u32> {
        match self.find(id::SESSION_EXPIRY_INTERVAL)? {
            Property::SessionExpiryInterval(value) => Some(value),
            _ => None,
        }
    }

    /// The Assigned Client Identifier.
    pub fn assigned_client_id(&self) -> Option<&'a str> {
        match self.find(id::ASSIGNED_CLIENT_IDENTIFIER)? {
            Property::AssignedClientIdentifier(value) => Some(value),
            _ => None,
        }
    }

    /// The Server Keep Alive.
    pub fn server_keep_alive(&self) -> Option<u16> {
        match self.find(id::SERVER_KEEP_ALIVE)? {
            Property::ServerKeepAlive(value) => Some(value),
            _ => None,
        }
    }

    /// The Authentication Method.
    pub fn authentication_method(&self) -> Option<&'a str> {
        match self.find(id::AUTHENTICATION_METHOD)? {
            Property::AuthenticationMethod(value) => Some(value),
            _ => None,
        }
    }

    /// The Authentication Data.
    pub fn authentication_data(&self) -> Option<&'a [u8]> {
        match self.find(id::AUTHENTICATION_DATA)? {
            Property::AuthenticationData(value) => Some(value),
            _ => None,
        }
    }

    /// The Request Problem Information.
    pub fn request_problem_information(&self) -> Option<bool> {
        match self.find(id::REQUEST_PROBLEM_INFORMATION)? {
            Property::RequestProblemInformation(value) => Some(value),
            _ => None,
        }
    }

    /// The Request Response Information.
    pub fn request_response_information(&self) -> Option<bool> {
        match self.find(id::REQUEST_RESPONSE_INFORMATION)? {
            Property::RequestResponseInformation(value) => Some(value),
            _ => None,
        }
    }

    /// The Response Information.
    pub fn response_information(&self) -> Option<&'a str> {
        match self.find(id::RESPONSE_INFORMATION)? {
            Property::ResponseInformation(value) => Some(value),
            _ => None,
        }
    }

    /// The Server Reference.
    pub fn server_reference(&self) -> Option<&'a str> {
        match self.find(id::SERVER_REFERENCE)? {
            Property::ServerReference(value) => Some(value),
            _ => None,
        }
    }

    /// The Reason String.
    pub fn reason_string(&self) -> Option<&'a str> {
        match self.find(id::REASON_STRING)? {
            Property::ReasonString(value) => Some(value),
            _ => None,
        }
    }

    /// The Receive Maximum.
    pub fn receive_maximum(&self) -> Option<u16> {
        match self.find(id::RECEIVE_MAXIMUM)? {
            Property::ReceiveMaximum(value) => Some(value),
            _ => None,
        }
    }

    /// The Topic Alias Maximum.
    pub fn topic_alias_maximum(&self) -> Option<u16> {
        match self.find(id::TOPIC_ALIAS_MAXIMUM)? {
            Property::TopicAliasMaximum(value) => Some(value),
            _ => None,
        }
    }

    /// The Maximum QoS.
    pub fn maximum_qos(&self) -> Option<QoS> {
        match self.find(id::MAXIMUM_QOS)? {
            Property::MaximumQoS(value) => Some(value),
            _ => None,
        }
    }

    /// The Retain Available.
    pub fn retain_available(&self) -> Option<bool> {
        match self.find(id::RETAIN_AVAILABLE)? {
            Property::RetainAvailable(value) => Some(value),
            _ => None,
        }
    }

    /// The Maximum Packet Size.
    pub fn maximum_packet_size(&self) -> Option<u32> {
        match self.find(id::MAXIMUM_PACKET_SIZE)? {
            Property::MaximumPacketSize(value) => Some(value),
            _ => None,
        }
    }

    /// The Wildcard Subscription Available.
    pub fn wildcard_available(&self) -> Option<bool> {
        match self.find(id::WILDCARD_SUBSCRIPTION_AVAILABLE)? {
            Property::WildcardSubscriptionAvailable(value) => Some(value),
            _ => None,
        }
    }

    /// The Subscription Identifiers Available.
    pub fn subscription_ids_available(&self) -> Option<bool> {
        match self.find(id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE)? {
            Property::SubscriptionIdentifiersAvailable(value) => Some(value),
            _ => None,
        }
    }

    /// The Shared Subscription Available.
    pub fn shared_available(&self) -> Option<bool> {
        match self.find(id::SHARED_SUBSCRIPTION_AVAILABLE)? {
            Property::SharedSubscriptionAvailable(value) => Some(value),
            _ => None,
        }
    }

    /// Names and values of the User Properties, in their order. [MQTT-3.3.2-18]
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// Reads the length of a block and the block, and checks it.
    pub(crate) fn decode(place: Place, cursor: &mut Cursor<'a>) -> Result<(Self, Fields), Error> {
        let len = cursor.varint("Property Length")?;
        let bytes = cursor.take(len as usize, "Property Length")?;
        Self::check(place, bytes)
    }

    /// Bytes that cannot be parsed are the graver fault: they are named even when a misplaced property comes first.
    fn check(place: Place, bytes: &'a [u8]) -> Result<(Self, Fields), Error> {
        let mut cursor = Cursor::new(bytes);
        let mut fields = Fields::default();
        let mut fault = None;
        let (mut seen, mut visible) = (Seen::default(), 0);
        while !cursor.is_empty() {
            let before = cursor.rest().len();
            let property = Property::decode(place, &mut cursor)?;
            fault = fault.or(seen.insert(place, property).err());
            if !fields.take(property) {
                visible += before - cursor.rest().len();
            }
        }
        match fault.or(seen.is_complete().err()) {
            Some(fault) => Err(fault),
            None => Ok((Self { bytes, visible }, fields)),
        }
    }

    fn find(&self, wanted: u8) -> Option<Property<'a>> {
        self.raw().find(|(id, _)| *id == wanted).and_then(|(_, property)| Self::read(property))
    }

    /// Reads a property that was checked when it arrived or was built; a fault would be our own bug.
    fn read(bytes: &'a [u8]) -> Option<Property<'a>> {
        let property = Property::decode(Place::Publish, &mut Cursor::new(bytes));
        debug_assert!(property.is_ok(), "{property:?}");
        property.ok()
    }

    /// The visible properties: identifier and bytes.
    fn raw(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (id, property, behind) = property::split_first(rest)?;
            rest = behind;
            Some((id, property))
        })
        .filter(|(id, _)| !has_own_field(*id))
    }
}

/// The identifiers of a block, as bits.
#[derive(Default)]
struct Seen(u64);

impl Seen {
    /// Checks that the property may stand here, and there for the first time.
    fn insert(&mut self, place: Place, property: Property<'_>) -> Result<(), Error> {
        let id = property.id();
        if !place.allows(id) {
            return Err(place.misplaced(property.name()));
        }
        if self.contains(id) && !place.allows_again(id) {
            return Err(protocol(property.name(), "is there more than once"));
        }
        self.0 |= 1 << id;
        Ok(())
    }

    fn is_complete(&self) -> Result<(), Error> {
        if self.contains(id::AUTHENTICATION_DATA) && !self.contains(id::AUTHENTICATION_METHOD) {
            return Err(protocol(
                "Authentication Data",
                "is there without an Authentication Method (§3.1.2.11.10)",
            ));
        }
        Ok(())
    }

    const fn contains(&self, id: u8) -> bool {
        self.0 >> id & 1 == 1
    }
}

impl Fields {
    /// Keeps the value of a property that has a field of its own; false for any other.
    fn take(&mut self, property: Property<'_>) -> bool {
        match property {
            Property::TopicAlias(alias) => self.topic_alias = Some(alias),
            Property::MessageExpiryInterval(seconds) => self.message_expiry = Some(seconds),
            Property::WillDelayInterval(seconds) => self.will_delay = Some(seconds),
            Property::SubscriptionIdentifier(id) => self.subscription_ids.push(id),
            _ => return false,
        }
        true
    }
}

/// Whether the property is a field of the packets that carry it.
pub(crate) const fn has_own_field(id: u8) -> bool {
    matches!(
        id,
        id::TOPIC_ALIAS | id::MESSAGE_EXPIRY_INTERVAL | id::WILL_DELAY_INTERVAL | id::SUBSCRIPTION_IDENTIFIER
    )
}

/// Two blocks are equal when they show the same properties in the same order.
impl PartialEq for Properties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw().eq(other.raw())
    }
}

impl Eq for Properties<'_> {}

impl std::fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PropertiesBuf;
    use crate::ReasonCode::{self, MalformedPacket, ProtocolError};
    use crate::written::bytes;

    /// Checks a block, given with its length.
    #[track_caller]
    fn refused(place: Place, written: &str, reason: ReasonCode) {
        let bytes = bytes(written);
        let error = Properties::decode(place, &mut Cursor::new(&bytes)).err().expect("it is wrong");
        assert_eq!(error.reason_code(), reason, "{error}");
    }

    /// [MQTT-2.2.2-1]
    #[test]
    fn a_length_of_0_is_an_empty_block() {
        let (properties, _) =
            Properties::decode(Place::Connect, &mut Cursor::new(&[0, 0xEE])).expect("right");
        assert!(properties.is_empty());
        refused(Place::Connect, "", MalformedPacket);
    }

    #[test]
    fn a_property_of_another_packet_is_refused() {
        refused(Place::Publish, "05 1100000001", ProtocolError);
        refused(Place::Ack, "02 0101", ProtocolError);
        refused(Place::Disconnect, "02 0101", ProtocolError);
        refused(Place::Connect, "02 0101", MalformedPacket);
        refused(Place::Subscribe, "02 0101", MalformedPacket);
        refused(Place::Unsubscribe, "02 0B01", MalformedPacket);
    }

    #[test]
    fn a_property_is_there_once() {
        refused(Place::Publish, "06 230001 230001", ProtocolError);
        refused(Place::Subscribe, "04 0B01 0B02", ProtocolError);
        refused(Place::Connect, "06 210001 210001", ProtocolError);
        let twice = bytes("0E 260001'k'0001'v' 260001'k'0001'v'");
        let (properties, _) = Properties::decode(Place::Ack, &mut Cursor::new(&twice)).expect("right");
        assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("k", "v"), ("k", "v")]);
    }

    /// A misplaced Topic Alias, then an identifier nobody knows.
    #[test]
    fn what_cannot_be_parsed_is_the_graver_fault() {
        refused(Place::Disconnect, "04 230001 70", MalformedPacket);
    }

    #[test]
    fn a_block_ends_where_its_length_says() {
        refused(Place::Ack, "05 1F0001'p'", MalformedPacket);
        refused(Place::Ack, "03 1F0001'p'", MalformedPacket);
        refused(Place::Ack, "80 80 80 80 00", MalformedPacket);
        refused(Place::Ack, "80 00", MalformedPacket);
    }

    #[test]
    fn each_single_property_is_found_by_its_name() {
        let mut block = PropertiesBuf::default();
        block
            .push(Property::UserProperty("k", "v"))
            .push(Property::SessionExpiryInterval(7))
            .push(Property::AuthenticationMethod("m"))
            .push(Property::AuthenticationData(b"d"))
            .push(Property::MaximumQoS(QoS::AtMostOnce))
            .push(Property::RetainAvailable(false))
            .push(Property::ReceiveMaximum(9));
        let properties = block.as_properties();
        assert_eq!(properties.session_expiry(), Some(7));
        assert_eq!(properties.authentication_method(), Some("m"));
        assert_eq!(properties.authentication_data(), Some(&b"d"[..]));
        assert_eq!(properties.maximum_qos(), Some(QoS::AtMostOnce));
        assert_eq!(properties.retain_available(), Some(false));
        assert_eq!(properties.receive_maximum(), Some(9));
        assert_eq!(properties.topic_alias_maximum(), None);
    }

    #[test]
    fn a_block_can_be_kept_and_sent_later() {
        let received = bytes("10 020000000A 030001't' 260001'k'0001'v'");
        let (properties, fields) =
            Properties::decode(Place::Publish, &mut Cursor::new(&received)).expect("right");
        let mut kept = Vec::new();
        properties.append_to(&mut kept);
        assert_eq!(kept, bytes("030001't' 260001'k'0001'v'"));
        assert_eq!((kept.len(), fields.message_expiry), (properties.byte_len(), Some(10)));
        assert_eq!(Properties::from_checked(&kept), properties);
    }

    #[test]
    #[should_panic(expected = "Topic Alias is a field of its packet")]
    fn what_is_a_field_is_not_pushed() {
        PropertiesBuf::default().push(Property::TopicAlias(1));
    }
}

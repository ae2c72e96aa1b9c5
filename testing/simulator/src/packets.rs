//! Packets as a test writes them: encoded at once, so that what a Client sends passes the real decoder.

use std::sync::Arc;

use martlet_access::Permit;
use martlet_packet::{
    Ack, Auth, Connect, Disconnect, Packet, PacketId, Properties, PropertiesBuf, Property, Publish,
    PublishQoS, QoS, ReasonCode, Subscribe, SubscriptionOptions, Unsubscribe, Version, Will,
};
use martlet_record::{Need, ShardId};
use martlet_session::Terms;

/// A CONNECT in the making: MQTT 5, Clean Start, Keep Alive 60, until told otherwise.
#[derive(Debug, Clone)]
pub struct Connecting {
    /// Protocol Version.
    pub version: Version,
    /// Client Identifier.
    pub client_id: String,
    /// Clean Start.
    pub clean_start: bool,
    /// Keep Alive in seconds.
    pub keep_alive: u16,
    pub(crate) terms: Arc<Terms>,
    pub(crate) permit: Permit,
    pub(crate) username: Option<String>,
    is_bridge: bool,
    properties: Vec<u8>,
    will: Option<Willing>,
}

/// A Will in the making.
#[derive(Debug, Clone)]
struct Willing {
    topic: String,
    payload: Vec<u8>,
    qos: QoS,
    retain: bool,
    delay: u32,
    message_expiry: Option<u32>,
    properties: Vec<u8>,
}

/// A Client that will connect.
pub fn connect(client_id: &str) -> Connecting {
    Connecting {
        version: Version::V5,
        client_id: client_id.into(),
        clean_start: true,
        keep_alive: 60,
        terms: Terms::none(),
        permit: Permit::everything(),
        username: None,
        is_bridge: false,
        properties: Vec::new(),
        will: None,
    }
}

impl Connecting {
    /// With another version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// With Clean Start 0 and this Session Expiry Interval.
    #[must_use]
    pub fn kept(self, expiry: u32) -> Self {
        self.resuming().with(&Property::SessionExpiryInterval(expiry))
    }

    /// With Clean Start 0.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.clean_start = false;
        self
    }

    /// With this Keep Alive.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    /// Over a listener that says how safe what it is promised must be.
    #[must_use]
    pub fn needing(mut self, need: Need) -> Self {
        Arc::make_mut(&mut self.terms).need = Some(need);
        self
    }

    /// Over a listener with these terms.
    #[must_use]
    pub fn under(mut self, terms: Terms) -> Self {
        self.terms = Arc::new(terms);
        self
    }

    /// Allowed this and no more.
    #[must_use]
    pub fn permitted(mut self, permit: Permit) -> Self {
        self.permit = permit;
        self
    }

    /// With a User Name.
    #[must_use]
    pub fn username(mut self, username: &str) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Saying that it is a bridge.
    #[must_use]
    pub fn as_bridge(mut self) -> Self {
        self.is_bridge = true;
        self
    }

    /// With a property.
    #[must_use]
    pub fn with(mut self, property: &Property<'_>) -> Self {
        let mut one = PropertiesBuf::default();
        one.push(*property);
        self.properties.extend(one.into_vec());
        self
    }

    /// With a Will.
    #[must_use]
    pub fn will(mut self, topic: &str, payload: &[u8], qos: QoS, retain: bool, delay: u32) -> Self {
        self.will = Some(Willing {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain,
            delay,
            message_expiry: None,
            properties: Vec::new(),
        });
        self
    }

    /// With a Message Expiry Interval and properties for the Will it has.
    #[must_use]
    pub fn will_with(mut self, message_expiry: Option<u32>, properties: &[Property<'_>]) -> Self {
        let will = self.will.as_mut().expect("a Will before its properties");
        will.message_expiry = message_expiry;
        will.properties = block(properties).into_vec();
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let will = self.will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: &will.topic,
            payload: &will.payload,
            delay: will.delay,
            message_expiry: will.message_expiry,
            properties: Properties::from_checked(&will.properties),
        });
        let connect = Connect {
            version: self.version,
            bridge: self.is_bridge,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_id: &self.client_id,
            will,
            user_name: self.username.as_deref(),
            password: None,
            properties: Properties::from_checked(&self.properties),
        };
        raw(self.version, &Packet::Connect(connect))
    }
}

/// Properties in this order, to be lent to a packet.
pub fn block(properties: &[Property<'_>]) -> PropertiesBuf {
    properties.iter().copied().collect()
}

/// A packet's bytes.
pub fn raw(version: Version, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    bytes
}

/// PUBLISH with QoS 0.
pub fn publish<'a>(topic: &'a str, payload: &'a [u8]) -> Packet<'a> {
    Packet::Publish(Publish::new(topic, payload))
}

/// PUBLISH with QoS 1 or 2.
pub fn publish_qos<'a>(topic: &'a str, payload: &'a [u8], qos: u8, packet_id: u16) -> Packet<'a> {
    let qos = match qos {
        0 => PublishQoS::AtMostOnce,
        1 => PublishQoS::AtLeastOnce(id(packet_id)),
        _ => PublishQoS::ExactlyOnce(id(packet_id)),
    };
    Packet::Publish(Publish { qos, ..Publish::new(topic, payload) })
}

/// PUBLISH with QoS 0 and RETAIN.
pub fn retain<'a>(topic: &'a str, payload: &'a [u8]) -> Packet<'a> {
    Packet::Publish(Publish { retain: true, ..Publish::new(topic, payload) })
}

/// Subscription Options of a Maximum QoS and nothing else.
pub fn options(qos: u8) -> SubscriptionOptions {
    SubscriptionOptions { qos: QoS::try_from(qos).expect("a QoS"), ..SubscriptionOptions::default() }
}

/// SUBSCRIBE with filters and their Maximum QoS.
pub fn subscribe<'a>(packet_id: u16, filters: &[(&'a str, u8)]) -> Packet<'a> {
    let filters: Vec<_> = filters.iter().map(|(filter, qos)| (*filter, options(*qos))).collect();
    subscribe_with(packet_id, &filters, None)
}

/// SUBSCRIBE with filters and their options, and a Subscription Identifier for all of them.
pub fn subscribe_with<'a>(
    packet_id: u16,
    filters: &[(&'a str, SubscriptionOptions)],
    subscription_id: Option<u32>,
) -> Packet<'a> {
    Packet::Subscribe(Subscribe {
        packet_id: id(packet_id),
        subscription_id,
        properties: Properties::default(),
        filters: filters.to_vec(),
    })
}

/// UNSUBSCRIBE.
pub fn unsubscribe<'a>(packet_id: u16, filters: &[&'a str]) -> Packet<'a> {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(packet_id),
        properties: Properties::default(),
        filters: filters.to_vec(),
    })
}

/// PUBACK of success.
pub fn puback(packet_id: u16) -> Packet<'static> {
    puback_of(packet_id, ReasonCode::Success)
}

/// PUBACK with a Reason Code.
pub fn puback_of(packet_id: u16, reason: ReasonCode) -> Packet<'static> {
    Packet::PubAck(Ack::with_reason(id(packet_id), reason))
}

/// PUBREC of success.
pub fn pubrec(packet_id: u16) -> Packet<'static> {
    pubrec_of(packet_id, ReasonCode::Success)
}

/// PUBREC with a Reason Code.
pub fn pubrec_of(packet_id: u16, reason: ReasonCode) -> Packet<'static> {
    Packet::PubRec(Ack::with_reason(id(packet_id), reason))
}

/// PUBREL.
pub fn pubrel(packet_id: u16) -> Packet<'static> {
    Packet::PubRel(Ack::new(id(packet_id)))
}

/// PUBCOMP.
pub fn pubcomp(packet_id: u16) -> Packet<'static> {
    Packet::PubComp(Ack::new(id(packet_id)))
}

/// PINGREQ.
pub fn ping() -> Packet<'static> {
    Packet::PingReq
}

/// DISCONNECT with a Reason Code.
pub fn disconnect(reason: ReasonCode) -> Packet<'static> {
    Packet::Disconnect(Disconnect::new(reason))
}

/// AUTH with a Reason Code and properties.
pub fn auth(reason: ReasonCode, properties: &PropertiesBuf) -> Packet<'_> {
    Packet::Auth(Auth { reason, properties: properties.as_properties() })
}

fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).expect("a Packet Identifier is not zero")
}

/// Two Client Identifiers whose Sessions are at home in different shards.
pub fn two_homes() -> (String, String) {
    let first = "publisher-0".to_owned();
    let other = (1..)
        .map(|number| format!("publisher-{number}"))
        .find(|id| ShardId::home_of(id) != ShardId::home_of(&first))
        .expect("there are 64 homes");
    (first, other)
}

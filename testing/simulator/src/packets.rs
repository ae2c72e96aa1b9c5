//! Packets as a test writes them: encoded at once, so that what a Client sends passes the real decoder.

use martlet_packet::{
    Ack, Connect, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, PublishQoS, QoS,
    ReasonCode, RetainHandling, Subscribe, SubscriptionOptions, Unsubscribe, Version, Will,
};

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
    properties: Vec<u8>,
    will: Option<(String, Vec<u8>, QoS, bool, u32)>,
}

/// A Client that will connect.
pub fn connect(client_id: &str) -> Connecting {
    Connecting {
        version: Version::V5,
        client_id: client_id.into(),
        clean_start: true,
        keep_alive: 60,
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
        self.will = Some((topic.into(), payload.into(), qos, retain, delay));
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let will = self.will.as_ref().map(|(topic, payload, qos, retain, delay)| Will {
            qos: *qos,
            retain: *retain,
            topic,
            payload,
            delay: *delay,
            message_expiry: None,
            properties: Properties::default(),
        });
        let connect = Connect {
            version: self.version,
            bridge: false,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_id: &self.client_id,
            will,
            user_name: None,
            password: None,
            properties: Properties::from_checked(&self.properties),
        };
        raw(self.version, &Packet::Connect(connect))
    }
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

/// SUBSCRIBE with filters and their Maximum QoS.
pub fn subscribe<'a>(packet_id: u16, filters: &[(&'a str, u8)]) -> Packet<'a> {
    let options = |qos: u8| SubscriptionOptions {
        qos: QoS::try_from(qos).expect("a QoS"),
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::SendOnSubscribe,
    };
    Packet::Subscribe(Subscribe {
        packet_id: id(packet_id),
        subscription_id: None,
        properties: Properties::default(),
        filters: filters.iter().map(|(filter, qos)| (*filter, options(*qos))).collect(),
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
    Packet::PubAck(ack(packet_id))
}

/// PUBREC of success.
pub fn pubrec(packet_id: u16) -> Packet<'static> {
    Packet::PubRec(ack(packet_id))
}

/// PUBREL.
pub fn pubrel(packet_id: u16) -> Packet<'static> {
    Packet::PubRel(ack(packet_id))
}

/// PUBCOMP.
pub fn pubcomp(packet_id: u16) -> Packet<'static> {
    Packet::PubComp(ack(packet_id))
}

/// PINGREQ.
pub fn ping() -> Packet<'static> {
    Packet::PingReq
}

fn ack(packet_id: u16) -> Ack<'static> {
    Ack { packet_id: id(packet_id), reason: ReasonCode::Success, properties: Properties::default() }
}

fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).expect("a Packet Identifier is not zero")
}

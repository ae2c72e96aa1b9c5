//! A Message as the application holds it. It owns its bytes, and a copy shares the payload.

use std::borrow::Cow;

use bytes::Bytes;
use martlet_packet::{MAXIMUM_REMAINING_LENGTH, PacketId, PropertiesBuf, Publish, PublishQoS, QoS, Version};

/// An Application Message, sent or received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The Topic Name.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// The QoS it is sent with, or came with.
    pub qos: QoS,
    /// Whether it is to be retained, or was.
    pub retain: bool,
    /// The Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// The Topic Alias. Sending with one spares the Topic Name from the second time on; a received one is only told.
    pub topic_alias: Option<u16>,
    /// All other properties. MQTT 3.x leaves them out.
    pub properties: PropertiesBuf,
}

impl Message {
    /// A Message of QoS 0 with nothing but a Topic Name and a payload.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), ..Self::default() }
    }

    /// The same with this QoS.
    #[must_use]
    pub fn qos(self, qos: QoS) -> Self {
        Self { qos, ..self }
    }

    /// The same, to be retained.
    #[must_use]
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// Whether a packet can carry it, counted on the safe side.
    pub(crate) fn fits_a_packet(&self) -> bool {
        const ALL_ELSE: usize = 32;
        let len = self.topic.len() + self.properties.as_properties().byte_len() + self.payload.len();
        len + ALL_ELSE <= MAXIMUM_REMAINING_LENGTH as usize
    }

    /// Bytes of the PUBLISH that carries it; it must fit a packet.
    pub(crate) fn encoded_len(&self, version: Version) -> usize {
        self.as_publish(self.qos_with(PacketId::FIRST), false).encoded_len(version)
    }

    /// The QoS as PUBLISH says it.
    pub(crate) const fn qos_with(&self, packet_id: PacketId) -> PublishQoS {
        match self.qos {
            QoS::AtMostOnce => PublishQoS::AtMostOnce,
            QoS::AtLeastOnce => PublishQoS::AtLeastOnce(packet_id),
            QoS::ExactlyOnce => PublishQoS::ExactlyOnce(packet_id),
        }
    }

    /// The PUBLISH that carries it.
    pub(crate) fn as_publish(&self, qos: PublishQoS, dup: bool) -> Publish<'_> {
        Publish {
            dup,
            retain: self.retain,
            qos,
            topic: &self.topic,
            topic_alias: self.topic_alias,
            message_expiry: self.message_expiry,
            subscription_ids: Cow::Borrowed(&[]),
            properties: self.properties.as_properties(),
            payload: &self.payload,
        }
    }
}

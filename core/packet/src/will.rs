//! The Will Message as CONNECT carries it (MQTT 5.0, §3.1.3).

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::place::Place;
use crate::property::id;
use crate::{Properties, QoS, Version, put};

/// The Message that is published when the Connection ends without a DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Will<'a> {
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Its Topic Name.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// Seconds between the end of the Connection and its publication.
    pub delay: u32,
    /// Its Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// All other properties in the order of the Client.
    pub properties: Properties<'a>,
}

impl<'a> Will<'a> {
    /// A Will of QoS 0 with nothing but a Topic Name and a payload.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Self {
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            payload,
            delay: 0,
            message_expiry: None,
            properties: Properties::from_checked(&[]),
        }
    }

    /// Reads Will Properties, Will Topic and Will Payload.
    pub(crate) fn decode(
        version: Version,
        qos: QoS,
        retain: bool,
        cursor: &mut Cursor<'a>,
    ) -> Result<Self, Error> {
        let mut will = Self { qos, retain, ..Self::new("", &[]) };
        if version.is_v5() {
            let (properties, fields) = Properties::decode(Place::Will, cursor)?;
            will.properties = properties;
            will.delay = fields.will_delay.unwrap_or(0);
            will.message_expiry = fields.message_expiry;
        }
        will.topic = cursor.topic_name("Will Topic")?;
        if will.topic.is_empty() {
            return Err(malformed("Will Topic", "is empty [MQTT-4.7.3-1]"));
        }
        will.payload = cursor.binary("Will Payload")?;
        Ok(will)
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        if version.is_v5() {
            put::varint(put::length(self.property_len()), out);
            if self.delay > 0 {
                out.push(id::WILL_DELAY_INTERVAL);
                put::u32(self.delay, out);
            }
            self.properties.append_to(out);
            if let Some(seconds) = self.message_expiry {
                out.push(id::MESSAGE_EXPIRY_INTERVAL);
                put::u32(seconds, out);
            }
        }
        put::binary(self.topic.as_bytes(), out);
        put::binary(self.payload, out);
    }

    pub(crate) fn len(&self, version: Version) -> usize {
        let properties = if version.is_v5() { put::block_len(self.property_len()) } else { 0 };
        properties + 2 + self.topic.len() + 2 + self.payload.len()
    }

    fn property_len(&self) -> usize {
        let delay = if self.delay > 0 { 5 } else { 0 };
        delay + self.properties.byte_len() + self.message_expiry.map_or(0, |_| 5)
    }
}

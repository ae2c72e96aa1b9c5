//! SUBSCRIBE (MQTT 5.0, §3.8) and the options of a Subscription.

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::frame::Frame;
use crate::place::Place;
use crate::property::id;
use crate::{PacketId, Properties, QoS, Version, put, varint};

/// A SUBSCRIBE packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// By which the SUBACK answers.
    pub packet_id: PacketId,
    /// The number the Client gives these Subscriptions, never 0.
    pub subscription_id: Option<u32>,
    /// The User Properties.
    pub properties: Properties<'a>,
    /// Topic Filters with their options, at least one. [MQTT-3.8.3-2]
    pub filters: Vec<(&'a str, SubscriptionOptions)>,
}

/// What a subscriber asks for with a Topic Filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS it wants.
    pub qos: QoS,
    /// Whether its own Messages are kept from it.
    pub no_local: bool,
    /// Whether Messages keep the RETAIN flag they were published with.
    pub retain_as_published: bool,
    /// When retained Messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained Messages are sent to a new subscriber.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    SendOnSubscribe = 0,
    /// When the Subscription did not exist before.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

const FIRST: u8 = 0x82;

impl<'a> Subscribe<'a> {
    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let packet_id = cursor.packet_id()?;
        let mut subscription_id = None;
        let mut properties = Properties::default();
        if version.is_v5() {
            let fields;
            (properties, fields) = Properties::decode(Place::Subscribe, &mut cursor)?;
            subscription_id = fields.subscription_ids.first().copied();
        }
        let mut filters = Vec::new();
        while !cursor.is_empty() {
            let filter = cursor.topic_filter()?;
            filters.push((filter, SubscriptionOptions::decode(version, cursor.u8("Subscription Options")?)?));
        }
        if filters.is_empty() {
            return Err(malformed("SUBSCRIBE", "has no Topic Filter [MQTT-3.8.3-2]"));
        }
        Ok(Self { packet_id, subscription_id, properties, filters })
    }

    /// Appends the packet as this version writes it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
        put::u16(self.packet_id.get(), out);
        if version.is_v5() {
            put::varint(put::length(self.property_len()), out);
            if let Some(subscription_id) = self.subscription_id {
                out.push(id::SUBSCRIPTION_IDENTIFIER);
                put::varint(subscription_id, out);
            }
            self.properties.append_to(out);
        }
        for (filter, options) in &self.filters {
            put::binary(filter.as_bytes(), out);
            out.push(options.encode(version));
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        let properties = if version.is_v5() { put::block_len(self.property_len()) } else { 0 };
        let filters: usize = self.filters.iter().map(|(filter, _)| 2 + filter.len() + 1).sum();
        2 + properties + filters
    }

    fn property_len(&self) -> usize {
        self.subscription_id.map_or(0, |id| 1 + varint::len(id)) + self.properties.byte_len()
    }
}

impl SubscriptionOptions {
    /// The options MQTT 3.x can say.
    pub const fn new(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendOnSubscribe,
        }
    }

    fn decode(version: Version, byte: u8) -> Result<Self, Error> {
        const FIELD: &str = "Subscription Options";
        let reserved = if version.is_v5() { 0xC0 } else { 0xFC };
        if byte & reserved != 0 {
            return Err(malformed(FIELD, "have reserved bits set [MQTT-3.8.3-5]"));
        }
        let qos = QoS::try_from(byte & 0x03).map_err(|_| malformed(FIELD, "ask for QoS 3 (§3.8.3.1)"))?;
        let retain_handling = match byte >> 4 {
            0 => RetainHandling::SendOnSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(malformed(FIELD, "have a Retain Handling of 3 (§3.8.3.1)")),
        };
        Ok(Self { qos, no_local: byte & 0x04 != 0, retain_as_published: byte & 0x08 != 0, retain_handling })
    }

    fn encode(self, version: Version) -> u8 {
        let qos = u8::from(self.qos);
        if !version.is_v5() {
            return qos;
        }
        qos | u8::from(self.no_local) << 2
            | u8::from(self.retain_as_published) << 3
            | (self.retain_handling as u8) << 4
    }
}

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
        let packet_id = cursor.request_id()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use crate::ReasonCode::{MalformedPacket, ProtocolError};
    use crate::written::{VERSIONS, is, read, refused, writes};

    fn subscribe(filters: Vec<(&str, SubscriptionOptions)>) -> Subscribe<'_> {
        let packet_id = PacketId::new(10).expect("not 0");
        Subscribe { packet_id, subscription_id: None, properties: Properties::default(), filters }
    }

    /// Figure 3-21.
    #[test]
    fn the_example_of_the_specification() {
        let filters = vec![
            ("a/b", SubscriptionOptions::new(QoS::AtLeastOnce)),
            ("c/d", SubscriptionOptions::new(QoS::ExactlyOnce)),
        ];
        let subscribe = Packet::Subscribe(subscribe(filters));
        is(Version::V3_1, "82 0E 000A 0003'a/b' 01 0003'c/d' 02", &subscribe);
        is(Version::V3_1_1, "82 0E 000A 0003'a/b' 01 0003'c/d' 02", &subscribe);
        is(Version::V5, "82 0F 000A 00 0003'a/b' 01 0003'c/d' 02", &subscribe);
    }

    #[test]
    fn options_are_bits() {
        for (byte, handling) in [
            ("0E", RetainHandling::SendOnSubscribe),
            ("1E", RetainHandling::SendIfNew),
            ("2E", RetainHandling::DoNotSend),
        ] {
            let options = SubscriptionOptions {
                qos: QoS::ExactlyOnce,
                no_local: true,
                retain_as_published: true,
                retain_handling: handling,
            };
            let subscribe = Packet::Subscribe(subscribe(vec![("a", options)]));
            is(Version::V5, &format!("82 07 000A 00 0001'a' {byte}"), &subscribe);
            writes(Version::V3_1_1, &subscribe, "82 06 000A 0001'a' 02");
        }
    }

    /// [MQTT-3.8.3-5], [3.1.1 MQTT-3.8.3-4]
    #[test]
    fn reserved_options_are_refused() {
        for options in ["03", "30", "40", "80"] {
            refused(
                Version::V5,
                &format!("82 07 000A 00 0001'a' {options}"),
                MalformedPacket,
                "Subscription Options",
            );
        }
        for options in ["03", "04", "08", "10", "20", "40", "80"] {
            refused(
                Version::V3_1_1,
                &format!("82 06 000A 0001'a' {options}"),
                MalformedPacket,
                "Subscription Options",
            );
        }
    }

    /// [MQTT-3.8.3-2]
    #[test]
    fn there_is_at_least_one_filter() {
        refused(Version::V3_1_1, "82 02 000A", MalformedPacket, "no Topic Filter");
        refused(Version::V5, "82 03 000A 00", MalformedPacket, "no Topic Filter");
    }

    /// [MQTT-3.8.3-1], [MQTT-4.7.3-1], [MQTT-4.7.3-2]
    #[test]
    fn filters_are_strings_of_at_least_one_character() {
        refused(Version::V5, "82 06 000A 00 0000 00", MalformedPacket, "Topic Filter is empty");
        refused(Version::V5, "82 07 000A 00 0001 00 00", MalformedPacket, "Topic Filter");
        refused(Version::V3_1_1, "82 06 000A 0001 FF 00", MalformedPacket, "Topic Filter is not valid UTF-8");
        assert!(read(Version::V5, "82 09 000A 00 0003'+/#' 00").is_ok());
    }

    #[test]
    fn nothing_may_be_missing() {
        for version in VERSIONS {
            refused(version, "82 01 00", MalformedPacket, "Packet Identifier");
            refused(version, "82 02 0000", MalformedPacket, "Packet Identifier");
        }
        refused(Version::V3_1_1, "82 05 000A 0001'a'", MalformedPacket, "Subscription Options");
        refused(Version::V3_1_1, "82 09 000A 0001'a' 00 0002'b'", MalformedPacket, "Topic Filter");
    }

    #[test]
    fn the_subscription_identifier_is_a_number_from_1_on_and_there_once() {
        let subscribe = Subscribe {
            subscription_id: Some(268_435_455),
            ..subscribe(vec![("a", SubscriptionOptions::default())])
        };
        is(Version::V5, "82 0C 000A 05 0BFFFFFF7F 0001'a' 00", &Packet::Subscribe(subscribe));
        refused(
            Version::V5,
            "82 09 000A 02 0B00 0001'a' 00",
            MalformedPacket,
            "Subscription Identifier is 0",
        );
        refused(Version::V5, "82 0B 000A 04 0B010B01 0001'a' 00", ProtocolError, "more than once");
    }
}

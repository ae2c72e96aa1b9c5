//! UNSUBSCRIBE (MQTT 5.0, §3.10).

use crate::cursor::Cursor;
use crate::error::{Error, malformed};
use crate::frame::Frame;
use crate::place::Place;
use crate::{PacketId, Properties, Version, put};

/// An UNSUBSCRIBE packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// By which the UNSUBACK answers.
    pub packet_id: PacketId,
    /// The User Properties.
    pub properties: Properties<'a>,
    /// The Topic Filters, at least one. [MQTT-3.10.3-2]
    pub filters: Vec<&'a str>,
}

const FIRST: u8 = 0xA2;

impl<'a> Unsubscribe<'a> {
    pub(crate) fn decode(version: Version, frame: Frame<'a>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(frame.body);
        let packet_id = cursor.request_id()?;
        let mut properties = Properties::default();
        if version.is_v5() {
            (properties, _) = Properties::decode(Place::Unsubscribe, &mut cursor)?;
        }
        let mut filters = Vec::new();
        while !cursor.is_empty() {
            filters.push(cursor.topic_filter()?);
        }
        if filters.is_empty() {
            return Err(malformed("UNSUBSCRIBE", "has no Topic Filter [MQTT-3.10.3-2]"));
        }
        Ok(Self { packet_id, properties, filters })
    }

    /// Appends the packet as this version writes it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put::fixed_header(FIRST, self.remaining_len(version), out);
        put::u16(self.packet_id.get(), out);
        put::properties(version, self.properties, out);
        for filter in &self.filters {
            put::binary(filter.as_bytes(), out);
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        put::packet_len(self.remaining_len(version))
    }

    fn remaining_len(&self, version: Version) -> usize {
        let filters: usize = self.filters.iter().map(|filter| 2 + filter.len()).sum();
        2 + put::properties_len(version, self.properties) + filters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use crate::ReasonCode::MalformedPacket;
    use crate::written::{VERSIONS, is, refused};

    /// Figure 3-30.
    #[test]
    fn the_example_of_the_specification() {
        let packet_id = PacketId::new(10).expect("not 0");
        let unsubscribe =
            Unsubscribe { packet_id, properties: Properties::default(), filters: vec!["a/b", "c/d"] };
        let unsubscribe = Packet::Unsubscribe(unsubscribe);
        is(Version::V3_1, "A2 0C 000A 0003'a/b' 0003'c/d'", &unsubscribe);
        is(Version::V3_1_1, "A2 0C 000A 0003'a/b' 0003'c/d'", &unsubscribe);
        is(Version::V5, "A2 0D 000A 00 0003'a/b' 0003'c/d'", &unsubscribe);
    }

    /// [MQTT-3.10.3-2]
    #[test]
    fn there_is_at_least_one_filter() {
        refused(Version::V3_1_1, "A2 02 000A", MalformedPacket, "no Topic Filter");
        refused(Version::V5, "A2 03 000A 00", MalformedPacket, "no Topic Filter");
    }

    /// [MQTT-3.10.3-1], [MQTT-4.7.3-1]
    #[test]
    fn filters_are_strings_of_at_least_one_character() {
        refused(Version::V5, "A2 08 000A 00 0001'a' 0000", MalformedPacket, "Topic Filter is empty");
        refused(Version::V3_1_1, "A2 05 000A 0001 FF", MalformedPacket, "Topic Filter is not valid UTF-8");
    }

    #[test]
    fn nothing_may_be_missing() {
        for version in VERSIONS {
            refused(version, "A2 00", MalformedPacket, "Packet Identifier");
            refused(version, "A2 02 0000", MalformedPacket, "Packet Identifier");
        }
        refused(Version::V3_1_1, "A2 04 000A 0001", MalformedPacket, "Topic Filter");
    }
}

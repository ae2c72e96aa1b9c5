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
        let packet_id = cursor.packet_id()?;
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

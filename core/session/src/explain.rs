//! Packets that say why: with a Reason String where it fits the Client's Maximum Packet Size, else without.

use martlet_packet::{Packet, Properties, PropertiesBuf, Property, Version};

/// Appends a packet with its Reason String, or without one if there is none or the packet would be larger than
/// `maximum` [MQTT-3.2.2-19], [MQTT-3.4.2-2], [MQTT-3.5.2-2], [MQTT-3.9.2-1], [MQTT-3.14.2-3].
pub fn encode_explained(
    version: Version,
    maximum: u32,
    text: Option<&str>,
    packet: impl for<'a> Fn(Properties<'a>) -> Packet<'a>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    if let Some(text) = text.filter(|text| version.is_v5() && !text.is_empty()) {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::ReasonString(text));
        packet(properties.as_properties()).encode(version, out);
        if out.len() - start <= maximum as usize {
            return;
        }
        out.truncate(start);
    }
    packet(Properties::default()).encode(version, out);
}

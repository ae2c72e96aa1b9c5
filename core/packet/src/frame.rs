//! Finds packets in a stream of bytes. Nothing behind what arrived is looked at, and what can already be seen to be
//! wrong is refused before the rest of it is waited for.

use crate::error::{Error, malformed, protocol, unanswered};
use crate::varint::{self, Varint};

/// One whole packet as it lies in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The first byte: packet type and flags.
    pub first: u8,
    /// What follows the fixed header.
    pub body: &'a [u8],
    /// Bytes of the whole packet, the fixed header included.
    pub len: usize,
}

impl Frame<'_> {
    /// The packet type; none for the forbidden type 0.
    #[inline]
    pub const fn packet_type(&self) -> Option<PacketType> {
        PacketType::of(self.first)
    }

    /// The low four bits of the first byte.
    pub(crate) const fn flags(&self) -> u8 {
        self.first & 0x0F
    }

    /// Whether the Remaining Length was written in its shortest form. [MQTT-1.5.5-1]
    #[inline]
    pub(crate) const fn is_shortest(&self) -> bool {
        self.len == crate::put::packet_len(self.body.len())
    }
}

/// Finds the first packet; none when more bytes are needed. A packet of more than `maximum` bytes in all is refused as
/// soon as its length is known.
#[inline]
pub fn frame(bytes: &[u8], maximum: u32) -> Result<Option<Frame<'_>>, Error> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    check_first_byte(first)?;
    let (remaining, digits) = match varint::read(rest) {
        Varint::Value(remaining, digits) => (remaining, digits),
        Varint::Incomplete => return Ok(None),
        Varint::TooLong => return Err(unanswered("Remaining Length", "has more than four bytes")),
    };
    let header = 1 + digits;
    let size = remaining + crate::put::length(header);
    if size > maximum {
        return Err(Error::PacketTooLarge { size, maximum });
    }
    if (PINGREQ..DISCONNECT).contains(&first) && remaining > 0 {
        return Err(unanswered("Remaining Length", "of PINGREQ and PINGRESP is 0"));
    }
    let len = size as usize;
    Ok(bytes.get(header..len).map(|body| Frame { first, body, len }))
}

/// The length of the first packet in all, once its fixed header has arrived; lets a reader make room for it.
pub fn needed(bytes: &[u8]) -> Option<usize> {
    match varint::read(bytes.get(1..)?) {
        Varint::Value(remaining, digits) => Some(1 + digits + remaining as usize),
        Varint::Incomplete | Varint::TooLong => None,
    }
}

const PINGREQ: u8 = 0xC0;
const DISCONNECT: u8 = 0xE0;

/// The type of a Control Packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the specification's names")]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type in the high four bits of a first byte; none for the forbidden type 0.
    #[inline]
    pub const fn of(first: u8) -> Option<Self> {
        Some(match first >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// Whether a Client may send it. Asked before a packet is decoded: what may not be sent is a Protocol Error
    /// whatever it says.
    pub const fn is_sent_by_client(self) -> bool {
        !matches!(self, Self::ConnAck | Self::SubAck | Self::UnsubAck | Self::PingResp)
    }

    /// Whether a Server may send it.
    pub const fn is_sent_by_server(self) -> bool {
        !matches!(self, Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::PingReq)
    }

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl std::fmt::Display for PacketType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Refuses a first byte that no version allows.
#[inline]
pub(crate) fn check_first_byte(first: u8) -> Result<(), Error> {
    if FLAGS_ALLOWED[usize::from(first >> 4)] >> (first & 0x0F) & 1 == 1 {
        Ok(())
    } else {
        Err(first_byte_error(first))
    }
}

/// By packet type, which of the sixteen flag values some version allows, as a bit each. [MQTT-2.1.3-1]
const FLAGS_ALLOWED: [u16; 16] = {
    const ZERO: u16 = 1;
    // MQTT 3.1 sets DUP when it sends these again; `decode` refuses it in the later versions.
    const TWO_OR_DUP: u16 = 1 << 0x2 | 1 << 0xA;
    // All but QoS 3 [MQTT-3.3.1-4] and DUP with QoS 0 [MQTT-3.3.1-2].
    const PUBLISH: u16 = 0b0011_1100_0011_1111;
    // MQTT 3.1 does not use the flags of CONNECT, and only CONNECT itself tells the version.
    const ANY: u16 = !0;
    [
        0, ANY, ZERO, PUBLISH, ZERO, ZERO, TWO_OR_DUP, ZERO, TWO_OR_DUP, ZERO, TWO_OR_DUP, ZERO, ZERO, ZERO,
        ZERO, ZERO,
    ]
};

/// Wrong flags are malformed. In packets that a Server does not take, or not at that time, the Protocol Error comes
/// first, so far as Mosquitto sees it so.
#[cold]
fn first_byte_error(first: u8) -> Error {
    const RULE: &str = "are not those of the packet type [MQTT-2.1.3-1]";
    match PacketType::of(first) {
        None => protocol("packet type", "0 is forbidden"),
        Some(PacketType::Publish) if first & 0x06 == 0x06 => malformed("QoS", "is 3 [MQTT-3.3.1-4]"),
        Some(PacketType::Publish) => malformed("DUP", "is set in a PUBLISH of QoS 0 [MQTT-3.3.1-2]"),
        Some(PacketType::ConnAck | PacketType::PingResp | PacketType::Auth) => {
            protocol("fixed header flags", RULE)
        }
        Some(_) => malformed("fixed header flags", RULE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode;
    use crate::written::bytes;

    fn error(written: &str) -> Error {
        frame(&bytes(written), u32::MAX).expect_err("it is wrong")
    }

    #[test]
    fn the_first_packet_is_found_and_no_more() {
        let stream = bytes("40 02 0001  C0 00");
        let first = frame(&stream, 100).expect("right").expect("whole");
        assert_eq!(first, Frame { first: 0x40, body: &[0, 1], len: 4 });
        let second = frame(&stream[first.len..], 100).expect("right").expect("whole");
        assert_eq!(second, Frame { first: 0xC0, body: &[], len: 2 });
        assert_eq!(frame(&stream[6..], 100), Ok(None));
    }

    #[test]
    fn a_part_of_a_packet_waits_for_the_rest() {
        let whole = [&bytes("30 C8 01")[..], &[b'x'; 200]].concat();
        for part in 0..whole.len() {
            assert_eq!(frame(&whole[..part], 1000), Ok(None));
        }
        assert_eq!(needed(&whole[..2]), None);
        assert_eq!(needed(&whole[..3]), Some(203));
        assert!(frame(&whole, 1000).expect("right").is_some());
    }

    /// The whole packet counts, fixed header included, and its length is enough to refuse it.
    #[test]
    fn what_is_too_large_is_refused_before_it_arrives() {
        assert_eq!(frame(&bytes("30 08"), 10), Ok(None));
        assert_eq!(frame(&bytes("30 09"), 10), Err(Error::PacketTooLarge { size: 11, maximum: 10 }));
        let largest = frame(&bytes("30 FF FF FF 7F"), 100_000).expect_err("too large");
        assert_eq!(largest, Error::PacketTooLarge { size: 268_435_460, maximum: 100_000 });
        assert_eq!(largest.reason_code(), ReasonCode::PacketTooLarge);
    }

    #[test]
    fn a_remaining_length_of_five_bytes_is_refused_before_the_fifth() {
        assert_eq!(error("10 FF FF FF FF").reason_code(), ReasonCode::MalformedPacket);
        assert!(matches!(error("10 FF FF FF FF"), Error::Unanswered { .. }));
    }

    /// Table 2-2, by its first byte alone. [MQTT-2.1.3-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1]
    #[test]
    fn reserved_flags_are_refused_at_the_first_byte() {
        for first in 0..=u8::MAX {
            let allowed = match first >> 4 {
                0 => false,
                // MQTT 3.1 does not use the flags of CONNECT; `decode` knows the version.
                1 => true,
                3 => first & 0x06 != 0x06 && first & 0x0E != 0x08,
                // DUP belongs to MQTT 3.1; `decode` knows the version.
                6 | 8 | 10 => first & 0x07 == 0x02,
                _ => first & 0x0F == 0,
            };
            assert_eq!(frame(&[first], 100).is_ok(), allowed, "{first:#04x}");
        }
    }

    /// [MQTT-3.3.1-4]
    #[test]
    fn qos_3_is_malformed() {
        assert_eq!(error("36").reason_code(), ReasonCode::MalformedPacket);
    }

    /// [MQTT-3.3.1-2]
    #[test]
    fn dup_with_qos_0_is_malformed() {
        assert_eq!(error("38").reason_code(), ReasonCode::MalformedPacket);
    }

    #[test]
    fn the_forbidden_type_is_a_protocol_error() {
        assert_eq!(error("00").reason_code(), ReasonCode::ProtocolError);
    }

    #[test]
    fn a_ping_with_a_body_is_no_ping() {
        assert!(matches!(error("C0 01"), Error::Unanswered { .. }));
        assert!(matches!(error("D0 01"), Error::Unanswered { .. }));
    }

    #[test]
    fn each_side_has_packets_the_other_does_not_send() {
        let types: Vec<_> = (1..=15).filter_map(|high| PacketType::of(high << 4)).collect();
        let client: Vec<_> = types.iter().filter(|of| !of.is_sent_by_server()).map(|of| of.name()).collect();
        let server: Vec<_> = types.iter().filter(|of| !of.is_sent_by_client()).map(|of| of.name()).collect();
        assert_eq!(client, ["CONNECT", "SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ"]);
        assert_eq!(server, ["CONNACK", "SUBACK", "UNSUBACK", "PINGRESP"]);
    }
}

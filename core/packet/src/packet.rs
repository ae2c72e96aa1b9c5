//! All packets as one type, and the one place that tells them apart.

use crate::error::{Error, malformed, protocol};
use crate::frame::{Frame, PacketType};
use crate::{
    Ack, Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, Version, put,
};

/// A Control Packet, borrowed from the bytes it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the specification's names")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    ConnAck(ConnAck<'a>),
    Publish(Publish<'a>),
    PubAck(Ack<'a>),
    PubRec(Ack<'a>),
    PubRel(Ack<'a>),
    PubComp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    SubAck(SubAck<'a>),
    Unsubscribe(Unsubscribe<'a>),
    UnsubAck(UnsubAck<'a>),
    PingReq,
    PingResp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

/// Reads a packet of a Connection of this version; for CONNECT the version inside the packet counts.
#[inline]
pub fn decode(version: Version, frame: Frame<'_>) -> Result<Packet<'_>, Error> {
    let Some(packet_type) = frame.packet_type() else {
        return Err(protocol("packet type", "0 is forbidden"));
    };
    match packet_type {
        PacketType::Publish => Ok(Packet::Publish(Publish::decode(version, frame)?)),
        other => decode_control(version, other, frame),
    }
}

/// All packets but PUBLISH, which alone comes so often that it must not wait behind the others.
#[inline(never)]
fn decode_control(version: Version, packet_type: PacketType, frame: Frame<'_>) -> Result<Packet<'_>, Error> {
    check_header(version, packet_type, &frame)?;
    Ok(match packet_type {
        PacketType::Connect => Packet::Connect(Connect::decode(frame)?),
        PacketType::ConnAck => Packet::ConnAck(ConnAck::decode(version, frame)?),
        PacketType::Publish => Packet::Publish(Publish::decode(version, frame)?),
        PacketType::PubAck => Packet::PubAck(Ack::decode(version, packet_type, frame)?),
        PacketType::PubRec => Packet::PubRec(Ack::decode(version, packet_type, frame)?),
        PacketType::PubRel => Packet::PubRel(Ack::decode(version, packet_type, frame)?),
        PacketType::PubComp => Packet::PubComp(Ack::decode(version, packet_type, frame)?),
        PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(version, frame)?),
        PacketType::SubAck => Packet::SubAck(SubAck::decode(version, frame)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(version, frame)?),
        PacketType::UnsubAck => Packet::UnsubAck(UnsubAck::decode(version, frame)?),
        PacketType::PingReq => empty(frame, Packet::PingReq)?,
        PacketType::PingResp => empty(frame, Packet::PingResp)?,
        PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(version, frame)?),
        PacketType::Auth => Packet::Auth(Auth::decode(version, frame)?),
    })
}

/// What of the fixed header depends on the version.
fn check_header(version: Version, packet_type: PacketType, frame: &Frame<'_>) -> Result<(), Error> {
    use PacketType::{Connect, PubRel, Subscribe, Unsubscribe};
    let flags = match (packet_type, version) {
        (Connect, _) => return Ok(()),
        // Sent again by MQTT 3.1.
        (PubRel | Subscribe | Unsubscribe, Version::V3_1) => frame.flags() & !DUP,
        _ => frame.flags(),
    };
    let expected = if matches!(packet_type, PubRel | Subscribe | Unsubscribe) { 0x02 } else { 0 };
    if flags != expected {
        return Err(malformed("fixed header flags", "are not those of the packet type [MQTT-2.1.3-1]"));
    }
    check_shortest(version, frame)
}

const DUP: u8 = 0x08;

/// MQTT 3.x does not ask for the shortest form of the Remaining Length.
#[inline]
pub(crate) fn check_shortest(version: Version, frame: &Frame<'_>) -> Result<(), Error> {
    if version.is_v5() && !frame.is_shortest() {
        return Err(malformed("Remaining Length", "is not in its shortest form [MQTT-1.5.5-1]"));
    }
    Ok(())
}

fn empty<'a>(frame: Frame<'_>, packet: Packet<'a>) -> Result<Packet<'a>, Error> {
    if frame.body.is_empty() {
        Ok(packet)
    } else {
        Err(malformed("Remaining Length", "of PINGREQ and PINGRESP is 0"))
    }
}

impl Packet<'_> {
    /// Appends the packet as this version writes it; what the version cannot say is left out. For CONNECT its own
    /// version counts.
    ///
    /// # Panics
    /// When a string has more than 65,535 bytes or the packet more than 268,435,460: no received packet has.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::ConnAck(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out),
            Self::PubAck(ack) => ack.encode(PacketType::PubAck, version, out),
            Self::PubRec(ack) => ack.encode(PacketType::PubRec, version, out),
            Self::PubRel(ack) => ack.encode(PacketType::PubRel, version, out),
            Self::PubComp(ack) => ack.encode(PacketType::PubComp, version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::SubAck(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::UnsubAck(unsuback) => unsuback.encode(version, out),
            Self::PingReq => out.extend_from_slice(&[0xC0, 0]),
            Self::PingResp => out.extend_from_slice(&[0xD0, 0]),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) => auth.encode(out),
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self, version: Version) -> usize {
        match self {
            Self::Connect(connect) => connect.encoded_len(),
            Self::ConnAck(connack) => connack.encoded_len(version),
            Self::Publish(publish) => publish.encoded_len(version),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.encoded_len(version)
            }
            Self::Subscribe(subscribe) => subscribe.encoded_len(version),
            Self::SubAck(suback) => suback.encoded_len(version),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encoded_len(version),
            Self::UnsubAck(unsuback) => unsuback.encoded_len(version),
            Self::PingReq | Self::PingResp => put::packet_len(0),
            Self::Disconnect(disconnect) => disconnect.encoded_len(version),
            Self::Auth(auth) => auth.encoded_len(),
        }
    }

    /// The type of the packet.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode::{MalformedPacket, ProtocolError};
    use crate::written::{VERSIONS, is, read, refused};

    #[test]
    fn pings_are_two_bytes() {
        for version in VERSIONS {
            is(version, "C0 00", &Packet::PingReq);
            is(version, "D0 00", &Packet::PingResp);
        }
    }

    /// Only MQTT 3.1 sends these with DUP. [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
    #[test]
    fn dup_of_pubrel_subscribe_and_unsubscribe_is_of_mqtt_3_1() {
        for written in ["6A 02 0001", "8A 06 0001 0001 'a' 01", "AA 05 0001 0001 'a'"] {
            assert!(read(Version::V3_1, written).is_ok());
            refused(Version::V3_1_1, written, MalformedPacket, "flags");
        }
        refused(Version::V5, "6A 02 0001", MalformedPacket, "flags");
    }

    /// [MQTT-1.5.5-1]
    #[test]
    fn mqtt_5_wants_the_shortest_remaining_length() {
        for written in ["C0 80 00", "30 84 00 0001 'a' 00", "40 82 80 00 0001"] {
            refused(Version::V5, written, MalformedPacket, "shortest");
        }
        assert_eq!(read(Version::V3_1_1, "C0 80 00"), Ok(Packet::PingReq));
        assert!(read(Version::V3_1_1, "30 83 00 0001 'a'").is_ok());
    }

    /// A frame that `frame` would not have made.
    #[test]
    fn a_frame_made_by_hand_is_checked_as_well() {
        let made = |first, body| decode(Version::V5, Frame { first, body, len: 2 + body.len() });
        assert_eq!(made(0x00, &[]).map_err(|error| error.reason_code()), Err(ProtocolError));
        assert_eq!(made(0x36, b"\0\x01a\0\x01\0").map_err(|error| error.reason_code()), Err(MalformedPacket));
        assert_eq!(made(0x38, b"\0\x01a\0").map_err(|error| error.reason_code()), Err(MalformedPacket));
        assert_eq!(made(0xC0, b"x").map_err(|error| error.reason_code()), Err(MalformedPacket));
        assert_eq!(made(0x41, b"\0\x01").map_err(|error| error.reason_code()), Err(MalformedPacket));
    }
}

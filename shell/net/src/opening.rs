//! A Network Connection before its CONNACK: who it is, until when it must have sent CONNECT, and the handshake.
//!
//! The rule: a peer that has not shown that it speaks MQTT is kept little of, and told why it is sent away only in a
//! version it speaks.

use martlet_packet::{
    ConnAck, Error, Frame, Packet, PacketType, PropertiesBuf, Property, ReasonCode, Version, decode,
};
use martlet_record::{Need, Time};
use martlet_session::{Handshake, HandshakePolicy, Progress, Violation};

use crate::{Frames, PeerInfo};

/// The largest packet before CONNACK, unless Maximum Packet Size is lower: a CONNECT with all its strings at
/// their largest still fits.
pub const FIRST_PACKET_BYTES_MAX: u32 = 384 * 1024;

/// A connection that is being opened.
#[derive(Debug)]
pub struct Opening {
    /// Who it is, as far as the transport learnt it by now.
    pub peer: PeerInfo,
    /// Which of the listeners it came to.
    pub listener: usize,
    /// Its CONNECT is whole, and who it is is being verified: nothing is read.
    pub awaits_verdict: bool,
    /// When it is given up.
    pub deadline: Time,
    /// How safe what it is promised must be, if its listener says.
    pub need: Option<Need>,
    /// There is no room for it: it is heard only to be refused in its own version.
    pub is_surplus: bool,
    handshake: Handshake,
}

/// What the bytes that arrived lead to.
#[derive(Debug)]
pub enum Step {
    /// More bytes must come.
    Wait,
    /// The handshake says so.
    Progress(Progress),
}

impl Opening {
    /// A connection from `peer` that has time until `deadline`.
    pub fn new(peer: impl Into<PeerInfo>, deadline: Time) -> Self {
        Self {
            peer: peer.into(),
            listener: 0,
            awaits_verdict: false,
            deadline,
            need: None,
            is_surplus: false,
            handshake: Handshake::default(),
        }
    }

    /// Takes the next packet.
    pub fn receive(
        &mut self,
        frames: &mut Frames<'_>,
        policy: &HandshakePolicy,
        packet_bytes_max: u32,
        random: impl FnOnce() -> u128,
    ) -> Step {
        if matches!(self.handshake, Handshake::AwaitingConnect)
            && let Some(first) = frames.peek()
            && PacketType::of(first) != Some(PacketType::Connect)
        {
            return Step::Progress(Progress::Refused(Vec::new(), not_connect(frames.head())));
        }
        let maximum = packet_bytes_max.min(FIRST_PACKET_BYTES_MAX);
        let frame = match frames.next(maximum) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Step::Wait,
            Err(error) => return Step::Progress(Progress::Refused(Vec::new(), error.into())),
        };
        // Only AUTH and DISCONNECT of MQTT 5 may follow, and CONNECT tells its own version.
        Step::Progress(match decode(Version::V5, frame) {
            Ok(packet) => self.handshake.receive(&packet, policy, random),
            Err(error) => refuse(frame, error, policy.reason_strings),
        })
    }
}

/// Nothing but CONNECT may come first [MQTT-3.1.0-1].
fn not_connect(head: &[u8]) -> Violation {
    Violation::protocol(match head {
        [b'G', b'E', b'T', b' ', ..] | [b'P', b'O', b'S', b'T', ..] | [b'H', b'E', b'A', b'D', ..] => {
            "this looks like HTTP, and this listener speaks plain MQTT"
        }
        _ => "the first packet of a Network Connection must be CONNECT",
    })
}

/// A CONNECT that is none. MQTT 3 has one answer, for a Protocol Level nobody speaks [3.1.1 MQTT-3.1.2-2];
/// MQTT 5 may be told everything [MQTT-3.1.4-1].
fn refuse(frame: Frame<'_>, error: Error, explains: bool) -> Progress {
    let mut bytes = Vec::new();
    let violation = Violation::from(error);
    if let Error::UnsupportedVersion { .. } = error {
        ConnAck::new(ReasonCode::UnsupportedProtocolVersion).encode(Version::V3_1_1, &mut bytes);
    } else if explains && claims_v5(frame) {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::ReasonString(&violation.text));
        let properties = properties.as_properties();
        let connack = ConnAck { session_present: false, reason: error.reason_code(), properties };
        Packet::ConnAck(connack).encode(Version::V5, &mut bytes);
    }
    Progress::Refused(bytes, violation)
}

fn claims_v5(frame: Frame<'_>) -> bool {
    frame.packet_type() == Some(PacketType::Connect) && frame.body.starts_with(b"\0\x04MQTT\x05")
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_packet::{Connect, frame};
    use std::net::{Ipv4Addr, SocketAddr};

    fn policy() -> HandshakePolicy {
        HandshakePolicy::default()
    }

    fn receive(bytes: &[u8]) -> Step {
        let mut opening = Opening::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), Time::START);
        opening.receive(&mut Frames::new(Vec::new(), bytes), &policy(), u32::MAX, || 7)
    }

    fn refusal(bytes: &[u8]) -> (Vec<u8>, String) {
        match receive(bytes) {
            Step::Progress(Progress::Refused(bytes, violation)) => (bytes, violation.text.into_owned()),
            step => panic!("{step:?}"),
        }
    }

    fn connect(version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        Packet::Connect(Connect::new(version, "alice")).encode(version, &mut bytes);
        bytes
    }

    #[test]
    fn a_connect_is_admitted_and_half_of_it_waits() {
        for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
            let bytes = connect(version);
            assert!(matches!(receive(&bytes), Step::Progress(Progress::Admitted(_))));
            assert!(matches!(receive(&bytes[..bytes.len() - 1]), Step::Wait));
        }
    }

    /// [MQTT-3.1.0-1]
    #[test]
    fn another_first_packet_is_refused_at_its_first_byte() {
        let (answer, text) = refusal(&[0x30]);
        assert!(answer.is_empty() && text.contains("must be CONNECT"), "{text}");
        assert!(refusal(b"GET / HTTP/1.1\r\n").1.contains("HTTP"));
    }

    /// [MQTT-3.1.2-2]
    #[test]
    fn an_unknown_level_is_told_so_in_the_words_of_mqtt_3() {
        let mut bytes = connect(Version::V3_1_1);
        bytes[8] = 9;
        assert_eq!(refusal(&bytes).0, [0x20, 2, 0, 1]);
    }

    /// [MQTT-3.1.4-1]
    #[test]
    fn a_malformed_connect_of_mqtt_5_is_answered_and_one_of_mqtt_3_is_not() {
        let reserved_flag = |version| {
            let mut bytes = connect(version);
            bytes[9] |= 1;
            refusal(&bytes).0
        };
        let answer = reserved_flag(Version::V5);
        let connack = decode(Version::V5, frame(&answer, u32::MAX).unwrap().unwrap()).unwrap();
        assert!(matches!(connack, Packet::ConnAck(connack) if connack.reason == ReasonCode::MalformedPacket));
        assert!(reserved_flag(Version::V3_1_1).is_empty());
    }

    #[test]
    fn a_first_packet_beyond_its_limit_is_refused_at_its_length() {
        let (_, text) = refusal(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
        assert!(text.contains("larger"), "{text}");
    }
}

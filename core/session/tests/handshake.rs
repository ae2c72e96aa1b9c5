//! From the first packet to an admitted Client, or to a refusal in the words of its version.

use martlet_packet::{Connect, Packet, Properties, PropertiesBuf, Property, ReasonCode, Version, Will};
use martlet_session::{ConnectRequest, Handshake, HandshakePolicy, Progress};
use martlet_topic::Limits;

fn policy() -> HandshakePolicy {
    HandshakePolicy {
        client_id_bytes_max: 23,
        topics: Limits { levels: 3, ..Limits::default() },
        reason_strings: false,
        ..HandshakePolicy::default()
    }
}

fn receive(packet: &Packet<'_>) -> Progress {
    Handshake::default().receive(packet, &policy(), || 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF)
}

fn admitted(connect: Connect<'_>) -> Box<ConnectRequest> {
    match receive(&Packet::Connect(connect)) {
        Progress::Admitted(request) => request,
        other => panic!("{other:?}"),
    }
}

/// The bytes of a refusal, and its reason.
fn refused(packet: &Packet<'_>) -> (Vec<u8>, ReasonCode) {
    match receive(packet) {
        Progress::Refused(bytes, violation) => (bytes, violation.reason),
        other => panic!("{other:?}"),
    }
}

/// [MQTT-3.1.0-1] [3.1.1 MQTT-3.1.0-1]
#[test]
fn what_is_not_connect_is_not_answered() {
    for packet in [Packet::PingReq, Packet::PingResp] {
        assert_eq!(refused(&packet), (Vec::new(), ReasonCode::ProtocolError));
    }
}

/// [MQTT-3.1.3-8] [3.1.1 MQTT-3.1.3-9]
#[test]
fn a_client_identifier_that_is_not_accepted_is_refused_in_the_words_of_each_version() {
    let long = "x".repeat(24);
    for (version, connack) in [
        (Version::V3_1, &[0x20, 2, 0, 2][..]),
        (Version::V3_1_1, &[0x20, 2, 0, 2]),
        (Version::V5, &[0x20, 3, 0, 0x85, 0]),
    ] {
        let connect = Packet::Connect(Connect::new(version, &long));
        assert_eq!(refused(&connect), (connack.to_vec(), ReasonCode::ClientIdentifierNotValid));
        assert_eq!(&*admitted(Connect::new(version, &long[1..])).client_id, &long[1..]);
    }
}

/// [3.1.1 MQTT-3.1.3-8]
#[test]
fn an_empty_client_identifier_is_not_to_be_kept_in_mqtt_3() {
    let empty = |version, clean_start| Connect { clean_start, ..Connect::new(version, "") };
    for connect in [empty(Version::V3_1, true), empty(Version::V3_1, false), empty(Version::V3_1_1, false)] {
        assert_eq!(refused(&Packet::Connect(connect)).0, [0x20, 2, 0, 2]);
    }
    for connect in [empty(Version::V3_1_1, true), empty(Version::V5, true), empty(Version::V5, false)] {
        let request = admitted(connect);
        assert!(request.is_assigned);
        assert_eq!(&*request.client_id, "auto-01234567-89AB-CDEF-0123-456789ABCDEF");
    }
}

/// [3.1.1 MQTT-3.2.2-6]
#[test]
fn what_mqtt_3_has_no_return_code_for_is_a_silent_close() {
    let will = |version| Connect { will: Some(Will::new("a/b/c/d", b"")), ..Connect::new(version, "id") };
    for version in [Version::V3_1, Version::V3_1_1] {
        assert_eq!(refused(&Packet::Connect(will(version))), (Vec::new(), ReasonCode::TopicNameInvalid));
    }
    assert_eq!(refused(&Packet::Connect(will(Version::V5))).0, [0x20, 3, 0, 0x90, 0]);
}

#[test]
fn mqtt_3_keeps_a_session_for_ever_or_not_at_all() {
    let expiry = |version, clean_start| {
        admitted(Connect { clean_start, ..Connect::new(version, "id") }).session_expiry
    };
    for version in [Version::V3_1, Version::V3_1_1] {
        assert_eq!(expiry(version, true), Some(0));
        assert_eq!(expiry(version, false), Some(u32::MAX));
    }
    assert_eq!(expiry(Version::V5, false), None, "MQTT 5 says it in a property, or not");
}

/// §3.1.2.11: what a Client does not say has its default.
#[test]
fn properties_that_are_not_there_have_their_defaults() {
    let request = admitted(Connect::new(Version::V5, "id"));
    assert_eq!(request.receive_maximum, 65_535);
    assert_eq!(request.maximum_packet_size, u32::MAX);
    assert_eq!(request.topic_alias_maximum, 0);
    assert!(request.wants_problem_information);
    assert!(!request.wants_response_information);
}

#[test]
fn properties_that_are_there_count() {
    let properties: PropertiesBuf = [
        Property::SessionExpiryInterval(7),
        Property::ReceiveMaximum(5),
        Property::MaximumPacketSize(100),
        Property::TopicAliasMaximum(3),
        Property::RequestProblemInformation(false),
        Property::RequestResponseInformation(true),
    ]
    .into_iter()
    .collect();
    let properties: Properties<'_> = properties.as_properties();
    let request = admitted(Connect { properties, ..Connect::new(Version::V5, "id") });
    assert_eq!(request.session_expiry, Some(7));
    assert_eq!((request.receive_maximum, request.maximum_packet_size), (5, 100));
    assert_eq!(request.topic_alias_maximum, 3);
    assert!(!request.wants_problem_information && request.wants_response_information);
}

//! Handshakes and frames as Clients send them, cut and spoilt.

use super::*;
use crate::{Network, PeerAddress, TrustedSources};
use proptest::prelude::*;

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Protocol: chat, mqtt\r\n\r\n";

fn peer() -> PeerInfo {
    PeerInfo::new(PeerAddress::Inet("10.0.0.1:9".parse().unwrap()))
}

/// What a request is answered with, and the peer it tells of.
fn shake(options: WebSocketOptions, request: &str) -> (Result<usize, Violation>, String, PeerInfo) {
    let mut websocket = WebSocket::new(Arc::new(options));
    let (mut answer, mut peer) = (Vec::new(), peer());
    let made = websocket.receive(&mut request.as_bytes().to_vec(), &mut answer, &mut peer);
    (made.failed.map_or(Ok(made.count), Err), String::from_utf8(answer).unwrap(), peer)
}

fn refusal(options: WebSocketOptions, request: &str) -> String {
    let (received, answer, peer) = shake(options, request);
    assert!(received.is_err() && !peer.is_websocket);
    answer
}

/// A Client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The code of the Close frame that an open WebSocket answers these bytes with.
fn close_code_for(bytes: &[u8]) -> (u16, bool) {
    let (_, answer, is_well) = unframe_all(bytes, usize::MAX);
    let close = answer.split_at(answer.len() - 4).1;
    assert_eq!(close[..2], [0x88, 2]);
    (u16::from_be_bytes([close[2], close[3]]), is_well)
}

#[test]
fn the_handshake_is_that_of_the_standard() {
    let (received, answer, peer) = shake(WebSocketOptions::default(), REQUEST);
    assert_eq!(received, Ok(0));
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The key and its answer stand in RFC 6455, §1.3.
    assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n") && answer.ends_with("\r\n\r\n"));
    assert!(peer.is_websocket);
}

#[test]
fn a_request_that_is_not_well_is_told_why() {
    let path = || WebSocketOptions {
        paths: vec!["/ws".to_owned(), "/mqtt".to_owned()],
        ..WebSocketOptions::default()
    };
    assert!(
        shake(path(), REQUEST).0.is_ok() && shake(path(), &REQUEST.replace("/mqtt", "/mqtt?a=b")).0.is_ok()
    );
    let cases = [
        ("/mqtt", "/other", "404 "),
        ("GET", "POST", "405 "),
        ("websocket", "h2c", "426 "),
        ("-Version: 13", "-Version: 8", "426 "),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "400 "),
        ("chat, mqtt", "chat, MQTT", "400 "),
        ("HTTP/1.1", "HTTP/1.0", "400 "),
    ];
    for (good, bad, status) in cases {
        let answer = refusal(path(), &REQUEST.replacen(good, bad, 1));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bad}: {answer}");
    }
    let answer = refusal(path(), "\u{10}\u{20}\0\u{4}MQTT");
    assert!(answer.contains("plain MQTT"), "{answer}");
    let long = REQUEST.replace("broker", &"x".repeat(5000));
    assert!(refusal(path(), &long).starts_with("HTTP/1.1 431 "));
}

#[test]
fn sub_protocols_are_those_of_mqtt() {
    let old = shake(WebSocketOptions::default(), &REQUEST.replace("chat, mqtt", "mqttv3.1"));
    assert!(old.1.contains("Protocol: mqttv3.1\r\n"));
    let none = REQUEST.replace("Sec-WebSocket-Protocol: chat, mqtt\r\n", "");
    assert!(refusal(WebSocketOptions::default(), &none).contains("mqtt, mqttv3.1"));
    let lenient = WebSocketOptions { allows_no_subprotocol: true, ..WebSocketOptions::default() };
    let (received, answer, _) = shake(lenient, &none);
    assert!(received.is_ok() && !answer.contains("Sec-WebSocket-Protocol"));
}

#[test]
fn pages_may_be_told_apart() {
    let options = || WebSocketOptions {
        origins: vec!["https://app.example".to_owned()],
        ..WebSocketOptions::default()
    };
    let from = |origin: &str| REQUEST.replacen("\r\n", &format!("\r\nOrigin: {origin}\r\n"), 1);
    assert!(shake(options(), &from("https://app.example")).0.is_ok());
    assert!(shake(options(), REQUEST).0.is_ok(), "no browser");
    assert!(refusal(options(), &from("https://evil.example")).starts_with("HTTP/1.1 403 "));
    assert!(shake(WebSocketOptions::default(), &from("https://evil.example")).0.is_ok());
}

#[test]
fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
    let trusting = |network: &str| WebSocketOptions {
        forwarders: TrustedSources(vec![network.parse::<Network>().unwrap()]),
        ..WebSocketOptions::default()
    };
    let with = |hops: &str| REQUEST.replacen("\r\n", &format!("\r\nX-Forwarded-For: {hops}\r\n"), 1);
    let told =
        |options, hops: &str| shake(options, &with(hops)).2.forwarded.map(|address| address.ip().to_string());
    assert_eq!(told(trusting("10.0.0.0/8"), "192.0.2.1").as_deref(), Some("192.0.2.1"));
    // The Client may have sent the first one itself.
    assert_eq!(told(trusting("10.0.0.0/8"), "1.1.1.1, 192.0.2.1, 10.0.0.7").as_deref(), Some("192.0.2.1"));
    assert_eq!(told(trusting("10.0.0.0/8"), "[2001:db8::1]:4711").as_deref(), Some("2001:db8::1"));
    assert_eq!(told(trusting("172.16.0.0/12"), "192.0.2.1"), None);
    assert_eq!(told(WebSocketOptions::default(), "192.0.2.1"), None);
    assert_eq!(told(trusting("10.0.0.0/8"), "unknown"), None);
}

#[test]
fn frames_may_be_fragments_and_batches() {
    let stream = [
        frame(0x02, b"he"),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x80, b"llo "),
        frame(0x8A, b"unasked"),
        frame(0x82, &[b'w'; 300]),
        frame(0x82, &[b'x'; 70_000]),
    ]
    .concat();
    let (payload, answer, is_well) = unframe_all(&stream, usize::MAX);
    assert!(is_well);
    assert_eq!(payload, [&b"hello "[..], &[b'w'; 300], &[b'x'; 70_000]].concat());
    assert_eq!(answer, [&[0x8A, 13][..], b"are you there"].concat());
}

#[test]
fn what_must_not_be_closes_with_its_code() {
    // [MQTT-6.0.0-1]
    assert_eq!(close_code_for(&frame(0x81, b"text")), (1003, false));
    let unmasked = [0x82, 1, 0];
    let long_medium = [&[0x82, 0x80 | 126, 0, 125][..], &[0; 4]].concat();
    let long_large = [&[0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 255, 255][..], &[0; 4]].concat();
    let negative = [&[0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
    let amid = [frame(0x02, b"a"), frame(0x82, b"b")].concat();
    for bytes in [
        &unmasked[..],
        &frame(0xC2, b"x"),
        &frame(0x83, b"x"),
        &frame(0x80, b"continues nothing"),
        &amid,
        &frame(0x09, b"ping in fragments"),
        &frame(0x89, &[0; 126]),
        &long_medium,
        &long_large,
        &negative,
        &frame(0x88, b"\x03"),
        &frame(0x88, &1005_u16.to_be_bytes()),
        &frame(0x88, b"\x03\xE8\xFF"),
    ] {
        assert_eq!(close_code_for(bytes), (1002, false), "{bytes:x?}");
    }
}

#[test]
fn a_close_frame_is_answered_with_its_code_and_ends_the_stream() {
    let stream = [frame(0x82, b"last"), frame(0x88, b"\x03\xE9bye"), frame(0x82, b"too late")].concat();
    assert_eq!(close_code_for(&stream), (1001, true));
    assert_eq!(unframe_all(&stream, usize::MAX).0, b"last");
    assert_eq!(close_code_for(&frame(0x88, b"")), (1000, true));
}

#[test]
fn an_idle_websocket_is_small() {
    assert!(size_of::<WebSocket>() <= 64, "{} bytes", size_of::<WebSocket>());
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let data = proptest::collection::vec(any::<u8>(), 0..300).prop_map(|payload| frame(0x82, &payload));
    let parts =
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| [frame(0x02, &[a]), frame(0x80, &[b, b])].concat());
    let ping = proptest::collection::vec(any::<u8>(), 0..125).prop_map(|payload| frame(0x89, &payload));
    let odd = (any::<u8>(), any::<u8>()).prop_map(|(first, byte)| frame(first, &[byte; 3]));
    prop_oneof![6 => data, 2 => parts, 2 => ping, 1 => odd]
}

proptest! {
    #[test]
    fn any_split_of_the_stream_gives_the_same(frames in proptest::collection::vec(any_frame(), 1..12), step in 1..40_usize) {
        let stream = frames.concat();
        prop_assert_eq!(unframe_all(&stream, step), unframe_all(&stream, usize::MAX));
    }

    #[test]
    fn a_handshake_may_come_in_any_pieces(step in 1..300_usize) {
        let stream = [REQUEST.as_bytes(), &frame(0x82, b"\xC0\x00")].concat();
        let mut websocket = WebSocket::new(Arc::new(WebSocketOptions::default()));
        let (mut answer, mut payload) = (Vec::new(), Vec::new());
        for piece in stream.chunks(step) {
            let mut piece = piece.to_vec();
            let made = websocket.receive(&mut piece, &mut answer, &mut peer());
            payload.extend_from_slice(&piece[..made.count]);
        }
        prop_assert_eq!(payload, b"\xC0\x00");
        prop_assert!(answer.starts_with(b"HTTP/1.1 101 "));
    }

    #[test]
    fn strange_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1..50_usize) {
        let _ = unframe_all(&bytes, step);
        let mut websocket = WebSocket::new(Arc::new(WebSocketOptions::default()));
        let _ = websocket.receive(&mut bytes.clone(), &mut Vec::new(), &mut peer());
    }
}

//! A stream of bytes a stranger may send. Nothing panics, a packet does not depend on what follows it, and whatever
//! can be read can be written and says the same then, in every version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_packet::{Frame, Packet, Properties, Version, decode, frame, needed};

fuzz_target!(|data: &[u8]| {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut rest = data;
        while let Ok(Some(found)) = frame(rest, u32::MAX) {
            check_bounds(rest, found);
            check_packet(version, found);
            rest = &rest[found.len..];
        }
    }
    // What `frame` refuses must be safe to decode all the same.
    if let [first, body @ ..] = data {
        for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
            check_packet(version, Frame { first: *first, body, len: 2 + body.len() });
        }
    }
});

/// The packet ends where its length says: less is not enough, and more changes nothing.
fn check_bounds(bytes: &[u8], found: Frame<'_>) {
    assert_eq!(needed(bytes), Some(found.len));
    assert_eq!(frame(&bytes[..found.len], u32::MAX), Ok(Some(found)));
    assert_eq!(frame(&bytes[..found.len - 1], u32::MAX), Ok(None));
    let len = u32::try_from(found.len).expect("at most 268,435,460 bytes");
    assert_eq!(frame(bytes, len), Ok(Some(found)));
    assert!(frame(bytes, len - 1).is_err());
}

fn check_packet(version: Version, found: Frame<'_>) {
    let packet = match decode(version, found) {
        Ok(packet) => packet,
        Err(error) => {
            assert!(error.reason_code().is_error());
            return;
        }
    };
    let mut again = Vec::new();
    packet.encode(version, &mut again);
    assert_eq!(packet.encoded_len(version), again.len());
    let found = frame(&again, u32::MAX).expect("what we write is right").expect("and whole");
    assert_eq!(found.len, again.len());
    if let Packet::Publish(publish) = &packet {
        check_kept(publish.properties);
    }
    assert_eq!(decode(version, found), Ok(packet));
}

/// A Message is kept with its properties, and is sent with them later.
fn check_kept(properties: Properties<'_>) {
    let mut kept = Vec::new();
    properties.append_to(&mut kept);
    assert_eq!(kept.len(), properties.byte_len());
    assert_eq!(Properties::from_checked(&kept), properties);
    assert_eq!(properties.iter().next().is_none(), properties.is_empty());
}

//! What holds for every packet and for every stream of bytes, of every version.

mod support;

use martlet_packet::{Error, Frame, Packet, Version, decode, frame};
use proptest::prelude::*;
use support::{packet, version};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// The one packet in these bytes.
fn read(version: Version, bytes: &[u8]) -> Result<Packet<'_>, Error> {
    let frame = frame(bytes, u32::MAX)?.expect("a whole packet");
    assert_eq!(frame.len, bytes.len());
    decode(version, frame)
}

fn written(version: Version, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    assert_eq!(packet.encoded_len(version), bytes.len());
    bytes
}

/// Whatever can be read can be written, and says the same then.
fn read_and_written_again(version: Version, frame: Frame<'_>) {
    if let Ok(packet) = decode(version, frame) {
        // CONNECT tells its own version; everything else is of the Connection's.
        let again = written(version, &packet);
        assert_eq!(read(version, &again), Ok(packet));
    }
}

/// Reads a stream as far as it is one.
fn read_stream(version: Version, mut bytes: &[u8]) {
    while let Ok(Some(found)) = frame(bytes, u32::MAX) {
        read_and_written_again(version, found);
        bytes = &bytes[found.len..];
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read((version, packet) in version().prop_flat_map(|of| (Just(of), packet(of)))) {
        let bytes = written(version, &packet);
        prop_assert_eq!(read(version, &bytes), Ok(packet));
    }

    #[test]
    fn a_part_of_a_packet_is_none((version, packet) in version().prop_flat_map(|of| (Just(of), packet(of)))) {
        let bytes = written(version, &packet);
        for len in (0..bytes.len()).take(300) {
            prop_assert_eq!(frame(&bytes[..len], u32::MAX), Ok(None));
        }
    }

    /// A body cut anywhere is refused; but a shorter payload, fewer Topic Filters or Reason Codes, and the parts that
    /// acknowledgements may leave out, are packets as well.
    #[test]
    fn a_packet_cut_short_is_refused_or_another_packet(
        (version, packet) in version().prop_flat_map(|of| (Just(of), packet(of))),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = written(version, &packet);
        let whole = frame(&bytes, u32::MAX).expect("right").expect("whole");
        prop_assume!(!whole.body.is_empty());
        let body = &whole.body[..at.index(whole.body.len())];
        let cut = Frame { body, len: 1 + digits(body.len()) + body.len(), ..whole };
        prop_assert_ne!(decode(version, cut), Ok(packet));
        read_and_written_again(version, cut);
    }

    #[test]
    fn a_packet_with_one_byte_changed_is_refused_or_another_packet(
        (version, packet) in version().prop_flat_map(|of| (Just(of), packet(of))),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = written(version, &packet);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for version in VERSIONS {
            read_stream(version, &bytes);
        }
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_read(
        first in any::<u8>(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..8_u8], 0..64),
        maximum in any::<u32>(),
    ) {
        let _ = frame(&bytes, maximum);
        for version in VERSIONS {
            read_stream(version, &bytes);
            read_and_written_again(version, Frame { first, body: &bytes, len: 2 + bytes.len() });
        }
    }
}

fn digits(remaining: usize) -> usize {
    match remaining {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

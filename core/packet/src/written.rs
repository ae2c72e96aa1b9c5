//! Packets written down for unit tests: hexadecimal digits, and text between quotes.

use crate::{Error, Packet, ReasonCode, Version, decode, frame};

pub(crate) const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// `"30 05 0003 'a/b'"` as bytes.
pub(crate) fn bytes(written: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in written.split('\'').enumerate() {
        if at % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        assert!(digits.len().is_multiple_of(2), "half a byte in {part:?}");
        bytes.extend(
            (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits")),
        );
    }
    bytes
}

/// The one packet that is written there. Its bytes live on, as tests do not.
#[track_caller]
pub(crate) fn read(version: Version, written: &str) -> Result<Packet<'static>, Error> {
    let bytes: &'static [u8] = bytes(written).leak();
    let frame = frame(bytes, u32::MAX)?.expect("the Remaining Length says more than is written");
    assert_eq!(frame.len, bytes.len(), "the Remaining Length says less than is written");
    decode(version, frame)
}

/// Checks that these bytes are this packet, and this packet these bytes.
#[track_caller]
pub(crate) fn is(version: Version, written: &str, packet: &Packet<'_>) {
    assert_eq!(read(version, written).as_ref(), Ok(packet));
    writes(version, packet, written);
}

/// Checks that the packet is written like this.
#[track_caller]
pub(crate) fn writes(version: Version, packet: &Packet<'_>, written: &str) {
    let mut out = vec![0xEE];
    packet.encode(version, &mut out);
    assert_eq!(out[1..], bytes(written));
    assert_eq!(packet.encoded_len(version), out.len() - 1);
}

/// Checks that the bytes are refused with this code and an explanation that names this.
#[track_caller]
pub(crate) fn refused(version: Version, written: &str, reason: ReasonCode, named: &str) {
    let error = read(version, written).expect_err("it is wrong");
    assert_eq!(error.reason_code(), reason, "{error}");
    assert!(error.to_string().contains(named), "{error}");
}

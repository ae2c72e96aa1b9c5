//! Variable Byte Integers (MQTT 5.0, §1.5.5): seven bits a byte, the lowest first, at most four bytes.

/// The largest number four bytes can say.
pub const MAXIMUM: u32 = 268_435_455;

/// What the first bytes of a buffer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Varint {
    /// A number, and how many bytes it took.
    Value(u32, usize),
    /// More bytes are needed.
    Incomplete,
    /// A fifth byte would be needed, which is not allowed.
    TooLong,
}

/// Reads the number at the start of `bytes`.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Varint {
    match bytes {
        // Nearly every packet is shorter than 128 bytes or than 16 KiB.
        [a, ..] if *a < 0x80 => Varint::Value(u32::from(*a), 1),
        [a, b, ..] if *b < 0x80 => Varint::Value(u32::from(*a & 0x7F) | u32::from(*b) << 7, 2),
        _ => read_long(bytes),
    }
}

#[cold]
fn read_long(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if *byte < 0x80 {
            return Varint::Value(value, at + 1);
        }
    }
    if bytes.len() < 4 { Varint::Incomplete } else { Varint::TooLong }
}

/// How many bytes the number takes in its shortest form, the only one allowed. [MQTT-1.5.5-1]
#[inline]
pub(crate) const fn len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// Writes the number into the front of `out` and says how many bytes it took.
///
/// # Panics
/// When the number is larger than [`MAXIMUM`], which no packet built from received or checked parts reaches.
#[inline]
pub(crate) fn write(value: u32, out: &mut [u8; 4]) -> usize {
    assert!(value <= MAXIMUM, "a Variable Byte Integer has at most four bytes");
    let len = len(value);
    let mut rest = value;
    for byte in &mut out[..len - 1] {
        *byte = low_byte(rest) | 0x80;
        rest >>= 7;
    }
    out[len - 1] = low_byte(rest) & 0x7F;
    len
}

const fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The borders of Table 1-1. [MQTT-1.5.5-1]
    #[test]
    fn the_fewest_bytes_are_written_and_read_back() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAXIMUM, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let mut out = [0; 4];
            let written = write(value, &mut out);
            assert_eq!(&out[..written], bytes);
            assert_eq!(len(value), bytes.len());
            assert_eq!(read(bytes), Varint::Value(value, bytes.len()));
        }
    }

    #[test]
    fn four_bytes_that_go_on_are_too_many_and_fewer_are_too_few() {
        assert_eq!(read(&[]), Varint::Incomplete);
        assert_eq!(read(&[0x80]), Varint::Incomplete);
        assert_eq!(read(&[0xFF, 0xFF, 0xFF]), Varint::Incomplete);
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80]), Varint::TooLong);
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x00]), Varint::TooLong);
    }

    #[test]
    #[should_panic(expected = "at most four bytes")]
    fn a_number_for_five_bytes_is_our_own_bug() {
        write(MAXIMUM + 1, &mut [0; 4]);
    }
}

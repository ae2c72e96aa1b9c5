//! Writes fields. Lengths were checked when the parts were received or built; what does not fit is our own bug.

use crate::{Properties, Version, varint};

pub(crate) fn u16(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn u32(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(crate) fn varint(value: u32, out: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    let len = varint::write(value, &mut bytes);
    out.extend_from_slice(&bytes[..len]);
}

/// Binary Data or a string, behind its two bytes of length.
#[inline]
pub(crate) fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(bytes.len()).expect("strings and binary data have at most 65,535 bytes");
    u16(len, out);
    out.extend_from_slice(bytes);
}

/// The fixed header, and room for all that follows it.
#[inline]
pub(crate) fn fixed_header(first: u8, remaining: usize, out: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    let len = varint::write(length(remaining), &mut bytes);
    out.reserve(1 + len + remaining);
    out.push(first);
    out.extend_from_slice(&bytes[..len]);
}

/// Bytes of a whole packet.
pub(crate) const fn packet_len(remaining: usize) -> usize {
    1 + varint::len(length(remaining)) + remaining
}

/// A property block behind its length, in those versions that have it.
pub(crate) fn properties(version: Version, properties: Properties<'_>, out: &mut Vec<u8>) {
    if version.is_v5() {
        varint(length(properties.byte_len()), out);
        properties.append_to(out);
    }
}

/// Bytes of a property block with its length.
pub(crate) fn properties_len(version: Version, properties: Properties<'_>) -> usize {
    if version.is_v5() { block_len(properties.byte_len()) } else { 0 }
}

/// Bytes of a property block with its length, given those without.
pub(crate) const fn block_len(len: usize) -> usize {
    varint::len(length(len)) + len
}

/// A length on its way into a Variable Byte Integer, which refuses what is too large for it.
#[inline]
pub(crate) const fn length(len: usize) -> u32 {
    if len > varint::MAXIMUM as usize {
        return u32::MAX;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked the line before")]
    let len = len as u32;
    len
}

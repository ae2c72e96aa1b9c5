//! UTF-8 Encoded Strings (MQTT 5.0, §1.5.4) and the two stricter kinds: identifiers and Topic Names.

use crate::error::{Error, malformed};

/// A string: valid UTF-8 (so without surrogates [MQTT-1.5.4-1]) and without U+0000.
pub(crate) fn string<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Error> {
    // A NUL is also a control character; the check is repeated only for those strings that may hold others.
    let text = utf8(bytes, field)?;
    if bytes.contains(&0) {
        return Err(malformed(field, "contains U+0000 [MQTT-1.5.4-2]"));
    }
    Ok(text)
}

/// A string that names something: a Topic Filter, a Client Identifier, a User Name. Control characters are refused in
/// these, as §1.5.4 allows.
pub(crate) fn name<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Error> {
    let text = utf8(bytes, field)?;
    refuse_control_characters(bytes, field)?;
    Ok(text)
}

/// A Topic Name: a name without wildcards; empty is left to the caller.
#[inline]
pub(crate) fn topic_name<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Error> {
    let text = utf8(bytes, field)?;
    if !is_plain(bytes) {
        refuse_control_characters(bytes, field)?;
        if has_wildcard(bytes) {
            return Err(malformed(field, "contains a wildcard [MQTT-3.3.2-2]"));
        }
    }
    Ok(text)
}

/// Whether a Topic Name would be a filter.
pub(crate) fn has_wildcard(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| is_wildcard(*byte))
}

const fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'+' | b'#')
}

#[inline]
fn utf8<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Error> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| malformed(field, "is not valid UTF-8 [MQTT-1.5.4-1]"))
}

fn refuse_control_characters(bytes: &[u8], field: &'static str) -> Result<(), Error> {
    if bytes.iter().any(|byte| *byte < 0x20 || *byte == 0x7F) {
        return Err(malformed(field, "contains a control character (§1.5.4, [MQTT-1.5.4-2])"));
    }
    // U+0080 to U+009F.
    if bytes.windows(2).any(|pair| pair[0] == 0xC2 && pair[1] < 0xA0) {
        return Err(malformed(field, "contains a control character (§1.5.4)"));
    }
    Ok(())
}

/// Whether all bytes are printable ASCII but wildcards: eight bytes at a time, for this is asked of every PUBLISH.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !is_wildcard(*byte));
    };
    // The last eight bytes may overlap those before.
    let (words, _) = bytes.as_chunks();
    words
        .iter()
        .fold(odd_bytes(u64::from_le_bytes(*last)), |odd, word| odd | odd_bytes(u64::from_le_bytes(*word)))
        == 0
}

/// Not zero when a byte is a control character, DEL, `+`, `#` or no ASCII. May err on the side of caution.
#[inline]
const fn odd_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Borrows and carries run only out of a byte that is odd itself.
    let below_space = word.wrapping_sub(ONES * 0x20);
    let delete = word.wrapping_add(ONES);
    let plus = (word ^ (ONES * b'+' as u64)).wrapping_sub(ONES);
    let hash = (word ^ (ONES * b'#' as u64)).wrapping_sub(ONES);
    (word | below_space | delete | plus | hash) & HIGH
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Surrogates and other ill-formed bytes. [MQTT-1.5.4-1]
    #[test]
    fn ill_formed_bytes_are_no_string() {
        for bytes in [&b"to\xED\xA0\x80"[..], b"to\xED\xBF\xBF", b"\xFF", b"\xC0\x80", b"cut \xE2\x82"] {
            assert!(
                string(bytes, "s").is_err() && name(bytes, "s").is_err() && topic_name(bytes, "s").is_err()
            );
        }
    }

    /// [MQTT-1.5.4-2], [MQTT-4.7.3-2]
    #[test]
    fn no_string_contains_nul() {
        for bytes in [&b"\0"[..], b"a\0", b"longer than eight\0", b"\0longer than eight"] {
            assert!(
                string(bytes, "s").is_err() && name(bytes, "s").is_err() && topic_name(bytes, "s").is_err()
            );
        }
    }

    /// [MQTT-1.5.4-3]
    #[test]
    fn a_byte_order_mark_is_a_character_like_others() {
        let text = "\u{FEFF}a\u{FEFF}";
        assert_eq!(string(text.as_bytes(), "s"), Ok(text));
        assert_eq!(topic_name(text.as_bytes(), "s"), Ok(text));
    }

    #[test]
    fn control_characters_are_refused_in_names_only() {
        for character in ('\u{1}'..='\u{1F}').chain('\u{7F}'..='\u{9F}') {
            for text in
                [format!("{character}"), format!("sensors/{character}7"), format!("sensors/7/äöü{character}")]
            {
                assert_eq!(string(text.as_bytes(), "s"), Ok(&*text));
                assert!(name(text.as_bytes(), "s").is_err(), "{text:?}");
                assert!(topic_name(text.as_bytes(), "s").is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn all_other_characters_are_taken_everywhere() {
        for text in [
            "",
            " ",
            "~",
            "a",
            "A\u{2A6D4}",
            "\u{A0}",
            "\u{FFFF}",
            "\u{C2}\u{80A0}",
            "sensors/7/温度",
            "$SYS/broker",
        ] {
            assert_eq!(string(text.as_bytes(), "s"), Ok(text));
            assert_eq!(name(text.as_bytes(), "s"), Ok(text));
            assert_eq!(topic_name(text.as_bytes(), "s"), Ok(text));
        }
    }

    /// A wildcard at each place of names of each length. [MQTT-3.3.2-2], [MQTT-4.7.0-1]
    #[test]
    fn no_topic_name_contains_a_wildcard() {
        for len in 1..40 {
            for at in 0..len {
                for wildcard in [b'+', b'#'] {
                    let mut bytes = vec![b'a'; len];
                    assert!(topic_name(&bytes, "s").is_ok());
                    bytes[at] = wildcard;
                    assert!(topic_name(&bytes, "s").is_err());
                    assert!(name(&bytes, "s").is_ok());
                }
            }
        }
    }

    #[test]
    fn plain_bytes_are_told_from_others_at_every_place() {
        for byte in 0..=u8::MAX {
            let is_odd = !(b' '..=b'~').contains(&byte) || byte == b'+' || byte == b'#';
            for (len, at) in [(1, 0), (7, 6), (8, 0), (8, 7), (9, 0), (9, 8), (16, 8), (23, 22), (23, 15)] {
                let mut bytes = vec![b'a'; len];
                bytes[at] = byte;
                assert_eq!(is_plain(&bytes), !is_odd, "{byte:#04x} at {at} of {len}");
            }
        }
    }
}

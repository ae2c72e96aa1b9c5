//! Limits on Topic Names and Topic Filters, and the checks common to both.

use memchr::{memchr, memchr_iter};

use crate::Error;

/// What a UTF-8 Encoded String can hold, whatever the limit says. [MQTT-4.7.3-3]
const ENCODABLE_BYTES: usize = 65_535;

/// Limits on Topic Names and Topic Filters. What exceeds one is refused with an [`Error`] that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest topic, in bytes of UTF-8; more than 65,535 means 65,535.
    pub bytes: usize,
    /// The most levels, counted as separators plus one.
    pub levels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: ENCODABLE_BYTES, levels: 128 }
    }
}

impl Limits {
    /// None but what a packet can hold: for topics that were checked on their way in.
    pub const UNLIMITED: Self = Self { bytes: usize::MAX, levels: usize::MAX };

    /// Checks what holds for every string that names topics, the ShareName before a filter included.
    pub(crate) fn check_text(&self, text: &str) -> Result<(), Error> {
        let limit = self.bytes.min(ENCODABLE_BYTES);
        match text.len() {
            0 => return Err(Error::Empty),
            bytes if bytes > limit => return Err(Error::TooLong { bytes, limit }),
            _ => {}
        }
        match memchr(0, text.as_bytes()) {
            Some(_) => Err(Error::Nul),
            None => Ok(()),
        }
    }

    /// Checks the number of levels of a Topic Name or Topic Filter.
    pub(crate) fn check_levels(&self, text: &str) -> Result<(), Error> {
        let levels = memchr_iter(b'/', text.as_bytes()).count() + 1;
        if levels > self.levels {
            return Err(Error::TooManyLevels { levels, limit: self.levels });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TopicFilter, TopicName};

    fn both(text: &str, limits: Limits) -> [Option<Error>; 2] {
        [TopicName::parse(text, &limits).err(), TopicFilter::parse(text, &limits).err()]
    }

    /// [MQTT-4.7.3-1]
    #[test]
    fn topics_have_at_least_one_character() {
        assert_eq!(both("", Limits::default()), [Some(Error::Empty); 2]);
        assert_eq!(both("/", Limits::default()), [None; 2]);
        assert_eq!(both(" ", Limits::default()), [None; 2]);
    }

    /// [MQTT-4.7.3-2]
    #[test]
    fn topics_have_no_null_character() {
        for text in ["\0", "a\0b", "a/\0", "\0/a"] {
            assert_eq!(both(text, Limits::default()), [Some(Error::Nul); 2], "{text:?}");
        }
    }

    /// [MQTT-4.7.3-3]
    #[test]
    fn topics_have_at_most_65_535_bytes_whatever_the_limit() {
        let generous = Limits::UNLIMITED;
        let refused = Some(Error::TooLong { bytes: 65_536, limit: 65_535 });
        for limits in [Limits::default(), generous] {
            assert_eq!(both(&"a".repeat(65_535), limits), [None; 2]);
            assert_eq!(both(&"a".repeat(65_536), limits), [refused; 2]);
        }
    }

    #[test]
    fn a_lower_limit_counts_bytes_not_characters() {
        let limits = Limits { bytes: 3, ..Limits::default() };
        assert_eq!(both("abc", limits), [None; 2]);
        assert_eq!(both("éé", limits), [Some(Error::TooLong { bytes: 4, limit: 3 }); 2]);
    }

    #[test]
    fn levels_are_separators_plus_one() {
        let limits = Limits { levels: 3, ..Limits::default() };
        assert_eq!(both("a/b/c", limits), [None; 2]);
        assert_eq!(both("//", limits), [None; 2]);
        assert_eq!(both("a/b/c/", limits), [Some(Error::TooManyLevels { levels: 4, limit: 3 }); 2]);
    }
}

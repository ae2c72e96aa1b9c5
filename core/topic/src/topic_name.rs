//! The Topic Name of a Message. A value of this type has no wildcard and keeps every byte it came with.

use std::fmt;

use memchr::memchr2;

use crate::{Error, Limits};

/// A Topic Name: no wildcards, not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Takes `text` as a Topic Name if it is one and within `limits`.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, Error> {
        limits.check_text(text)?;
        limits.check_levels(text)?;
        if let Some(at) = memchr2(b'+', b'#', text.as_bytes()) {
            return Err(Error::WildcardInName(text.as_bytes()[at].into())); // [MQTT-4.7.0-1]
        }
        Ok(Self(text))
    }

    /// The name as it was sent.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels in order; empty ones count, so `/a` has two.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }

    /// Whether the first character is `$`, which keeps the name from filters that start with a wildcard.
    pub fn is_dollar(self) -> bool {
        self.0.starts_with('$')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<TopicName<'_>, Error> {
        TopicName::parse(text, &Limits::default())
    }

    /// [MQTT-4.7.0-1] [3.1.1 MQTT-4.7.1-1]
    #[test]
    fn wildcards_are_not_allowed_in_names() {
        for text in ["+", "a/+", "a+", "+/a", "a/b+c/d"] {
            assert_eq!(name(text), Err(Error::WildcardInName('+')), "{text}");
        }
        for text in ["#", "a/#", "a#", "#/a"] {
            assert_eq!(name(text), Err(Error::WildcardInName('#')), "{text}");
        }
    }

    /// [MQTT-4.7.3-4]
    #[test]
    fn names_are_kept_byte_for_byte() {
        for text in ["Accounts payable", "/", "//a//", "A", "é", "e\u{301}", "\u{feff}a", " a ", "$share/a"]
        {
            assert_eq!(name(text).expect("a valid name").as_str(), text);
        }
    }

    #[test]
    fn separators_make_empty_levels() {
        let levels = |text| name(text).expect("a valid name").levels().collect::<Vec<_>>();
        assert_eq!(levels("a"), ["a"]);
        assert_eq!(levels("/"), ["", ""]);
        assert_eq!(levels("/a//b/"), ["", "a", "", "b", ""]);
    }

    #[test]
    fn only_a_first_dollar_counts() {
        let is_dollar = |text| name(text).expect("a valid name").is_dollar();
        assert!(is_dollar("$SYS/broker"));
        assert!(is_dollar("$"));
        assert!(!is_dollar("/$SYS"));
        assert!(!is_dollar("a$"));
    }
}

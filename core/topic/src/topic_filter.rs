//! Topic Filters, and the definition of what they match. The maps are faster; this is the truth they are
//! tested against.

use std::borrow::Borrow;
use std::fmt;

use memchr::memchr2;

use crate::{Error, Limits, TopicName};

/// The single-level wildcard.
pub(crate) const SINGLE: &str = "+";
/// The multi-level wildcard.
pub(crate) const MULTI: &str = "#";

/// A Topic Filter: a Topic Name in which whole levels may be wildcards.
///
/// What SUBSCRIBE carries may have a ShareName before it; [`crate::SubscriptionFilter`] takes that apart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(Box<str>);

impl TopicFilter {
    /// Takes `text` as a Topic Filter if it is one and within `limits`.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        limits.check_text(text)?;
        limits.check_levels(text)?;
        check_wildcards(text)?;
        Ok(Self(text.into()))
    }

    /// The filter as it was sent, without what makes it shared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels in order, wildcards among them; empty ones count.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether any level is `+` or `#`. A filter without can match only the Topic Name it spells.
    pub fn has_wildcard(&self) -> bool {
        memchr2(b'+', b'#', self.0.as_bytes()).is_some()
    }

    /// Whether the first level is `+` or `#`.
    pub fn starts_with_wildcard(&self) -> bool {
        self.0.starts_with(['+', '#'])
    }

    /// Whether `name` is one this filter asks for, level by level and byte for byte. [MQTT-4.7.3-4]
    pub fn matches(&self, name: TopicName<'_>) -> bool {
        if name.is_dollar() && self.starts_with_wildcard() {
            return false; // [MQTT-4.7.2-1]
        }
        let mut levels = name.levels();
        for wanted in self.levels() {
            if wanted == MULTI {
                return true; // With no level left as well: `sport/#` matches `sport`.
            }
            match levels.next() {
                Some(level) if wanted == SINGLE || wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// Takes the text of a filter or name that was parsed before.
    pub(crate) fn from_parsed(text: String) -> Self {
        Self(text.into())
    }
}

/// `+` fills its level [MQTT-4.7.1-2], `#` the last one [MQTT-4.7.1-1].
fn check_wildcards(text: &str) -> Result<(), Error> {
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        if level == SINGLE || (level == MULTI && levels.peek().is_none()) {
            continue;
        }
        if let Some(at) = memchr2(b'+', b'#', level.as_bytes()) {
            return Err(Error::MisplacedWildcard(level.as_bytes()[at].into()));
        }
    }
    Ok(())
}

impl Borrow<str> for TopicFilter {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<TopicFilter, Error> {
        TopicFilter::parse(text, &Limits::default())
    }

    fn matches(wanted: &str, name: &str) -> bool {
        let name = TopicName::parse(name, &Limits::default()).expect("a valid name");
        filter(wanted).expect("a valid filter").matches(name)
    }

    #[track_caller]
    fn assert_matches(wanted: &str, yes: &[&str], no: &[&str]) {
        for name in yes {
            assert!(matches(wanted, name), "{wanted} should match {name}");
        }
        for name in no {
            assert!(!matches(wanted, name), "{wanted} should not match {name}");
        }
    }

    /// [MQTT-4.7.1-1] [3.1.1 MQTT-4.7.1-2]
    #[test]
    fn multi_level_wildcard_is_alone_and_last() {
        for text in ["#", "/#", "sport/tennis/#", "+/#", "//#"] {
            assert_eq!(filter(text).map(|filter| filter.as_str().to_owned()), Ok(text.to_owned()));
        }
        for text in ["sport/tennis#", "sport/tennis/#/ranking", "#/", "#/#", "##", "#a", "a/#b", "/#/"] {
            assert_eq!(filter(text), Err(Error::MisplacedWildcard('#')), "{text}");
        }
    }

    /// [MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3]
    #[test]
    fn single_level_wildcard_occupies_a_whole_level() {
        for text in ["+", "+/tennis/#", "sport/+/player1", "/+", "+/", "+/+", "sport/+"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["sport+", "+sport", "a/+b/c", "++", "a/b+", "+#"] {
            assert_eq!(filter(text), Err(Error::MisplacedWildcard('+')), "{text}");
        }
    }

    /// [MQTT-4.7.1-1]: the examples of section 4.7.1.2, the parent level included.
    #[test]
    fn multi_level_wildcard_matches_the_parent_and_any_number_of_children() {
        let players =
            ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"];
        assert_matches(
            "sport/tennis/player1/#",
            &players,
            &["sport/tennis", "sport/tennis/player2", "x/tennis/player1"],
        );
        assert_matches("sport/#", &["sport", "sport/", "sport//", "sport/a"], &["sports", "Sport", "/sport"]);
        assert_matches("#", &["a", "/", "a/b/c", "/$SYS"], &[]);
        assert_matches("/#", &["/", "/a", "//", "/a/b"], &["a", "a/"]);
    }

    /// [MQTT-4.7.1-2]: the examples of section 4.7.1.3.
    #[test]
    fn single_level_wildcard_matches_exactly_one_level() {
        let players = ["sport/tennis/player1", "sport/tennis/player2"];
        assert_matches("sport/tennis/+", &players, &["sport/tennis/player1/ranking", "sport/tennis"]);
        assert_matches("sport/+", &["sport/", "sport/a"], &["sport", "sport/a/"]);
        assert_matches("+/+", &["/finance", "a/b", "/"], &["finance", "/finance/"]);
        assert_matches("/+", &["/finance", "/"], &["finance", "a/finance"]);
        assert_matches("+", &["finance"], &["/finance", "finance/"]);
        assert_matches("+/tennis/#", &["sport/tennis", "/tennis", "a/tennis/b/c"], &["tennis", "a/b/tennis"]);
        assert_matches("sport/+/player1", &["sport/tennis/player1", "sport//player1"], &["sport/player1"]);
    }

    /// [MQTT-4.7.2-1]
    #[test]
    fn first_wildcard_does_not_match_dollar_names() {
        for wanted in ["#", "+", "+/#", "+/monitor/Clients", "+/+/+"] {
            assert_matches(wanted, &[], &["$SYS", "$SYS/monitor/Clients", "$", "$/a/b"]);
        }
        assert_matches("$SYS/#", &["$SYS", "$SYS/", "$SYS/monitor/Clients"], &["$sys", "SYS/a"]);
        assert_matches("$SYS/monitor/+", &["$SYS/monitor/Clients"], &["$SYS/monitor"]);
        assert_matches("+/$SYS", &["a/$SYS", "/$SYS"], &["$SYS/$SYS"]);
    }

    /// [MQTT-4.7.3-4]: case, spaces, separators and composed characters all tell names apart.
    #[test]
    fn matching_does_not_normalise() {
        assert_matches("ACCOUNTS", &["ACCOUNTS"], &["Accounts", "ACCOUNTS ", "/ACCOUNTS", "ACCOUNTS/"]);
        assert_matches("Accounts payable", &["Accounts payable"], &["Accountspayable", "Accounts  payable"]);
        assert_matches("\u{e9}", &["\u{e9}"], &["e\u{301}", "e"]);
        assert_matches("a//b", &["a//b"], &["a/b", "a///b"]);
        assert_matches("a\u{feff}", &["a\u{feff}"], &["a"]);
    }

    #[test]
    fn wildcards_are_seen() {
        for (text, any, first) in
            [("a/b", false, false), ("$x", false, false), ("a/+", true, false), ("#", true, true)]
        {
            let filter = filter(text).expect("a valid filter");
            assert_eq!((filter.has_wildcard(), filter.starts_with_wildcard()), (any, first), "{text}");
        }
    }
}

//! What a SUBSCRIBE names: a Topic Filter, alone or shared. Printing a value gives back what the Client
//! wrote, and parsing that gives back the value.

use std::fmt;

use memchr::memchr3;

use crate::{Error, Limits, TopicFilter};

const SHARE: &str = "$share";
const QUEUE: &str = "$queue";

/// What a SUBSCRIBE names: a plain filter, `$share/GROUP/FILTER` (§4.8.2), or `$queue/FILTER`, which other
/// brokers offer as a group that needs no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionFilter {
    /// The group that shares the Subscription, if one does.
    pub share: Option<ShareName>,
    /// The names it asks for.
    pub filter: TopicFilter,
}

impl SubscriptionFilter {
    /// Takes the Topic Filter of a SUBSCRIBE or UNSUBSCRIBE apart. The limit on bytes holds for all of
    /// `text`, the one on levels for the filter that is left.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        limits.check_text(text)?;
        let (share, filter) = split_share(text)?;
        if share.is_some() && filter.is_empty() {
            return Err(Error::SharedWithoutFilter);
        }
        Ok(Self { share, filter: TopicFilter::parse(filter, limits)? })
    }

    /// Whether one member of a group, and not every subscriber, gets each Message.
    pub fn is_shared(&self) -> bool {
        self.share.is_some()
    }
}

impl fmt::Display for SubscriptionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.share {
            None => self.filter.fmt(f),
            Some(share) if share.is_queue() => write!(f, "{QUEUE}/{}", self.filter),
            Some(share) => write!(f, "{SHARE}/{share}/{}", self.filter),
        }
    }
}

/// The ShareName, if `text` has one, and what is left for the Topic Filter.
fn split_share(text: &str) -> Result<(Option<ShareName>, &str), Error> {
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    match first {
        QUEUE => Ok((Some(ShareName::queue()), rest)),
        SHARE => {
            let (share, filter) = rest.split_once('/').ok_or(Error::SharedWithoutFilter)?;
            Ok((Some(ShareName::parse(share)?), filter))
        }
        _ => Ok((None, text)),
    }
}

/// The name of a group of Shared Subscriptions: at least one character [MQTT-4.8.2-1], none of them `/`, `+`
/// or `#` [MQTT-4.8.2-2].
///
/// The group behind `$queue/FILTER` prints as `$queue` and still differs from `$share/$queue/FILTER`, which
/// any Client may have chosen: compare values, not their text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShareName(Box<str>); // Empty for `$queue`: no Client can spell that.

impl ShareName {
    /// Takes `text` as the name of a group.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.contains('\0') || memchr3(b'/', b'+', b'#', text.as_bytes()).is_some() {
            return Err(Error::BadShareName);
        }
        Ok(Self(text.into()))
    }

    /// The group of `$queue/FILTER`.
    pub fn queue() -> Self {
        Self("".into())
    }

    /// Whether this is the group of `$queue/FILTER`.
    pub fn is_queue(&self) -> bool {
        self.0.is_empty()
    }

    /// The name as people read it.
    pub fn as_str(&self) -> &str {
        if self.is_queue() { QUEUE } else { &self.0 }
    }
}

impl fmt::Debug for ShareName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ShareName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SubscriptionFilter, Error> {
        SubscriptionFilter::parse(text, &Limits::default())
    }

    /// The ShareName and the Topic Filter of `text`.
    fn parts(text: &str) -> (Option<String>, String) {
        let parsed = parse(text).expect("a valid subscription");
        (parsed.share.map(|share| share.to_string()), parsed.filter.to_string())
    }

    /// [MQTT-4.8.2-1]
    #[test]
    fn share_name_has_at_least_one_character() {
        assert_eq!(parts("$share/g/a/b"), (Some("g".into()), "a/b".into()));
        assert_eq!(parse("$share//a"), Err(Error::BadShareName));
        assert_eq!(parse("$share//"), Err(Error::BadShareName));
    }

    /// [MQTT-4.8.2-1]: only `$share/` itself makes a Subscription shared.
    #[test]
    fn other_first_levels_are_plain() {
        for text in ["a/b", "$shared/g/a", "$SHARE/g/a", "/$share/g/a", "share/g/a", "$queued/a", "$SYS/#"] {
            assert_eq!(parts(text), (None, text.into()));
            assert!(!parse(text).expect("a valid subscription").is_shared());
        }
    }

    /// [MQTT-4.8.2-2]
    #[test]
    fn share_name_has_no_wildcards() {
        for text in ["$share/+/a", "$share/#/a", "$share/g+/a", "$share/#g/a"] {
            assert_eq!(parse(text), Err(Error::BadShareName), "{text}");
        }
        for text in ["", "a/b", "a\0b"] {
            assert_eq!(ShareName::parse(text), Err(Error::BadShareName), "{text:?}");
        }
    }

    /// [MQTT-4.8.2-2]
    #[test]
    fn share_name_is_followed_by_a_topic_filter() {
        for text in ["$share", "$share/", "$share/g", "$share/g/", "$share/#", "$queue", "$queue/"] {
            assert_eq!(parse(text), Err(Error::SharedWithoutFilter), "{text}");
        }
        assert_eq!(parts("$share/g//"), (Some("g".into()), "/".into()));
        assert_eq!(parts("$share/g/+/#"), (Some("g".into()), "+/#".into()));
        assert_eq!(parse("$share/g/a#"), Err(Error::MisplacedWildcard('#')));
    }

    #[test]
    fn queue_is_a_group_of_its_own() {
        let queue = parse("$queue/a").expect("a valid subscription");
        let group = parse("$share/$queue/a").expect("a valid subscription");
        assert!(queue.is_shared() && group.is_shared());
        assert_eq!(parts("$queue/a"), (Some("$queue".into()), "a".into()));
        assert_ne!(queue, group);
    }

    #[test]
    fn prints_as_the_client_wrote_it() {
        for text in ["a/+/#", "$share/g/a", "$share/g//", "$queue/a/#", "$share/$queue/a", "$SYS/#"] {
            assert_eq!(parse(text).expect("a valid subscription").to_string(), text);
        }
    }

    /// [MQTT-4.7.3-2] [MQTT-4.7.3-3]: what stands before the filter counts as well.
    #[test]
    fn limits_hold_for_shared_filters() {
        let limits = Limits { bytes: 12, levels: 2 };
        let parse = |text| SubscriptionFilter::parse(text, &limits).map(|parsed| parsed.to_string());
        assert_eq!(parse("$share/g/a/b"), Ok("$share/g/a/b".into()));
        assert_eq!(parse("$share/g/a/bc"), Err(Error::TooLong { bytes: 13, limit: 12 }));
        assert_eq!(parse("$share/g///"), Err(Error::TooManyLevels { levels: 3, limit: 2 }));
        assert_eq!(parse("$share/\0/a"), Err(Error::Nul));
        assert_eq!(parse(""), Err(Error::Empty));
    }
}

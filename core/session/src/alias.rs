//! Topic Aliases: numbers for Topic Names, valid for one Network Connection and one direction.

use std::collections::BTreeMap;

use martlet_packet::ReasonCode;

use crate::Violation;

/// Topic Names of that many bytes get an alias on one Network Connection, whatever the Client would take.
const NAMES_BYTES: usize = 64 * 1024;

/// Aliases the Client gave to the Topic Names it publishes to [MQTT-3.3.2-7].
#[derive(Debug, Default)]
pub struct IncomingAliases {
    names: Vec<Option<Box<str>>>,
}

/// Aliases we gave to the Topic Names we send.
#[derive(Debug)]
pub struct OutgoingAliases {
    aliases: BTreeMap<Box<str>, u16>,
    /// Bytes of all their Topic Names.
    bytes: usize,
    maximum: u16,
}

impl IncomingAliases {
    /// Remembers what `alias` stands for; it may be said anew at any time (§3.3.2.3.4).
    pub fn set(&mut self, alias: u16, maximum: u16, topic: &str) -> Result<(), Violation> {
        let slot = Self::slot(alias, maximum)?;
        if self.names.len() <= slot {
            self.names.resize(slot + 1, None);
        }
        if self.names[slot].as_deref() != Some(topic) {
            self.names[slot] = Some(topic.into());
        }
        Ok(())
    }

    /// The Topic Name `alias` stands for.
    pub fn resolve(&self, alias: u16, maximum: u16) -> Result<&str, Violation> {
        let slot = Self::slot(alias, maximum)?;
        self.names.get(slot).and_then(Option::as_deref).ok_or_else(|| {
            Violation::protocol(format!(
                "Topic Alias {alias} was never set: send it once with its Topic Name"
            ))
        })
    }

    /// An alias is from 1 to the maximum we announced [MQTT-3.3.2-8], [MQTT-3.3.2-9].
    fn slot(alias: u16, maximum: u16) -> Result<usize, Violation> {
        if alias == 0 || alias > maximum {
            return Err(Violation::new(
                ReasonCode::TopicAliasInvalid,
                format!("Topic Alias {alias} is not between 1 and the Topic Alias Maximum of {maximum}"),
            ));
        }
        Ok(usize::from(alias) - 1)
    }
}

impl OutgoingAliases {
    /// Aliases up to the Client's Topic Alias Maximum [MQTT-3.1.2-26]; `None` when it takes none [MQTT-3.1.2-27].
    pub fn new(maximum: u16) -> Option<Box<Self>> {
        (maximum > 0).then(|| Box::new(Self { aliases: BTreeMap::new(), bytes: 0, maximum }))
    }

    /// The alias of `topic` and whether the Client knows it already; `None` once all are given away, or hold too much.
    pub fn alias(&mut self, topic: &str) -> Option<(u16, bool)> {
        if let Some(alias) = self.aliases.get(topic) {
            return Some((*alias, true));
        }
        let next = u16::try_from(self.aliases.len() + 1).ok().filter(|next| *next <= self.maximum)?;
        if self.bytes + topic.len() > NAMES_BYTES {
            return None;
        }
        self.bytes += topic.len();
        self.aliases.insert(topic.into(), next);
        Some((next, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_stands_for_what_was_said_last() {
        let mut aliases = IncomingAliases::default();
        aliases.set(3, 10, "a/b").expect("in range");
        aliases.set(3, 10, "c").expect("in range");
        assert_eq!(aliases.resolve(3, 10), Ok("c"));
        assert_eq!(aliases.resolve(2, 10).map_err(|v| v.reason), Err(ReasonCode::ProtocolError));
    }

    /// [MQTT-3.3.2-8] [MQTT-3.3.2-9]
    #[test]
    fn an_alias_of_zero_or_beyond_the_maximum_is_invalid() {
        let mut aliases = IncomingAliases::default();
        for alias in [0, 11] {
            let refused = aliases.set(alias, 10, "a").map_err(|v| v.reason);
            assert_eq!(refused, Err(ReasonCode::TopicAliasInvalid));
        }
    }

    /// [MQTT-3.1.2-26]
    #[test]
    fn no_more_aliases_are_given_than_the_client_takes() {
        let mut aliases = OutgoingAliases::new(1).expect("one is taken");
        assert_eq!(aliases.alias("a"), Some((1, false)));
        assert_eq!(aliases.alias("a"), Some((1, true)));
        assert_eq!(aliases.alias("b"), None);
        assert!(OutgoingAliases::new(0).is_none());
    }
}

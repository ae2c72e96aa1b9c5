//! What everybody is kept from, whoever they are: the few rules of the command line.
//!
//! Whatever no rule names is allowed.

use martlet_topic::{TopicFilter, TopicName};

use crate::{Decision, Refusal};

/// What everybody is kept from. Whatever no rule names is allowed.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Topic Filters nobody may subscribe to, compared as written.
    pub deny_subscribe: Vec<TopicFilter>,
    /// Topic Filters of the Topic Names nobody may publish to.
    pub deny_publish: Vec<TopicFilter>,
}

impl Rules {
    /// May a Client subscribe to `filter`?
    pub fn subscribe(&self, filter: &TopicFilter) -> Decision<'_> {
        answer(self.deny_subscribe.iter().find(|rule| *rule == filter))
    }

    /// May a Client publish to `topic`?
    pub fn publish(&self, topic: TopicName<'_>) -> Decision<'_> {
        answer(self.deny_publish.iter().find(|rule| rule.matches(topic)))
    }

    /// True when nothing is forbidden to anybody, so that no answer need be asked for.
    pub fn is_empty(&self) -> bool {
        self.deny_subscribe.is_empty() && self.deny_publish.is_empty()
    }
}

fn answer(rule: Option<&TopicFilter>) -> Decision<'_> {
    rule.map_or(Decision::Allow, |rule| Decision::Deny(Refusal::Everybody(rule)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_topic::Limits;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text, &Limits::default()).expect("a legal filter")
    }

    #[test]
    fn a_denied_filter_is_denied_as_written_and_nothing_else_is() {
        let rules = Rules { deny_subscribe: vec![filter("secret/#")], ..Rules::default() };
        let denied = filter("secret/#");
        assert_eq!(rules.subscribe(&denied), Decision::Deny(Refusal::Everybody(&denied)));
        assert_eq!(rules.subscribe(&filter("open/#")), Decision::Allow);
    }

    #[test]
    fn a_denied_publish_filter_covers_the_names_it_matches() {
        let rules = Rules { deny_publish: vec![filter("cmd/+")], ..Rules::default() };
        let limits = Limits::default();
        let name = |text| TopicName::parse(text, &limits).expect("a legal name");
        assert!(matches!(rules.publish(name("cmd/stop")), Decision::Deny(_)));
        assert_eq!(rules.publish(name("cmd/stop/now")), Decision::Allow);
    }
}

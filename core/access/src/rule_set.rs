//! Rules in the order in which they are asked. The first that speaks of a topic decides.

use martlet_topic::{TopicFilter, TopicName};

use crate::{Decision, Origin, Refusal};

/// What a Client wants to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action<'a> {
    Publish(TopicName<'a>),
    Receive(TopicName<'a>),
    /// With what stands before the Topic Filter of a Shared Subscription.
    Subscribe(&'a str),
    Unsubscribe(&'a str),
}

impl Action<'_> {
    /// Whether it is about the topics by which the node itself is changed.
    pub(crate) fn is_control(self) -> bool {
        let topic = match self {
            Self::Publish(topic) | Self::Receive(topic) => topic.as_str(),
            Self::Subscribe(filter) | Self::Unsubscribe(filter) => filter,
        };
        topic.starts_with("$CONTROL")
    }
}

/// Rules for each of the four things a Client can want.
#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    pub(crate) publish: Vec<Rule>,
    pub(crate) receive: Vec<Rule>,
    pub(crate) subscribe: Vec<Rule>,
    pub(crate) unsubscribe: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) filter: TopicFilter,
    pub(crate) reach: Reach,
    pub(crate) allow: bool,
    pub(crate) origin: Origin,
}

/// What a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All that its filter matches: Topic Names, or the Topic Filters that ask for no more than it does.
    Matching,
    /// The one Topic Filter that reads like its own.
    Literal,
}

impl RuleSet {
    /// What the first rule that speaks of it says, if one does.
    pub(crate) fn decide(&self, action: Action<'_>) -> Option<Decision<'_>> {
        let rule = match action {
            Action::Publish(topic) => first(&self.publish, |rule| rule.filter.matches(topic)),
            Action::Receive(topic) => first(&self.receive, |rule| rule.filter.matches(topic)),
            Action::Subscribe(filter) => first(&self.subscribe, |rule| rule.speaks_of_filter(filter)),
            Action::Unsubscribe(filter) => first(&self.unsubscribe, |rule| rule.speaks_of_filter(filter)),
        };
        rule.map(Rule::decision)
    }
}

fn first(rules: &[Rule], speaks: impl Fn(&Rule) -> bool) -> Option<&Rule> {
    rules.iter().find(|rule| speaks(rule))
}

impl Rule {
    fn speaks_of_filter(&self, filter: &str) -> bool {
        match self.reach {
            Reach::Matching => covers(self.filter.as_str(), filter),
            Reach::Literal => self.filter.as_str() == filter,
        }
    }

    fn decision(&self) -> Decision<'_> {
        if self.allow {
            return Decision::Allow;
        }
        Decision::Deny(Refusal::Rule { origin: &self.origin, filter: &self.filter })
    }
}

/// Whether `rule` matches every Topic Name that `filter` matches, so that whoever may subscribe to the one may subscribe
/// to the other.
///
/// Names that start with `$` are no exception here: `#` covers `$SYS/#`, and `+/a` covers `$SYS/a`.
pub fn covers(rule: &str, filter: &str) -> bool {
    if filter == "#" {
        return matches!(rule, "#" | "+/#"); // Every name has a first level.
    }
    let (mut rule, mut filter) = (rule.split('/'), filter.split('/'));
    loop {
        match (rule.next(), filter.next()) {
            (Some("#"), _) | (None, None) => return true,
            // `a/#` is `a` as well, which `a/+` is not.
            (Some("+"), Some("#")) => return false,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

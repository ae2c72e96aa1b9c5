//! The lines of an access control file, by the rules of Mosquitto 2.0.
//!
//! The lines of a user come before the patterns, which hold for everybody, and among each of them what is denied comes
//! before what is allowed. What no line names is refused. Subscribing is always allowed: what counts is which Messages
//! are received.
//!
//! The one rule beyond Mosquitto's: what a Client calls itself never lets it reach further than an honest name would.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_topic::{Limits, TopicFilter};

use crate::permit::Step;
use crate::rule_set::{Reach, Rule, RuleSet};
use crate::{Defaults, Origin, Refusal};

/// A line that grants or denies something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the file, from 1.
    pub line: u32,
    /// Whom it is about.
    pub who: Who,
    /// What it says.
    pub grant: Grant,
    /// The topics; in a pattern, `%c` stands for the Client Identifier and `%u` for the username.
    pub filter: TopicFilter,
}

/// Whom a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Clients without a username.
    Anonymous,
    /// Clients of this username.
    User(Box<str>),
    /// Everybody, by a pattern.
    Pattern,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Messages may be received.
    Read,
    /// Messages may be published.
    Write,
    /// Both.
    ReadWrite,
    /// Neither, whatever other lines say.
    Deny,
}

impl Grant {
    fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// The lines of an access control file.
#[derive(Debug, Default)]
pub struct Acl {
    anonymous: Option<Arc<RuleSet>>,
    users: BTreeMap<Box<str>, Arc<RuleSet>>,
    patterns: Vec<Entry>,
}

impl Acl {
    /// All that these lines say.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let (mut anonymous, mut users) = (Vec::new(), BTreeMap::<Box<str>, Vec<Line>>::new());
        let mut patterns = Vec::new();
        for entry in entries {
            let line = Line { line: entry.line, grant: entry.grant, filter: entry.filter.clone() };
            match &entry.who {
                Who::Anonymous => anonymous.push(line),
                Who::User(name) => users.entry(name.clone()).or_default().push(line),
                Who::Pattern => patterns.push(entry),
            }
        }
        Self {
            anonymous: (!anonymous.is_empty()).then(|| Arc::new(rules(anonymous))),
            users: users.into_iter().map(|(name, lines)| (name, Arc::new(rules(lines)))).collect(),
            patterns,
        }
    }

    /// Adds what this Client's permit goes through, and returns what it says at the end.
    pub(crate) fn add_steps(
        &self,
        client_id: &str,
        username: Option<&str>,
        steps: &mut Vec<Step>,
    ) -> Refusal<'static> {
        let own = match username {
            None => self.anonymous.as_ref(),
            Some(name) => self.users.get(name),
        };
        steps.extend(own.map(|rules| Step::Rules(Arc::clone(rules))));
        let subscribing = Defaults { subscribe: true, unsubscribe: true, ..Defaults::default() };
        steps.push(Step::Allow { defaults: subscribing, control: true });
        if self.patterns.is_empty() {
            return Refusal::Unlisted;
        }
        if has_wildcard(client_id) || username.is_some_and(has_wildcard) {
            return Refusal::Wildcard;
        }
        let mut refusal = Refusal::Unlisted;
        let mut lines = Vec::new();
        for pattern in &self.patterns {
            match filled_in(pattern, client_id, username) {
                Filled::Line(line) => lines.push(line),
                Filled::Nothing => {}
                Filled::TooFar => refusal = Refusal::NotFilledIn,
            }
        }
        steps.push(Step::Rules(Arc::new(rules(lines))));
        refusal
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['+', '#'])
}

/// A line as it holds for somebody.
struct Line {
    line: u32,
    grant: Grant,
    filter: TopicFilter,
}

/// What is denied comes first; otherwise the lines keep their order.
fn rules(mut lines: Vec<Line>) -> RuleSet {
    lines.sort_by_key(|line| line.grant != Grant::Deny);
    let mut rules = RuleSet::default();
    for Line { line, grant, filter } in lines {
        let allow = grant != Grant::Deny;
        let rule = Rule { filter, reach: Reach::Matching, allow, origin: Origin::Line(line) };
        if !allow || grant.reads() {
            rules.receive.push(rule.clone());
        }
        if !allow || grant.writes() {
            rules.publish.push(rule);
        }
    }
    rules
}

/// A pattern as it holds for a Client.
enum Filled {
    Line(Line),
    /// It does not hold: it is about usernames, and there is none.
    Nothing,
    /// It does not hold: it would reach further than one level.
    TooFar,
}

/// Puts what a Client calls itself into a pattern, once and in place.
fn filled_in(pattern: &Entry, client_id: &str, username: Option<&str>) -> Filled {
    let text = pattern.filter.as_str();
    let mut filled = String::with_capacity(text.len() + client_id.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let value = if from.starts_with("%c") {
            client_id
        } else if from.starts_with("%u") {
            let Some(username) = username else { return Filled::Nothing };
            username
        } else {
            filled.push('%');
            rest = &from[1..];
            continue;
        };
        if pattern.grant != Grant::Deny && reaches_further(value, &filled) {
            return Filled::TooFar;
        }
        filled.push_str(value);
        rest = &from[2..];
    }
    filled.push_str(rest);
    match TopicFilter::parse(&filled, &Limits::UNLIMITED) {
        Ok(filter) => Filled::Line(Line { line: pattern.line, grant: pattern.grant, filter }),
        Err(_) => Filled::Nothing,
    }
}

/// Whether `value`, put after `before`, would be more than a part of one level: a `/` opens the topics of others, and a
/// `$` at the very start those of the node.
fn reaches_further(value: &str, before: &str) -> bool {
    value.contains('/') || (before.is_empty() && value.starts_with('$'))
}

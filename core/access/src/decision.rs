//! The answers, and the words in which a refusal is told to people.
//!
//! A refusal borrows from the rule that gave it, so that asking costs no memory and the text is made only when somebody
//! reads it.

use std::fmt;
use std::sync::Arc;

use martlet_topic::TopicFilter;

/// An answer, with the rule that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may.
    Allow,
    /// It may not, and this is why.
    Deny(Refusal<'a>),
}

impl Decision<'_> {
    /// Whether it may.
    pub fn is_allowed(self) -> bool {
        self == Self::Allow
    }
}

/// Why a Client may not. Its text names the rule, for logs and reason strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// A rule that holds for everybody forbids it. Its text is the filter alone.
    Everybody(&'a TopicFilter),
    /// This rule forbids it.
    Rule {
        /// Where the rule is written.
        origin: &'a Origin,
        /// What the rule says it is about.
        filter: &'a TopicFilter,
    },
    /// No rule allows it.
    Unlisted,
    /// The patterns cannot be filled in safely for this Client: its Client Identifier or its username has `+` or `#`
    /// in it, which would match what belongs to others.
    Wildcard,
    /// No rule allows it, and a pattern that might was not filled in: with a `/` in it, or a `$` at its start, what the
    /// Client calls itself would reach the topics of others.
    NotFilledIn,
}

/// Where a rule is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In this line of the access control file.
    Line(u32),
    /// In the role of this name.
    Role(Arc<str>),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody(filter) => filter.fmt(f),
            Self::Rule { origin, filter } => write!(f, "{origin} denies {filter}"),
            Self::Unlisted => f.write_str("no rule allows it"),
            Self::Wildcard => f.write_str(
                "the client identifier or username has a + or # in it, which patterns do not take",
            ),
            Self::NotFilledIn => f.write_str(
                "no rule allows it, and patterns do not take a client identifier or username that has a / in it or \
                 starts with $",
            ),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line} of the ACL file"),
            Self::Role(name) => write!(f, "role {name}"),
        }
    }
}

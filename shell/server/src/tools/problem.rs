//! What can be wrong with a store, whom it concerns, and what can be done.

use std::fmt;
use std::ops::Range;

use martlet_disk::ReadError;
use martlet_record::{Place, WallTime};

use super::contents::Holder;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub fault: Fault,
    /// Whom it concerns, as far as that can be made out.
    pub concerned: Vec<Concerned>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Records are missing in the middle of the log: a broker does not start.
    Gap {
        /// Their positions.
        positions: Range<u64>,
        /// What is known about it.
        what: &'static str,
    },
    /// A segment with Messages that somebody needs is missing: a broker does not start.
    Missing,
    /// A Message that somebody needs cannot be read.
    Message(ReadError),
    /// A frame cannot be read that holds nothing anybody needs.
    Unneeded,
}

/// Who needs what is damaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concerned {
    /// This Client: it waits for it.
    Client(String),
    /// Whoever subscribes to this Topic Name: it is retained there.
    Retained(String),
    /// It is a delayed message that is due then.
    Delayed(WallTime),
}

impl Fault {
    /// A broker refuses to start on it.
    pub fn stops_start(&self) -> bool {
        matches!(self, Self::Gap { .. } | Self::Missing)
    }

    /// Nobody misses anything.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Unneeded)
    }

    /// What can be done about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Gap { .. } | Self::Missing => {
                "bring back a copy of the store; or `martlet store repair`, which keeps everything else"
            }
            Self::Message(ReadError::Io { .. }) => "look after the disk: the system cannot read it",
            Self::Message(_) => {
                "bring back a copy of the store; without one the broker passes over the message and counts it as dropped"
            }
            Self::Unneeded => "nothing is to be done: it goes when its segment is used again",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { positions, what } => {
                let (first, last) = (positions.start, positions.end.saturating_sub(1));
                write!(formatter, "records are missing, positions {first} to {last}: {what}")
            }
            Self::Missing => {
                formatter.write_str("the segment is missing, and with it messages that are needed")
            }
            Self::Message(ReadError::Damaged(_)) => formatter.write_str("a message is not what was written"),
            Self::Message(ReadError::Missing(_)) => {
                formatter.write_str("a message is missing, for its segment is")
            }
            Self::Message(ReadError::Io { why, .. }) => write!(formatter, "a message cannot be read: {why}"),
            Self::Unneeded => formatter.write_str("a frame that nobody needs is damaged"),
        }
    }
}

impl From<Holder<'_>> for Concerned {
    fn from(holder: Holder<'_>) -> Self {
        match holder {
            Holder::Client(client_id) => Self::Client(client_id.to_owned()),
            Holder::Retained(topic) => Self::Retained(topic.to_owned()),
            Holder::Delayed(due) => Self::Delayed(due),
        }
    }
}

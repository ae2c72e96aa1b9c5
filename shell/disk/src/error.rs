//! What can go wrong, by what can be done about it.

use std::io;

use martlet_record::{DecodeError, Place, Position, SessionNumber};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store is in use by another process; each broker needs a folder of its own")]
    InUse,
    /// The file system does not keep what it promises, or not to one machine alone.
    #[error("the store lies on a network file system ({0}), which does not keep what it acknowledged")]
    Network(&'static str),
    /// There is something else in the folder.
    #[error("this is no store: {0}")]
    NotAStore(String),
    /// There was a log, and nothing of it is left.
    #[error(
        "the store had a log, and not one segment of it is there: what was acknowledged is gone. Bring the files of \
         its folder `log` back; or, to begin anew without them, take store.meta away"
    )]
    NoLog,
    /// A newer version wrote it.
    #[error("the store is of format {found}, and this program knows formats up to {known}: use a newer one")]
    Newer {
        /// What it is.
        found: u32,
        /// What can be read.
        known: u32,
    },
    /// A newer version wrote a record, or something is not what it must be.
    #[error("the records at position {} (segment {}, byte {}) cannot be read: {source}", position.0, place.segment(), place.offset())]
    Records {
        /// In the order of the log.
        position: Position,
        /// Where the batch begins.
        place: Place,
        /// Why.
        source: DecodeError,
    },
    /// What was acknowledged is no longer there, or was changed.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// Nothing like this can be set.
    #[error("{0}")]
    Settings(String),
    /// The system refused.
    #[error("{what}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it was not.
        source: io::Error,
    },
}

impl OpenError {
    /// Gives an error of the system the words for what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Acknowledged data that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u32,
    /// Bytes from its start.
    pub offset: u64,
    /// The first position in the order of the log that is missing.
    pub position: Position,
    /// What is known about it.
    pub what: &'static str,
    /// Sessions it was about, as far as they can be made out.
    pub sessions: Vec<SessionNumber>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { segment, offset, position, what, sessions } = self;
        let position = position.0;
        write!(
            formatter,
            "the store is damaged in segment {segment} at byte {offset}, position {position}: {what}. \
             It was acknowledged, so it is not passed over in silence"
        )?;
        if !sessions.is_empty() {
            let numbers: Vec<_> = sessions.iter().take(10).map(|session| session.0.to_string()).collect();
            let more = if sessions.len() > 10 { ", …" } else { "" };
            write!(formatter, ". Sessions concerned: {}{more}", numbers.join(", "))?;
        }
        formatter.write_str(
            ". Bring back a copy, or run `martlet store repair`, which moves the damage to quarantine",
        )
    }
}

impl std::error::Error for Damage {}

/// Why the body of a Message did not come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What is there is not what was written.
    #[error("the body at segment {}, byte {} is damaged", .0.segment(), .0.offset())]
    Damaged(Place),
    /// Its segment is not there.
    #[error("segment {} is missing", .0.segment())]
    Missing(Place),
    /// The system refused.
    #[error("segment {} cannot be read: {why}", place.segment())]
    Io {
        /// Where.
        place: Place,
        /// Why.
        why: String,
    },
}

//! The facts that survive a crash, and the journal that keeps them.
//!
//! Whatever is persistent in Martlet is the fold of [`Record`]s: a record names what was decided, so that the
//! fold never decides again. A [`Journal`] makes them durable and says so later; nothing that depends on a
//! record is shown to anybody before it did.
#![forbid(unsafe_code)]

mod body;
mod codec;
mod journal;
mod memory;
mod message;
mod number;
mod place;
mod record;
mod time;
mod varint;

pub use body::Damaged;
pub use codec::DecodeError;
pub use journal::{Batch, Completion, Journal, Need, Outcome, Room};
pub use memory::MemoryJournal;
pub use message::{Body, Message, MessageRef};
pub use number::{
    BatchNumber, CheckpointNumber, DelayedNumber, Ordinal, Position, SessionNumber, ShardId, ShardSet,
    ShardSetIter, stable_hash,
};
pub use place::{Place, Stored};
pub use record::{
    CopyRecord, DelayedRecord, Ending, KeptCopy, KeptProgress, KeptSession, PublishRecord, Record,
    ReplayedCopy, RetainedSource, SessionRecord, Settled, SubscribeRecord, WillRecord,
};
pub use time::{Now, Time, WallTime};

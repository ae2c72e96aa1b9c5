//! The facts that survive a crash, and the journal that keeps them.
//!
//! Whatever is persistent in Martlet is the fold of [`Record`]s: a record names what was decided, so that the
//! fold never decides again. A [`Journal`] makes them durable and says so later; nothing that depends on a
//! record is shown to anybody before it did.
#![forbid(unsafe_code)]

mod journal;
mod memory;
mod message;
mod number;
mod record;
mod time;

pub use journal::{Batch, Completion, Journal, Outcome, Room};
pub use memory::MemoryJournal;
pub use message::{Message, MessageRef};
pub use number::{BatchNumber, Ordinal, SessionNumber, ShardId, stable_hash};
pub use record::{
    CopyRecord, Ending, PublishRecord, Record, ReplayedCopy, SessionRecord, Settled, SubscribeRecord,
    WillRecord,
};
pub use time::{Now, Time, WallTime};

//! Shards: publish, subscribe, retain, will, share, expire, take over.
//!
//! A [`Shard`] owns the Sessions of the Clients whose home it is and is stepped by calls; what it decided lies in an
//! [`Outbox`], in order. It never waits. [`Routes`] and [`Retained`] are shared by all shards of a [`Node`].
#![forbid(unsafe_code)]

mod shard;

mod acknowledge;
mod authenticate;
mod commit;
mod connect;
mod control;
mod delayed;
mod deliver;
mod disconnect;
mod fetch;
mod obstacle;
mod operator;
mod pass_on;
mod publish;
mod recovery;
mod replay;
mod slow;
mod snapshot;
mod subscribe;
mod will;

mod cache;
mod destinations;
mod gates;
mod retained;
mod routes;
mod shared;
mod subscribers;
mod sync;

#[cfg(all(test, loom))]
mod interleavings;

mod books;
mod sessions;
mod timers;

mod chunk;
mod counters;
mod dialect;
mod node;
mod outbox;
mod permits;
mod settings;
pub mod sys;

pub use chunk::{Chunk, Head, Packed, Run};
pub use commit::shards_of;
pub use counters::{Counters, Ledger};
pub use destinations::{Destinations, Own, Recipient};
pub use dialect::{Dialect, Overlap, Wills};
pub use fetch::Read;
pub use node::Node;
pub use operator::Verdict;
pub use outbox::{Closing, Control, Fetch, Notice, Outbox, Reader};
pub use permits::Source;
pub use recovery::Recovery;
pub use retained::Retained;
pub use routes::{Routes, Stamp, Stripes, Subscriber};
pub use settings::Settings;
pub use shard::Shard;
pub use shared::{Choice, Group, Member, SharedStrategy};

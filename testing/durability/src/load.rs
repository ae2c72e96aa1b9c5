//! Clients that keep their Sessions and their books: what was promised to them, and what they were given.
//!
//! The rule: a client behaves as the specification says whatever the broker does, so that every message that is
//! missing, repeated or late is the broker's.

mod bits;
mod fleet;
mod payload;
mod publisher;
mod subscriber;

pub(crate) use bits::Bits;
pub(crate) use fleet::Fleet;
pub(crate) use payload::Stamp;
pub(crate) use publisher::{Publisher, Terms};
pub(crate) use subscriber::{Faults, Subscriber};

/// What all clients of a fleet have seen so far.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages whose PUBACK or PUBCOMP has arrived.
    pub(crate) acknowledged: u64,
    /// Messages answered with a Reason Code of 0x80 or more.
    pub(crate) refused: u64,
    /// Messages delivered, the first time.
    pub(crate) delivered: u64,
    /// Messages delivered once more.
    pub(crate) repeated: u64,
    /// Payload bytes delivered, repeats included.
    pub(crate) delivered_bytes: u64,
    /// CONNACKs that accepted a client.
    pub(crate) welcomed: u64,
    /// Connections that ended though the client wanted them.
    pub(crate) broken: u64,
}

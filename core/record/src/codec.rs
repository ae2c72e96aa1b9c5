//! Batches as the log writes them.
//!
//! ```text
//! batch   = shard u8 | number | wall clock | record* | END
//! record  = kind u8 | what belongs to it         kinds with the bit 0x80: kind u8 | length | bytes
//! session = (step of the count << 1 | other shard) | [shard u8]
//! body    = len << 1 | 1 | the Message           written here, or
//!           len << 1     | step of the place     written before
//! ```
//!
//! Numbers are varints. What a batch names again and again (Sessions, ordinals, places) is written as the step from
//! the one named last. The one rule: a kind or a flag keeps its meaning for ever; what is new gets a new kind, and an
//! older program refuses it by its number, unless the kind says that it may be passed over.

mod decode;
mod encode;
mod last;
mod values;

pub use decode::DecodeError;

/// Ends a batch.
const END: u8 = 0;

/// What a record is about. Never renumbered.
mod kind {
    pub(super) const OPENED: u8 = 1;
    pub(super) const RESUMED: u8 = 2;
    pub(super) const DISCONNECTED: u8 = 3;
    pub(super) const ENDED: u8 = 4;
    pub(super) const SUBSCRIBED: u8 = 5;
    pub(super) const UNSUBSCRIBED: u8 = 6;
    pub(super) const PUBLISHED: u8 = 7;
    pub(super) const RETAINED: u8 = 8;
    pub(super) const DELAYED: u8 = 9;
    pub(super) const SENT: u8 = 10;
    pub(super) const RECEIVED: u8 = 11;
    pub(super) const SETTLED: u8 = 12;
    pub(super) const RELEASED: u8 = 13;
    pub(super) const KEPT: u8 = 14;
    pub(super) const KEPT_COPIES: u8 = 15;
    pub(super) const SNAPSHOTTED: u8 = 16;
    pub(super) const RETAINED_BY: u8 = 17;
    /// Who does not know such a kind may pass over it.
    pub(super) const SKIPPABLE: u8 = 0x80;
}

/// Parts of a record that are there or not.
mod flag {
    /// SessionRecord: it has a Will.
    pub(super) const WILL: u8 = 1;
    /// WillRecord: it has a Message Expiry Interval.
    pub(super) const EXPIRY: u8 = 1;
    /// Disconnected: the Will is discarded.
    pub(super) const WILL_DISCARDED: u8 = 1;
    /// Retained: there is a new one.
    pub(super) const BODY: u8 = 1;

    /// RetainedBy: it has a User Name.
    pub(super) const USERNAME: u8 = 1;

    /// Published, Delayed: a mark of QoS 2.
    pub(super) const MARK: u8 = 1;
    /// Published: the Will of a Session.
    pub(super) const WILL_OF: u8 = 1 << 1;
    /// Published: it was delayed.
    pub(super) const WAS_DELAYED: u8 = 1 << 2;
    /// Published: it was another member's of a Shared Subscription.
    pub(super) const PASSED_FROM: u8 = 1 << 3;

    /// Copies: the two bits of the Quality of Service.
    pub(super) const COPY_QOS: u8 = 0b11;
    /// Copies: RETAIN as it is sent.
    pub(super) const COPY_RETAIN: u8 = 1 << 2;
    /// Copies: there are Subscription Identifiers.
    pub(super) const COPY_IDS: u8 = 1 << 3;
    /// Copies: it was chosen for a Shared Subscription.
    pub(super) const COPY_SHARE: u8 = 1 << 4;
    /// Kept copies: there is a body.
    pub(super) const COPY_BODY: u8 = 1 << 5;
    /// Kept copies: where the two bits of the progress are.
    pub(super) const COPY_PROGRESS_SHIFT: u8 = 6;

    /// Subscription Options: the Subscription has an identifier.
    pub(super) const OPTIONS_ID: u8 = 1 << 6;
}

/// Copies of one Session that were settled alike, one after the other, are written as one: `how` in the low bits, how
/// many more in the high ones. What one byte can ask for stays little memory that way.
mod run {
    pub(super) const HOW: u8 = 0b111;
    pub(super) const SHIFT: u8 = 3;
    pub(super) const MAX: usize = 32;
}

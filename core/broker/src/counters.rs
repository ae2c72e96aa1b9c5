//! What a shard counted. Plain numbers, summed over shards when somebody asks.

use std::ops::AddAssign;

use martlet_record::Settled;

/// Totals since the node started, and two gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets received from open Network Connections.
    pub packets_received: u64,
    /// PUBLISH packets received.
    pub publish_received: u64,
    /// Bytes of payload received in PUBLISH packets.
    pub publish_received_bytes: u64,
    /// PUBLISH packets sent.
    pub publish_sent: u64,
    /// Bytes of payload sent in PUBLISH packets.
    pub publish_sent_bytes: u64,
    /// Other packets sent.
    pub answers_sent: u64,
    /// QoS 0 copies dropped: too many bytes waited for the socket, or the Client takes no packet as large.
    pub qos0_dropped: u64,
    /// PUBLISH packets refused: what nobody may publish, this Client may not, or what is larger than allowed.
    pub publish_refused: u64,
    /// Copies that were not made because their Sessions may not receive them.
    pub copies_denied: u64,
    /// Sessions, connected or not (gauge).
    pub sessions: u64,
    /// Sessions with an open Network Connection (gauge).
    pub connected: u64,
    /// Subscriptions (gauge).
    pub subscriptions: u64,
    /// Shared Subscriptions among them (gauge).
    pub shared_subscriptions: u64,
    /// Sessions that ended by expiry.
    pub sessions_expired: u64,
    /// Network Connections accepted with a CONNACK of success.
    pub connects: u64,
    /// Bytes of the copies that wait or are in flight (gauge).
    pub waiting_bytes: u64,
    /// QoS 1 and 2 copies.
    pub ledger: Ledger,
    /// Clients whose own books do not add up (gauge): there must be none.
    pub unbalanced: u64,
}

/// The books of QoS 1 and 2 copies. They must always add up:
/// `accepted = delivered + in_flight + stored + expired + ended + dropped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Copies a Session was to get.
    pub accepted: u64,
    /// Acknowledged by their Client.
    pub delivered: u64,
    /// Sent and not acknowledged (gauge).
    pub in_flight: u64,
    /// Waiting unsent (gauge).
    pub stored: u64,
    /// Message Expiry Interval passed.
    pub expired: u64,
    /// Their Session ended first.
    pub ended: u64,
    /// Dropped: the queue was full.
    pub dropped_queue_full: u64,
    /// Dropped: the Client's Maximum Packet Size is smaller.
    pub dropped_too_large: u64,
    /// Dropped: the Client answered with a Reason Code of 0x80 or more.
    pub dropped_refused: u64,
    /// Dropped: the disk gave back something else than was written.
    pub dropped_damaged: u64,
    /// Dropped: when it could be sent, the Client might no longer receive it.
    pub dropped_denied: u64,
}

impl Counters {
    /// All packets sent.
    pub fn packets_sent(&self) -> u64 {
        self.publish_sent + self.answers_sent
    }

    /// Copies dropped, whatever their QoS.
    pub fn publish_dropped(&self) -> u64 {
        self.ledger.dropped() + self.qos0_dropped
    }
}

impl Ledger {
    /// All that was dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_too_large
            + self.dropped_refused
            + self.dropped_damaged
            + self.dropped_denied
    }

    /// A copy ended this way.
    pub fn settle(&mut self, how: Settled) {
        *match how {
            Settled::Delivered => &mut self.delivered,
            Settled::Refused => &mut self.dropped_refused,
            Settled::Expired => &mut self.expired,
            Settled::QueueFull => &mut self.dropped_queue_full,
            Settled::TooLarge => &mut self.dropped_too_large,
            Settled::Damaged => &mut self.dropped_damaged,
            Settled::Denied => &mut self.dropped_denied,
            // It never entered the books.
            Settled::Replaced => return,
        } += 1;
    }

    /// Do the books add up?
    pub fn is_balanced(&self) -> bool {
        self.accepted == self.accounted()
    }

    /// Copies of which it is known what became of them.
    pub fn accounted(&self) -> u64 {
        self.delivered + self.in_flight + self.stored + self.expired + self.ended + self.dropped()
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.in_flight += other.in_flight;
        self.stored += other.stored;
        self.expired += other.expired;
        self.ended += other.ended;
        self.dropped_queue_full += other.dropped_queue_full;
        self.dropped_too_large += other.dropped_too_large;
        self.dropped_refused += other.dropped_refused;
        self.dropped_damaged += other.dropped_damaged;
        self.dropped_denied += other.dropped_denied;
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.packets_received += other.packets_received;
        self.publish_received += other.publish_received;
        self.publish_received_bytes += other.publish_received_bytes;
        self.publish_sent += other.publish_sent;
        self.publish_sent_bytes += other.publish_sent_bytes;
        self.answers_sent += other.answers_sent;
        self.qos0_dropped += other.qos0_dropped;
        self.publish_refused += other.publish_refused;
        self.copies_denied += other.copies_denied;
        self.sessions += other.sessions;
        self.connected += other.connected;
        self.subscriptions += other.subscriptions;
        self.shared_subscriptions += other.shared_subscriptions;
        self.sessions_expired += other.sessions_expired;
        self.connects += other.connects;
        self.waiting_bytes += other.waiting_bytes;
        self.ledger += other.ledger;
        self.unbalanced += other.unbalanced;
    }
}

//! What all runners of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_broker::Node;
use martlet_net::{Listener, TlsHandle};
use martlet_record::{CheckpointNumber, Room, ShardId};
use parking_lot::Mutex;

use crate::control::Orders;
use crate::doors::Doors;
use crate::journal::NodeJournal;
use crate::mailbox::Mailbox;

/// Connections above the maximum that are heard until they can be refused in their own version; more are closed at once.
pub(crate) const SURPLUS_MAX: usize = 16;

/// A listener, as far as all runners must know it.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Its port; 0 if it has none.
    port: u16,
    /// Its certificates.
    pub(crate) tls: Option<TlsHandle>,
    connections_max: AtomicUsize,
    connections: AtomicUsize,
}

/// May a new Network Connection stay?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It may.
    Welcome,
    /// It may say who it is, to be refused.
    Surplus,
    /// It may not: there is no room to hear it.
    Closed,
    /// It may not: its listener has as many as it may have.
    Full,
}

/// What stands between a node and the world.
#[derive(Debug)]
pub(crate) struct Gatehouse {
    pub(crate) doors: Doors,
    pub(crate) gates: Box<[Gate]>,
    pub(crate) orders: Orders,
}

/// What all runners of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    /// Who may enter, by listener.
    pub(crate) doors: Doors,
    /// One for each listener.
    pub(crate) gates: Box<[Gate]>,
    /// What takes long, or concerns the whole node, is done there.
    pub(crate) orders: Orders,
    pub(crate) journal: NodeJournal,
    /// One for each runner.
    pub(crate) mailboxes: Box<[Mailbox]>,
    pub(crate) start: Instant,
    connections_max: AtomicUsize,
    pub(crate) connect_timeout: Duration,
    pub(crate) sys_interval: Duration,
    mailbox_bytes_max: usize,
    connections: AtomicUsize,
    /// Runners that read nothing more, because the node ends.
    resting: AtomicUsize,
    /// New rules are being read that were asked for: whoever comes meanwhile finds them.
    changing: AtomicUsize,
    /// Held while commits are handed out.
    pub(crate) handing_out: Mutex<()>,
    /// Runners that told their Clients to go.
    leaving: AtomicUsize,
    /// The last checkpoint before the one that ends everything; the highest number as long as the node runs.
    written_down: AtomicU64,
    /// The last checkpoint the runners were told of.
    announced: AtomicU64,
}

impl Gate {
    pub(crate) fn new(listener: &Listener) -> Self {
        let gate = Self {
            port: listener.address().port(),
            tls: listener.tls(),
            connections_max: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        };
        gate.set_connections_max(listener.max_connections());
        gate
    }

    /// So many it may have from here; `None`: as many as the node.
    pub(crate) fn set_connections_max(&self, maximum: Option<u32>) {
        let maximum = maximum.and_then(|maximum| usize::try_from(maximum).ok()).unwrap_or(usize::MAX);
        self.connections_max.store(maximum, Ordering::Relaxed);
    }

    /// Counts one more, if there may be one more.
    fn enter(&self) -> bool {
        let has_room =
            self.connections.fetch_add(1, Ordering::Relaxed) < self.connections_max.load(Ordering::Relaxed);
        if !has_room {
            self.leave();
        }
        has_room
    }

    fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(
        node: Arc<Node>,
        config: &crate::Config,
        mailboxes: Box<[Mailbox]>,
        journal: NodeJournal,
        start: Instant,
        gatehouse: Gatehouse,
    ) -> Self {
        Self {
            doors: gatehouse.doors,
            gates: gatehouse.gates,
            orders: gatehouse.orders,
            node,
            journal,
            mailboxes,
            start,
            connections_max: AtomicUsize::new(config.connections_max()),
            connect_timeout: config.connect_timeout,
            sys_interval: config.sys_interval,
            mailbox_bytes_max: config.mailbox_bytes_max,
            connections: AtomicUsize::new(0),
            resting: AtomicUsize::new(0),
            changing: AtomicUsize::new(0),
            handing_out: Mutex::default(),
            leaving: AtomicUsize::new(0),
            written_down: AtomicU64::new(u64::MAX),
            announced: AtomicU64::new(0),
        }
    }

    /// Is this checkpoint news?
    pub(crate) fn announce(&self, checkpoint: CheckpointNumber) -> bool {
        self.announced.fetch_max(checkpoint.0, Ordering::Relaxed) < checkpoint.0
    }

    /// Which runner steps a shard.
    #[inline]
    pub(crate) fn runner_of(&self, shard: ShardId) -> usize {
        shard.index() % self.mailboxes.len()
    }

    /// Counts one more Network Connection of a listener, unless there is not even room to refuse it.
    pub(crate) fn enter(&self, listener: usize) -> Entry {
        if !self.gates[listener].enter() {
            return Entry::Full;
        }
        match self.connections.fetch_add(1, Ordering::Relaxed) {
            before if before < self.connections_max() => Entry::Welcome,
            before if before < self.connections_max() + SURPLUS_MAX => Entry::Surplus,
            _ => {
                self.leave(listener);
                Entry::Closed
            }
        }
    }

    /// New rules were asked for.
    pub(crate) fn begin_change(&self) {
        self.changing.fetch_add(1, Ordering::SeqCst);
    }

    /// They hold, or never will.
    pub(crate) fn end_change(&self) {
        self.changing.fetch_sub(1, Ordering::SeqCst);
    }

    /// Are new rules being read that were asked for?
    pub(crate) fn is_changing(&self) -> bool {
        self.changing.load(Ordering::SeqCst) > 0
    }

    /// Network Connections there may be at once.
    pub(crate) fn connections_max(&self) -> usize {
        self.connections_max.load(Ordering::Relaxed)
    }

    /// So many there may be from here.
    pub(crate) fn set_connections_max(&self, maximum: usize) {
        self.connections_max.store(maximum, Ordering::Relaxed);
    }

    /// The port of a listener, for people.
    pub(crate) fn port(&self, listener: usize) -> u16 {
        self.gates[listener].port
    }

    /// Counts one Network Connection less.
    pub(crate) fn leave(&self, listener: usize) {
        self.gates[listener].leave();
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Network Connections at the moment.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// One more runner reads nothing more.
    pub(crate) fn rest(&self) {
        self.resting.fetch_add(1, Ordering::SeqCst);
    }

    /// No runner reads anything more: what is in mailboxes and in the journal is all there will be.
    pub(crate) fn all_rest(&self) -> bool {
        self.resting.load(Ordering::SeqCst) == self.mailboxes.len()
    }

    /// One more runner told its Clients to go. After the last the store is written down.
    pub(crate) fn leave_for_good(&self) {
        let is_last = self.leaving.fetch_add(1, Ordering::SeqCst) + 1 == self.mailboxes.len();
        if let Some(disk) = self.journal.disk().filter(|_| is_last) {
            self.written_down.store(disk.stats().checkpoint.number.0, Ordering::SeqCst);
            disk.request_checkpoint();
        }
    }

    /// Has the checkpoint that ends everything come to its end, if there must be one?
    pub(crate) fn is_written_down(&self) -> bool {
        let Some(disk) = self.journal.disk() else { return true };
        let before = self.written_down.load(Ordering::SeqCst);
        disk.room() == Room::Failed || disk.stats().checkpoint.number.0 > before
    }

    /// May Clients that publish be read? When the disk is full they must, to be told.
    pub(crate) fn has_room(&self) -> bool {
        let is_free = |mailbox: &Mailbox| mailbox.bytes() < self.mailbox_bytes_max;
        self.journal.room() != Room::Reserve
            && (self.mailboxes.len() == 1 || self.mailboxes.iter().all(is_free))
    }
}

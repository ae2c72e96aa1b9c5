//! What all runners of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_broker::Node;
use martlet_record::ShardId;
use martlet_session::HandshakePolicy;

use crate::journal::NodeJournal;
use crate::mailbox::Mailbox;

/// Connections above the maximum that are heard until they can be refused in their own version; more are closed at once.
pub(crate) const SURPLUS_MAX: usize = 16;

/// May a new Network Connection stay?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It may.
    Welcome,
    /// It may say who it is, to be refused.
    Surplus,
    /// It may not.
    Closed,
}

/// What all runners of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    pub(crate) policy: HandshakePolicy,
    pub(crate) journal: NodeJournal,
    /// One for each runner.
    pub(crate) mailboxes: Box<[Mailbox]>,
    pub(crate) start: Instant,
    pub(crate) connections_max: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) sys_interval: Duration,
    mailbox_bytes_max: usize,
    connections: AtomicUsize,
    /// Runners that read nothing more, because the node ends.
    resting: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(node: Arc<Node>, config: &crate::Config, mailboxes: Box<[Mailbox]>) -> Self {
        Self {
            policy: node.settings.handshake_policy(),
            node,
            journal: NodeJournal::default(),
            mailboxes,
            start: Instant::now(),
            connections_max: config.connections_max(),
            connect_timeout: config.connect_timeout,
            sys_interval: config.sys_interval,
            mailbox_bytes_max: config.mailbox_bytes_max,
            connections: AtomicUsize::new(0),
            resting: AtomicUsize::new(0),
        }
    }

    /// Which runner steps a shard.
    #[inline]
    pub(crate) fn runner_of(&self, shard: ShardId) -> usize {
        shard.index() % self.mailboxes.len()
    }

    /// Counts one more Network Connection, unless there is not even room to refuse it.
    pub(crate) fn enter(&self) -> Entry {
        match self.connections.fetch_add(1, Ordering::Relaxed) {
            before if before < self.connections_max => Entry::Welcome,
            before if before < self.connections_max + SURPLUS_MAX => Entry::Surplus,
            _ => {
                self.leave();
                Entry::Closed
            }
        }
    }

    /// Counts one Network Connection less.
    pub(crate) fn leave(&self) {
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

    /// May Clients that publish be read?
    pub(crate) fn has_room(&self) -> bool {
        let is_free = |mailbox: &Mailbox| mailbox.bytes() < self.mailbox_bytes_max;
        self.journal.has_room() && (self.mailboxes.len() == 1 || self.mailboxes.iter().all(is_free))
    }
}

//! What a turn decided, in order: the only way out of the core.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Ordinal, SessionNumber, ShardId, Stored};
use martlet_session::{ConnectionId, Outgoing, Violation};
use martlet_topic::SubscriptionFilter;

use crate::Destinations;
use crate::chunk::Chunk;

/// Buffers kept for connections that become busy again.
const POOL_BUFFERS: usize = 256;
/// A buffer that grew beyond this is given back to the allocator.
const POOL_BUFFER_BYTES: usize = 128 * 1024;

/// What the shards of one runner decided and the runner has not done yet.
#[derive(Debug, Default)]
pub struct Outbox {
    outgoing: Vec<Outgoing>,
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    pool: Vec<Vec<u8>>,
    /// Messages for the shards of their receivers.
    pub deliveries: Chunk,
    /// Network Connections to close, once their bytes are written.
    pub closing: Vec<Closing>,
    /// Network Connections whose CONNACK left, so that packets behind their CONNECT may be read.
    pub opened: Vec<ConnectionId>,
    /// Shards with records for the journal.
    pub journaling: Vec<ShardId>,
    /// Messages that must be read back from the log.
    pub fetches: Vec<Fetch>,
    /// The Network Connection whose last packet could not be taken yet: it is to be given again when there is room, and
    /// nothing behind it before.
    pub holding: Option<ConnectionId>,
    /// What Clients ask of the node.
    pub controls: Vec<Control>,
    /// What the log should say.
    pub notices: Vec<Notice>,
}

/// A PUBLISH to `$CONTROL/#` by a Client that may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Whose.
    pub client_id: Box<str>,
    /// Its User Name.
    pub username: Option<Box<str>>,
    /// The Topic Name.
    pub topic: Box<str>,
    /// What it asks.
    pub payload: Box<[u8]>,
}

/// Messages to be read back from the log, and for whom.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// For whom.
    pub reader: Reader,
    /// The Messages, in the order they are needed.
    pub wanted: Vec<Stored>,
}

/// Who needs Messages from the log.
#[derive(Debug, Clone)]
pub enum Reader {
    /// A Session at home in this shard: [`crate::Shard::fetched`] takes the answer.
    Session {
        /// Its home.
        home: ShardId,
        /// Where its home keeps it.
        slot: u32,
        /// Which Session.
        session: SessionNumber,
        /// Which of its copies, one for each Message.
        ordinals: Vec<Ordinal>,
    },
    /// Whoever these are: the Message is delivered to them as if it had just been published.
    Receivers(Arc<Destinations>),
}

/// A Network Connection the core gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Which.
    pub connection: ConnectionId,
    /// Why.
    pub why: Violation,
}

/// An event people read about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A Client came.
    Connected {
        /// Its Client Identifier.
        client_id: Box<str>,
        /// Its User Name.
        username: Option<Box<str>>,
        /// Its Network Connection.
        connection: ConnectionId,
        /// Protocol Version, in words.
        version: &'static str,
        /// Clean Start.
        clean_start: bool,
        /// Keep Alive in force, in seconds.
        keep_alive: u16,
    },
    /// A Network Connection ended.
    Disconnected {
        /// Its Client Identifier.
        client_id: Box<str>,
        /// Why.
        why: Violation,
    },
    /// Another Network Connection took the Client Identifier over.
    TakenOver {
        /// The Client Identifier two Clients fight for.
        client_id: Box<str>,
    },
    /// A Will that may not be published is discarded.
    WillRefused {
        /// Whose.
        client_id: Box<str>,
        /// By which rule or limit.
        text: String,
    },
    /// The disk gave back something else than was written: this copy is lost.
    Damaged {
        /// Whose.
        client_id: Box<str>,
        /// Where in the log.
        stored: Stored,
    },
    /// A Subscription was made.
    Subscribed {
        /// Whose.
        client_id: Box<str>,
        /// Its Maximum QoS.
        qos: QoS,
        /// Its filter.
        filter: SubscriptionFilter,
    },
    /// A Client asked to delete a Subscription.
    Unsubscribed {
        /// Whose.
        client_id: Box<str>,
        /// Its filter.
        filter: SubscriptionFilter,
    },
    /// The first PUBLISH over a Network Connection that is refused; further ones are counted only.
    FirstRefusal {
        /// Whose.
        client_id: Box<str>,
        /// By which rule or limit.
        text: String,
    },
    /// The first Message a Session loses to a limit since it began.
    FirstDrop {
        /// Whose.
        client_id: Box<str>,
        /// What limit, what policy, and the cure.
        text: String,
    },
}

impl Outbox {
    /// Bytes for a Network Connection: they are written at the end of the turn.
    pub fn outgoing(&mut self, connection: ConnectionId) -> &mut Outgoing {
        let slot = connection.slot as usize;
        if slot >= self.outgoing.len() {
            self.outgoing.resize_with(slot + 1, Outgoing::default);
            self.is_dirty.resize(slot + 1, false);
        }
        if !self.is_dirty[slot] {
            self.is_dirty[slot] = true;
            self.dirty.push(connection.slot);
        }
        let outgoing = &mut self.outgoing[slot];
        outgoing.lend(|| self.pool.pop());
        outgoing
    }

    /// The bytes of a Network Connection as they are, without a promise to write.
    pub fn waiting(&self, connection: ConnectionId) -> Option<&Outgoing> {
        self.waiting_at(connection.slot)
    }

    /// As [`Outbox::waiting`], for the Network Connection in this place.
    pub fn waiting_at(&self, slot: u32) -> Option<&Outgoing> {
        self.outgoing.get(slot as usize)
    }

    /// As [`Outbox::waiting`], to say that the socket was blocked or took some.
    pub fn waiting_mut(&mut self, slot: u32) -> Option<&mut Outgoing> {
        self.outgoing.get_mut(slot as usize)
    }

    /// The slots of all Network Connections that got bytes since the last call.
    pub fn take_dirty(&mut self) -> Vec<u32> {
        for slot in &self.dirty {
            self.is_dirty[*slot as usize] = false;
        }
        std::mem::take(&mut self.dirty)
    }

    /// Gives the list of [`Outbox::take_dirty`] back, to be used again.
    pub fn recycle_dirty(&mut self, mut list: Vec<u32>) {
        if self.dirty.is_empty() {
            list.clear();
            self.dirty = list;
        }
    }

    /// Keeps the buffer of a Network Connection that was written empty for the next that needs one.
    pub fn reclaim(&mut self, slot: u32) {
        let Some(buffer) = self.outgoing.get_mut(slot as usize).and_then(Outgoing::reclaim) else { return };
        if self.pool.len() < POOL_BUFFERS && buffer.capacity() <= POOL_BUFFER_BYTES {
            self.pool.push(buffer);
        }
    }

    /// Forgets all bytes of a Network Connection that ended.
    pub fn forget(&mut self, slot: u32) {
        if let Some(outgoing) = self.outgoing.get_mut(slot as usize) {
            *outgoing = Outgoing::default();
        }
    }

    /// A shard has records for the journal.
    pub fn journal(&mut self, shard: ShardId) {
        if !self.journaling.contains(&shard) {
            self.journaling.push(shard);
        }
    }
}

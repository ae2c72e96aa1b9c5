//! The node and its Clients.

use std::io::IoSlice;
use std::sync::Arc;

use martlet_broker::{Chunk, Counters, Dialect, Node, Notice, Outbox, Settings, Shard, shards_of};
use martlet_packet::{Packet, Version, decode, frame};
use martlet_record::{Batch, Journal, MemoryJournal, Now, ShardId};
use martlet_session::{ConnectionId, Handshake, Progress, Violation};

use crate::packets::{Connecting, raw};
use crate::telling::tell;

/// A Network Connection of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(usize);

/// A node with all its shards, stepped by hand.
#[derive(Debug)]
pub struct World {
    /// The node.
    pub node: Arc<Node>,
    shards: Vec<Shard>,
    out: Outbox,
    journal: MemoryJournal,
    now: Now,
    peers: Vec<Peer>,
    notices: Vec<Notice>,
}

#[derive(Debug)]
struct Peer {
    version: Version,
    home: ShardId,
    slot: Option<u32>,
    is_open: bool,
    is_closed: bool,
    is_deaf: bool,
    /// Packets sent before CONNACK came.
    early: Vec<Vec<u8>>,
    heard: Vec<u8>,
}

impl World {
    /// A world with the native dialect's defaults.
    pub fn new() -> Self {
        Self::with(Settings::new(Dialect::NATIVE))
    }

    /// A world with these settings.
    pub fn with(settings: Settings) -> Self {
        Self::with_journal(settings, MemoryJournal::new())
    }

    /// A world with these settings and this journal.
    pub fn with_journal(settings: Settings, journal: MemoryJournal) -> Self {
        let node = Arc::new(Node::new(settings, 42));
        Self {
            shards: ShardId::all().map(|id| Shard::new(id, Arc::clone(&node))).collect(),
            node,
            out: Outbox::default(),
            journal,
            now: Now::at_millis(1_000),
            peers: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// A Client connects; the world settles.
    pub fn join(&mut self, connecting: Connecting) -> Client {
        let client = self.dial(connecting);
        self.settle();
        client
    }

    /// A Client connects; nothing else happens yet.
    pub fn dial(&mut self, connecting: Connecting) -> Client {
        let version = connecting.version;
        let home = ShardId::home_of(&connecting.client_id);
        self.peers.push(Peer {
            version,
            home,
            slot: None,
            is_open: false,
            is_closed: false,
            is_deaf: false,
            early: Vec::new(),
            heard: Vec::new(),
        });
        let client = Client(self.peers.len() - 1);
        let bytes = connecting.encode();
        let policy = self.node.settings.handshake_policy();
        let frame = frame(&bytes, u32::MAX).expect("a whole packet").expect("a whole packet");
        let packet = decode(version, frame).expect("a legal CONNECT");
        match Handshake::default().receive(&packet, &policy, || 7) {
            Progress::Admitted(request) => {
                let home = ShardId::home_of(&request.client_id);
                let id = connection_id(client);
                let slot = self.shards[home.index()].connect(id, request, self.now, &mut self.out);
                (self.peers[client.0].home, self.peers[client.0].slot) = (home, Some(slot));
            }
            Progress::Refused(bytes, _) => {
                self.peers[client.0].heard.extend(bytes);
                self.peers[client.0].is_closed = true;
            }
            Progress::Reply(bytes) => self.peers[client.0].heard.extend(bytes),
        }
        client
    }

    /// A Client sends a packet; the world settles.
    pub fn send(&mut self, client: Client, packet: Packet<'_>) {
        self.post(client, packet);
        self.settle();
    }

    /// A Client sends a packet; nothing else happens yet, as long as CONNACK has come.
    pub fn post(&mut self, client: Client, packet: Packet<'_>) {
        let bytes = raw(self.peers[client.0].version, &packet);
        self.post_bytes(client, bytes);
    }

    /// A Client sends bytes: one whole packet, right or wrong.
    pub fn post_bytes(&mut self, client: Client, bytes: Vec<u8>) {
        let peer = &mut self.peers[client.0];
        if !peer.is_open {
            peer.early.push(bytes);
            return;
        }
        let Some(slot) = peer.slot else { return };
        let (id, home) = (connection_id(client), peer.home.index());
        let maximum = self.node.settings.maximum_packet_size;
        let packet =
            frame(&bytes, maximum).and_then(|frame| decode(peer.version, frame.expect("a whole packet")));
        let shard = &mut self.shards[home];
        match packet {
            Ok(packet) => {
                if !matches!(packet, Packet::Publish(_)) {
                    self.deliver();
                }
                self.shards[home].receive(slot, id, packet, self.now, &mut self.out);
            }
            Err(error) => shard.refuse(slot, id, Violation::from(error), self.now, &mut self.out),
        }
    }

    /// A Client's Network Connection breaks; the world settles.
    pub fn cut(&mut self, client: Client) {
        let (peer, id) = (&mut self.peers[client.0], connection_id(client));
        peer.is_closed = true;
        let why = Violation::new(martlet_packet::ReasonCode::UnspecifiedError, "the socket was closed");
        if let Some(slot) = peer.slot {
            self.shards[peer.home.index()].closed(slot, id, why, self.now, &mut self.out);
        }
        self.settle();
    }

    /// A Client stops reading, or reads again.
    pub fn deafen(&mut self, client: Client, is_deaf: bool) {
        self.peers[client.0].is_deaf = is_deaf;
    }

    /// Time passes; the world settles.
    pub fn pass(&mut self, seconds: u64) {
        self.now = Now::at_millis(self.now.time.as_millis() + seconds * 1000);
        for shard in &mut self.shards {
            if shard.next_deadline().is_some_and(|at| at <= self.now.time) {
                shard.tick(self.now, &mut self.out);
            }
        }
        self.settle();
    }

    /// Turns until nothing is under way any more.
    pub fn settle(&mut self) {
        self.turn();
        while !self.journal.is_idle() {
            self.turn();
        }
    }

    /// One turn of a runner.
    pub fn turn(&mut self) {
        self.complete();
        self.deliver();
        self.submit();
        self.flush();
        self.read_early();
        self.deliver();
        self.submit();
        self.flush();
    }

    /// Everything a Client heard since it was last asked, a line a packet; "closed" at the end of its connection.
    pub fn hears(&mut self, client: Client) -> Vec<String> {
        let peer = &mut self.peers[client.0];
        let heard = std::mem::take(&mut peer.heard);
        let mut lines = Vec::new();
        let mut rest = &heard[..];
        while let Some(frame) = frame(rest, u32::MAX).expect("the node sends legal packets") {
            lines.push(tell(&decode(peer.version, frame).expect("the node sends legal packets")));
            rest = &rest[frame.len..];
        }
        assert!(rest.is_empty(), "half a packet was sent");
        if peer.is_closed {
            lines.push("closed".into());
        }
        lines
    }

    /// Has this Client's Network Connection ended?
    pub fn is_closed(&self, client: Client) -> bool {
        self.peers[client.0].is_closed
    }

    /// Forgets what all Clients heard.
    pub fn hush(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.heard.clear());
    }

    /// All shards' counters, summed.
    pub fn counters(&self) -> Counters {
        let mut all = Counters::default();
        self.shards.iter().for_each(|shard| all += shard.counters());
        all
    }

    /// What the log was told.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The batches committed so far, if the journal remembers.
    pub fn history(&self) -> &[Arc<Batch>] {
        self.journal.history()
    }

    /// The shards, for a look inside.
    pub fn shards(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// This moment.
    pub fn now(&self) -> Now {
        self.now
    }

    fn complete(&mut self) {
        for completion in self.journal.completed() {
            for shard in shards_of(&completion.batch) {
                self.shards[shard.index()].completed(&completion, self.now, &mut self.out);
            }
        }
    }

    fn deliver(&mut self) {
        while !self.out.deliveries.is_empty() {
            let chunk: Chunk = std::mem::take(&mut self.out.deliveries);
            for run in chunk.runs() {
                for (shard, recipients) in &run.destinations().shards {
                    self.shards[shard.index()].deliver(run, recipients, self.now, &mut self.out);
                }
            }
        }
    }

    fn submit(&mut self) {
        for shard in std::mem::take(&mut self.out.journaling) {
            if let Some(batch) = self.shards[shard.index()].take_batch() {
                self.journal.submit(batch);
            }
        }
    }

    fn flush(&mut self) {
        self.notices.append(&mut self.out.notices);
        loop {
            let dirty = self.out.take_dirty();
            if dirty.is_empty() {
                break;
            }
            dirty.into_iter().for_each(|slot| self.flush_one(slot));
        }
        for closing in std::mem::take(&mut self.out.closing) {
            self.peers[closing.connection.slot as usize].is_closed = true;
        }
    }

    fn flush_one(&mut self, slot: u32) {
        let peer = &mut self.peers[slot as usize];
        let outgoing = self.out.waiting_mut(slot).expect("a dirty connection has bytes");
        if peer.is_deaf {
            outgoing.blocked(self.now.time);
            return;
        }
        while !outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let count = outgoing.slices(&mut slices);
            let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
            outgoing.advance(bytes.len());
            peer.heard.extend(bytes);
        }
        self.out.reclaim(slot);
        if let Some(session) = peer.slot {
            let id = ConnectionId { slot, generation: 0 };
            self.shards[peer.home.index()].drained(session, id, self.now, &mut self.out);
        }
    }

    fn read_early(&mut self) {
        for id in std::mem::take(&mut self.out.opened) {
            let client = Client(id.slot as usize);
            self.peers[client.0].is_open = true;
            for bytes in std::mem::take(&mut self.peers[client.0].early) {
                self.post_bytes(client, bytes);
            }
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn connection_id(client: Client) -> ConnectionId {
    ConnectionId { slot: u32::try_from(client.0).expect("few Clients"), generation: 0 }
}

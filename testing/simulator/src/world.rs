//! The node and its Clients.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use martlet_broker::{
    Chunk, Closing, Control, Counters, Dialect, Fetch, Node, Notice, Outbox, Reader, Settings, Shard,
    shards_of,
};
use martlet_packet::{Error, Packet, ReasonCode, Version, decode, frame};
use martlet_record::{
    Completion, Damaged, Journal, MemoryJournal, Message, Now, Room, ShardId, Stored, WallTime,
};
use martlet_session::{ConnectionId, Handshake, Progress, Violation};

use crate::packets::{Connecting, raw};
use crate::peer::{Peer, Phase, Place};
use crate::telling::{tell, tell_in_full};

/// A Network Connection of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(usize);

/// A journal whose Messages can be read back at once.
pub trait ReadableJournal: Journal {
    /// The Message in a place; `None` when what is there is no longer what was written.
    fn read(&mut self, stored: Stored, now: Now) -> Option<Arc<Message>>;
}

impl ReadableJournal for MemoryJournal {
    fn read(&mut self, stored: Stored, _: Now) -> Option<Arc<Message>> {
        MemoryJournal::read(self, stored)
    }
}

/// A node with all its shards, stepped by hand.
#[derive(Debug)]
pub struct World<J = MemoryJournal> {
    /// The node.
    pub node: Arc<Node>,
    shards: Vec<Shard>,
    out: Outbox,
    pub(crate) journal: J,
    pub(crate) now: Now,
    peers: Vec<Peer>,
    notices: Vec<Notice>,
    /// What is read back from the log, and in how many turns it is there.
    reading: VecDeque<(usize, Fetch)>,
    read_turns: usize,
    /// Connections to write although nothing new was decided for them.
    unflushed: Vec<u32>,
    /// Packets that could not be taken yet, and whatever came behind them.
    held: Vec<(Client, VecDeque<Vec<u8>>)>,
    submits_backwards: bool,
    /// Turns [`World::settle`] waits for, at most.
    patience: usize,
    settled: usize,
    /// Some shard is not through with the checkpoint under way.
    is_writing_down: bool,
    holds_slices: bool,
    /// Where slices of a checkpoint get their different sizes from.
    sizes: u64,
}

/// After so many times the books are checked at the end only: it takes a look at every copy.
const CHECKS: usize = 1000;

/// However much a Client takes, more than this it cannot be sent in one turn.
const ROUNDS: usize = 100_000;

/// Records and copies a shard writes down in one turn of a checkpoint, at most: few, so that many turns see it unfinished.
const SLICE: u64 = 4;

impl World {
    /// A world with the native dialect's defaults.
    pub fn new() -> Self {
        Self::with(Settings::new(Dialect::NATIVE))
    }

    /// A world with these settings.
    pub fn with(settings: Settings) -> Self {
        Self::with_journal(settings, MemoryJournal::new())
    }

    /// A world that begins with what a node was before.
    pub fn restarted(node: Arc<Node>, shards: Vec<Shard>) -> Self {
        Self::restarted_with_journal(node, shards, MemoryJournal::new())
    }

    /// The batches committed so far, if the journal remembers.
    pub fn history(&self) -> &[Completion] {
        self.journal.history()
    }
}

impl<J: ReadableJournal> World<J> {
    /// A world with these settings and this journal.
    pub fn with_journal(settings: Settings, journal: J) -> Self {
        let node = Arc::new(Node::new(settings, 42));
        let shards = ShardId::all().map(|id| Shard::new(id, Arc::clone(&node))).collect();
        Self::restarted_with_journal(node, shards, journal)
    }

    /// A world that begins with what a node was before, and goes on with its journal.
    pub fn restarted_with_journal(node: Arc<Node>, shards: Vec<Shard>, journal: J) -> Self {
        Self {
            shards,
            node,
            out: Outbox::default(),
            journal,
            now: Now::at_millis(1_000),
            peers: Vec::new(),
            notices: Vec::new(),
            reading: VecDeque::new(),
            read_turns: 0,
            unflushed: Vec::new(),
            held: Vec::new(),
            submits_backwards: false,
            patience: usize::MAX,
            settled: 0,
            is_writing_down: false,
            holds_slices: false,
            sizes: 1,
        }
    }

    /// Another node takes the place of one that died: all Network Connections are gone.
    pub(crate) fn begin_again(&mut self, node: Arc<Node>, shards: Vec<Shard>, out: Outbox) {
        (self.node, self.shards, self.out) = (node, shards, out);
        self.peers.iter_mut().for_each(|peer| peer.phase = Phase::Closed);
        self.reading.clear();
        self.unflushed.clear();
        self.held.clear();
    }

    /// From here the shard that was stepped last in a turn is the first to reach the log.
    pub fn submit_backwards(&mut self) {
        self.submits_backwards = true;
    }

    /// A Client connects; the world settles.
    pub fn join(&mut self, connecting: Connecting) -> Client {
        let client = self.dial(connecting);
        self.settle();
        client
    }

    /// A Client connects; nothing else happens yet.
    pub fn dial(&mut self, connecting: Connecting) -> Client {
        self.peers.push(Peer::new(&connecting));
        let client = Client(self.peers.len() - 1);
        self.post_bytes(client, connecting.encode());
        client
    }

    /// A Client sends a CONNECT over a Network Connection that had one; the world settles.
    pub fn connect_again(&mut self, client: Client, connecting: Connecting) {
        self.post_bytes(client, connecting.encode());
        self.settle();
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
        if let Some((_, packets)) = self.held.iter_mut().find(|(held, _)| *held == client) {
            return packets.push_back(bytes);
        }
        let peer = &mut self.peers[client.0];
        match &mut peer.phase {
            Phase::Opening(handshake) => {
                let handshake = std::mem::take(handshake);
                self.shake_hands(client, handshake, &bytes);
            }
            Phase::Connecting { early, .. } => early.push(bytes),
            Phase::Open(place) => {
                let place = *place;
                self.receive(client, place, &bytes);
            }
            Phase::Closed => {}
        }
    }

    /// A Client's Network Connection breaks; the world settles.
    pub fn cut(&mut self, client: Client) {
        self.break_off(client);
        self.settle();
    }

    /// A Client's Network Connection breaks; nothing else happens yet.
    pub fn break_off(&mut self, client: Client) {
        let (peer, id) = (&mut self.peers[client.0], connection_id(client));
        let place = peer.place();
        peer.phase = Phase::Closed;
        let why = Violation::new(ReasonCode::UnspecifiedError, "the socket was closed");
        if let Some(Place { home, slot }) = place {
            self.shards[home.index()].closed(slot, id, why, self.now, &mut self.out);
        }
    }

    /// The node says good-bye to all; the world settles.
    pub fn shut_down(&mut self) {
        let why = Violation::new(ReasonCode::ServerShuttingDown, "the server is shutting down");
        for shard in &mut self.shards {
            shard.disconnect_all(&why, self.now, &mut self.out);
        }
        self.settle();
    }

    /// A Client reads nothing any more.
    pub fn deafen(&mut self, client: Client) {
        self.peers[client.0].is_deaf = true;
    }

    /// A Client that read nothing reads on; the world settles.
    pub fn undeafen(&mut self, client: Client) {
        self.peers[client.0].is_deaf = false;
        self.unflushed.push(connection_id(client).slot);
        self.settle();
    }

    /// A Client that reads nothing else reads so many bytes.
    pub fn take(&mut self, client: Client, count: usize) {
        self.write(connection_id(client).slot, count);
    }

    /// Time passes; the world settles.
    pub fn pass(&mut self, seconds: u64) {
        self.pass_millis(seconds * 1000);
    }

    /// As [`World::pass`], in milliseconds.
    pub fn pass_millis(&mut self, millis: u64) {
        let wall = WallTime(self.now.wall.0 + millis);
        self.now = Now { time: self.now.time.after_millis(millis), wall };
        for shard in &mut self.shards {
            if shard.next_deadline().is_some_and(|at| at <= self.now.time) {
                shard.tick(self.now, &mut self.out);
            }
        }
        self.settle();
    }

    /// The machine's clock is set to another time.
    pub fn set_wall_clock(&mut self, wall: WallTime) {
        self.now.wall = wall;
    }

    /// From here shards write nothing down for a checkpoint, or do so again.
    pub fn hold_slices(&mut self, holds: bool) {
        self.holds_slices = holds;
    }

    /// From here what is read back from the log takes so many turns more.
    pub fn read_slowly(&mut self, turns: usize) {
        self.read_turns = turns;
    }

    /// From here [`World::settle`] waits for so many turns only, and leaves the rest under way.
    pub fn be_impatient(&mut self, turns: usize) {
        self.patience = turns;
    }

    /// Turns until nothing is under way any more.
    ///
    /// # Panics
    /// When the books do not add up then.
    pub fn settle(&mut self) {
        let mut patience = self.patience;
        self.turn();
        while patience > 1 && self.is_busy() {
            self.turn();
            patience -= 1;
        }
        self.settled += 1;
        if self.settled <= CHECKS {
            self.check_books();
        }
    }

    fn is_busy(&self) -> bool {
        let is_reading = !self.out.fetches.is_empty() || !self.reading.is_empty();
        !self.journal.is_idle() || self.is_writing_down || is_reading
    }

    /// So many turns.
    pub fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    /// One turn of a runner.
    pub fn turn(&mut self) {
        self.complete();
        self.read_back();
        self.write_down();
        self.hand_over();
        self.flush();
        self.hand_over();
        self.flush();
    }

    /// Everything a Client heard since it was last asked, a line a packet; "closed" at the end of its connection.
    pub fn hears(&mut self, client: Client) -> Vec<String> {
        self.peers[client.0].take_lines(tell)
    }

    /// As [`World::hears`], with every property.
    pub fn hears_in_full(&mut self, client: Client) -> Vec<String> {
        self.peers[client.0].take_lines(tell_in_full)
    }

    /// Everything a Client heard since it was last asked, as it came over the wire.
    pub fn hears_bytes(&mut self, client: Client) -> Vec<u8> {
        std::mem::take(&mut self.peers[client.0].heard)
    }

    /// Has this Client's Network Connection ended?
    pub fn is_closed(&self, client: Client) -> bool {
        self.peers[client.0].is_closed()
    }

    /// Forgets what all Clients heard.
    pub fn hush(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.heard.clear());
    }

    /// What the log was told.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The journal.
    pub fn journal(&mut self) -> &mut J {
        &mut self.journal
    }

    /// The journal takes more, or less, from here: what was held back for it is given again.
    pub fn set_room(&mut self, room: Room) {
        self.node.set_room(room);
        for (client, packets) in std::mem::take(&mut self.held) {
            packets.into_iter().for_each(|bytes| self.post_bytes(client, bytes));
        }
        self.settle();
    }

    /// What Clients asked of the node.
    pub fn controls(&mut self) -> Vec<Control> {
        std::mem::take(&mut self.out.controls)
    }

    /// Something is done to every shard; the world settles.
    pub fn with_shards(&mut self, mut change: impl FnMut(&mut Shard, Now, &mut Outbox)) {
        for shard in &mut self.shards {
            change(shard, self.now, &mut self.out);
        }
        self.settle();
    }

    /// Something is done to the home of a Client; the world settles.
    pub fn at_home_of<R>(
        &mut self,
        client_id: &str,
        change: impl FnOnce(&mut Shard, Now, &mut Outbox) -> R,
    ) -> R {
        let home = ShardId::home_of(client_id);
        let result = change(&mut self.shards[home.index()], self.now, &mut self.out);
        self.settle();
        result
    }

    /// The shards, for a look inside.
    pub fn shards(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// This moment.
    pub fn now(&self) -> Now {
        self.now
    }

    fn shake_hands(&mut self, client: Client, mut handshake: Handshake, bytes: &[u8]) {
        let frame = frame(bytes, u32::MAX).expect("a whole packet").expect("a whole packet");
        let packet = decode(Version::V5, frame).expect("a legal packet");
        let peer = &mut self.peers[client.0];
        let policy = self.node.settings.handshake_policy().under(Arc::clone(&peer.terms));
        match handshake.receive(&packet, &policy, || client.0 as u128) {
            Progress::Reply(bytes) => {
                peer.heard.extend(bytes);
                peer.phase = Phase::Opening(handshake);
            }
            Progress::Refused(bytes, _) => {
                peer.heard.extend(bytes);
                peer.phase = Phase::Closed;
            }
            Progress::Admitted(mut request) => {
                request.permit = peer.permit.clone();
                let home = ShardId::home_of(&request.client_id);
                let id = connection_id(client);
                let slot = self.shards[home.index()].connect(id, request, self.now, &mut self.out);
                let place = Place { home, slot };
                self.peers[client.0].phase = Phase::Connecting { place, early: Vec::new() };
            }
        }
    }

    fn receive(&mut self, client: Client, Place { home, slot }: Place, bytes: &[u8]) {
        let (id, version) = (connection_id(client), self.peers[client.0].version);
        let maximum = self.node.settings.maximum_packet_size;
        let packet = frame(bytes, maximum).and_then(|frame| decode(version, frame.expect("a whole packet")));
        if !matches!(packet, Ok(Packet::Publish(_))) {
            // What was published before is delivered before anything else happens.
            self.deliver();
        }
        let shard = &mut self.shards[home.index()];
        match packet {
            Ok(packet) => shard.receive(slot, id, packet, self.now, &mut self.out),
            Err(error @ Error::Unanswered { .. }) => {
                shard.closed(slot, id, error.into(), self.now, &mut self.out);
                self.out.closing.push(Closing { connection: id, why: error.into() });
            }
            Err(error) => shard.refuse(slot, id, error.into(), self.now, &mut self.out),
        }
        if self.out.holding.take().is_some() {
            self.held.push((client, VecDeque::from([bytes.to_vec()])));
        }
    }

    fn hand_over(&mut self) {
        self.deliver();
        self.read_early();
        self.deliver();
        self.submit();
    }

    fn complete(&mut self) {
        for completion in self.journal.completed() {
            for shard in shards_of(&completion.batch) {
                self.shards[shard.index()].completed(&completion, self.now, &mut self.out);
            }
        }
    }

    /// What was asked for is read, in the order it was asked for.
    fn read_back(&mut self) {
        let asked = std::mem::take(&mut self.out.fetches).into_iter();
        self.reading.extend(asked.map(|fetch| (self.read_turns, fetch)));
        while let Some((_, fetch)) = self.reading.pop_front_if(|(turns, _)| *turns == 0) {
            self.fetch(fetch);
        }
        self.reading.iter_mut().for_each(|(turns, _)| *turns = turns.saturating_sub(1));
    }

    fn fetch(&mut self, Fetch { reader, wanted }: Fetch) {
        let (journal, now) = (&mut self.journal, self.now);
        let mut read = wanted.iter().map(|stored| journal.read(*stored, now));
        match reader {
            Reader::Session { home, slot, session, ordinals } => {
                let read = ordinals.into_iter().zip(read.map(|message| message.ok_or(Damaged))).collect();
                self.shards[home.index()].fetched(slot, session, read, self.now, &mut self.out);
            }
            Reader::Receivers(to) => {
                read.by_ref().flatten().for_each(|message| {
                    self.out.deliveries.push_shared(message, Arc::clone(&to));
                });
            }
        }
    }

    /// A slice for the checkpoint under way.
    fn write_down(&mut self) {
        self.is_writing_down = false;
        let Some(checkpoint) = self.journal.checkpoint().filter(|_| !self.holds_slices) else { return };
        for shard in &mut self.shards {
            // Knuth's generator of MMIX: some shards are ahead, some have nothing to say for a turn.
            self.sizes =
                self.sizes.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let size = (self.sizes >> 33) % (SLICE + 1);
            let size = usize::try_from(size).expect("a small number");
            self.is_writing_down |= shard.write_down(checkpoint, size, self.now, &mut self.out);
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
        let mut journaling = std::mem::take(&mut self.out.journaling);
        if self.submits_backwards {
            journaling.reverse();
        }
        for shard in journaling {
            if let Some(batch) = self.shards[shard.index()].take_batch(self.now) {
                self.journal.submit(batch);
            }
        }
    }

    fn flush(&mut self) {
        self.notices.append(&mut self.out.notices);
        std::mem::take(&mut self.unflushed).into_iter().for_each(|slot| self.flush_one(slot));
        let mut rounds = 0;
        loop {
            let dirty = self.out.take_dirty();
            if dirty.is_empty() {
                break;
            }
            dirty.into_iter().for_each(|slot| self.flush_one(slot));
            rounds += 1;
            assert!(rounds < ROUNDS, "bytes are announced again and again, and there are none");
        }
        for closing in std::mem::take(&mut self.out.closing) {
            self.peers[closing.connection.slot as usize].phase = Phase::Closed;
        }
    }

    fn flush_one(&mut self, slot: u32) {
        if self.peers[slot as usize].is_deaf {
            let now = self.now.time;
            self.out.waiting_mut(slot).into_iter().for_each(|outgoing| outgoing.blocked(now));
            return;
        }
        self.write(slot, usize::MAX);
        self.out.reclaim(slot);
        if let Phase::Open(Place { home, slot: session }) = self.peers[slot as usize].phase {
            let id = ConnectionId { slot, generation: 0 };
            self.shards[home.index()].drained(session, id, self.now, &mut self.out);
        }
    }

    /// The socket takes up to so many bytes.
    fn write(&mut self, slot: u32, count: usize) {
        let Some(outgoing) = self.out.waiting_mut(slot) else { return };
        let peer = &mut self.peers[slot as usize];
        let mut left = count;
        while !outgoing.is_empty() && left > 0 {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outgoing.slices(&mut slices);
            let waiting = slices[..filled].iter().flat_map(|slice| slice.iter().copied());
            let bytes: Vec<u8> = waiting.take(left).collect();
            outgoing.advance(bytes.len());
            left -= bytes.len();
            peer.heard.extend(bytes);
        }
        let Some(Place { home, slot: session }) = peer.place() else { return };
        if left < count && self.node.settings.taking_is_life {
            let id = ConnectionId { slot, generation: 0 };
            self.shards[home.index()].took(session, id, self.now);
        }
    }

    fn read_early(&mut self) {
        for id in std::mem::take(&mut self.out.opened) {
            let client = Client(id.slot as usize);
            let peer = &mut self.peers[client.0];
            let Some(place) = peer.place() else { continue };
            if let Phase::Connecting { early, .. } = std::mem::replace(&mut peer.phase, Phase::Open(place)) {
                early.into_iter().for_each(|bytes| self.post_bytes(client, bytes));
            }
        }
    }
}

impl<J> World<J> {
    /// All shards' counters, summed.
    pub fn counters(&self) -> Counters {
        let mut all = Counters::default();
        self.shards.iter().for_each(|shard| all += shard.counters());
        all
    }

    fn check_books(&self) {
        let ledger = self.counters().ledger;
        assert!(ledger.is_balanced(), "the books do not add up: {ledger:?}");
        assert_eq!(self.counters().unbalanced, 0, "the books of a Client do not add up");
    }
}

/// No test ends before its books were checked.
impl<J> Drop for World<J> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_books();
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

//! From sockets to shards: reads each ready connection once and steps its home shard through the packets that are whole.

use martlet_net::{Connection, Frames, Phase, Received};
use martlet_packet::{Error, Packet, ReasonCode};
use martlet_record::Room;
use martlet_session::{ConnectionId, Violation, decode_from_client};

use martlet_broker::Closing;

use crate::close::hears_out;
use crate::runner::Runner;

/// Why a connection ended whose Client left without a word.
pub(crate) const CLOSED: &str = "the Client closed the Network Connection without DISCONNECT";

impl Runner {
    /// Reads every connection that is ready, once each.
    pub(crate) fn read_ready(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        self.held_back = 0;
        let has_room = self.shared.has_room();
        let mut buffer = std::mem::take(&mut self.buffer);
        let batch = std::mem::take(&mut self.ready);
        for slot in &batch {
            self.read(*slot, has_room, &mut buffer);
        }
        self.buffer = buffer;
        self.reuse(batch);
    }

    /// Reads one connection, if this is a time to read it.
    fn read(&mut self, slot: u32, has_room: bool, buffer: &mut [u8]) {
        let owes_much = self.owes_much(slot);
        let Some((id, connection)) = self.connections.at(slot) else { return };
        if waits_for_answer(&connection.phase) {
            return; // It stays queued, and is read when it opens.
        }
        connection.is_queued = false;
        match connection.phase {
            Phase::Connecting | Phase::Closing { .. } => {}
            Phase::Opening(_) | Phase::Open if !self.stopping.reads_on() => {}
            Phase::Lingering { .. } => self.discard(id, buffer),
            Phase::Opening(_) => self.read_now(id, buffer),
            Phase::Open if connection.publishes && !has_room => {
                self.held_back += 1;
                self.queue(id);
                self.tell_taken(id);
            }
            Phase::Open if connection.waits_for_room && connection.is_half_closed => {
                let text = "the Client closed the Network Connection while its message waited for the disk";
                self.lose(id, Violation::new(ReasonCode::UnspecifiedError, text));
            }
            Phase::Open if connection.waits_for_room && self.shared.journal.room() == Room::DrainOnly => {
                self.held_back += 1;
                self.queue(id);
                self.tell_taken(id);
            }
            Phase::Open if owes_much => connection.is_paused = true,
            Phase::Open if std::mem::take(&mut connection.holds_packets) => {
                connection.waits_for_room = false;
                self.queue(id);
                self.receive_kept(id);
            }
            Phase::Open => self.read_now(id, buffer),
        }
    }

    /// More waits for a connection than Messages alone may bring it: it does not take its answers.
    pub(crate) fn owes_much(&self, slot: u32) -> bool {
        let limits = &self.shared.node.settings.send;
        let most = limits.qos0_bytes + limits.ahead_bytes;
        self.out.waiting_at(slot).is_some_and(|outgoing| outgoing.len() > most)
    }

    /// Reads once and takes what came.
    pub(crate) fn read_now(&mut self, id: ConnectionId, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get(id) else { return };
        let received = match connection.receive(buffer) {
            Ok(received) => received,
            Err(why) => return self.refuse_transport(id, why),
        };
        match received {
            Received::Bytes { count, more } => {
                self.bytes_received += count as u64;
                self.receive(id, &buffer[..count]);
                if more {
                    self.queue(id);
                }
                self.flush_own(id);
            }
            Received::Nothing => self.flush_own(id),
            Received::End => {
                self.lose(id, Violation::new(ReasonCode::UnspecifiedError, CLOSED));
            }
            Received::Failed(error) => {
                let text = format!("the Network Connection failed: {error}");
                self.lose(id, Violation::new(ReasonCode::UnspecifiedError, text));
            }
        }
    }

    /// Takes bytes that came, and keeps what no whole packet can be made of yet.
    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(mut frames) = self.take_frames(id, bytes) else { return };
        if self.connections.get(id).is_some_and(|it| matches!(it.phase, Phase::Opening(_))) {
            frames = match self.open(id, frames) {
                Some(frames) => frames,
                None => return,
            };
        }
        self.receive_frames(id, frames);
    }

    /// Takes the packets that are whole, and keeps the rest.
    pub(crate) fn receive_frames(&mut self, id: ConnectionId, mut frames: Frames<'_>) {
        self.receive_packets(id, &mut frames);
        self.deliver();
        self.keep(id, frames);
    }

    /// Packets that came behind CONNECT and had to wait for CONNACK, then whatever came since.
    pub(crate) fn resume(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.is_queued {
            self.ready.push(id.slot);
        }
        self.receive_kept(id);
    }

    fn receive_kept(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        self.unfinished.release(connection);
        let kept = connection.take_kept();
        if !kept.is_empty() {
            self.receive(id, &kept);
        }
    }

    /// Steps the home shard through the whole packets.
    fn receive_packets(&mut self, id: ConnectionId, frames: &mut Frames<'_>) {
        let Some(connection) = self.connections.get(id).filter(|connection| is_open(connection)) else {
            return;
        };
        let (slot, home, version) = (connection.session_slot, connection.home, connection.version);
        let maximum = self.shared.node.settings.maximum_packet_size;
        let given_up = self.out.closing.len();
        let (mut publishes, mut only_acknowledges) = (false, true);
        loop {
            let packet = match frames.next(maximum) {
                Ok(Some(frame)) => decode_from_client(version, frame),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            match &packet {
                Ok(Packet::Publish(_)) => publishes = true,
                // What was published before is delivered before anything else happens.
                _ => self.deliver(),
            }
            only_acknowledges &= matches!(packet, Ok(Packet::PubAck(_) | Packet::PubComp(_)));
            let brings_much = matches!(packet, Ok(Packet::Subscribe(_)));
            let Some(shard) = self.shards.step(home) else { return };
            match packet {
                Ok(packet) => shard.receive(slot, id, packet, self.now, &mut self.out),
                Err(error @ Error::Unanswered { .. }) => {
                    shard.closed(slot, id, error.into(), self.now, &mut self.out);
                    self.out.closing.push(Closing { connection: id, why: error.into() });
                }
                Err(error) => shard.refuse(slot, id, error.into(), self.now, &mut self.out),
            }
            if self.out.closing.len() > given_up && self.is_given_up(id) {
                break;
            }
            if brings_much && self.waits_for_flush(id) {
                break;
            }
            if self.out.holding.take().is_some() {
                frames.put_back();
                self.wait_for_room(id);
                break;
            }
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.publishes |= publishes;
        // One that only subscribes has nothing else to send meanwhile.
        if only_acknowledges && connection.publishes && is_open(connection) {
            connection.acknowledge_at_once();
        }
    }

    /// The journal cannot take what the next packet asks for: nothing is read before it does.
    fn wait_for_room(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(id) {
            (connection.waits_for_room, connection.holds_packets) = (true, true);
        }
        self.queue(id);
    }

    /// What one SUBSCRIBE brought is on its way before the next is looked at.
    fn waits_for_flush(&mut self, id: ConnectionId) -> bool {
        let most = self.shared.node.settings.send.ahead_bytes;
        let is_much = self.out.waiting(id).is_some_and(|outgoing| outgoing.len() >= most);
        if is_much && let Some(connection) = self.connections.get(id) {
            (connection.is_paused, connection.holds_packets) = (true, true);
        }
        is_much
    }

    /// The core gave the connection up in this turn: nothing it sent is looked at any more.
    fn is_given_up(&mut self, id: ConnectionId) -> bool {
        let Some(closing) = self.out.closing.iter().find(|closing| closing.connection == id) else {
            return false;
        };
        if let Some(connection) = self.connections.get(id) {
            connection.phase = Phase::Closing { linger: hears_out(&closing.why) };
        }
        true
    }

    /// What lies between the socket and MQTT refused the peer, and told it so in its own words.
    fn refuse_transport(&mut self, id: ConnectionId, why: Violation) {
        let Some(connection) = self.connections.get(id) else { return };
        let (slot, home) = (connection.session_slot, connection.home);
        match &connection.phase {
            Phase::Opening(_) => return self.refuse(id, &[], why),
            Phase::Connecting | Phase::Open => {
                if let Some(shard) = self.shards.step(home) {
                    shard.closed(slot, id, why.clone(), self.now, &mut self.out);
                }
            }
            Phase::Closing { .. } | Phase::Lingering { .. } => return self.remove(id),
        }
        self.out.closing.push(Closing { connection: id, why });
    }

    /// The peer is gone, or as good as.
    pub(crate) fn lose(&mut self, id: ConnectionId, why: Violation) {
        let Some(connection) = self.connections.get(id) else { return };
        let (slot, home) = (connection.session_slot, connection.home);
        if matches!(connection.phase, Phase::Connecting | Phase::Open)
            && let Some(shard) = self.shards.step(home)
        {
            shard.closed(slot, id, why, self.now, &mut self.out);
        }
        self.remove(id);
    }

    /// Uses a list again, behind what was put in its successor meanwhile.
    fn reuse(&mut self, mut list: Vec<u32>) {
        list.clear();
        list.append(&mut self.ready);
        self.ready = list;
    }
}

/// CONNECT was read, and its answer is not there yet.
fn waits_for_answer(phase: &Phase) -> bool {
    match phase {
        Phase::Connecting => true,
        Phase::Opening(opening) => opening.awaits_verdict,
        _ => false,
    }
}

fn is_open(connection: &Connection) -> bool {
    matches!(connection.phase, Phase::Open)
}

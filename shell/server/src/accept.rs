//! New connections: accepted, counted, opened, and handed to the runner of their Client's home shard.

use martlet_net::{Accepted, Connection, Frames, Opening, Phase, Received, Step};
use martlet_packet::{ConnAck, Packet, ReasonCode, Version};
use martlet_record::{Room, ShardId, Time};
use martlet_session::{ConnectRequest, ConnectionId, Progress, Violation, encode_explained};

use martlet_broker::Closing;

use crate::log_target::{CONNECTION, NOTICE};
use crate::mailbox::{Adoption, Mail};
use crate::news::written;
use crate::runner::Runner;
use crate::shared::Entry;

/// New connections of one turn: beyond it those that are open already have their turn first.
const ACCEPTS_PER_TURN: usize = 64;

impl Runner {
    /// Accepts what waits at the listeners.
    pub(crate) fn accept(&mut self) {
        if self.shared.is_changing() {
            return;
        }
        let Some(mut acceptor) = self.acceptor.take() else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(accepted) = acceptor.accept(self.now.time) else { break };
            let entry =
                if accepted.is_surplus { Entry::Closed } else { self.shared.enter(accepted.listener) };
            match entry {
                Entry::Welcome => self.admit(accepted, false),
                Entry::Surplus => self.admit(accepted, true),
                Entry::Closed => self.turn_away(accepted),
                Entry::Full => {
                    self.deny(accepted);
                    continue;
                }
            }
            if entry != Entry::Welcome && acceptor.refused(self.now.time) {
                tracing::warn!("new connections are refused: {}", self.no_room());
            }
        }
        self.acceptor = Some(acceptor);
    }

    /// Begins with a connection. Its CONNECT is often there already, so it is read before the system is asked to watch it.
    fn admit(&mut self, accepted: Accepted, is_surplus: bool) {
        let deadline = self.openings.from(self.now.time);
        let port = self.shared.port(accepted.listener);
        tracing::info!(target: CONNECTION, "New connection from {} on port {port}.", written(&accepted.peer));
        let mut opening = Opening::new(accepted.peer, deadline);
        (opening.listener, opening.is_surplus) = (accepted.listener, is_surplus);
        let id = self.connections.insert(Connection::new(accepted.socket, opening));
        self.openings.push(id, self.now.time);
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read_now(id, &mut buffer);
        self.buffer = buffer;
        self.watch(id);
    }

    /// Has the system tell when the connection can be read.
    fn watch(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if let Err(error) = connection.register(self.poll.registry(), Self::token(id)) {
            let text = format!("the system cannot watch the Network Connection: {error}");
            self.lose(id, Violation::new(ReasonCode::UnspecifiedError, text));
        }
    }

    /// Goes on with the handshake. What is left of the bytes comes back when the Client may be read here.
    pub(crate) fn open<'a>(&mut self, id: ConnectionId, mut frames: Frames<'a>) -> Option<Frames<'a>> {
        let maximum = self.shared.node.settings.maximum_packet_size;
        loop {
            let has_failed = self.shared.journal.room() == Room::Failed;
            let connection = self.connections.get(id)?;
            let Phase::Opening(opening) = &mut connection.phase else { return None };
            let door = self.shared.doors.at(opening.listener);
            match opening.receive(&mut frames, &door.policy, maximum, random) {
                Step::Wait => {
                    self.keep(id, frames);
                    return None;
                }
                Step::Progress(Progress::Reply(bytes)) => self.out.outgoing(id).append(&bytes),
                Step::Progress(Progress::Admitted(request)) if opening.is_surplus => {
                    let why = Violation::new(ReasonCode::ServerBusy, self.no_room());
                    self.refuse_entry(id, Addressee::of(&request), why);
                    return None;
                }
                Step::Progress(Progress::Admitted(request)) if has_failed && wants_to_be_kept(&request) => {
                    let text =
                        "the disk failed: no session can be kept until it is mended and the broker restarted";
                    let why = Violation::new(ReasonCode::ServerUnavailable, text);
                    self.refuse_entry(id, Addressee::of(&request), why);
                    return None;
                }
                Step::Progress(Progress::Admitted(request)) => return self.judge(id, request, frames),
                Step::Progress(Progress::Refused(bytes, why)) => {
                    self.refuse(id, &bytes, why);
                    return None;
                }
            }
        }
    }

    /// Says why a connection cannot be opened, if there is a way to say it, and closes it.
    pub(crate) fn refuse(&mut self, id: ConnectionId, bytes: &[u8], why: Violation) {
        let Some(connection) = self.connections.get(id) else { return };
        if let Phase::Opening(opening) = &connection.phase {
            tracing::info!(target: CONNECTION, "Connection from {} refused: {}.", opening.peer, why.text);
        }
        if !bytes.is_empty() {
            self.out.outgoing(id).append(bytes);
        }
        self.unfinished.forget(connection);
        connection.phase = Phase::Closing { linger: true };
        self.out.closing.push(Closing { connection: id, why });
    }

    /// Takes an admitted Client to its home shard: here, or on another runner.
    pub(crate) fn connect<'a>(
        &mut self,
        id: ConnectionId,
        request: Box<ConnectRequest>,
        frames: Frames<'a>,
    ) -> Option<Frames<'a>> {
        let home = ShardId::home_of(&request.client_id);
        if !self.shards.has(home) {
            self.send_home(id, home, request, frames);
            return None;
        }
        self.enter_home(id, home, request);
        let is_open = self.out.opened.pop_if(|opened| *opened == id).is_some();
        let connection = self.connections.get(id)?;
        if is_open {
            connection.phase = Phase::Open;
            return Some(frames);
        }
        // A Client need not wait for CONNACK before it sends on; it is heard once that has left.
        self.keep(id, frames);
        None
    }

    fn send_home(
        &mut self,
        id: ConnectionId,
        home: ShardId,
        request: Box<ConnectRequest>,
        frames: Frames<'_>,
    ) {
        let Some(mut connection) = self.connections.remove(id) else { return };
        self.out.forget(id.slot);
        let Phase::Opening(opening) = std::mem::replace(&mut connection.phase, Phase::Connecting) else {
            return;
        };
        let transport = connection.into_transport(self.poll.registry());
        let adoption = Adoption { transport, opening: *opening, request, rest: frames.into_rest() };
        self.shared.mailboxes[self.shared.runner_of(home)].post(Mail::Adopt(Box::new(adoption)));
    }

    /// Takes a Client from the runner that opened its connection.
    pub(crate) fn adopt(&mut self, adoption: Adoption) {
        let Adoption { transport, opening, request, rest } = adoption;
        let peer = opening.peer.clone();
        let connection = Connection::admitted(transport, opening, rest);
        self.unfinished.hold(&connection);
        let id = self.connections.insert(connection);
        self.news.introduce(id.slot, &peer);
        let home = ShardId::home_of(&request.client_id);
        self.enter_home(id, home, request);
        self.watch(id);
        self.read_opened();
    }

    /// Has the home shard answer the CONNECT.
    fn enter_home(&mut self, id: ConnectionId, home: ShardId, request: Box<ConnectRequest>) {
        let Some(connection) = self.connections.get(id) else { return };
        (connection.home, connection.version) = (home, request.version);
        if let Phase::Opening(opening) = std::mem::replace(&mut connection.phase, Phase::Connecting) {
            self.news.introduce(id.slot, &opening.peer);
        }
        let Some(shard) = self.shards.step(home) else { return };
        let slot = shard.connect(id, request, self.now, &mut self.out);
        if let Some(connection) = self.connections.get(id) {
            connection.session_slot = slot;
        }
        self.deliver();
    }

    /// Reads on where CONNACK left.
    pub(crate) fn read_opened(&mut self) {
        for id in std::mem::take(&mut self.out.opened) {
            if let Some(connection) = self.connections.get(id)
                && matches!(connection.phase, Phase::Connecting)
            {
                connection.phase = Phase::Open;
                self.resume(id);
            }
        }
    }

    /// Closes what took too long to send its CONNECT.
    pub(crate) fn give_up_the_late(&mut self) {
        let connections = &mut self.connections;
        self.openings.forget_while(|id| opening_of(connections.get(id)).is_none());
        while let Some(id) = self.openings.pop_due(self.now.time) {
            if let Some(opening) = opening_of(self.connections.get(id)) {
                let seconds = self.shared.connect_timeout.as_secs_f32();
                let what = if opening.awaits_verdict { "its password was not checked" } else { "no CONNECT" };
                tracing::info!(target: CONNECTION, "Connection from {} closed: {what} within {seconds} s.", opening.peer);
                self.remove(id);
            }
        }
    }

    /// Closes a connection that is one too many for its listener: Mosquitto does it without a word.
    fn deny(&mut self, accepted: Accepted) {
        let peer = written(&accepted.peer);
        tracing::info!(target: NOTICE, "Client connection from {peer} denied: max_connections exceeded.");
        if self.shared.node.settings.dialect.reason_strings {
            return self.turn_away(accepted);
        }
        let mut connection = Connection::new(accepted.socket, Opening::new(accepted.peer, Time::START));
        // It reads an end and no error: our side is closed first, and nothing is left unread.
        if connection.close_our_side().is_ok() {
            let mut buffer = std::mem::take(&mut self.buffer);
            drop(connection.read(&mut buffer));
            self.buffer = buffer;
        }
    }

    /// Closes a connection there is no descriptor for, with a word if its CONNECT is there already.
    fn turn_away(&mut self, accepted: Accepted) {
        let mut opening = Opening::new(accepted.peer, Time::START);
        let door = self.shared.doors.at(accepted.listener);
        let mut connection = Connection::new(accepted.socket, Opening::new(accepted.peer, Time::START));
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Ok(Received::Bytes { count, .. }) = connection.receive(&mut buffer) {
            let mut frames = Frames::new(Vec::new(), &buffer[..count]);
            let step = opening.receive(&mut frames, &door.policy, u32::MAX, random);
            if let Step::Progress(Progress::Admitted(request)) = step {
                let why = Violation::new(ReasonCode::ServerBusy, self.no_room());
                let answer = self.refusal(Addressee::of(&request), &why);
                // The peer may not read it; there is nothing else to do for it.
                drop(connection.write_once(&answer));
            }
        }
        self.buffer = buffer;
    }

    /// CONNACK for a Client that is not let in.
    pub(crate) fn refusal(&self, to: Addressee, why: &Violation) -> Vec<u8> {
        let mut bytes = Vec::new();
        let text = self.shared.node.settings.dialect.reason_strings.then_some(&*why.text);
        let (reason, session_present) = (why.reason, false);
        encode_explained(
            to.version,
            to.packet_bytes_max,
            text,
            |properties| Packet::ConnAck(ConnAck { session_present, reason, properties }),
            &mut bytes,
        );
        bytes
    }

    fn no_room(&self) -> String {
        let maximum = self.shared.connections_max();
        format!("the node has its maximum of {maximum} connections (--max-connections, ulimit -n)")
    }
}

/// In what words a Client can be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressee {
    version: Version,
    packet_bytes_max: u32,
}

impl Addressee {
    pub(crate) fn of(request: &ConnectRequest) -> Self {
        Self { version: request.version, packet_bytes_max: request.maximum_packet_size }
    }
}

/// The Client wants its Session to outlast its Network Connection, or one that did.
fn wants_to_be_kept(request: &ConnectRequest) -> bool {
    !request.clean_start || request.session_expiry.is_some_and(|seconds| seconds > 0)
}

fn opening_of(connection: Option<&mut Connection>) -> Option<&Opening> {
    match &connection?.phase {
        Phase::Opening(opening) => Some(opening),
        _ => None,
    }
}

/// For Client Identifiers that nobody can guess.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers once it is up");
    u128::from_ne_bytes(bytes)
}

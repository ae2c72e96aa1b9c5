//! One subscriber's Session, slow and obvious: all copies in one list, looked through from its beginning every time.
//!
//! It knows no deque, no cursor and no count that it could not find by looking. What a Client must hear is written down
//! byte for byte, so that limits in bytes can be checked as well.

use martlet_broker::Ledger;
use martlet_packet::{Ack, ConnAck, Disconnect, Packet, Properties, QoS, ReasonCode, SubAck};
use martlet_session::{Overflow, QueueLimits, SendLimits};
use martlet_simulator::raw;

use crate::parts::{Answer, Connection, Copy, Message, Session, State, Terms, packet_id};

/// A node with one subscriber, as far as it concerns that subscriber.
#[derive(Debug)]
pub(crate) struct Oracle {
    queue: QueueLimits,
    send: SendLimits,
    /// Maximum QoS of the Subscription.
    granted: QoS,
    /// What the reader's shard decided reaches the log before what the writer's did, although it came after.
    is_log_backwards: bool,
    /// Milliseconds.
    now: u64,
    begun: u32,
    session: Option<Session>,
    pub(crate) connections: Vec<Connection>,
    /// Messages of this turn that do not wait for the log, each with the Session it matched.
    at_once: Vec<(u32, Message, u64)>,
    writers_log: Vec<Fact>,
    readers_log: Vec<Fact>,
    counted: Ledger,
    pub(crate) qos0_dropped: u64,
    /// PUBLISH packets sent, and bytes of payload in them.
    pub(crate) sent: (u64, u64),
}

/// What happens only once it is durable.
#[derive(Debug)]
enum Fact {
    Published(u32, Message, u64),
    Received(u32, u64),
    Admitted { connection: usize, session_present: bool },
    Subscribed(u32),
}

/// The steps.
impl Oracle {
    pub(crate) fn new(queue: QueueLimits, send: SendLimits, granted: QoS, is_log_backwards: bool) -> Self {
        Self {
            queue,
            send,
            granted,
            is_log_backwards,
            now: 0,
            begun: 0,
            session: None,
            connections: Vec::new(),
            at_once: Vec::new(),
            writers_log: Vec::new(),
            readers_log: Vec::new(),
            counted: Ledger::default(),
            qos0_dropped: 0,
            sent: (0, 0),
        }
    }

    pub(crate) fn publish(&mut self, message: &Message) {
        let Some(session) = self.session.as_ref().filter(|session| session.is_subscribed) else { return };
        if session.is_kept && self.granted.min(message.qos) > QoS::AtMostOnce {
            self.writers_log.push(Fact::Published(session.number, message.clone(), self.now));
        } else {
            self.at_once.push((session.number, message.clone(), self.now));
        }
    }

    pub(crate) fn connect(&mut self, terms: &Terms) {
        let was_kept = self.session.as_ref().is_some_and(|session| session.is_kept);
        if let Some(old) = self.connected() {
            self.disconnect(old, ReasonCode::SessionTakenOver);
        }
        if terms.clean_start {
            self.end();
        }
        let session_present = self.session.is_some();
        if !session_present {
            self.begun += 1;
            self.session = Some(Session::new(self.begun, terms.expiry > 0));
        }
        let connection = self.connections.len();
        self.connections.push(Connection::new(terms));
        let session = self.session.as_mut().expect("it is there now");
        session.expiry = terms.expiry;
        session.connection = Some(connection);
        let waits = was_kept || session.is_kept;
        let admitted = Fact::Admitted { connection, session_present };
        if waits {
            self.readers_log.push(admitted);
        } else {
            self.act_on(admitted);
        }
    }

    pub(crate) fn subscribe(&mut self) {
        let session = self.session.as_mut().expect("only who has a Session subscribes");
        session.is_subscribed = true;
        let subscribed = Fact::Subscribed(session.number);
        if session.is_kept {
            self.readers_log.push(subscribed);
        } else {
            self.act_on(subscribed);
        }
    }

    pub(crate) fn answer(&mut self, answer: Answer, id: u16, is_error: bool) {
        self.deliver();
        let Some(connection) = self.connected() else { return };
        let is_error = is_error && self.connections[connection].version.is_v5();
        let session = self.session.as_mut().expect("it is connected");
        let (number, is_kept) = (session.number, session.is_kept);
        let found = session.copies.iter_mut().find(|copy| copy.is_seen && copy.id() == id);
        match (answer, found) {
            (Answer::PubAck | Answer::PubComp, None) => {}
            (Answer::PubAck, Some(copy)) if copy.qos == QoS::AtLeastOnce => self.finish(id, is_error),
            (Answer::PubRec, None) if is_error => {}
            (Answer::PubRec, None) => self.write_pubrel(id, ReasonCode::PacketIdentifierNotFound),
            (Answer::PubRec, Some(copy)) if copy.qos == QoS::ExactlyOnce => match copy.state {
                State::Received => {}
                State::Released => self.write_pubrel(id, ReasonCode::Success),
                _ if is_error => self.finish(id, is_error),
                _ => {
                    copy.state = State::Received;
                    let received = Fact::Received(number, copy.ordinal);
                    if is_kept { self.readers_log.push(received) } else { self.act_on(received) }
                }
            },
            (Answer::PubComp, Some(copy)) if copy.state == State::Released => self.finish(id, is_error),
            _ => self.disconnect(connection, ReasonCode::ProtocolError),
        }
    }

    /// DISCONNECT of the Client's.
    pub(crate) fn leave(&mut self, expiry: Option<u32>) {
        self.deliver();
        let Some(connection) = self.connected() else { return };
        let session = self.session.as_mut().expect("it is connected");
        if let Some(expiry) = expiry.filter(|_| self.connections[connection].version.is_v5()) {
            if session.expiry == 0 && expiry > 0 {
                return self.disconnect(connection, ReasonCode::ProtocolError);
            }
            session.expiry = expiry;
        }
        self.close(connection);
    }

    pub(crate) fn cut(&mut self) {
        if let Some(connection) = self.connected() {
            self.close(connection);
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += millis;
        if let Some(session) = &self.session
            && session.connection.is_none()
            && session.expiry != u32::MAX
            && session.disconnected + u64::from(session.expiry) * 1000 <= self.now
        {
            self.end();
        }
        self.forget_expired();
    }

    /// Everything comes to its end, in the order of a runner's turns.
    pub(crate) fn settle(&mut self) {
        self.deliver();
        self.flush();
        let mut log = [std::mem::take(&mut self.writers_log), std::mem::take(&mut self.readers_log)];
        if self.is_log_backwards {
            log.reverse();
        }
        // Replies leave first, then copies and PUBRELs, in the order of the log.
        for mut batch in log {
            batch.sort_by_key(|fact| !matches!(fact, Fact::Admitted { .. }));
            batch.into_iter().for_each(|fact| self.act_on(fact));
        }
        self.flush();
    }
}

/// What there is to know.
impl Oracle {
    /// The Network Connection in use.
    pub(crate) fn connected(&self) -> Option<usize> {
        self.session.as_ref()?.connection
    }

    pub(crate) fn wants_to_subscribe(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.connection.is_some() && !session.is_subscribed)
    }

    /// The right next answer to one of the copies the Client may have heard of.
    pub(crate) fn right_answer(&self, choice: usize) -> Option<(Answer, u16)> {
        let seen: Vec<_> = self.session.as_ref()?.copies.iter().filter(|copy| copy.is_seen).collect();
        let copy = seen.get(choice % seen.len().max(1))?;
        let answer = match (copy.qos, copy.state) {
            (QoS::AtLeastOnce, _) => Answer::PubAck,
            (_, State::Released) => Answer::PubComp,
            _ => Answer::PubRec,
        };
        Some((answer, copy.id()))
    }

    /// The books, with what waits now.
    pub(crate) fn ledger(&self) -> Ledger {
        let copies = self.session.as_ref().map_or(&[][..], |session| &session.copies);
        let stored = copies.iter().filter(|copy| copy.state == State::Queued).count() as u64;
        Ledger { stored, in_flight: copies.len() as u64 - stored, ..self.counted }
    }
}

/// What follows from the steps.
impl Oracle {
    fn act_on(&mut self, fact: Fact) {
        match fact {
            Fact::Published(session, message, at) => {
                self.enqueue(session, message, at);
                self.send();
            }
            Fact::Received(number, ordinal) => {
                let session = self.session.as_mut().filter(|session| session.number == number);
                let mut copies = session.into_iter().flat_map(|session| &mut session.copies);
                let Some(copy) = copies.find(|copy| copy.ordinal == ordinal) else { return };
                copy.state = State::Released;
                let (id, is_seen) = (copy.id(), copy.is_seen);
                if is_seen {
                    self.write_pubrel(id, ReasonCode::Success);
                }
            }
            Fact::Admitted { connection, session_present } => {
                let (reason, properties) = (ReasonCode::Success, Properties::default());
                self.write(connection, &Packet::ConnAck(ConnAck { session_present, reason, properties }));
                self.connections[connection].is_open = true;
                self.send();
            }
            Fact::Subscribed(number) => {
                let session = self.session.as_ref().filter(|session| session.number == number);
                let Some(connection) = session.and_then(|session| session.connection) else { return };
                let (packet_id, properties) = (packet_id(1), Properties::default());
                let reasons = vec![self.granted.into()];
                self.write(connection, &Packet::SubAck(SubAck { packet_id, properties, reasons }));
                self.send();
            }
        }
    }

    /// Messages that do not wait for the log: QoS 0 at once, the others by the queue.
    fn deliver(&mut self) {
        for (session, message, at) in std::mem::take(&mut self.at_once) {
            if self.granted.min(message.qos) == QoS::AtMostOnce {
                self.send_at_most_once(session, message, at);
            } else {
                self.enqueue(session, message, at);
            }
        }
        self.send();
    }

    fn send_at_most_once(&mut self, number: u32, published: Message, at: u64) {
        let session = self.session.as_ref().filter(|session| session.number == number);
        let Some(place) = session.and_then(|session| session.connection) else { return };
        let connection = &self.connections[place];
        let copy = Copy::new(0, QoS::AtMostOnce, published, at);
        if !connection.is_open {
            return;
        }
        let is_congested = connection.waiting.len() > self.send.qos0_bytes;
        if is_congested || (!copy.is_expired(self.now) && !self.transmit(place, &copy)) {
            self.qos0_dropped += 1;
        }
    }

    /// Sends a PUBLISH, if it is no larger than the Client takes.
    fn transmit(&mut self, connection: usize, copy: &Copy) -> bool {
        let connection = &mut self.connections[connection];
        let packet = copy.packet(connection.version, self.now);
        let fits = packet.len() <= connection.maximum_packet_size;
        if fits {
            connection.waiting.extend(packet);
            self.sent.0 += 1;
            self.sent.1 += copy.published.payload.len() as u64;
        }
        fits
    }

    fn enqueue(&mut self, number: u32, published: Message, at: u64) {
        self.counted.accepted += 1;
        if self.session.as_ref().is_none_or(|session| session.number != number) {
            self.counted.ended += 1;
            return;
        }
        let copy = Copy::new(0, self.granted.min(published.qos), published, at);
        if self.is_full(&copy) {
            self.send();
        }
        if self.queue.overflow == Overflow::DropOldest {
            while self.is_full(&copy) && self.drop_oldest() {
                self.counted.dropped_queue_full += 1;
                self.forget_expired();
            }
        }
        let is_full = self.is_full(&copy);
        let session = self.session.as_mut().expect("it is that one");
        let ordinal = session.ordinals;
        session.ordinals += 1;
        if is_full {
            self.counted.dropped_queue_full += 1;
        } else {
            session.copies.push(Copy { ordinal, ..copy });
            self.forget_expired();
        }
    }

    fn is_full(&mut self, another: &Copy) -> bool {
        let queued = self.copies().iter().filter(|copy| copy.state == State::Queued).count();
        let bytes: usize = self.copies().iter().map(Copy::size).sum();
        queued >= self.queue.messages || bytes + another.size() > self.queue.bytes
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.copies().iter().position(|copy| copy.state == State::Queued);
        oldest.map(|place| self.copies().remove(place)).is_some()
    }

    /// Expired Messages at the head of the queue do not count any more.
    fn forget_expired(&mut self) {
        let Some(session) = &mut self.session else { return };
        while let Some(place) = session.copies.iter().position(|copy| copy.state == State::Queued)
            && session.copies[place].is_expired(self.now)
        {
            session.copies.remove(place);
            self.counted.expired += 1;
        }
    }

    /// Sends what the Client may have: again what it has not seen over this Network Connection, then what is new.
    fn send(&mut self) {
        let Some(connection) = self.connected().filter(|connection| self.connections[*connection].is_open)
        else {
            return;
        };
        let ordinals: Vec<_> = self.copies().iter().map(|copy| copy.ordinal).collect();
        ordinals.into_iter().for_each(|ordinal| self.send_again(connection, ordinal));
        let is_behind = |copy: &Copy| copy.state == State::Sent && !copy.is_seen;
        while !self.copies().iter().any(is_behind) && self.has_room(connection) {
            let Some(place) = self.copies().iter().position(|copy| copy.state == State::Queued) else {
                return;
            };
            self.transmit_or_drop(connection, place);
            self.forget_expired();
        }
    }

    fn send_again(&mut self, connection: usize, ordinal: u64) {
        let is_it = |copy: &Copy| copy.ordinal == ordinal && !copy.is_seen;
        let Some(place) = self.copies().iter().position(is_it) else { return };
        match self.copies()[place].state {
            State::Queued => {}
            // Its PUBREL follows the commit.
            State::Received => self.copies()[place].is_seen = true,
            State::Released => {
                self.copies()[place].is_seen = true;
                let id = self.copies()[place].id();
                self.write_pubrel(id, ReasonCode::Success);
            }
            State::Sent => {
                let is_behind = |copy: &Copy| copy.state == State::Sent && !copy.is_seen;
                let is_first = !self.copies()[..place].iter().any(is_behind);
                if is_first && self.has_room(connection) {
                    self.transmit_or_drop(connection, place);
                }
            }
        }
    }

    fn transmit_or_drop(&mut self, connection: usize, place: usize) {
        let mut copy = self.copies().remove(place);
        if self.transmit(connection, &copy) {
            (copy.state, copy.is_seen) = (State::Sent, true);
            self.copies().insert(place, copy);
        } else {
            self.counted.dropped_too_large += 1;
        }
    }

    fn copies(&mut self) -> &mut Vec<Copy> {
        &mut self.session.as_mut().expect("whoever asks found a Session").copies
    }

    fn has_room(&mut self, connection: usize) -> bool {
        let open = self.copies().iter().filter(|copy| copy.is_seen).count();
        let connection = &self.connections[connection];
        let window = connection.receive_maximum.min(self.send.in_flight);
        open < usize::from(window) && connection.waiting.len() < self.send.ahead_bytes
    }

    fn finish(&mut self, id: u16, is_error: bool) {
        self.copies().retain(|copy| !(copy.is_seen && copy.id() == id));
        *if is_error { &mut self.counted.dropped_refused } else { &mut self.counted.delivered } += 1;
        self.send();
    }

    fn write(&mut self, connection: usize, packet: &Packet<'_>) {
        let connection = &mut self.connections[connection];
        connection.waiting.extend(raw(connection.version, packet));
    }

    fn write_pubrel(&mut self, id: u16, reason: ReasonCode) {
        let Some(connection) = self.connected() else { return };
        self.write(connection, &Packet::PubRel(Ack::with_reason(packet_id(id), reason)));
    }

    /// Says why, if there are words for it, and closes.
    fn disconnect(&mut self, connection: usize, reason: ReasonCode) {
        if self.connections[connection].version.is_v5() {
            self.write(connection, &Packet::Disconnect(Disconnect::new(reason)));
        }
        self.close(connection);
    }

    fn close(&mut self, connection: usize) {
        self.connections[connection].is_closed = true;
        let session = self.session.as_mut().expect("it was connected");
        session.connection = None;
        session.disconnected = self.now;
        session.copies.iter_mut().for_each(|copy| copy.is_seen = false);
        if session.expiry == 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(session) = self.session.take() {
            self.counted.ended += session.copies.len() as u64;
        }
    }

    /// Sockets take what waits, and are given more.
    fn flush(&mut self) {
        for place in 0..self.connections.len() {
            while !self.connections[place].is_deaf && !self.connections[place].waiting.is_empty() {
                let connection = &mut self.connections[place];
                connection.heard.append(&mut connection.waiting);
                self.send();
            }
        }
    }
}

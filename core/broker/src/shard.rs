//! The hub: one logical shard, stepped by calls.
//!
//! Every way in is here and short; what each packet means stands in the module named after it.

use std::collections::VecDeque;
use std::sync::Arc;

use martlet_packet::{Packet, ReasonCode};
use martlet_record::{
    Batch, BatchNumber, Message, Need, Now, Position, Record, SessionNumber, ShardId, Time,
};
use martlet_session::{ConnectionId, PublishPolicy, Violation};
use martlet_topic::TopicName;

use crate::books::Books;
use crate::cache::RouteCache;
use crate::delayed::Delayed;
use crate::deliver::Wire;
use crate::outbox::{Closing, Outbox};
use crate::sessions::{Resident, Sessions};
use crate::snapshot::Snapshot;
use crate::timers::{Entry, Timers};
use crate::{Counters, Destinations, Ledger, Node, Settings};

/// A set of Sessions with their timers and their view of the routes.
#[derive(Debug)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) node: Arc<Node>,
    /// What the operator chose.
    pub(crate) settings: Arc<Settings>,
    pub(crate) policy: PublishPolicy,
    pub(crate) sessions: Sessions,
    pub(crate) timers: Timers,
    pub(crate) cache: RouteCache,
    pub(crate) counters: Counters,
    /// Facts of this turn, for the journal.
    pub(crate) records: Vec<Record>,
    /// The number the batch of this turn will have.
    pub(crate) batch: BatchNumber,
    /// How safe it must be.
    pub(crate) need: Need,
    /// Sessions that were sent copies which the journal has not heard of.
    pub(crate) sent: Vec<u32>,
    /// The last place in the log whose copies are in their queues.
    pub(crate) entered: Position,
    /// Messages that wait for their time.
    pub(crate) delayed: Delayed,
    /// How far it has written itself down for a checkpoint.
    pub(crate) snapshot: Snapshot,
    /// Network Connections whose replies wait for a commit.
    pub(crate) awaiting: VecDeque<(BatchNumber, u32, ConnectionId)>,
    /// Messages that receivers outside the journal get once the batch is durable.
    pub(crate) held: VecDeque<(BatchNumber, Arc<Message>, Arc<Destinations>)>,
    /// Sessions opened so far.
    pub(crate) opened: u64,
    random: u64,
    /// Space lent to the packet at hand.
    pub(crate) alias_space: String,
    pub(crate) properties_space: Vec<u8>,
    pub(crate) wire: Wire,
}

impl Shard {
    /// A shard without Sessions.
    pub fn new(id: ShardId, node: Arc<Node>) -> Self {
        let seed = node.seed ^ (id.index() as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            id,
            settings: Arc::clone(&node.settings),
            policy: node.settings.publish_policy(),
            sessions: Sessions::new(seed),
            timers: Timers::default(),
            cache: RouteCache::new(node.settings.dialect.overlap),
            counters: Counters::default(),
            records: Vec::new(),
            batch: BatchNumber(1),
            need: Need::Lazy,
            sent: Vec::new(),
            entered: Position(0),
            delayed: Delayed::default(),
            snapshot: Snapshot::default(),
            awaiting: VecDeque::new(),
            held: VecDeque::new(),
            opened: 0,
            random: seed | 1,
            alias_space: String::new(),
            properties_space: Vec::new(),
            wire: Wire::default(),
            node,
        }
    }

    /// Which shard it is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Takes a packet from an open Network Connection.
    pub fn receive(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        packet: Packet<'_>,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.connected(slot, connection) else { return };
        if let Some(connection) = &mut resident.session.connection {
            connection.heard = now.time;
        }
        self.counters.packets_received += 1;
        let result = match packet {
            Packet::Publish(publish) => self.receive_publish(slot, &publish, now, out),
            Packet::PubAck(ack) => self.receive_puback(slot, &ack, now, out),
            Packet::PubRec(ack) => self.receive_pubrec(slot, &ack, now, out),
            Packet::PubRel(ack) => self.receive_pubrel(slot, &ack, out),
            Packet::PubComp(ack) => self.receive_pubcomp(slot, &ack, now, out),
            Packet::Subscribe(subscribe) => self.receive_subscribe(slot, &subscribe, now, out),
            Packet::Unsubscribe(unsubscribe) => self.receive_unsubscribe(slot, &unsubscribe, out),
            Packet::PingReq => self.receive_pingreq(connection, out),
            Packet::Disconnect(disconnect) => self.receive_disconnect(slot, &disconnect, now, out),
            Packet::Auth(auth) => self.receive_auth(slot, &auth, out),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(Violation::protocol("a second CONNECT on one Network Connection")),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Violation::protocol("this packet is sent by Servers only"))
            }
        };
        if let Err(violation) = result.and_then(|()| self.check_answerable(slot, connection)) {
            self.refuse(slot, connection, violation, now, out);
        }
    }

    /// A Client that takes no packet as large as its answer cannot be served.
    pub(crate) fn check_answerable(&mut self, slot: u32, connection: ConnectionId) -> Result<(), Violation> {
        let resident = self.sessions.connected(slot, connection);
        let state = resident.and_then(|resident| resident.session.connection.as_ref());
        if state.is_some_and(|state| state.cannot_answer) {
            let text = "the answer is larger than the Client's Maximum Packet Size";
            return Err(Violation::new(ReasonCode::PacketTooLarge, text));
        }
        Ok(())
    }

    /// Closes a Network Connection that broke a rule, and says so first [MQTT-4.13.1-1].
    pub fn refuse(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        violation: Violation,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.connected(slot, connection) else { return };
        let with_text = self.settings.dialect.reason_strings;
        if let Some(open) = resident.session.open_connection() {
            // Even a Client that wants no problem information gets a Reason String here [MQTT-3.1.2-29].
            let maximum = open.maximum_packet_size;
            self.counters.answers_sent += u64::from(open.version.is_v5());
            violation.encode(open.version, maximum, with_text, out.outgoing(connection).buffer());
        }
        out.closing.push(Closing { connection, why: violation.clone() });
        self.closed(slot, connection, violation, now, out);
    }

    /// The sockets of `connection` took all bytes: what was held back may follow.
    pub fn drained(&mut self, slot: u32, connection: ConnectionId, now: Now, out: &mut Outbox) {
        if self.sessions.connected(slot, connection).is_some() {
            self.go_on_replaying(slot, now, out);
            self.send_queued(slot, now, out);
        }
    }

    /// The socket took bytes, which counts as a sign of life where that is turned on.
    pub fn took(&mut self, slot: u32, connection: ConnectionId, now: Now) {
        let resident = self.sessions.connected(slot, connection);
        if let Some(connection) = resident.and_then(|resident| resident.session.connection.as_mut()) {
            connection.heard = now.time;
        }
    }

    /// The records of this turn, if there are any.
    pub fn take_batch(&mut self, now: Now) -> Option<Batch> {
        self.record_sent();
        if self.records.is_empty() {
            return None;
        }
        let (shard, number, at) = (self.id, self.batch, now);
        let (records, need) = (std::mem::take(&mut self.records), std::mem::take(&mut self.need));
        self.batch = BatchNumber(number.0 + 1);
        Some(Batch { shard, number, records, need, at })
    }

    /// Has the journal know which copies were sent, so that they are sent again as such after a crash [MQTT-3.3.1-1].
    fn record_sent(&mut self) {
        while let Some(slot) = self.sent.pop() {
            self.record_sent_of(slot);
        }
    }

    /// The same for one Session.
    pub(crate) fn record_sent_of(&mut self, slot: u32) {
        let Some(resident) = self.sessions.get_mut(slot).filter(|resident| resident.is_sending) else {
            return;
        };
        resident.is_sending = false;
        let session = &mut resident.session;
        if let Some(up_to) = session.outbound.written().and_then(|outbound| outbound.tell_sent()) {
            self.records.push(Record::Sent { session: session.number, up_to });
        }
    }

    /// When [`Shard::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.timers.next(), self.delayed.next()].into_iter().flatten().min()
    }

    /// What it counted, with its gauges as they are now.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        for (_, resident) in self.sessions.iter() {
            let session = &resident.session;
            let is_open = session.connection.as_ref().is_some_and(|connection| connection.open);
            let shared = session.subscriptions.iter().filter(|(filter, _)| filter.is_shared()).count();
            counters.sessions += 1;
            counters.connected += u64::from(is_open);
            counters.subscriptions += session.subscriptions.len() as u64;
            counters.shared_subscriptions += shared as u64;
            let ledger = resident.ledger();
            counters.waiting_bytes += session.outbound.bytes() as u64;
            counters.ledger.in_flight += ledger.in_flight;
            counters.ledger.stored += ledger.stored;
            counters.unbalanced += u64::from(!ledger.is_balanced());
        }
        counters
    }

    /// The books of those Clients for whom something waits, or was dropped.
    pub fn client_ledgers(&self) -> impl Iterator<Item = (&str, Ledger)> {
        let all = self.sessions.iter().map(|(_, resident)| (&*resident.session.client_id, resident.ledger()));
        all.filter(|(_, ledger)| ledger.stored > 0 || ledger.dropped() > 0)
    }

    /// Says good-bye to every Client [MQTT-3.14.0-1].
    pub fn disconnect_all(&mut self, violation: &Violation, now: Now, out: &mut Outbox) {
        let all: Vec<_> = self
            .sessions
            .iter()
            .filter_map(|(slot, resident)| Some((slot, resident.session.connection.as_ref()?.id)))
            .collect();
        for (slot, connection) in all {
            self.refuse(slot, connection, violation.clone(), now, out);
        }
    }

    /// Sends what a Session's Client may have now.
    pub(crate) fn send_queued(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let limits = &self.settings.send;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let Some(connection) = session.open_connection().map(|connection| connection.id) else { return };
        let is_persistent = session.is_persistent();
        if !session.has_more_to_send(limits) {
            if is_persistent {
                self.fetch(slot, out);
            }
            return;
        }
        let mut books = Books {
            ledger: &mut self.counters.ledger,
            tally: resident.tally.get_or_insert_default(),
            records: &mut self.records,
            session: session.number,
            is_persistent,
        };
        let outgoing = out.outgoing(connection);
        let traffic =
            session.send_queued(outgoing, limits, now.time, |ordinal, _, how| books.settle(ordinal, how));
        self.counters.publish_sent += traffic.packets;
        self.counters.publish_sent_bytes += traffic.payload_bytes;
        self.counters.answers_sent += traffic.pubrels;
        if self.settings.retry_interval.is_some() {
            self.arm(slot);
        }
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        if is_persistent {
            if traffic.packets > 0 && !resident.is_sending {
                resident.is_sending = true;
                self.sent.push(slot);
                out.journal(self.id);
            }
            self.journal(out);
            self.fetch(slot, out);
        }
        self.watch_gate(slot);
    }

    /// Makes sure that a Session is looked at by its next deadline.
    pub(crate) fn arm(&mut self, slot: u32) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(at) = resident.session.next_deadline() else { return };
        if resident.armed.is_none_or(|armed| at < armed) {
            resident.armed = Some(at);
            self.timers.push(Entry { at, slot, session: resident.session.number });
        }
        if self.timers.is_overgrown(self.sessions.len()) {
            let sessions = &self.sessions;
            self.timers.sweep(|entry| is_armed(sessions.get(entry.slot), entry));
        }
    }

    /// The entries of the timers that are due and still count.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u32> {
        loop {
            let entry = self.timers.pop_due(now)?;
            if is_armed(self.sessions.get(entry.slot), &entry) {
                if let Some(resident) = self.sessions.get_mut(entry.slot) {
                    resident.armed = None;
                }
                return Some(entry.slot);
            }
        }
    }

    /// Has the outbox say that there are records to submit.
    pub(crate) fn journal(&mut self, out: &mut Outbox) {
        if !self.records.is_empty() {
            out.journal(self.id);
        }
    }

    /// A reply waits for the batch of this turn.
    pub(crate) fn await_commit(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        need: Need,
        out: &mut Outbox,
    ) -> BatchNumber {
        self.need = self.need.max(need);
        let waits = (self.batch, slot, connection);
        if self.awaiting.back() != Some(&waits) {
            self.awaiting.push_back(waits);
        }
        self.journal(out);
        self.batch
    }

    /// How safe must be what this Session is promised?
    pub(crate) fn need_of(&self, slot: u32) -> Need {
        let connection = self.sessions.get(slot).and_then(|resident| resident.session.connection.as_ref());
        connection.and_then(|connection| connection.terms.need).unwrap_or(self.settings.need)
    }

    /// How safe must a Message under this Topic Name be? Where its publisher's listener and its topic differ the
    /// stricter counts; where neither says, the node's.
    pub(crate) fn need_of_topic(&self, topic: TopicName<'_>, publisher: Option<u32>) -> Need {
        let settings = &self.settings;
        let resident = publisher.and_then(|slot| self.sessions.get(slot));
        let of_listener = resident.and_then(|resident| resident.session.connection.as_ref()?.terms.need);
        let mut rules = settings.topic_needs.iter();
        let of_topic = rules.find(|(filter, _)| filter.matches(topic)).map(|(_, need)| *need);
        of_listener.max(of_topic).unwrap_or(settings.need)
    }

    /// The number of a new Session.
    pub(crate) fn next_session_number(&mut self) -> SessionNumber {
        self.opened += 1;
        SessionNumber::of(self.id, self.opened)
    }

    /// A number nobody can foresee (xorshift; its seed is the node's).
    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn is_armed(resident: Option<&Resident>, entry: &Entry) -> bool {
    resident
        .is_some_and(|resident| resident.session.number == entry.session && resident.armed == Some(entry.at))
}

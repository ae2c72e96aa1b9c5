//! The client without its socket: bytes in, events and bytes out, time an argument.
//!
//! A caller moves bytes: what came goes to [`receive`](Protocol::receive), what [`outgoing`](Protocol::outgoing) shows
//! is written and told by [`sent`](Protocol::sent). It takes events by [`next_event`](Protocol::next_event) until there
//! are none, and calls [`tick`](Protocol::tick) at the [`deadline`](Protocol::deadline). One rule is kept: an error of
//! a call that reads or ticks ends the Connection, an error of a request changes nothing.

use std::collections::VecDeque;
use std::time::Instant;

use martlet_packet::{
    Ack, ConnAck, Disconnect, Frame, Packet, PacketId, Properties, Publish, PublishQoS, QoS, ReasonCode,
    Subscribe, SubscriptionOptions, Unsubscribe, Version, decode, frame,
};
use martlet_topic::{Limits, SubscriptionFilter, TopicName};

use crate::buffer::Buffer;
use crate::connection::Connection;
use crate::incoming::{Arrival, Incoming};
use crate::keep_alive::Due;
use crate::options::invalid;
use crate::outgoing::{Outgoing, Recorded};
use crate::packet_ids::PacketIds;
use crate::requests::{Kind, Requests};
use crate::{ConnectOptions, Connected, Error, Event, Message, Received, Refusal, trace};

/// How many bytes may wait to be written before nothing more is published. One packet may exceed it. Answers have as
/// much for themselves: a Server that waits for us to read would wait for ever if a long PUBLISH stopped our reading.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// One Client: its Session, and its Connection while there is one.
#[derive(Debug)]
pub struct Protocol {
    options: ConnectOptions,
    /// The Client Identifier the Server chose.
    assigned: Option<Box<str>>,
    phase: Phase,
    input: Buffer,
    out: Buffer,
    /// Bytes of answers put out since nothing was left to write.
    answer_bytes: usize,
    last_sent: Instant,
    /// Whether a Session began that a later CONNECT may find again.
    has_session: bool,
    packet_ids: PacketIds,
    outgoing: Outgoing,
    incoming: Incoming,
    requests: Requests,
    /// Messages that were done without a packet of their own; as many as can be in flight.
    done: VecDeque<(PacketId, ReasonCode)>,
}

#[derive(Debug)]
enum Phase {
    Offline,
    /// CONNECT is sent, and whether with Clean Start.
    Connecting {
        clean_start: bool,
    },
    Open(Box<Connection>),
    /// DISCONNECT is in the out buffer: nothing more is read.
    Closing,
}

impl Protocol {
    /// A Client that has no Connection yet. Refuses options no CONNECT can say.
    pub fn new(options: ConnectOptions, now: Instant) -> Result<Self, Error> {
        options.check()?;
        Ok(Self {
            options,
            assigned: None,
            phase: Phase::Offline,
            input: Buffer::default(),
            out: Buffer::default(),
            answer_bytes: 0,
            last_sent: now,
            has_session: false,
            packet_ids: PacketIds::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            requests: Requests::default(),
            done: VecDeque::new(),
        })
    }

    /// The Client Identifier, be it ours or chosen by the Server.
    pub fn client_id(&self) -> &str {
        self.assigned.as_deref().unwrap_or(&self.options.client_id)
    }

    /// The options it was made with.
    pub const fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// A Network Connection is there: CONNECT goes out. Whatever was left of an earlier one is forgotten.
    pub fn connect(&mut self, now: Instant) {
        self.connection_lost();
        let resumes = self.has_session && self.keeps_session();
        let clean_start = self.options.clean_start && !resumes;
        self.options.encode(clean_start, self.out.tail());
        self.last_sent = now;
        self.phase = Phase::Connecting { clean_start };
    }

    /// The Network Connection is gone. The Session and what is in flight stay.
    pub fn connection_lost(&mut self) {
        self.phase = Phase::Offline;
        self.input = Buffer::default();
        self.out = Buffer::default();
        self.answer_bytes = 0;
        for packet_id in self.requests.drain() {
            self.packet_ids.free(packet_id);
        }
    }

    /// Whether the Server accepted the Connection and nobody has ended it.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// How many Messages of QoS 1 and 2 are not acknowledged to the end.
    pub fn in_flight(&self) -> usize {
        self.outgoing.len() + self.done.len()
    }

    // --- Requests ---

    /// Publishes a Message. QoS 1 and 2: returns the identifier [`Event::Published`] will name, and the Message is kept
    /// until then, over as many Connections as it takes. QoS 0 needs a Connection.
    ///
    /// [`Error::Full`] is passing: write what is out, take events, and try again.
    pub fn publish(&mut self, message: &Message) -> Result<Option<PacketId>, Error> {
        check_topic("the Topic Name", &message.topic)?;
        if !message.fits_a_packet() {
            return Err(invalid("the payload", "is larger than a packet can be (§2.1.4)"));
        }
        if let Phase::Open(connection) = &self.phase {
            connection.admit(message).map_err(Error::NotTaken)?;
            if message.topic_alias.is_some_and(|alias| !connection.takes_alias(alias)) {
                return Err(Error::NotTaken(ReasonCode::TopicAliasInvalid));
            }
        }
        if message.qos == QoS::AtMostOnce {
            return self.publish_at_most_once(message).map(|()| None);
        }
        if self.in_flight() >= self.options.in_flight_maximum.into() {
            return Err(Error::Full);
        }
        let packet_id = self.packet_ids.take().ok_or(Error::Full)?;
        self.outgoing.push(packet_id, message.clone());
        self.send_unsent();
        Ok(Some(packet_id))
    }

    /// Asks for Messages. `subscription_id` is the number the Server shall put into them. Returns the identifier
    /// [`Event::Subscribed`] will name.
    pub fn subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        subscription_id: Option<u32>,
        properties: Properties<'_>,
    ) -> Result<PacketId, Error> {
        filters.iter().try_for_each(|(filter, _)| check_filter(filter))?;
        if subscription_id.is_some_and(|id| !(1..=martlet_packet::MAXIMUM_REMAINING_LENGTH).contains(&id)) {
            return Err(invalid("the Subscription Identifier", "is from 1 to 268435455 (§3.8.2.1.2)"));
        }
        let packet_id = self.request(Kind::Subscribe, filters.len())?;
        let filters = filters.to_vec();
        self.send(&Packet::Subscribe(Subscribe { packet_id, subscription_id, properties, filters }));
        Ok(packet_id)
    }

    /// Ends Subscriptions. Returns the identifier [`Event::Unsubscribed`] will name.
    pub fn unsubscribe(&mut self, filters: &[&str], properties: Properties<'_>) -> Result<PacketId, Error> {
        filters.iter().try_for_each(|filter| check_filter(filter))?;
        let packet_id = self.request(Kind::Unsubscribe, filters.len())?;
        let filters = filters.to_vec();
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
        Ok(packet_id)
    }

    /// Says goodbye: after what is out the Network Connection is to be closed. MQTT 3.x has no goodbye that keeps the
    /// Will, so there nothing is said when the reason is another than a normal one. [3.1.1 MQTT-3.14.4-3]
    pub fn disconnect(&mut self, reason: ReasonCode, properties: Properties<'_>) {
        let can_say = self.options.version.is_v5() || reason == ReasonCode::NormalDisconnection;
        if self.is_open() && can_say {
            self.send(&Packet::Disconnect(Disconnect { reason, properties }));
        }
        self.phase = Phase::Closing;
    }

    // --- Bytes and time ---

    /// Takes bytes in; they must be asked for by [`wants_bytes`](Self::wants_bytes).
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.input.tail().extend_from_slice(bytes);
        if let Phase::Open(connection) = &mut self.phase
            && let Some(keep_alive) = &mut connection.keep_alive
        {
            keep_alive.heard(now);
        }
    }

    /// Whether more bytes should be read. While too many answers wait to be written, they should not: the Server has
    /// to read first.
    pub fn wants_bytes(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. } | Phase::Open(_)) && self.answer_bytes < OUT_BYTES_MAX
    }

    /// What is to be written.
    pub fn outgoing(&self) -> &[u8] {
        self.out.as_slice()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn sent(&mut self, bytes: usize, now: Instant) {
        self.out.take(bytes);
        if self.out.is_empty() {
            self.answer_bytes = 0;
        }
        self.last_sent = now;
        self.send_unsent();
    }

    /// When [`tick`](Self::tick) is to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open(connection) => Some(connection.keep_alive.as_ref()?.deadline(self.last_sent)),
            _ => None,
        }
    }

    /// Time has passed: sends PINGREQ when it is due, or finds the Server dead.
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        let Phase::Open(connection) = &mut self.phase else { return Ok(()) };
        let Some(keep_alive) = &mut connection.keep_alive else { return Ok(()) };
        match keep_alive.check(self.last_sent, now) {
            Due::Nothing => {}
            Due::Ping => self.send(&Packet::PingReq),
            Due::Dead(within) => {
                self.phase = Phase::Closing;
                return Err(Error::Silent { awaited: "PINGRESP", within });
            }
        }
        Ok(())
    }

    /// Takes the next event out of what came; none when more bytes are needed, or when too much waits to be written.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        if let Some((packet_id, reason)) = self.done.pop_front() {
            self.packet_ids.free(packet_id);
            return Ok(Some(Event::Published { packet_id, reason, reason_string: None }));
        }
        while self.wants_bytes() {
            // The packet borrows the bytes while the rest of us acts on it.
            let mut input = std::mem::take(&mut self.input);
            let taken = self.take_packet(input.as_slice());
            if let Ok(Some((len, _))) = taken {
                input.take(len);
            }
            self.input = input;
            match taken {
                Ok(None) => return Ok(None),
                Ok(Some((_, None))) => {}
                Ok(Some((_, event))) => return Ok(event),
                Err(error) => return Err(self.end_with(error)),
            }
        }
        Ok(None)
    }

    // --- One packet after the other ---

    /// Acts on the first packet: its length and what it amounts to.
    fn take_packet(&mut self, bytes: &[u8]) -> Result<Option<(usize, Option<Event>)>, Error> {
        let Some(frame) = frame(bytes, self.options.maximum_packet_size)? else { return Ok(None) };
        check_sender(frame)?;
        let packet = decode(self.options.version, frame)?;
        trace::received(self.client_id(), &packet);
        Ok(Some((frame.len, self.handle(&packet)?)))
    }

    fn handle(&mut self, packet: &Packet<'_>) -> Result<Option<Event>, Error> {
        if let Phase::Connecting { clean_start } = self.phase {
            let Packet::ConnAck(connack) = packet else {
                return Err(violation("it sent a packet before CONNACK [MQTT-3.2.0-1]"));
            };
            return self.handle_connack(connack, clean_start).map(Some);
        }
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(ack) => Ok(self.handle_puback(ack)),
            Packet::PubRec(ack) => Ok(self.handle_pubrec(ack)),
            Packet::PubRel(ack) => {
                self.handle_pubrel(ack.packet_id);
                Ok(None)
            }
            Packet::PubComp(ack) => Ok(self.handle_pubcomp(ack)),
            Packet::SubAck(suback) => {
                let packet_id = self.answered(suback.packet_id, Kind::Subscribe, suback.reasons.len())?;
                Ok(Some(Event::Subscribed { packet_id, reasons: suback.reasons.clone() }))
            }
            Packet::UnsubAck(unsuback) => {
                let packet_id =
                    self.answered(unsuback.packet_id, Kind::Unsubscribe, unsuback.reasons.len())?;
                Ok(Some(Event::Unsubscribed { packet_id, reasons: unsuback.reasons.clone() }))
            }
            Packet::PingResp => {
                if let Some(keep_alive) = &mut self.open().keep_alive {
                    keep_alive.answered();
                }
                Ok(None)
            }
            Packet::Disconnect(disconnect) => {
                Err(Error::Disconnected(self.refusal(disconnect.reason, disconnect.properties)))
            }
            Packet::Auth(_) => Err(violation("it wants an enhanced authentication nobody asked for")),
            Packet::ConnAck(_) => Err(violation("it sent a second CONNACK [MQTT-3.2.0-2]")),
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::PingReq => {
                unreachable!("check_sender refused what only a Client may send")
            }
        }
    }

    fn handle_connack(&mut self, connack: &ConnAck<'_>, clean_start: bool) -> Result<Event, Error> {
        if connack.reason.is_error() {
            return Err(Error::Refused(self.refusal(connack.reason, connack.properties)));
        }
        if connack.session_present && clean_start {
            return Err(violation("it found a Session after Clean Start [MQTT-3.2.2-2]"));
        }
        let connection = Connection::new(self.options.version, self.options.keep_alive, connack);
        self.phase = Phase::Open(Box::new(connection));
        self.assigned = connack.properties.assigned_client_id().map(Box::from);
        self.has_session = true;
        // MQTT 3.1 does not tell: there a Session is found unless it was not asked for.
        let is_told = self.options.version != Version::V3_1;
        if if is_told { connack.session_present } else { !clean_start } {
            for packet_id in self.outgoing.resume() {
                self.answer(&Packet::PubRel(Ack::new(packet_id)));
            }
        } else {
            self.incoming.clear();
            let recorded = self.outgoing.restart();
            self.done.extend(recorded.into_iter().map(|packet_id| (packet_id, ReasonCode::Success)));
        }
        self.send_unsent();
        let properties = connack.properties.iter().collect();
        Ok(Event::Connected(Connected { session_present: connack.session_present, properties }))
    }

    /// QoS 2: a Message is handed on once, at its first PUBLISH. [MQTT-4.3.3-10]
    fn handle_publish(&mut self, publish: &Publish<'_>) -> Result<Option<Event>, Error> {
        let alias_maximum = self.options.topic_alias_maximum;
        let topic = self.open().topic_of(publish, alias_maximum)?;
        match publish.qos {
            PublishQoS::AtMostOnce => {}
            PublishQoS::AtLeastOnce(packet_id) => self.answer(&Packet::PubAck(Ack::new(packet_id))),
            PublishQoS::ExactlyOnce(packet_id) => {
                match self.incoming.receive(packet_id, self.options.receive_maximum) {
                    Arrival::TooMany => {
                        let what = "it sent more Messages than the Receive Maximum [MQTT-3.3.4-9]";
                        return Err(Error::Violation { what, reason: ReasonCode::ReceiveMaximumExceeded });
                    }
                    arrival => {
                        self.answer(&Packet::PubRec(Ack::new(packet_id)));
                        if arrival == Arrival::Duplicate {
                            return Ok(None);
                        }
                    }
                }
            }
        }
        Ok(Some(Event::Received(received(publish, topic))))
    }

    fn handle_pubrel(&mut self, packet_id: PacketId) {
        let reason = if self.incoming.release(packet_id) {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        self.answer(&Packet::PubComp(Ack::with_reason(packet_id, reason)));
    }

    /// An acknowledgement of nothing we know is passed over: it may answer what an ended Session sent.
    fn handle_puback(&mut self, ack: &Ack<'_>) -> Option<Event> {
        self.outgoing.finish(ack.packet_id, QoS::AtLeastOnce).then(|| self.published(ack))
    }

    fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Option<Event> {
        if ack.reason.is_error() {
            return self.outgoing.finish(ack.packet_id, QoS::ExactlyOnce).then(|| self.published(ack));
        }
        let reason = match self.outgoing.record(ack.packet_id) {
            Recorded::Released => ReasonCode::Success,
            Recorded::Unknown => ReasonCode::PacketIdentifierNotFound,
        };
        self.answer(&Packet::PubRel(Ack::with_reason(ack.packet_id, reason)));
        None
    }

    /// An error here says that the Server had forgotten the Message it recorded: it was published all the same.
    fn handle_pubcomp(&mut self, ack: &Ack<'_>) -> Option<Event> {
        self.outgoing.complete(ack.packet_id).then(|| self.published(ack))
    }

    // --- Helpers ---

    /// A Message is done: its identifier and its credit are free.
    fn published(&mut self, ack: &Ack<'_>) -> Event {
        self.packet_ids.free(ack.packet_id);
        self.open().return_credit();
        self.send_unsent();
        let reason_string = ack.properties.reason_string().map(str::to_owned);
        Event::Published { packet_id: ack.packet_id, reason: ack.reason, reason_string }
    }

    fn publish_at_most_once(&mut self, message: &Message) -> Result<(), Error> {
        if self.is_out_full() {
            return Err(Error::Full);
        }
        let Phase::Open(connection) = &mut self.phase else { return Err(Error::NotConnected) };
        let mut publish = message.as_publish(PublishQoS::AtMostOnce, false);
        connection.abbreviate(&mut publish);
        self.send(&Packet::Publish(publish));
        Ok(())
    }

    /// Sends Messages of QoS 1 and 2 in their order, as far as credit and the out buffer allow.
    fn send_unsent(&mut self) {
        while !self.is_out_full()
            && let Phase::Open(connection) = &mut self.phase
            && let Some(pending) = self.outgoing.unsent()
        {
            // Published while another Server, or none, was connected.
            if let Err(reason) = connection.admit(&pending.message) {
                self.done.push_back((pending.packet_id, reason));
                self.outgoing.drop_unsent();
                continue;
            }
            if !connection.take_credit() {
                return;
            }
            let mut publish =
                pending.message.as_publish(pending.message.qos_with(pending.packet_id), pending.dup);
            connection.abbreviate(&mut publish);
            let (name, packet) = (&self.options.client_id, Packet::Publish(publish));
            encode(&packet, self.assigned.as_deref().unwrap_or(name), self.options.version, self.out.tail());
            self.outgoing.mark_sent();
        }
    }

    fn request(&mut self, kind: Kind, filters: usize) -> Result<PacketId, Error> {
        if !self.is_open() {
            return Err(Error::NotConnected);
        }
        if filters == 0 {
            return Err(invalid("the request", "must have a Topic Filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]"));
        }
        if self.requests.is_full() || self.is_out_full() {
            return Err(Error::Full);
        }
        let packet_id = self.packet_ids.take().ok_or(Error::Full)?;
        self.requests.push(packet_id, kind, filters);
        Ok(packet_id)
    }

    fn answered(&mut self, packet_id: PacketId, kind: Kind, reasons: usize) -> Result<PacketId, Error> {
        let Some(filters) = self.requests.answer(packet_id, kind) else {
            return Err(violation("it answered a request nobody made [MQTT-3.8.4-2]"));
        };
        self.packet_ids.free(packet_id);
        let tells_reasons = kind == Kind::Subscribe || self.options.version.is_v5();
        if tells_reasons && reasons != filters {
            return Err(violation("its answer has not one Reason Code for each Topic Filter [MQTT-3.8.4-6]"));
        }
        Ok(packet_id)
    }

    /// Whether the Server keeps the Session for the next Connection.
    const fn keeps_session(&self) -> bool {
        match self.options.version {
            Version::V5 => self.options.session_expiry > 0,
            Version::V3_1 | Version::V3_1_1 => !self.options.clean_start,
        }
    }

    /// Ends the Connection; a Server of MQTT 5.0 that did wrong is told. [MQTT-4.13.1-1]
    fn end_with(&mut self, error: Error) -> Error {
        let reason = match &error {
            Error::Malformed(fault) => Some(fault.reason_code()),
            Error::Violation { reason, .. } => Some(*reason),
            _ => None,
        };
        if let Some(reason) = reason
            && self.is_open()
            && self.options.version.is_v5()
        {
            self.send(&Packet::Disconnect(Disconnect::new(reason)));
        }
        self.phase = Phase::Closing;
        error
    }

    fn refusal(&self, reason: ReasonCode, properties: Properties<'_>) -> Refusal {
        Refusal { reason, version: self.options.version, properties: properties.iter().collect() }
    }

    fn open(&mut self) -> &mut Connection {
        match &mut self.phase {
            Phase::Open(connection) => connection,
            _ => panic!("only an open Connection gets here"),
        }
    }

    fn answer(&mut self, packet: &Packet<'_>) {
        let before = self.out.len();
        self.send(packet);
        self.answer_bytes += self.out.len() - before;
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let name = self.assigned.as_deref().unwrap_or(&self.options.client_id);
        encode(packet, name, self.options.version, self.out.tail());
    }

    /// Whether the out buffer takes nothing but answers.
    fn is_out_full(&self) -> bool {
        self.out.len() >= OUT_BYTES_MAX || self.answer_bytes >= OUT_BYTES_MAX
    }
}

fn encode(packet: &Packet<'_>, client_id: &str, version: Version, out: &mut Vec<u8>) {
    trace::sending(client_id, packet);
    packet.encode(version, out);
}

/// A topic that can be published to.
pub(crate) fn check_topic(field: &'static str, topic: &str) -> Result<(), Error> {
    TopicName::parse(topic, &LIMITS).map_err(|error| invalid(field, format!("{topic:?}: {error}")))?;
    Ok(())
}

fn check_filter(filter: &str) -> Result<(), Error> {
    SubscriptionFilter::parse(filter, &LIMITS)
        .map_err(|error| invalid("the Topic Filter", format!("{filter:?}: {error}")))?;
    Ok(())
}

/// The number of levels is the Server's to limit.
const LIMITS: Limits = Limits { bytes: usize::MAX, levels: usize::MAX };

fn check_sender(frame: Frame<'_>) -> Result<(), Error> {
    match frame.packet_type() {
        Some(packet_type) if !packet_type.is_sent_by_server() => {
            Err(violation("it sent a packet that only a Client may send"))
        }
        _ => Ok(()),
    }
}

fn received(publish: &Publish<'_>, topic: String) -> Received {
    Received {
        message: Message {
            topic,
            payload: bytes::Bytes::copy_from_slice(publish.payload),
            qos: publish.qos.qos(),
            retain: publish.retain,
            message_expiry: publish.message_expiry,
            topic_alias: publish.topic_alias,
            properties: publish.properties.iter().collect(),
        },
        dup: publish.dup,
        packet_id: publish.qos.packet_id(),
        subscription_ids: publish.subscription_ids.to_vec(),
    }
}

const fn violation(what: &'static str) -> Error {
    Error::Violation { what, reason: ReasonCode::ProtocolError }
}

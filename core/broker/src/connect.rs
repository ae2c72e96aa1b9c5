//! CONNECT: a Session begins, goes on, or is taken over.

use std::sync::Arc;

use martlet_access::Decision;
use martlet_packet::{ConnAck, Packet, PropertiesBuf, Property, QoS, ReasonCode, Version};
use martlet_record::{BatchNumber, Ending, Now, Record, SessionRecord};
use martlet_session::{ConnectRequest, Connection, ConnectionId, Session, Violation, encode_explained};
use martlet_topic::{Limits, TopicName};

use crate::outbox::{Closing, Notice, Outbox};
use crate::permits::Holder;
use crate::{Overlap, Settings, Shard, Wills};

/// Where a Client has no Session: it was turned away.
const NOWHERE: u32 = u32::MAX;

/// The terms a CONNECT and the settings came to.
struct Terms {
    session_present: bool,
    /// A persistent Session ended for it: that must be durable before anybody hears of the new one.
    ended_another: bool,
    expiry: u32,
    keep_alive: u16,
}

impl Shard {
    /// Admits a Client and answers CONNACK, at once or after a commit. Returns the place of its Session; where there is
    /// none, because its Will is not permitted, every other call with that place does nothing.
    pub fn connect(
        &mut self,
        connection: ConnectionId,
        request: Box<ConnectRequest>,
        now: Now,
        out: &mut Outbox,
    ) -> u32 {
        if let Some(violation) = self.will_violation(&request) {
            self.turn_away(connection, &request, violation, out);
            return NOWHERE;
        }
        let recorded = self.records.len();
        let (existing, expiry) = (self.sessions.find(&request.client_id), self.expiry(&request));
        if let Some(slot) = existing {
            self.take_over(slot, &request, now, out);
        }
        let resumed = existing.filter(|slot| self.resumes(*slot, &request, now, out));
        let slot = resumed.unwrap_or_else(|| self.open_session(&request, expiry));
        let keep_alive = effective_keep_alive(&request, &self.settings);
        let ended_another = self.records.len() > recorded;
        let terms = Terms { session_present: resumed.is_some(), ended_another, expiry, keep_alive };
        self.attach(slot, connection, &request, &terms, now);
        self.answer(slot, connection, &request, &terms, now, out);
        self.arm(slot);
        out.notices.push(Notice::Connected {
            client_id: request.client_id,
            username: request.username,
            connection,
            version: version_name(request.version),
            clean_start: request.clean_start,
            keep_alive,
        });
        slot
    }

    /// Why a Client may not leave the Will behind that it has, where the dialect says so at once.
    fn will_violation(&self, request: &ConnectRequest) -> Option<Violation> {
        let will = request.will.as_ref().filter(|_| self.settings.dialect.refuses_denied_wills)?;
        let topic =
            TopicName::parse(will.message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
        match request.permit.publish(topic) {
            Decision::Allow => None,
            Decision::Deny(refusal) => {
                let text = format!("a Will under {topic} is not allowed: {refusal}");
                let (reason, text) = self.settings.denial(text);
                Some(Violation::new(reason, text))
            }
        }
    }

    fn turn_away(
        &mut self,
        connection: ConnectionId,
        request: &ConnectRequest,
        violation: Violation,
        out: &mut Outbox,
    ) {
        let (client_id, text) = (request.client_id.clone(), violation.text.clone().into_owned());
        out.notices.push(Notice::WillRefused { client_id, text });
        let text = self.settings.dialect.reason_strings.then_some(&*violation.text);
        self.counters.answers_sent += 1;
        let (session_present, reason) = (false, violation.reason);
        encode_explained(
            request.version,
            request.maximum_packet_size,
            text.filter(|text| !text.is_empty()),
            |properties| Packet::ConnAck(ConnAck { session_present, reason, properties }),
            out.outgoing(connection).buffer(),
        );
        out.closing.push(Closing { connection, why: violation });
    }

    /// Closes the Network Connection that another takes the place of [MQTT-3.1.4-3].
    fn take_over(&mut self, slot: u32, request: &ConnectRequest, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(old) = resident.session.connection.as_ref().map(|old| old.id) else { return };
        let client_id = resident.session.client_id.clone();
        let goes_on = resident.session.expiry > 0 && !request.clean_start;
        if goes_on && self.settings.dialect.wills == Wills::Mosquitto {
            resident.session.will = None;
        }
        let violation = Violation::new(
            ReasonCode::SessionTakenOver,
            "another Network Connection took this Client Identifier over; each Client needs its own",
        );
        if let Some(open) = resident.session.open_connection() {
            let with_text = self.settings.dialect.reason_strings;
            let maximum = open.maximum_packet_size;
            self.counters.answers_sent += u64::from(open.version.is_v5());
            violation.encode(open.version, maximum, with_text, out.outgoing(old).buffer());
        }
        out.notices.push(Notice::TakenOver { client_id });
        out.closing.push(Closing { connection: old, why: violation.clone() });
        self.closed(slot, old, violation, now, out);
    }

    /// Does the Session in this place go on? If not, it is over [MQTT-3.1.2-4].
    fn resumes(&mut self, slot: u32, request: &ConnectRequest, now: Now, out: &mut Outbox) -> bool {
        let same =
            self.sessions.get(slot).is_some_and(|resident| *resident.session.client_id == *request.client_id);
        let is_husk = same && self.sessions.get(slot).is_some_and(|resident| resident.session.is_husk);
        if same && (request.clean_start || is_husk) {
            if self.settings.dialect.wills == Wills::Specified {
                // [MQTT-3.1.2-8]: the end of the Session is the end of the delay.
                self.publish_will(slot, now, out);
            }
            self.end_session(slot, Ending::CleanStart, out);
            return false;
        }
        same
    }

    fn open_session(&mut self, request: &ConnectRequest, expiry: u32) -> u32 {
        let number = self.next_session_number();
        self.sessions.insert(Session::new(number, request.client_id.clone(), expiry))
    }

    fn attach(&mut self, slot: u32, id: ConnectionId, request: &ConnectRequest, terms: &Terms, now: Now) {
        let (with_aliases, slack) = {
            let dialect = &self.settings.dialect;
            (dialect.sends_topic_aliases, dialect.packet_size_slack)
        };
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let mut connection = Connection::new(id, request, terms.keep_alive, now.time);
        if !with_aliases {
            connection.aliases_out = None;
        }
        if let Some(seconds) = self.settings.retry_interval.filter(|_| !request.version.is_v5()) {
            connection.retry_after(seconds);
        }
        connection.maximum_packet_size = connection.maximum_packet_size.saturating_add(slack);
        session.connection = Some(Box::new(connection));
        session.restart();
        session.disconnected = None;
        session.will.clone_from(&request.will);
        session.expiry = terms.expiry;
        resident.armed = None;
        resident.refusal_told = false;
        if terms.session_present {
            if self.settings.dialect.overlap == Overlap::CopyForEach {
                self.reroute(slot);
            }
            self.set_online(slot, true);
        }
        if !(request.permit.is_everything() && self.node.routes.permits.all_everything()) {
            let (permit, username) = (request.permit.clone(), request.username.clone());
            self.hold_to(slot, Holder { permit, username, terms: Arc::clone(&request.terms) });
        }
    }

    /// CONNACK: of a persistent Session only once that it exists is durable.
    fn answer(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        request: &ConnectRequest,
        terms: &Terms,
        now: Now,
        out: &mut Outbox,
    ) {
        let after = self.record_connect(slot, connection, terms, out);
        let settings = &self.settings;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(state) = resident.session.connection.as_deref_mut() else { return };
        let properties = connack_properties(request, terms, settings);
        let connack = ConnAck {
            session_present: terms.session_present,
            reason: ReasonCode::Success,
            properties: properties.as_properties(),
        };
        self.counters.answers_sent += 1;
        state.reply(out.outgoing(connection), after, |bytes| {
            Packet::ConnAck(connack).encode(request.version, bytes);
        });
        if let Err(violation) = self.check_answerable(slot, connection) {
            self.refuse(slot, connection, violation, now, out);
        } else if after.is_none() {
            self.open(slot, now, out);
        }
    }

    /// CONNACK left: packets behind CONNECT may be read, and what waits may be sent.
    pub(crate) fn open(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(connection) = resident.session.connection.as_deref_mut() else { return };
        connection.open = true;
        out.opened.push(connection.id);
        self.counters.connects += 1;
        self.send_queued(slot, now, out);
    }

    fn record_connect(
        &mut self,
        slot: u32,
        connection: ConnectionId,
        terms: &Terms,
        out: &mut Outbox,
    ) -> Option<BatchNumber> {
        let session = &self.sessions.get(slot)?.session;
        if !session.recorded {
            return terms.ended_another.then(|| self.await_commit(slot, connection, self.need_of(slot), out));
        }
        let terms_record = SessionRecord {
            session: session.number,
            client_id: session.client_id.clone(),
            expiry: session.expiry,
            will: session.will.as_ref().map(|will| will.to_record()),
        };
        self.records.push(if terms.session_present {
            Record::Resumed(terms_record)
        } else {
            Record::Opened(terms_record)
        });
        Some(self.await_commit(slot, connection, self.need_of(slot), out))
    }

    /// Session Expiry Interval in force. An MQTT 5 Client that sends Clean Start 0 without one believes that its Session
    /// is kept; the default keeps it, and CONNACK says for how long.
    fn expiry(&self, request: &ConnectRequest) -> u32 {
        let settings = &self.settings;
        let default = if request.clean_start { 0 } else { settings.default_session_expiry };
        request.session_expiry.unwrap_or(default).min(settings.session_expiry_max)
    }
}

/// Keep Alive in force: a Client that asks for more, or for none, is told the maximum [MQTT-3.1.2-21]. MQTT 3 has no way
/// to be told, so there its own counts.
fn effective_keep_alive(request: &ConnectRequest, settings: &Settings) -> u16 {
    match settings.keep_alive_max {
        Some(max) if request.version.is_v5() && (request.keep_alive == 0 || request.keep_alive > max) => max,
        _ => request.keep_alive,
    }
}

fn connack_properties(request: &ConnectRequest, terms: &Terms, settings: &Settings) -> PropertiesBuf {
    let mut properties = PropertiesBuf::default();
    if request.version != Version::V5 {
        return properties;
    }
    if request.session_expiry.unwrap_or(0) != terms.expiry {
        properties.push(Property::SessionExpiryInterval(terms.expiry));
    }
    if terms.keep_alive != request.keep_alive {
        properties.push(Property::ServerKeepAlive(terms.keep_alive));
    }
    let topic_alias_maximum = request.terms.topic_alias_maximum.unwrap_or(settings.topic_alias_maximum);
    if topic_alias_maximum > 0 {
        properties.push(Property::TopicAliasMaximum(topic_alias_maximum));
    }
    if request.is_assigned {
        // [MQTT-3.2.2-16]
        properties.push(Property::AssignedClientIdentifier(&request.client_id));
    }
    if let Some(method) = &request.authentication_method {
        properties.push(Property::AuthenticationMethod(method));
        if !request.authentication_data.is_empty() {
            properties.push(Property::AuthenticationData(&request.authentication_data));
        }
    }
    if !settings.retain_available {
        properties.push(Property::RetainAvailable(false));
    }
    if settings.maximum_packet_size < martlet_packet::MAXIMUM_REMAINING_LENGTH {
        properties.push(Property::MaximumPacketSize(settings.maximum_packet_size));
    }
    if settings.receive_maximum < u16::MAX {
        properties.push(Property::ReceiveMaximum(settings.receive_maximum));
    }
    let maximum_qos = settings.maximum_qos.min(request.terms.maximum_qos);
    if maximum_qos < QoS::ExactlyOnce {
        properties.push(Property::MaximumQoS(maximum_qos));
    }
    properties
}

/// As people write it.
fn version_name(version: Version) -> &'static str {
    match version {
        Version::V3_1 => "3.1",
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5.0",
    }
}

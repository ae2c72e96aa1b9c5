//! PUBLISH from a Client: access, retain, record, route.

use std::sync::Arc;

use martlet_access::{Decision, Permit};
use martlet_packet::{Ack, Packet, PacketId, Publish, PublishQoS, QoS, ReasonCode};
use martlet_record::{
    BatchNumber, Body, CopyRecord, DelayedNumber, MessageRef, Need, Now, PublishRecord, Record, Room,
    SessionNumber, ShardId,
};
use martlet_session::{Inbound, MessageCopy, Session, Violation, encode_explained};
use martlet_topic::{Limits, TopicName};
use smallvec::SmallVec;

use crate::Shard;
use crate::control::CONTROL;
use crate::delayed::{self, Asked};
use crate::destinations::{Destinations, Recipient};
use crate::obstacle::Obstacle;
use crate::outbox::Outbox;
use crate::permits::{Holder, Source};
use crate::shared::{Choice, Group, Member};

/// What a publication came to.
pub(crate) struct Published {
    /// Somebody gets it.
    pub(crate) matched: bool,
    /// It must be durable before its publisher is answered.
    pub(crate) is_durable: bool,
}

/// Where a publication comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Origin {
    /// The publisher's Session.
    pub(crate) slot: Option<u32>,
    /// The QoS 2 mark to be kept in the same frame.
    pub(crate) mark: Option<(SessionNumber, PacketId)>,
    /// The recorded Session whose Will it is.
    pub(crate) will_of: Option<SessionNumber>,
    /// The delayed Message it was.
    pub(crate) was_delayed: Option<DelayedNumber>,
}

impl Origin {
    /// Must the journal hear of the publication, whoever gets the Message?
    fn is_recorded(&self) -> bool {
        self.mark.is_some() || self.will_of.is_some() || self.was_delayed.is_some()
    }
}

/// Space for the packet at hand is kept for the next up to this size.
const SPACE_BYTES: usize = 64 * 1024;

impl Shard {
    /// Takes a PUBLISH from a Client.
    pub(crate) fn receive_publish(
        &mut self,
        slot: u32,
        publish: &Publish<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        self.counters.publish_received += 1;
        self.counters.publish_received_bytes += publish.payload.len() as u64;
        let mut alias = std::mem::take(&mut self.alias_space);
        let result = self.admit(slot, publish, &mut alias, now, out);
        self.alias_space = alias;
        result
    }

    /// New, a duplicate, or refused?
    fn admit(
        &mut self,
        slot: u32,
        publish: &Publish<'_>,
        alias: &mut String,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let topic = match resident.session.receive_publish(publish, alias, &self.policy) {
            Ok(Inbound::New(topic)) => topic,
            Ok(Inbound::Duplicate(_)) => {
                self.answer_publish(slot, publish.qos, ReasonCode::Success, "", false, out);
                return Ok(());
            }
            Err(violation) => return self.excess(slot, publish, violation, out),
        };
        let (delay, topic) = match delayed::asked(topic, &self.settings) {
            Asked::Now(topic) => (None, topic),
            Asked::Later(seconds, topic) => (Some(seconds), topic),
            Asked::Wrong(text) => {
                let obstacle = Obstacle::Limit(ReasonCode::TopicNameInvalid, text);
                return self.stop_at(obstacle, slot, publish, out);
            }
        };
        let mounted;
        let topic = match self.mounted(slot, topic) {
            None => topic,
            Some(whole) => {
                mounted = whole?;
                TopicName::parse(&mounted, &Limits::UNLIMITED).expect("it was checked when it was made")
            }
        };
        if let Some((reason, text)) = self.refusal(slot, topic, publish) {
            self.counters.publish_refused += 1;
            self.tell_refusal(slot, &text, out);
            self.answer_publish(slot, publish.qos, reason, &text, false, out);
            return Ok(());
        }
        if topic.as_str().starts_with(CONTROL) {
            self.ask_node(slot, topic, publish, out);
            return Ok(());
        }
        if delay.is_some() && publish.qos == PublishQoS::AtMostOnce && !self.has_room_to_delay(publish) {
            self.counters.qos0_dropped += 1;
            return Ok(());
        }
        match self.obstacle(slot, topic, publish, delay.is_some()) {
            None => self.accept(slot, topic, delay, publish, now, out),
            Some(obstacle) => return self.stop_at(obstacle, slot, publish, out),
        }
        Ok(())
    }

    /// Publishes what was admitted, and answers.
    fn accept(
        &mut self,
        slot: u32,
        topic: TopicName<'_>,
        delay: Option<u32>,
        publish: &Publish<'_>,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let (number, is_persistent) = (session.number, session.is_persistent());
        let mut mark = None;
        if let PublishQoS::ExactlyOnce(id) = publish.qos {
            session.inbound.insert(id);
            mark = is_persistent.then_some((number, id));
        }
        let mut properties = std::mem::take(&mut self.properties_space);
        properties.clear();
        publish.properties.append_to(&mut properties);
        let message = MessageRef {
            topic: topic.as_str(),
            properties: &properties,
            payload: publish.payload,
            qos: publish.qos.qos(),
            retain: publish.retain,
            publisher: number,
            expires: publish.message_expiry.map(|seconds| now.time.after_seconds(u64::from(seconds))),
            version: 0,
        };
        let published = match delay {
            None => self.publish(topic, message, Origin { slot: Some(slot), mark, ..Origin::default() }, out),
            Some(seconds) => {
                self.delay(&message, seconds, mark, now, out);
                let is_durable = message.qos > QoS::AtMostOnce;
                if is_durable {
                    self.need = self.need.max(self.need_of_topic(topic, Some(slot)));
                }
                Published { matched: true, is_durable }
            }
        };
        if properties.capacity() <= SPACE_BYTES {
            self.properties_space = properties;
        }
        let is_pubrec = publish.qos.qos() == QoS::ExactlyOnce;
        let tells = !is_pubrec || self.settings.dialect.tells_absence;
        let reason = match published.matched {
            false if tells => ReasonCode::NoMatchingSubscribers,
            _ => ReasonCode::Success,
        };
        self.answer_publish(slot, publish.qos, reason, "", published.is_durable, out);
    }

    /// Retains, records and routes a Message of this Topic Name.
    pub(crate) fn publish(
        &mut self,
        topic: TopicName<'_>,
        mut message: MessageRef<'_>,
        origin: Origin,
        out: &mut Outbox,
    ) -> Published {
        let (retained, destinations) =
            if message.retain && self.settings.retain_available && self.may_retain(topic, &message, origin) {
                self.retain(topic, &mut message, origin.slot)
            } else {
                (None, self.cache.destinations(&self.node.routes, topic))
            };
        self.send_out(topic, &message, &destinations, retained, origin, out)
    }

    /// Records a Message for those who get it by the log, and sends it on its way to the others.
    fn send_out(
        &mut self,
        topic: TopicName<'_>,
        message: &MessageRef<'_>,
        destinations: &Arc<Destinations>,
        retained: Option<Record>,
        origin: Origin,
        out: &mut Outbox,
    ) -> Published {
        let members = self.choose_members(destinations, message, origin.slot);
        let mut copies = copies(destinations, message);
        for member in &members {
            copies.extend(self::copies(member, message));
        }
        if message.qos == QoS::AtMostOnce && !copies.is_empty() {
            self.spare_queues(destinations, &mut copies);
        }
        let is_journaled = !copies.is_empty() || origin.is_recorded();
        // Nobody sees a QoS 2 Message before its mark is durable, nor before one that waits for that.
        let is_held = message.qos == QoS::ExactlyOnce && (is_journaled || !self.held.is_empty());
        // What is retained is the same Message: the log writes it once.
        let kept = retained.as_ref().and_then(|record| record.bodies().next()?.held().cloned());
        let block = (is_journaled || is_held).then(|| kept.unwrap_or_else(|| Arc::new(message.to_message())));
        let held_by = match self.held.back() {
            Some((last, ..)) if !is_journaled => *last,
            _ => self.batch,
        };
        for destinations in std::iter::once(destinations).chain(&members) {
            match &block {
                _ if destinations.shards.is_empty() || is_all_journaled(destinations, message.qos) => {}
                Some(block) if is_held => {
                    self.held.push_back((held_by, Arc::clone(block), Arc::clone(destinations)));
                }
                Some(block) => out.deliveries.push_shared(Arc::clone(block), Arc::clone(destinations)),
                None => out.deliveries.push(message, Arc::clone(destinations)),
            }
        }
        let is_durable = message.qos > QoS::AtMostOnce && (is_journaled || retained.is_some());
        if is_durable {
            self.need = self.need.max(self.need_of_topic(topic, origin.slot));
        }
        if let Some(message) = block.filter(|_| is_journaled) {
            let Origin { mark, will_of, was_delayed, .. } = origin;
            let body = Body::Held(message);
            let publication = PublishRecord { body, copies, mark, will_of, was_delayed, passed_from: None };
            self.records.push(Record::Published(publication));
        }
        self.records.extend(retained);
        self.journal(out);
        self.counters.copies_denied += destinations.denied as u64;
        Published { matched: !destinations.is_empty(), is_durable }
    }

    /// Copies with a higher QoS than their Message, whose publisher cannot be told, are not made where they could not be
    /// kept.
    fn spare_queues(&mut self, destinations: &Destinations, copies: &mut Vec<(ShardId, Vec<CopyRecord>)>) {
        let is_full = self.node.room() >= Room::DrainOnly;
        if is_full || self.node.gates.stop(destinations, QoS::AtMostOnce) {
            let count = copies.drain(..).map(|(_, copies)| copies.len()).sum::<usize>();
            self.counters.qos0_dropped += count as u64;
        }
    }

    /// One too many is not retained; on a full disk no QoS 0 Message is, unless it was promised before: a Will, or a delayed one.
    fn may_retain(&self, topic: TopicName<'_>, message: &MessageRef<'_>, origin: Origin) -> bool {
        let was_promised = origin.will_of.is_some() || origin.was_delayed.is_some();
        let has_room = self.node.room() < Room::DrainOnly || message.qos > QoS::AtMostOnce || was_promised;
        has_room && self.retain_refusal(topic, message.payload).is_none()
    }

    /// One member of each Shared Subscription that matches (§4.8.2).
    fn choose_members(
        &mut self,
        destinations: &Destinations,
        message: &MessageRef<'_>,
        publisher: Option<u32>,
    ) -> SmallVec<[Arc<Destinations>; 2]> {
        let mut members = SmallVec::new();
        for group in &destinations.groups {
            members.extend(self.choose_member(group, message.topic, publisher));
        }
        members
    }

    pub(crate) fn choose_member(
        &mut self,
        group: &Group,
        topic: &str,
        publisher: Option<u32>,
    ) -> Option<Arc<Destinations>> {
        let random = self.random();
        let client_id = publisher.and_then(|slot| self.sessions.get(slot)).map(|r| &*r.session.client_id);
        let choice = Choice { client_id: client_id.unwrap_or_default(), topic, random };
        let permits = &self.node.routes.permits;
        // Only a filter without a Topic Name at hand, which is not for everybody, cannot be asked about.
        let may = |member: &Member| {
            permits.all_everything()
                || TopicName::parse(topic, &Limits::UNLIMITED)
                    .is_ok_and(|topic| permits.may_receive(member.subscriber.session, topic))
        };
        let member = group.choose(self.settings.shared_strategy, &choice, may)?;
        Some(Arc::clone(&member.alone))
    }

    /// Replaces the retained message and finds who gets it live; also what goes to the journal.
    fn retain(
        &mut self,
        topic: TopicName<'_>,
        message: &mut MessageRef<'_>,
        publisher: Option<u32>,
    ) -> (Option<Record>, Arc<Destinations>) {
        let Self { node, cache, sessions, settings, .. } = self;
        let matches = || cache.destinations(&node.routes, topic);
        let permits = &node.routes.permits;
        let is_checked = settings.checks_retain_source && permits.has_accesses();
        let publisher = publisher.filter(|_| is_checked).and_then(|slot| sessions.get(slot));
        let holder = publisher.and_then(|resident| permits.of(resident.session.number));
        let source = publisher.and_then(|resident| source(&resident.session, holder.as_ref()));
        let (version, kept, destinations) = node.retained.replace_by(topic, message, source, matches);
        message.version = version;
        if let Some(source) = source.filter(|_| kept.is_some()) {
            let topic = message.topic.into();
            self.records.push(Record::RetainedBy { topic, version, source: source.to_record() });
        }
        let body = kept.map(Body::Held);
        (Some(Record::Retained { topic: message.topic.into(), version, body }), destinations)
    }

    /// Publishes a line of the log: not retained, and kept for persistent Sessions like any other Message.
    pub fn publish_log(&mut self, topic: &str, line: &[u8], out: &mut Outbox) {
        let message = MessageRef { qos: QoS::ExactlyOnce, ..MessageRef::new(topic, line) };
        let topic = TopicName::parse(topic, &Limits::UNLIMITED).expect("the node's own topics are legal");
        self.publish(topic, message, Origin::default(), out);
    }

    /// Publishes a Message of the node's own, retained. No record says so: after a restart it is said anew.
    pub fn publish_node(&mut self, topic: &str, payload: &[u8], out: &mut Outbox) {
        let qos = self.settings.dialect.sys_qos;
        let mut message = MessageRef { retain: true, qos, ..MessageRef::new(topic, payload) };
        let topic = TopicName::parse(topic, &Limits::UNLIMITED).expect("the node's own topics are legal");
        let Self { node, cache, .. } = self;
        let matches = || cache.destinations(&node.routes, topic);
        let (version, _, destinations) = node.retained.replace_and(topic, &message, matches);
        message.version = version;
        self.send_out(topic, &message, &destinations, None, Origin::default(), out);
    }

    /// The whole Topic Name of a Client whose listener has a mount point.
    fn mounted(&self, slot: u32, topic: TopicName<'_>) -> Option<Result<String, Violation>> {
        let connection = self.sessions.get(slot)?.session.connection.as_deref()?;
        let whole = format!("{}{topic}", connection.mount_point()?);
        Some(match TopicName::parse(&whole, &self.settings.topics) {
            Ok(_) => Ok(whole),
            Err(error) => Err(Violation::new(ReasonCode::TopicNameInvalid, error.to_string())),
        })
    }

    /// Why a Client's PUBLISH is answered and goes no further.
    fn refusal(
        &self,
        slot: u32,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
    ) -> Option<(ReasonCode, String)> {
        let settings = &self.settings;
        if publish.payload.len() > settings.payload_bytes_max {
            let text = format!("a Message may have {} bytes of payload", settings.payload_bytes_max);
            return Some((settings.dialect.long_payload, text));
        }
        if topic.as_str().starts_with(CONTROL) && !settings.takes_control {
            return Some((ReasonCode::NotAuthorized, format!("nothing listens to {topic} here")));
        }
        let connection = self.sessions.get(slot)?.session.connection.as_deref()?;
        self.denial(topic, connection.permit())
    }

    /// Which rule denies publishing under this Topic Name.
    pub(crate) fn denial(&self, topic: TopicName<'_>, permit: &Permit) -> Option<(ReasonCode, String)> {
        let settings = &self.settings;
        if let Decision::Deny(refusal) = permit.publish(topic) {
            return Some(settings.denial(format!("publishing to {topic} is not allowed: {refusal}")));
        }
        if is_reserved(topic.as_str()) {
            return Some((ReasonCode::NotAuthorized, format!("{topic} is the node's own to publish")));
        }
        match settings.rules.publish(topic) {
            Decision::Deny(rule) if !settings.rules.is_empty() => {
                Some(settings.denial(format!("publishing to {rule} is denied to all")))
            }
            _ => None,
        }
    }

    /// Why a Message cannot be retained.
    pub(crate) fn retain_refusal(
        &self,
        topic: TopicName<'_>,
        payload: &[u8],
    ) -> Option<(ReasonCode, String)> {
        let (retained, max) = (&self.node.retained, self.settings.retained_messages_max);
        let is_one_too_many = !payload.is_empty() && retained.len() >= max && !retained.contains(topic);
        let text =
            || format!("{max} retained messages are kept and no more: delete some, or raise the limit");
        is_one_too_many.then(|| (ReasonCode::QuotaExceeded, text()))
    }

    /// A PUBLISH that broke a rule: the Mosquitto dialect answers one kind and goes on.
    fn excess(
        &mut self,
        slot: u32,
        publish: &Publish<'_>,
        violation: Violation,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let forgives = self.settings.dialect.refuses_excess_publish;
        if !forgives || violation.reason != ReasonCode::ReceiveMaximumExceeded {
            return Err(violation);
        }
        self.answer_publish(slot, publish.qos, ReasonCode::QuotaExceeded, "", false, out);
        Ok(())
    }

    /// PUBACK or PUBREC, after the commit if the Message must be durable first [MQTT-4.3.2-4], [MQTT-4.3.3-8].
    pub(crate) fn answer_publish(
        &mut self,
        slot: u32,
        qos: PublishQoS,
        reason: ReasonCode,
        text: &str,
        is_durable: bool,
        out: &mut Outbox,
    ) {
        if qos == PublishQoS::AtMostOnce {
            return;
        }
        let Some(id) =
            self.sessions.get(slot).and_then(|resident| resident.session.connection.as_ref()).map(|c| c.id)
        else {
            return;
        };
        let after: Option<BatchNumber> = is_durable.then(|| self.await_commit(slot, id, Need::Lazy, out));
        let explains = self.settings.dialect.reason_strings && !text.is_empty();
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(connection) = resident.session.connection.as_deref_mut() else { return };
        let (version, maximum) = (connection.version, connection.maximum_packet_size);
        let text = (explains && connection.wants_problem_information).then_some(text);
        let outgoing = out.outgoing(id);
        self.counters.answers_sent += 1;
        match qos {
            PublishQoS::AtMostOnce => {}
            PublishQoS::AtLeastOnce(packet_id) => connection.reply_puback(outgoing, after, |bytes| {
                encode_explained(
                    version,
                    maximum,
                    text,
                    |properties| Packet::PubAck(Ack { packet_id, reason, properties }),
                    bytes,
                );
            }),
            PublishQoS::ExactlyOnce(packet_id) => connection.reply(outgoing, after, |bytes| {
                encode_explained(
                    version,
                    maximum,
                    text,
                    |properties| Packet::PubRec(Ack { packet_id, reason, properties }),
                    bytes,
                );
            }),
        }
    }
}

/// The copies of persistent Sessions.
pub(crate) fn copies(
    destinations: &Destinations,
    message: &MessageRef<'_>,
) -> Vec<(ShardId, Vec<CopyRecord>)> {
    if !destinations.has_persistent || (message.qos == QoS::AtMostOnce && !destinations.upgrades) {
        return Vec::new();
    }
    let of_shard = |recipients: &[Recipient]| -> Vec<CopyRecord> {
        let own = recipients.iter().filter_map(|recipient| recipient.for_publisher(message.publisher));
        own.filter(|recipient| recipient.is_journaled(message.qos))
            .map(|recipient| CopyRecord {
                session: recipient.session,
                slot: recipient.slot,
                qos: recipient.copy_qos(message.qos),
                retain: message.retain && recipient.retain_as_published,
                subscription_ids: recipient.subscription_ids.clone(),
                share: recipient.share.clone(),
            })
            .collect()
    };
    let all = destinations.shards.iter().map(|(shard, recipients)| (*shard, of_shard(recipients)));
    all.filter(|(_, copies)| !copies.is_empty()).collect()
}

/// Do all Sessions get it through the journal, so that nothing is delivered at once?
fn is_all_journaled(destinations: &Destinations, published: QoS) -> bool {
    let mut all = destinations.shards.iter().flat_map(|(_, recipients)| recipients.iter());
    destinations.has_persistent && all.all(|recipient| recipient.is_journaled(published))
}

/// Who publishes over this Session's Network Connection, or what it leaves behind.
fn source<'a>(session: &'a Session, holder: Option<&'a Holder>) -> Option<Source<'a>> {
    let (username, realm) = match session.connection.as_deref() {
        Some(connection) => (connection.username(), connection.terms.realm),
        None => holder.map(|holder| (holder.username.as_deref(), holder.terms.realm))?,
    };
    Some(Source { client_id: &session.client_id, username, realm })
}

/// Topic Names that mean something else when a Client publishes them. The state of a bridge is its own to tell.
fn is_reserved(topic: &str) -> bool {
    let bridge =
        || topic.strip_prefix("$SYS/broker/connection/").is_some_and(|rest| rest.ends_with("/state"));
    topic.starts_with("$share/") || (topic.starts_with("$SYS/") && !bridge())
}

/// The Message of a record as its home queues it.
pub(crate) fn recorded_copy(body: &Body, copy: &CopyRecord) -> MessageCopy {
    MessageCopy {
        body: Some(body.clone()),
        subscription_ids: copy.subscription_ids.clone(),
        share: copy.share.clone(),
        qos: copy.qos,
        retain: copy.retain,
        state: martlet_session::CopyState::Queued,
    }
}

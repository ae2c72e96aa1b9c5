//! SUBSCRIBE and UNSUBSCRIBE: the route first, then the retained messages it brings.

use std::sync::Arc;

use martlet_access::Decision;
use martlet_packet::{
    Packet, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscriptionOptions, UnsubAck, Unsubscribe,
};
use martlet_record::{Body, Message, Now, Record, ReplayedCopy, SessionNumber, SubscribeRecord};
use martlet_session::{Connection, Session, Subscription, Violation, encode_explained};
use martlet_topic::{Error, Limits, SubscriptionFilter, TopicFilter, TopicName};

use crate::outbox::{Notice, Outbox};
use crate::routes::Subscriber;
use crate::{Node, Settings, Shard};

/// Retained messages one SUBSCRIBE may bring before its further filters are refused.
const REPLAYED_MAX: usize = 100_000;

/// One Topic Filter of a SUBSCRIBE that is right as such.
enum Asked {
    /// It may be subscribed to.
    Allowed(SubscriptionFilter, SubscriptionOptions),
    /// It is answered with this code and these words.
    Refused(ReasonCode, String),
}

impl Shard {
    /// SUBSCRIBE: every filter gets its own answer, in order [MQTT-3.8.4-6].
    pub(crate) fn receive_subscribe(
        &mut self,
        slot: u32,
        subscribe: &Subscribe<'_>,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let Some(resident) = self.sessions.get(slot) else { return Ok(()) };
        let is_persistent = resident.session.is_persistent();
        let Some(state) = resident.session.connection.as_deref() else { return Ok(()) };
        let connection = state.id;
        // A packet with one bad filter subscribes to nothing, so all are looked at first.
        let filters = subscribe.filters.iter();
        let asked: Vec<_> =
            filters.map(|(filter, options)| self.ask(state, filter, *options)).collect::<Result<_, _>>()?;
        let (mut reasons, mut made, mut text) = (Vec::with_capacity(asked.len()), Vec::new(), None);
        let mut replayed = 0;
        for asked in asked {
            reasons.push(match asked {
                Asked::Allowed(filter, _)
                    if let Some(why) = self.excess_subscription(slot, &filter, replayed) =>
                {
                    text.get_or_insert(why);
                    ReasonCode::QuotaExceeded
                }
                Asked::Allowed(filter, options) => {
                    if self.settings.notices_subscriptions {
                        self.tell_subscription(slot, &filter, options.qos, out);
                    }
                    made.extend(self.grant(slot, filter, options, subscribe.subscription_id, now));
                    replayed += made.last().map_or(0, |made| made.replayed.len());
                    options.qos.into()
                }
                Asked::Refused(reason, why) => {
                    text.get_or_insert(why);
                    reason
                }
            });
        }
        let after = (is_persistent && !made.is_empty())
            .then(|| self.await_commit(slot, connection, self.need_of(slot), out));
        self.answer_subscribe(slot, subscribe, reasons, text, after, out);
        if is_persistent {
            self.records.extend(made.into_iter().map(Record::Subscribed));
            self.journal(out);
        } else {
            made.iter().for_each(|made| self.replay(made, now, out));
            self.send_queued(slot, now, out);
        }
        Ok(())
    }

    fn tell_subscription(&self, slot: u32, filter: &SubscriptionFilter, qos: QoS, out: &mut Outbox) {
        if let Some(resident) = self.sessions.get(slot) {
            let (client_id, filter) = (resident.session.client_id.clone(), filter.clone());
            out.notices.push(Notice::Subscribed { client_id, qos, filter });
        }
    }

    /// Why one more Subscription would be too much: for the Session, or for what one SUBSCRIBE may bring.
    fn excess_subscription(&self, slot: u32, filter: &SubscriptionFilter, replayed: usize) -> Option<String> {
        let max = self.settings.subscriptions_max;
        let subscriptions = &self.sessions.get(slot)?.session.subscriptions;
        if subscriptions.len() >= max && subscriptions.get(filter).is_none() {
            return Some(format!("a Session may have {max} Subscriptions and no more"));
        }
        (replayed >= REPLAYED_MAX).then(|| {
            format!(
                "one SUBSCRIBE brings at most {REPLAYED_MAX} retained messages; ask for the rest in another"
            )
        })
    }

    /// May this be subscribed to, and with what options?
    fn ask(
        &self,
        connection: &Connection,
        filter: &str,
        options: SubscriptionOptions,
    ) -> Result<Asked, Violation> {
        let settings = &self.settings;
        let filter = match SubscriptionFilter::parse(filter, &settings.topics) {
            Ok(filter) => filter,
            Err(error) => {
                let has_code = connection.version.is_v5() && settings.dialect.names_bad_topics;
                return invalid_filter(&error, has_code);
            }
        };
        if filter.is_shared() && options.no_local {
            // [MQTT-3.8.3-4]
            return Err(Violation::protocol("No Local cannot be set on a Shared Subscription"));
        }
        let filter = match connection.mount_point() {
            None => filter,
            Some(mount_point) => match mounted(&filter, mount_point, &settings.topics) {
                Ok(filter) => filter,
                Err(error) => return Ok(Asked::Refused(ReasonCode::TopicFilterInvalid, error.to_string())),
            },
        };
        if let Decision::Deny(refusal) = connection.permit().subscribe(&filter) {
            let (reason, text) =
                settings.denial(format!("subscribing to {filter} is not allowed: {refusal}"));
            return Ok(Asked::Refused(reason, text));
        }
        if let Decision::Deny(rule) = settings.rules.subscribe(&filter.filter) {
            let (reason, text) = settings.denial(format!("subscribing to {rule} is denied to all"));
            return Ok(Asked::Refused(reason, text));
        }
        let options = SubscriptionOptions {
            qos: options.qos.min(settings.maximum_qos).min(connection.terms.maximum_qos),
            no_local: options.no_local || (connection.is_bridge() && !filter.is_shared()),
            retain_as_published: options.retain_as_published || connection.is_bridge(),
            ..options
        };
        Ok(Asked::Allowed(filter, options))
    }

    /// Makes one Subscription: its route is there before its retained messages are looked for.
    fn grant(
        &mut self,
        slot: u32,
        filter: SubscriptionFilter,
        options: SubscriptionOptions,
        id: Option<u32>,
        now: Now,
    ) -> Option<SubscribeRecord> {
        let session = &mut self.sessions.get_mut(slot)?.session;
        let is_new = session.subscriptions.insert(filter.clone(), Subscription { options, id }).is_none();
        let subscriber = subscriber(session, slot, self.id, options, id, &self.settings);
        let replayed = self.route(&filter, subscriber, options, is_new, now);
        let session = subscriber.session;
        Some(SubscribeRecord { session, slot, filter, options, subscription_id: id, replayed })
    }

    /// Makes the route, and finds the retained messages it brings [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]; a
    /// Shared Subscription brings none (§4.8.2).
    fn route(
        &self,
        filter: &SubscriptionFilter,
        subscriber: Subscriber,
        options: SubscriptionOptions,
        is_new: bool,
        now: Now,
    ) -> Vec<ReplayedCopy> {
        let wanted = match options.retain_handling {
            RetainHandling::SendOnSubscribe => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        let Node { routes, retained, .. } = &*self.node;
        let insert = || routes.insert(filter, subscriber);
        if filter.is_shared() || !wanted {
            insert();
            return Vec::new();
        }
        let mut messages = retained.matching_after(&filter.filter, now.time, insert);
        self.retain_permitted(subscriber.session, &mut messages);
        let copy = |message: Arc<Message>| ReplayedCopy {
            qos: if subscriber.upgrades { options.qos } else { options.qos.min(message.qos) },
            body: Body::Held(message),
        };
        messages.into_iter().map(copy).collect()
    }

    /// Leaves out the retained messages a Session may not receive, and those whose publishers may no longer publish
    /// them.
    fn retain_permitted(&self, session: SessionNumber, messages: &mut Vec<Arc<Message>>) {
        let Node { routes, retained, .. } = &*self.node;
        let permits = &routes.permits;
        if let Some(holder) = permits.of(session) {
            messages.retain(|message| holder.permit.receive(topic_of(message)).is_allowed());
        }
        if self.settings.checks_retain_source && permits.has_accesses() {
            let may = |message: &Arc<Message>| {
                let topic = topic_of(message);
                retained.ask_source(topic, |source| permits.now_of(source).publish(topic).is_allowed())
            };
            messages.retain(may);
        }
    }

    /// SUBACK, of a persistent Session after its commit.
    fn answer_subscribe(
        &mut self,
        slot: u32,
        subscribe: &Subscribe<'_>,
        reasons: Vec<ReasonCode>,
        text: Option<String>,
        after: Option<martlet_record::BatchNumber>,
        out: &mut Outbox,
    ) {
        let with_text = self.settings.dialect.reason_strings;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(connection) = resident.session.connection.as_deref_mut() else { return };
        let (id, version, maximum) = (connection.id, connection.version, connection.maximum_packet_size);
        let text = text.filter(|_| with_text && connection.wants_problem_information);
        let packet_id = subscribe.packet_id;
        self.counters.answers_sent += 1;
        connection.reply(out.outgoing(id), after, |bytes| {
            encode_explained(
                version,
                maximum,
                text.as_deref(),
                |properties| Packet::SubAck(SubAck { packet_id, properties, reasons: reasons.clone() }),
                bytes,
            );
        });
    }

    /// UNSUBSCRIBE: from here no Message is added for these filters [MQTT-3.10.4-2].
    pub(crate) fn receive_unsubscribe(
        &mut self,
        slot: u32,
        unsubscribe: &Unsubscribe<'_>,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let limits = self.settings.topics;
        let notices = self.settings.notices_subscriptions;
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let session = &mut resident.session;
        let Some(state) = session.connection.as_deref() else { return Ok(()) };
        let connection = state.id;
        let filters = unsubscribe.filters.iter().map(|filter| {
            let filter = SubscriptionFilter::parse(filter, &limits)?;
            match state.mount_point() {
                Some(mount_point) => mounted(&filter, mount_point, &limits),
                None => Ok(filter),
            }
        });
        let filters: Vec<_> = filters
            .collect::<Result<_, _>>()
            .map_err(|error| Violation::new(ReasonCode::MalformedPacket, error.to_string()))?;
        let mut reasons = Vec::with_capacity(filters.len());
        let mut removed = false;
        for filter in filters {
            let Some(state) = session.connection.as_deref() else { break };
            if !state.permit().unsubscribe(&filter).is_allowed() {
                reasons.push(ReasonCode::NotAuthorized);
                continue;
            }
            if notices {
                let (client_id, filter) = (session.client_id.clone(), filter.clone());
                out.notices.push(Notice::Unsubscribed { client_id, filter });
            }
            if session.subscriptions.remove(&filter).is_none() {
                reasons.push(ReasonCode::NoSubscriptionExisted);
                continue;
            }
            self.node.routes.remove(&filter, session.number);
            reasons.push(ReasonCode::Success);
            if session.is_persistent() {
                removed = true;
                self.records.push(Record::Unsubscribed { session: session.number, filter });
            }
        }
        let after = removed.then(|| self.await_commit(slot, connection, self.need_of(slot), out));
        let Some(resident) = self.sessions.get_mut(slot) else { return Ok(()) };
        let Some(state) = resident.session.connection.as_deref_mut() else { return Ok(()) };
        let version = state.version;
        let unsuback = UnsubAck { packet_id: unsubscribe.packet_id, properties: Default::default(), reasons };
        self.counters.answers_sent += 1;
        state.reply(out.outgoing(connection), after, |bytes| {
            Packet::UnsubAck(unsuback).encode(version, bytes)
        });
        Ok(())
    }

    /// Makes the routes of a Session that goes on anew, for its Client may speak another version now.
    pub(crate) fn reroute(&self, slot: u32) {
        let Some(resident) = self.sessions.get(slot) else { return };
        let session = &resident.session;
        for (filter, Subscription { options, id }) in
            session.subscriptions.iter().filter(|(filter, _)| !filter.is_shared())
        {
            let subscriber = subscriber(session, slot, self.id, *options, *id, &self.settings);
            self.node.routes.insert(filter, subscriber);
        }
    }

    /// Tells the groups of a Session whether its Client is there.
    pub(crate) fn set_online(&self, slot: u32, online: bool) {
        let Some(resident) = self.sessions.get(slot) else { return };
        for (filter, _) in resident.session.subscriptions.iter().filter(|(filter, _)| filter.is_shared()) {
            if let Some(group) = self.node.routes.group(filter) {
                group.set_online(resident.session.number, online);
            }
        }
    }
}

/// A Subscription as routing needs it.
pub(crate) fn subscriber(
    session: &Session,
    slot: u32,
    shard: martlet_record::ShardId,
    options: SubscriptionOptions,
    id: Option<u32>,
    settings: &Settings,
) -> Subscriber {
    // One that the log brought back is taken for MQTT 5 until its Client comes and says.
    let is_v3 = session.connection.as_deref().is_some_and(|connection| !connection.version.is_v5());
    Subscriber {
        session: session.number,
        shard,
        slot,
        qos: options.qos,
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        persistent: session.is_persistent(),
        upgrades: settings.upgrades_qos,
        merges: is_v3 && !settings.allows_duplicates,
        id,
    }
}

/// The whole filter of a Client whose listener has a mount point.
fn mounted(
    filter: &SubscriptionFilter,
    mount_point: &str,
    limits: &Limits,
) -> Result<SubscriptionFilter, Error> {
    let whole = format!("{mount_point}{}", filter.filter);
    Ok(SubscriptionFilter { share: filter.share.clone(), filter: TopicFilter::parse(&whole, limits)? })
}

fn topic_of(message: &Message) -> TopicName<'_> {
    TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in")
}

/// A filter that cannot be one: MQTT 5 has a code for it; where it has not, or the dialect will not use it, the packet is
/// wrong as a whole.
fn invalid_filter(error: &Error, has_code: bool) -> Result<Asked, Violation> {
    if has_code {
        return Ok(Asked::Refused(ReasonCode::TopicFilterInvalid, error.to_string()));
    }
    let is_shared = matches!(error, Error::BadShareName | Error::SharedWithoutFilter);
    let reason = if is_shared { ReasonCode::ProtocolError } else { ReasonCode::MalformedPacket };
    Err(Violation::new(reason, error.to_string()))
}

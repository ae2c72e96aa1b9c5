//! PUBLISH and PUBREL to the Client.

use std::borrow::Cow;

use bytes::Bytes;
use martlet_packet::{
    Ack, MAXIMUM_REMAINING_LENGTH, Packet, PacketId, Properties, Publish, PublishQoS, QoS, ReasonCode,
    Version,
};
use martlet_record::{MessageRef, Ordinal, Settled, Stored, Time};
use martlet_topic::{Limits, TopicName};

use crate::outbound::packet_id;
use crate::{Connection, CopyState, MessageCopy, Outgoing, ReadAhead, Session};

/// Payloads above this are held by reference, smaller ones are copied.
const SHARED_PAYLOAD_BYTES: usize = 2048;

/// What a Topic Alias can add to a packet: its property, and a byte more for each of two lengths.
const ALIAS_BYTES: usize = 5;

/// Above this it is worth a look whether a PUBLISH can be written at all.
const LARGE_BYTES: usize = 1024 * 1024;
/// What a PUBLISH has beside its topic, properties, payload and Subscription Identifiers, generously.
const HEAD_BYTES: usize = 64;

/// How far ahead of a slow Client the node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// QoS 1 and 2 copies in flight at once, whatever the Client's Receive Maximum allows.
    pub in_flight: u16,
    /// Bytes of copies in flight at which no further one is sent; `usize::MAX` turns it off.
    pub in_flight_bytes: usize,
    /// Bytes that may wait for the socket before queued copies stay in the queue.
    pub ahead_bytes: usize,
    /// Bytes that may wait for the socket before QoS 0 Messages are dropped.
    pub qos0_bytes: usize,
    /// How far ahead of a Client the log is read.
    pub read_ahead: ReadAhead,
}

/// A Message as one Client gets it now.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The Message.
    pub message: MessageRef<'a>,
    /// Its payload by reference, if somebody holds it.
    pub payload: Option<&'a Bytes>,
    /// RETAIN as it is sent.
    pub retain: bool,
    /// Subscription Identifiers it carries.
    pub subscription_ids: &'a [u32],
}

/// PUBLISH packets that were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// How many.
    pub packets: u64,
    /// Bytes of payload in them.
    pub payload_bytes: u64,
    /// PUBREL packets beside them.
    pub pubrels: u64,
}

/// What became of a Message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It lies in the outgoing bytes.
    Sent,
    /// The Client's Maximum Packet Size does not hold it: as if it had been sent [MQTT-3.1.2-25].
    TooLarge,
    /// Its Message Expiry Interval passed [MQTT-3.3.2-5].
    Expired,
    /// Too many bytes wait for the socket already.
    NoRoom,
}

impl Traffic {
    pub(crate) fn count(&mut self, payload_len: usize) {
        self.packets += 1;
        self.payload_bytes += payload_len as u64;
    }
}

impl Session {
    /// Sends a QoS 0 Message, or drops it.
    pub fn send_at_most_once(
        connection: &mut Connection,
        delivery: &Delivery<'_>,
        outgoing: &mut Outgoing,
        limits: &SendLimits,
        now: Time,
    ) -> Sent {
        if outgoing.len() > limits.qos0_bytes {
            return Sent::NoRoom;
        }
        send_publish(connection, delivery, PublishQoS::AtMostOnce, false, outgoing, now)
    }

    /// Sends what the Client may have: first again what an earlier Network Connection left unanswered, in its order
    /// [MQTT-4.4.0-1], then what is queued. `settle` hears of every copy that ends here. Returns how
    /// many PUBLISH packets that made.
    pub fn send_queued(
        &mut self,
        outgoing: &mut Outgoing,
        limits: &SendLimits,
        now: Time,
        mut settle: impl FnMut(Ordinal, MessageCopy, Settled),
    ) -> Traffic {
        let mut traffic = Traffic::default();
        let Some(connection) = self.connection.as_deref_mut().filter(|connection| connection.open) else {
            return traffic;
        };
        let window = usize::from(connection.receive_maximum.min(limits.in_flight));
        self.send_unseen(outgoing, window, limits, now, &mut settle, &mut traffic);
        self.send_first_time(outgoing, window, limits, now, settle, &mut traffic);
        traffic
    }

    /// Must a call of [`Session::send_queued`] follow once bytes were taken?
    pub fn has_more_to_send(&mut self, limits: &SendLimits) -> bool {
        let Some(connection) = self.connection.as_deref() else { return false };
        let Some(outbound) = self.outbound.written() else { return false };
        let window = usize::from(connection.receive_maximum.min(limits.in_flight));
        outbound.can_send() && outbound.open() < window && !outbound.is_at_bytes(limits.in_flight_bytes)
    }

    /// What must be read back from the log so that the Client is never kept waiting for long.
    pub fn wanted(&mut self, limits: &SendLimits) -> Vec<(Ordinal, Stored)> {
        let Some(connection) = self.connection.as_deref().filter(|connection| connection.open) else {
            return Vec::new();
        };
        let window = usize::from(connection.receive_maximum.min(limits.in_flight));
        let Some(outbound) = self.outbound.written() else { return Vec::new() };
        outbound.wanted(window, limits.read_ahead)
    }

    fn send_unseen(
        &mut self,
        outgoing: &mut Outgoing,
        window: usize,
        limits: &SendLimits,
        now: Time,
        settle: &mut impl FnMut(Ordinal, MessageCopy, Settled),
        traffic: &mut Traffic,
    ) {
        let Some(connection) = self.connection.as_deref_mut() else { return };
        loop {
            let open = self.outbound.open();
            let Some((ordinal, copy)) = self.outbound.next_unseen() else { return };
            let must_wait = copy.state == CopyState::Sent && (open >= window || copy.missing().is_some());
            if outgoing.len() >= limits.ahead_bytes || must_wait {
                // A PUBREL needs no room, so those behind do not wait for it [MQTT-3.3.4-10].
                let version = connection.version;
                self.outbound.release_unseen(|id| {
                    traffic.pubrels += 1;
                    send_pubrel(version, id, outgoing);
                });
                return;
            }
            let publish_bytes = (copy.state == CopyState::Sent).then(|| copy.payload_len());
            // What was sent before is sent again even if it expired meanwhile: its delivery has begun.
            let sent = match copy.state {
                CopyState::Sent => send_with_id(connection, copy, packet_id(ordinal), true, outgoing, now),
                CopyState::Released => {
                    send_pubrel(connection.version, packet_id(ordinal), outgoing);
                    traffic.pubrels += 1;
                    Sent::Sent
                }
                CopyState::Received | CopyState::Finished | CopyState::Queued => Sent::Sent,
            };
            match connection.retries() {
                Some(retries) => retries.note(ordinal, now),
                None if self.recorded => copy.let_go(),
                None => {}
            }
            self.outbound.seen();
            if sent == Sent::Sent
                && let Some(bytes) = publish_bytes
            {
                traffic.count(bytes);
            }
            if sent == Sent::TooLarge
                && let Some(copy) = self.outbound.finish(ordinal)
            {
                settle(ordinal, copy, Settled::TooLarge);
            }
        }
    }

    fn send_first_time(
        &mut self,
        outgoing: &mut Outgoing,
        window: usize,
        limits: &SendLimits,
        now: Time,
        mut settle: impl FnMut(Ordinal, MessageCopy, Settled),
        traffic: &mut Traffic,
    ) {
        let Some(connection) = self.connection.as_deref_mut() else { return };
        if self.outbound.next_unseen().is_some() {
            return;
        }
        while let Some(first) = self.outbound.first_queued() {
            let ends = if first.is_expired(now) {
                Some(Settled::Expired)
            } else if is_denied(connection, first) {
                Some(Settled::Denied)
            } else {
                None
            };
            if let Some(how) = ends {
                if let Some((ordinal, copy)) = self.outbound.pop_queued() {
                    settle(ordinal, copy, how);
                }
                continue;
            }
            let has_room = self.outbound.open() < window
                && outgoing.len() < limits.ahead_bytes
                && !self.outbound.is_at_bytes(limits.in_flight_bytes);
            if !has_room || self.outbound.is_wrapped() {
                break;
            }
            if first.qos == QoS::AtMostOnce {
                let Some((ordinal, copy)) = self.outbound.pop_queued() else { break };
                let sent = send_once(connection, &copy, outgoing, now);
                traffic.count(copy.payload_len());
                let how = if sent == Sent::TooLarge { Settled::TooLarge } else { Settled::Delivered };
                settle(ordinal, copy, how);
                continue;
            }
            let Some((ordinal, copy)) = self.outbound.start() else { break };
            let bytes = copy.payload_len();
            let sent = send_with_id(connection, copy, packet_id(ordinal), false, outgoing, now);
            if sent != Sent::TooLarge {
                traffic.count(bytes);
                match connection.retries() {
                    Some(retries) => retries.note(ordinal, now),
                    None if self.recorded => copy.let_go(), // Only another Network Connection needs it again.
                    None => {}
                }
            } else if let Some(copy) = self.outbound.finish(ordinal) {
                // [MQTT-3.1.2-25]
                settle(ordinal, copy, Settled::TooLarge);
            }
        }
    }
}

/// May the Client no longer receive what was queued for it? It was asked when the copy was made, unless the rules
/// changed since, or the node did not know them then.
fn is_denied(connection: &Connection, copy: &MessageCopy) -> bool {
    let permit = connection.permit();
    if permit.is_everything() {
        return false;
    }
    let Some(message) = copy.message() else { return false };
    let topic = TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
    !permit.receive(topic).is_allowed()
}

/// PUBREL to a Client [MQTT-4.3.3-4].
pub(crate) fn send_pubrel(version: Version, id: PacketId, outgoing: &mut Outgoing) {
    let pubrel = Ack { packet_id: id, reason: ReasonCode::Success, properties: Properties::default() };
    Packet::PubRel(pubrel).encode(version, outgoing.buffer());
}

pub(crate) fn send_with_id(
    connection: &mut Connection,
    copy: &MessageCopy,
    id: PacketId,
    dup: bool,
    outgoing: &mut Outgoing,
    now: Time,
) -> Sent {
    let qos = match copy.qos {
        QoS::ExactlyOnce => PublishQoS::ExactlyOnce(id),
        QoS::AtLeastOnce | QoS::AtMostOnce => PublishQoS::AtLeastOnce(id),
    };
    send_copy(connection, copy, qos, dup, outgoing, now)
}

/// A QoS 0 Message that waited for its Client.
fn send_once(connection: &mut Connection, copy: &MessageCopy, outgoing: &mut Outgoing, now: Time) -> Sent {
    send_copy(connection, copy, PublishQoS::AtMostOnce, false, outgoing, now)
}

fn send_copy(
    connection: &mut Connection,
    copy: &MessageCopy,
    qos: PublishQoS,
    dup: bool,
    outgoing: &mut Outgoing,
    now: Time,
) -> Sent {
    let Some(message) = copy.message() else { return Sent::Sent };
    let payload = message.payload();
    let delivery = Delivery {
        message: message.view(),
        payload: Some(&payload),
        retain: copy.retain,
        subscription_ids: copy.subscription_ids.as_deref().unwrap_or_default(),
    };
    send_publish(connection, &delivery, qos, dup, outgoing, now)
}

fn send_publish(
    connection: &mut Connection,
    delivery: &Delivery<'_>,
    qos: PublishQoS,
    dup: bool,
    outgoing: &mut Outgoing,
    now: Time,
) -> Sent {
    let message = &delivery.message;
    if message.is_expired(now) && !dup {
        return Sent::Expired;
    }
    let version = connection.version;
    let topic = below_mount_point(connection, message.topic);
    let mut publish = Publish {
        dup,
        retain: delivery.retain,
        qos,
        topic,
        topic_alias: None,
        message_expiry: message.expires.map(|expires| remaining(expires, now)),
        subscription_ids: Cow::Borrowed(delivery.subscription_ids),
        properties: Properties::from_checked(message.properties),
        payload: message.payload,
    };
    if message.payload.len() > LARGE_BYTES && !can_be_one_packet(delivery) {
        return Sent::TooLarge;
    }
    let mut has_room_for_alias = true;
    if connection.maximum_packet_size < u32::MAX {
        let (len, maximum) = (publish.encoded_len(version), connection.maximum_packet_size as usize);
        if len > maximum {
            return Sent::TooLarge;
        }
        has_room_for_alias = len + ALIAS_BYTES <= maximum;
    }
    if has_room_for_alias
        && let Some((alias, is_known)) =
            connection.aliases_out.as_mut().and_then(|aliases| aliases.alias(topic))
    {
        publish.topic_alias = Some(alias);
        publish.topic = if is_known { "" } else { topic };
    }
    match delivery.payload {
        Some(payload) if payload.len() > SHARED_PAYLOAD_BYTES => {
            publish.encode_head(version, outgoing.buffer());
            outgoing.append_shared(payload.clone());
        }
        _ => publish.encode(version, outgoing.buffer()),
    }
    Sent::Sent
}

/// A Topic Name as the Client knows it. One that does not lie below its mount point came to its Session over another
/// listener, and keeps its whole name.
fn below_mount_point<'a>(connection: &Connection, topic: &'a str) -> &'a str {
    let below = connection.mount_point().and_then(|mount_point| topic.strip_prefix(mount_point));
    below.filter(|rest| !rest.is_empty()).unwrap_or(topic)
}

/// A PUBLISH that came in with the greatest length there is may need a byte more on its way out.
fn can_be_one_packet(delivery: &Delivery<'_>) -> bool {
    let message = &delivery.message;
    let text = message.topic.len() + message.properties.len() + message.payload.len();
    let ids = delivery.subscription_ids.len() * 5;
    text + ids + HEAD_BYTES <= MAXIMUM_REMAINING_LENGTH as usize
}

/// What is left of a Message Expiry Interval, in seconds, begun ones counted [MQTT-3.3.2-6].
fn remaining(expires: Time, now: Time) -> u32 {
    let seconds = expires.since(now).as_millis().div_ceil(1000);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

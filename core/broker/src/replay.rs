//! The retained messages a new Subscription brings, at the pace its Client takes them.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, Message, Now, Record, ReplayedCopy, Settled, SubscribeRecord};
use martlet_session::{CopyState, Delivery, MessageCopy, Replaying, Sent, Session};
use martlet_topic::{Limits, TopicName};

use crate::Shard;
use crate::outbox::Outbox;

impl Shard {
    /// Sends or queues the retained messages of a Subscription, each with RETAIN set [3.1.1 MQTT-3.3.1-8]. One that was
    /// replaced while the Subscription waited for its commit is passed over: the newer one comes live.
    pub(crate) fn replay(&mut self, made: &SubscribeRecord, now: Now, out: &mut Outbox) {
        let mut waiting = Vec::new();
        for copy in &made.replayed {
            if copy.qos == QoS::AtMostOnce {
                let Body::Held(message) = &copy.body else { continue };
                let message = Arc::clone(message);
                waiting.push(Replaying { message, subscription_id: made.subscription_id });
            } else if copy.body.held().is_some_and(|message| self.is_current(message)) {
                self.enqueue(made.slot, made.session, replayed_copy(made, copy), now, out);
            } else {
                self.pass_over(made, out);
            }
        }
        let max = self.settings.retained_messages_max;
        let Some(resident) = self.sessions.numbered(made.slot, made.session) else { return };
        let Some(connection) = resident.session.open_connection().filter(|_| !waiting.is_empty()) else {
            return;
        };
        connection.replaying.extend(waiting);
        // Whoever asks for everything again and again without reading gets the last answers only.
        let excess = connection.replaying.len().saturating_sub(max);
        connection.replaying.drain(..excess);
        self.counters.qos0_dropped += excess as u64;
        self.go_on_replaying(made.slot, now, out);
    }

    /// A retained copy that is not queued after all: its ordinal is used up, and the fold is told.
    fn pass_over(&mut self, made: &SubscribeRecord, out: &mut Outbox) {
        let Some(resident) = self.sessions.numbered(made.slot, made.session) else { return };
        if resident.session.is_persistent() {
            let (session, ordinal) = (made.session, resident.session.outbound.skip());
            self.records.push(Record::Settled { session, ordinal, how: Settled::Replaced });
            self.journal(out);
        }
    }

    fn is_current(&self, message: &Message) -> bool {
        let topic =
            TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
        self.node.retained.is_current(topic, message.version)
    }

    /// Sends on what the Client's socket has room for. A message that was replaced while it waited is passed over: the
    /// Client got the newer one already, for its Subscription was there.
    pub(crate) fn go_on_replaying(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let limits = &self.settings.send;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(connection) = resident.session.open_connection() else { return };
        if connection.replaying.is_empty() {
            return;
        }
        let outgoing = out.outgoing(connection.id);
        while outgoing.len() < limits.ahead_bytes
            && let Some(Replaying { message, subscription_id }) = connection.replaying.pop_front()
        {
            let topic =
                TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
            if !self.node.retained.is_current(topic, message.version) {
                continue;
            }
            let payload = message.payload();
            let delivery = Delivery {
                message: message.view(),
                payload: Some(&payload),
                retain: true,
                subscription_ids: subscription_id.as_slice(),
            };
            let sent = Session::send_at_most_once(connection, &delivery, outgoing, limits, now.time);
            match sent {
                Sent::Sent => {
                    self.counters.publish_sent += 1;
                    self.counters.publish_sent_bytes += payload.len() as u64;
                }
                Sent::NoRoom | Sent::TooLarge => self.counters.qos0_dropped += 1,
                Sent::Expired => {}
            }
        }
    }
}

/// A retained message as a Subscription queues it.
pub(crate) fn replayed_copy(made: &SubscribeRecord, copy: &ReplayedCopy) -> MessageCopy {
    MessageCopy {
        body: Some(copy.body.clone()),
        subscription_ids: made.subscription_id.map(|id| Arc::from([id])),
        share: None,
        qos: copy.qos,
        retain: true,
        state: CopyState::Queued,
    }
}

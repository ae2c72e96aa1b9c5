//! `$CONTROL/#`: what Clients ask of the node, and what it answers one of them.

use std::sync::Arc;

use martlet_packet::{Publish, PublishQoS, QoS, ReasonCode};
use martlet_record::{MessageRef, Now};
use martlet_session::{Delivery, Sent, Session};
use martlet_topic::TopicName;

use crate::Shard;
use crate::outbox::{Control, Outbox};

/// Topic Names below this are for the node itself.
pub(crate) const CONTROL: &str = "$CONTROL/";

impl Shard {
    /// Hands what a Client asks to the node. It is answered at once: what comes of it is another Message.
    pub(crate) fn ask_node(
        &mut self,
        slot: u32,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        if let PublishQoS::ExactlyOnce(id) = publish.qos {
            session.inbound.insert(id);
        }
        let username = session.connection.as_deref().and_then(|connection| connection.username());
        out.controls.push(Control {
            client_id: session.client_id.clone(),
            username: username.map(Into::into),
            topic: topic.as_str().into(),
            payload: publish.payload.into(),
        });
        self.answer_publish(slot, publish.qos, ReasonCode::Success, "", false, out);
    }

    /// Sends one Client a Message of the node's own, with QoS 0: to a Client that is not there, nothing. True if it was
    /// sent.
    pub fn send_to(
        &mut self,
        client_id: &str,
        topic: &str,
        payload: &[u8],
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        let limits = &self.settings.send;
        let Some(slot) = self.sessions.find(client_id) else { return false };
        let Some(resident) = self.sessions.get_mut(slot) else { return false };
        let Some(connection) = resident.session.open_connection() else { return false };
        let message =
            Arc::new(MessageRef { qos: QoS::AtMostOnce, ..MessageRef::new(topic, payload) }.to_message());
        let shared = message.payload();
        let delivery = Delivery {
            message: message.view(),
            payload: Some(&shared),
            retain: false,
            subscription_ids: &[],
        };
        let outgoing = out.outgoing(connection.id);
        let sent = Session::send_at_most_once(connection, &delivery, outgoing, limits, now.time);
        if sent == Sent::Sent {
            self.counters.publish_sent += 1;
            self.counters.publish_sent_bytes += payload.len() as u64;
        } else {
            self.counters.qos0_dropped += 1;
        }
        sent == Sent::Sent
    }
}

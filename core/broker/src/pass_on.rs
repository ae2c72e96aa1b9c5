//! Copies of ended Sessions that another member of their Shared Subscription gets.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, MessageRef, PublishRecord, Record, SessionNumber};
use martlet_session::{CopyState, MessageCopy};

use crate::Shard;
use crate::outbox::{Fetch, Outbox, Reader};
use crate::publish::copies;

impl Shard {
    /// A copy of an ended Session that was chosen for a Shared Subscription goes to another member, unless its first
    /// holder may have it: QoS 2 once sent, or answered [MQTT-4.8.2-5], [MQTT-4.8.2-6].
    pub(crate) fn pass_on(&mut self, from: Option<SessionNumber>, copy: &MessageCopy, out: &mut Outbox) {
        let (Some(share), Some(body)) = (&copy.share, &copy.body) else { return };
        let was_sent = copy.state != CopyState::Queued;
        if copy.qos == QoS::ExactlyOnce && was_sent {
            return;
        }
        let Some(group) = self.node.routes.group(share) else { return };
        let topic = body.held().map_or(share.filter.as_str(), |message| message.topic());
        let Some(member) = self.choose_member(&group, topic, None) else { return };
        let message = match body {
            Body::Held(message) => message.view(),
            Body::Stored(_) => {
                MessageRef { qos: copy.qos, retain: copy.retain, ..MessageRef::new(topic, b"") }
            }
        };
        let copies = copies(&member, &message);
        if copies.is_empty() {
            match body {
                Body::Held(message) => out.deliveries.push_shared(Arc::clone(message), member),
                Body::Stored(stored) => {
                    out.fetches.push(Fetch { reader: Reader::Receivers(member), wanted: vec![*stored] });
                }
            }
        }
        if from.is_some() || !copies.is_empty() {
            let passed = PublishRecord {
                body: body.clone(),
                copies,
                mark: None,
                will_of: None,
                was_delayed: None,
                passed_from: from,
            };
            self.need = self.need.max(self.node.settings.need);
            self.records.push(Record::Published(passed));
            self.journal(out);
        }
    }
}

//! Copies of ended Sessions that another member of their Shared Subscription gets.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, CopyRecord, MessageRef, PublishRecord, Record, SessionNumber, ShardId};
use martlet_session::{CopyState, MessageCopy};
use martlet_topic::SubscriptionFilter;

use crate::outbox::{Fetch, Outbox, Reader};
use crate::publish::copies;
use crate::{Destinations, Shard};

impl Shard {
    /// A copy of an ended Session that was chosen for a Shared Subscription goes to another member, unless its first
    /// holder may have it: QoS 2 once sent, or answered [MQTT-4.8.2-5], [MQTT-4.8.2-6]. If the log knows that the
    /// Session had it, `from`, the log is told that it is passed on, whether anybody is left to take it or not.
    pub(crate) fn pass_on(&mut self, from: Option<SessionNumber>, copy: &MessageCopy, out: &mut Outbox) {
        let (Some(share), Some(body)) = (&copy.share, &copy.body) else { return };
        let was_sent = copy.state != CopyState::Queued;
        if copy.qos == QoS::ExactlyOnce && was_sent {
            return;
        }
        let topic = body.held().map_or(share.filter.as_str(), |message| message.topic());
        let member = self.next_member(share, topic);
        let message = match body {
            Body::Held(message) => message.view(),
            Body::Stored(_) => {
                MessageRef { qos: copy.qos, retain: copy.retain, ..MessageRef::new(topic, b"") }
            }
        };
        let copies = member.as_ref().map_or_else(Vec::new, |member| copies(member, &message));
        if let Some(member) = member.filter(|_| copies.is_empty()) {
            match body {
                Body::Held(message) => out.deliveries.push_shared(Arc::clone(message), member),
                Body::Stored(stored) => {
                    out.fetches.push(Fetch { reader: Reader::Receivers(member), wanted: vec![*stored] });
                }
            }
        }
        if from.is_some() || !copies.is_empty() {
            self.record_passing(from, body, copies, out);
        }
    }

    fn next_member(&mut self, share: &SubscriptionFilter, topic: &str) -> Option<Arc<Destinations>> {
        let group = self.node.routes.group(share)?;
        self.choose_member(&group, topic, None)
    }

    fn record_passing(
        &mut self,
        from: Option<SessionNumber>,
        body: &Body,
        copies: Vec<(ShardId, Vec<CopyRecord>)>,
        out: &mut Outbox,
    ) {
        self.need = self.need.max(self.settings.need);
        let passed = PublishRecord { passed_from: from, ..PublishRecord::new(body.clone(), copies) };
        self.records.push(Record::Published(passed));
        self.journal(out);
    }
}

//! The Will Message: published when a Network Connection fails, at the end of its delay or of its Session.

use martlet_record::Now;
use martlet_topic::TopicName;

use crate::Shard;
use crate::outbox::{Notice, Outbox};
use crate::publish::{ANY, Origin};

impl Shard {
    /// Publishes the Will of a Session, if it still has one [MQTT-3.1.2-8]; it is gone then [MQTT-3.1.2-10].
    pub(crate) fn publish_will(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(will) = resident.session.will.take() else { return };
        let (number, client_id) = (resident.session.number, resident.session.client_id.clone());
        let topic = TopicName::parse(will.message.topic(), &ANY).expect("it was checked on its way in");
        if let Some((_, text)) = self.refusal(topic, will.message.retain, will.message.view().payload) {
            out.notices.push(Notice::WillRefused { client_id, text });
            return;
        }
        let resident = self.sessions.get(slot).expect("it was there a moment ago");
        let will_of = resident.session.recorded.then_some(number);
        let origin = Origin { slot: Some(slot), mark: None, will_of };
        self.publish(will.message(number, now), origin, out);
    }
}

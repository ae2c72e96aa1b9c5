//! The Will Message: published when a Network Connection fails, at the end of its delay or of its Session.

use martlet_record::{Now, Record};
use martlet_topic::{Limits, TopicName};

use crate::Shard;
use crate::outbox::{Notice, Outbox};
use crate::publish::Origin;

impl Shard {
    /// Publishes the Will of a Session, if it still has one [MQTT-3.1.2-8]; it is gone then [MQTT-3.1.2-10].
    pub(crate) fn publish_will(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let Some(will) = session.will.take() else { return };
        let (number, recorded, expiry) = (session.number, session.recorded, session.expiry);
        let client_id = session.client_id.clone();
        let topic =
            TopicName::parse(will.message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
        let permit = self.node.routes.permits.of(number).map(|holder| holder.permit).unwrap_or_default();
        if let Some((_, text)) = self.denial(topic, &permit) {
            out.notices.push(Notice::WillRefused { client_id, text });
            if recorded {
                let (session, at) = (number, now.wall);
                self.records.push(Record::Disconnected { session, expiry, will_discarded: true, at });
                self.journal(out);
            }
            return;
        }
        let origin = Origin { slot: Some(slot), will_of: recorded.then_some(number), ..Origin::default() };
        self.publish(topic, will.message(number, now), origin, out);
    }
}

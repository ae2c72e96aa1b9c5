//! The Will Message: published when a Network Connection fails, at the end of its delay or of its Session.

use martlet_record::Now;

use crate::Shard;
use crate::outbox::Outbox;
use crate::publish::Origin;

impl Shard {
    /// Publishes the Will of a Session, if it still has one [MQTT-3.1.2-8]; it is gone then [MQTT-3.1.2-10].
    pub(crate) fn publish_will(&mut self, slot: u32, now: Now, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let Some(will) = resident.session.will.take() else { return };
        let number = resident.session.number;
        let will_of = resident.session.recorded.then_some(number);
        let origin = Origin { slot: Some(slot), mark: None, will_of };
        self.publish(will.message(number, now), origin, out);
    }
}

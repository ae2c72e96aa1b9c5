//! What keeps a PUBLISH from being taken although nothing is wrong with it: a full disk, a failed one, or a subscriber
//! whose queue must not grow.
//!
//! The rule: it is decided before anything is recorded, so that all receivers get the Message or none.

use martlet_packet::{Publish, PublishQoS, QoS, ReasonCode};
use martlet_record::Room;
use martlet_session::{ConnectionId, Violation};
use martlet_topic::TopicName;

use crate::outbox::Outbox;
use crate::{Destinations, Shard};

/// Why a PUBLISH cannot be taken now.
pub(crate) enum Obstacle {
    /// What it would have to keep cannot be kept.
    Disk(Room),
    /// A subscriber's queue is full, and its policy is to refuse publishers.
    Queue,
    /// Some other limit, in words.
    Limit(ReasonCode, String),
}

impl Shard {
    /// Does anything keep this Message from being taken? In ordinary times this asks one number.
    pub(crate) fn obstacle(
        &mut self,
        slot: u32,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        is_delayed: bool,
    ) -> Option<Obstacle> {
        let room = self.node.room();
        let qos = publish.qos.qos();
        if let Some((reason, text)) = self.limit(slot, topic, publish, is_delayed) {
            return Some(Obstacle::Limit(reason, text));
        }
        if qos == QoS::AtMostOnce || (room < Room::DrainOnly && self.node.gates.all_open()) {
            return None;
        }
        let destinations = self.cache.destinations(&self.node.routes, topic);
        if room >= Room::DrainOnly && (is_delayed || self.must_be_kept(slot, publish, &destinations)) {
            return Some(Obstacle::Disk(room));
        }
        self.node.gates.stop(&destinations, qos).then_some(Obstacle::Queue)
    }

    /// One Message too many that is delayed, or retained. MQTT 3 has no way to hear of the latter: there it is published,
    /// and not retained.
    fn limit(
        &self,
        slot: u32,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        is_delayed: bool,
    ) -> Option<(ReasonCode, String)> {
        if is_delayed {
            return self.delay_refusal(publish.payload.len());
        }
        if !publish.retain || publish.qos == PublishQoS::AtMostOnce {
            return None;
        }
        let connection = self.sessions.get(slot)?.session.connection.as_ref()?;
        self.retain_refusal(topic, publish.payload).filter(|_| connection.version.is_v5())
    }

    fn must_be_kept(&self, slot: u32, publish: &Publish<'_>, destinations: &Destinations) -> bool {
        let is_persistent = self.sessions.get(slot).is_some_and(|resident| resident.session.is_persistent());
        // A deletion makes room.
        let is_retained = publish.retain && self.settings.retain_available && !publish.payload.is_empty();
        let has_mark = matches!(publish.qos, PublishQoS::ExactlyOnce(_)) && is_persistent;
        destinations.has_persistent || !destinations.groups.is_empty() || is_retained || has_mark
    }

    /// MQTT 5 has a code for it. MQTT 3 has not: there a full disk holds the packet back until there is space, and
    /// whatever may stay for ever ends the Network Connection.
    pub(crate) fn stop_at(
        &mut self,
        obstacle: Obstacle,
        slot: u32,
        publish: &Publish<'_>,
        out: &mut Outbox,
    ) -> Result<(), Violation> {
        let connection = self.sessions.get(slot).and_then(|resident| resident.session.connection.as_ref());
        let Some((id, is_v5)) = connection.map(|connection| (connection.id, connection.version.is_v5()))
        else {
            return Ok(());
        };
        let (reason, text) = match &obstacle {
            Obstacle::Disk(Room::Failed) => {
                (ReasonCode::ImplementationSpecificError, "the disk failed: nothing is kept until a restart")
            }
            Obstacle::Disk(_) => {
                (ReasonCode::QuotaExceeded, "the disk is full: free some space, or read what waits")
            }
            Obstacle::Queue => {
                let text = "the queue of a subscriber is full: it must read, or its limit be raised";
                (ReasonCode::QuotaExceeded, text)
            }
            Obstacle::Limit(reason, text) => (*reason, text.as_str()),
        };
        match &obstacle {
            _ if is_v5 => self.answer_publish(slot, publish.qos, reason, text, false, out),
            Obstacle::Disk(room) if *room < Room::Failed => self.hold(id, publish, out),
            Obstacle::Disk(_) | Obstacle::Queue | Obstacle::Limit(..) => {
                return Err(Violation::new(reason, text.to_owned()));
            }
        }
        Ok(())
    }

    /// The packet comes again when there is room, and counts then.
    fn hold(&mut self, id: ConnectionId, publish: &Publish<'_>, out: &mut Outbox) {
        self.counters.packets_received -= 1;
        self.counters.publish_received -= 1;
        self.counters.publish_received_bytes -= publish.payload.len() as u64;
        out.holding = Some(id);
    }
}

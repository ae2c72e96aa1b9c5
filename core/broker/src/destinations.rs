//! Who gets a Message: an immutable set, interned so that topics with the same receivers share one.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{SessionNumber, ShardId};
use martlet_topic::SubscriptionFilter;

use crate::shared::Group;

/// A Session that gets a Message, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// Which Session.
    pub session: SessionNumber,
    /// Where its home keeps it; void when another number lives there.
    pub slot: u32,
    /// Maximum QoS of its Subscription: a copy is sent with the lower of this and the Message's [MQTT-3.8.4-8].
    pub qos: QoS,
    /// RETAIN is kept as published [MQTT-3.3.1-13]; else it is cleared [MQTT-3.3.1-12].
    pub retain_as_published: bool,
    /// Copies with QoS 1 and 2 go through the journal.
    pub persistent: bool,
    /// Copies have the QoS of its Subscription, even if the Message has a lower one.
    pub upgrades: bool,
    /// What it gets of its own Messages.
    pub own: Own,
    /// Subscription Identifiers [MQTT-3.3.4-3].
    pub subscription_ids: Option<Arc<[u32]>>,
    /// The Shared Subscription it was chosen for.
    pub share: Option<Arc<SubscriptionFilter>>,
}

/// What a Session gets of the Messages it publishes itself [MQTT-3.8.3-3].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Own {
    /// The same as of others'.
    Same,
    /// Nothing: all its matching Subscriptions have No Local.
    Nothing,
    /// What those without No Local ask for.
    Reduced(Box<Recipient>),
}

/// All that get a Message.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Destinations {
    /// Sessions, by home shard.
    pub shards: Box<[(ShardId, Box<[Recipient]>)]>,
    /// Shared Subscriptions: one member of each is chosen for each Message (§4.8.2).
    pub groups: Box<[Arc<Group>]>,
    /// Some Session among `shards` is persistent.
    pub has_persistent: bool,
    /// Some Session among those gets it with a higher QoS than it may have.
    pub upgrades: bool,
    /// How many more would get it but may not.
    pub denied: usize,
}

impl Destinations {
    /// Nobody asked for it: whoever asked and may not get it counts as well, so that publishers learn nothing of that.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty() && self.groups.is_empty() && self.denied == 0
    }
}

impl Recipient {
    /// How this Session gets a Message of `publisher`; `None` when it must not.
    pub fn for_publisher(&self, publisher: SessionNumber) -> Option<&Self> {
        match &self.own {
            Own::Same => Some(self),
            _ if publisher != self.session => Some(self),
            Own::Nothing => None,
            Own::Reduced(reduced) => Some(reduced),
        }
    }

    /// The QoS of its copy of a Message published with `published`.
    pub fn copy_qos(&self, published: QoS) -> QoS {
        if self.upgrades { self.qos } else { self.qos.min(published) }
    }

    /// Does its copy go through the journal?
    pub fn is_journaled(&self, published: QoS) -> bool {
        self.persistent && self.copy_qos(published) > QoS::AtMostOnce
    }
}

//! Sessions whose queue must not grow: publishers are refused rather than a Message lost.
//!
//! Homes close and open gates, publishers of all shards look at them; while none is closed that is one load.

use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashSet;
use martlet_packet::QoS;
use martlet_record::SessionNumber;

use crate::shared::Member;
use crate::sync::RwLock;
use crate::{Destinations, Recipient};

/// The closed gates of a node.
#[derive(Debug)]
pub(crate) struct Gates {
    closed: RwLock<HashSet<SessionNumber, foldhash::fast::FixedState>>,
    count: AtomicUsize,
}

impl Gates {
    pub(crate) fn new() -> Self {
        Self { closed: RwLock::new(HashSet::default()), count: AtomicUsize::new(0) }
    }

    /// Publishers to this Session are refused from here, or no longer.
    pub(crate) fn set(&self, session: SessionNumber, is_closed: bool) {
        if !is_closed && self.all_open() {
            return;
        }
        let mut closed = self.closed.write();
        if is_closed {
            closed.insert(session);
        } else {
            closed.remove(&session);
        }
        self.count.store(closed.len(), Ordering::Relaxed);
    }

    /// No gate is closed.
    pub(crate) fn all_open(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Would a Message of this QoS have to wait in a queue that must not grow? Of a Shared Subscription it is enough
    /// that one member takes it.
    pub(crate) fn stop(&self, destinations: &Destinations, published: QoS) -> bool {
        if self.all_open() {
            return false;
        }
        let closed = self.closed.read();
        let is_shut = |recipient: &Recipient| {
            recipient.copy_qos(published) > QoS::AtMostOnce && closed.contains(&recipient.session)
        };
        let mut all = destinations.shards.iter().flat_map(|(_, recipients)| recipients.iter());
        let mut groups = destinations.groups.iter();
        all.any(is_shut) || groups.any(|group| !group.members().iter().any(Member::is_open))
    }
}

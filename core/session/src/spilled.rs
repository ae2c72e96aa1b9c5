//! A copy whose Message is in the log only.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, Ordinal, Place, Stored};
use martlet_topic::SubscriptionFilter;

use crate::{CopyState, MessageCopy};

/// All that is kept in memory of a copy that waits in the log: there may be millions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spilled {
    pub(crate) ordinal: Ordinal,
    place: Place,
    /// What few copies have.
    extras: Option<Arc<Extras>>,
    len: u32,
    qos: QoS,
    retain: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Extras {
    subscription_ids: Option<Arc<[u32]>>,
    share: Option<Arc<SubscriptionFilter>>,
}

impl Spilled {
    /// `None` when the log has not got its Message.
    pub(crate) fn new(ordinal: Ordinal, copy: &MessageCopy) -> Option<Self> {
        let Stored { place, len } = copy.body.as_ref()?.stored()?;
        let has_extras = copy.subscription_ids.is_some() || copy.share.is_some();
        let extras = || Extras { subscription_ids: copy.subscription_ids.clone(), share: copy.share.clone() };
        let extras = has_extras.then(|| Arc::new(extras()));
        Some(Self { ordinal, place, extras, len, qos: copy.qos, retain: copy.retain })
    }

    pub(crate) fn qos(&self) -> QoS {
        self.qos
    }

    pub(crate) fn stored(&self) -> Stored {
        Stored { place: self.place, len: self.len }
    }

    /// The copy it stands for.
    pub(crate) fn into_copy(self) -> (Ordinal, MessageCopy) {
        let copy = MessageCopy {
            body: Some(Body::Stored(self.stored())),
            subscription_ids: self.extras.as_ref().and_then(|extras| extras.subscription_ids.clone()),
            share: self.extras.as_ref().and_then(|extras| extras.share.clone()),
            qos: self.qos,
            retain: self.retain,
            state: CopyState::Queued,
        };
        (self.ordinal, copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_them_fit() {
        assert!(size_of::<Spilled>() <= 32, "{}", size_of::<Spilled>());
    }
}

//! What the specification leaves open and an operator may want otherwise.

use std::time::Duration;

use super::Dialect;

/// What the specification leaves open and an operator may want otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Unacknowledged Messages are sent again after this time; `None`: only after the Client came back, as the
    /// specification wants it. Counts in the dialect `mosquitto1` only.
    pub retry_interval: Option<Duration>,
    /// Retained Messages are offered at all.
    pub retain_available: bool,
    /// How often Retained Messages that expired are looked for; `None`: only when somebody would get them.
    pub retain_expiry_interval: Option<Duration>,
    /// A Retained Message is sent only if who published it may still publish there.
    pub check_retain_source: bool,
    /// Messages go out with the QoS of the Subscription even when they came in with a lower one.
    pub upgrade_outgoing_qos: bool,
    /// A Client with overlapping Subscriptions may get a Message more than once.
    pub allow_duplicate_messages: bool,
    /// Which member of a Shared Subscription gets a Message.
    pub shared_strategy: SharedStrategy,
    /// Bytes a Client takes count as a sign of life.
    pub taking_is_life: bool,
}

/// How a member of a Shared Subscription is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The same one until it is gone.
    Sticky,
    /// All Messages of a publisher to the same one.
    HashClient,
    /// All Messages of a topic to the same one.
    HashTopic,
}

impl Behaviour {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            retry_interval: (dialect == Dialect::Mosquitto1).then_some(Duration::from_secs(20)),
            retain_available: true,
            retain_expiry_interval: None,
            check_retain_source: true,
            upgrade_outgoing_qos: false,
            allow_duplicate_messages: dialect == Dialect::Mosquitto1,
            shared_strategy: SharedStrategy::default(),
            taking_is_life: false,
        }
    }
}

//! What the operator chose, as the core needs it: one immutable value.

use std::sync::Arc;

use martlet_access::Rules;
use martlet_packet::{QoS, ReasonCode};
use martlet_record::Need;
use martlet_session::{
    Authenticator, HandshakePolicy, PublishPolicy, QueueLimits, ReadAhead, SendLimits, Terms,
};
use martlet_topic::{Limits, TopicFilter};

use crate::{Dialect, SharedStrategy};

/// Settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How it words what the specification leaves open.
    pub dialect: Dialect,
    /// What may be published and subscribed to.
    pub rules: Rules,
    /// A Client that is denied something is told so and by which rule; else it hears 0x80 and no words.
    pub explains_denials: bool,
    /// Maximum QoS.
    pub maximum_qos: QoS,
    /// Retained messages are supported.
    pub retain_available: bool,
    /// Retained messages the node keeps; one more is refused with 0x97, or not retained for MQTT 3.
    pub retained_messages_max: usize,
    /// Subscriptions one Session may have; one more is refused with 0x97.
    pub subscriptions_max: usize,
    /// Keep Alive no Client may exceed, in seconds: MQTT 5 Clients are told [MQTT-3.1.2-21].
    pub keep_alive_max: Option<u16>,
    /// Session Expiry Interval no Client may exceed, in seconds.
    pub session_expiry_max: u32,
    /// Session Expiry Interval for an MQTT 5 Client with Clean Start 0 that names none; zero turns it off.
    pub default_session_expiry: u32,
    /// Maximum Packet Size we accept: a larger packet ends its Network Connection with 0x95.
    pub maximum_packet_size: u32,
    /// Bytes of payload a Message may have: a larger one is answered with 0x97 and not published.
    pub payload_bytes_max: usize,
    /// A retained message whose publisher may no longer publish it is not sent.
    pub checks_retain_source: bool,
    /// Copies are sent with the QoS of the Subscription, whatever QoS the Message was published with. One published with
    /// QoS 0 is dropped all the same where it cannot be kept.
    pub upgrades_qos: bool,
    /// An MQTT 3 Client gets a copy for each of its Subscriptions that match; else one. It concerns
    /// [`crate::Overlap::CopyForEach`] only.
    pub allows_duplicates: bool,
    /// An MQTT 3 Client gets again what it does not answer for so many seconds, though its Network Connection lasts.
    pub retry_interval: Option<u32>,
    /// PUBLISH to `$CONTROL/#` goes to the node, which answers through [`crate::Shard::send_to`]; else it is refused.
    pub takes_control: bool,
    /// The log is told of every Subscription that is made or deleted.
    pub notices_subscriptions: bool,
    /// Every Client Identifier must begin so; a Client with another is refused with 0x87.
    pub client_ids_begin: Option<Arc<str>>,
    /// Our Receive Maximum.
    pub receive_maximum: u16,
    /// Our Topic Alias Maximum.
    pub topic_alias_maximum: u16,
    /// How safe what is promised must be, where neither listener nor topic says.
    pub need: Need,
    /// How safe Messages must be, by topic: the first filter that matches counts.
    pub topic_needs: Arc<[(TopicFilter, Need)]>,
    /// QoS 0 Messages wait for persistent Sessions that are not connected.
    pub keeps_qos0: bool,
    /// Messages that may wait for their time under `$delayed`; one more is refused with 0x97.
    pub delayed_messages_max: usize,
    /// Bytes they may have together; beyond it one more is refused with 0x97.
    pub delayed_bytes_max: usize,
    /// What may wait for one Session.
    pub queue: QueueLimits,
    /// How far ahead of a slow Client the node sends.
    pub send: SendLimits,
    /// How a member of a Shared Subscription is chosen.
    pub shared_strategy: SharedStrategy,
    /// Bytes a Client takes count as a sign of life.
    pub taking_is_life: bool,
    /// Limits on Topic Names and Topic Filters.
    pub topics: Limits,
    /// Authentication Methods the node knows.
    pub authenticators: Arc<[Arc<dyn Authenticator>]>,
}

impl Settings {
    /// The defaults of a dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            rules: Rules::default(),
            explains_denials: true,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            retained_messages_max: 1_000_000,
            subscriptions_max: 100_000,
            keep_alive_max: None,
            session_expiry_max: u32::MAX,
            default_session_expiry: dialect.default_session_expiry,
            maximum_packet_size: dialect.maximum_packet_size,
            payload_bytes_max: usize::MAX,
            checks_retain_source: true,
            upgrades_qos: false,
            allows_duplicates: dialect.allows_duplicates,
            retry_interval: dialect.retry_interval,
            takes_control: false,
            notices_subscriptions: false,
            client_ids_begin: None,
            receive_maximum: dialect.receive_maximum,
            topic_alias_maximum: dialect.topic_alias_maximum,
            need: Need::Synced,
            topic_needs: Arc::new([]),
            keeps_qos0: false,
            delayed_messages_max: 100_000,
            delayed_bytes_max: 64 * 1024 * 1024,
            queue: QueueLimits::new(dialect.queue_messages_max, dialect.queue_bytes_max, dialect.overflow),
            send: SendLimits {
                in_flight: dialect.in_flight_maximum,
                in_flight_bytes: usize::MAX,
                ahead_bytes: 256 * 1024,
                qos0_bytes: 4 * 1024 * 1024,
                read_ahead: ReadAhead::DEFAULT,
            },
            shared_strategy: SharedStrategy::RoundRobin,
            taking_is_life: false,
            topics: Limits { levels: dialect.topic_levels_max, ..Limits::default() },
            authenticators: Arc::new([]),
        }
    }

    /// How a Client hears that a rule denies what it asked for.
    pub(crate) fn denial(&self, text: String) -> (ReasonCode, String) {
        if self.explains_denials {
            (ReasonCode::NotAuthorized, text)
        } else {
            (ReasonCode::UnspecifiedError, String::new())
        }
    }

    /// What is asked of a PUBLISH.
    pub fn publish_policy(&self) -> PublishPolicy {
        PublishPolicy {
            maximum_qos: self.maximum_qos,
            retain_available: self.retain_available,
            topic_alias_maximum: self.topic_alias_maximum,
            receive_maximum: self.receive_maximum,
            topics: self.topics,
            names_bad_topics: self.dialect.names_bad_topics,
            ignores_subscription_ids: self.dialect.ignores_subscription_ids,
            forbids_second_repetition: self.dialect.forbids_second_repetition,
        }
    }

    /// What is asked of a CONNECT.
    pub fn handshake_policy(&self) -> HandshakePolicy {
        HandshakePolicy {
            client_id_prefix: self.dialect.client_id_prefix,
            client_id_bytes_max: 65_535,
            maximum_qos: self.maximum_qos,
            retain_available: self.retain_available,
            topics: self.topics,
            reason_strings: self.dialect.reason_strings,
            authenticators: Arc::clone(&self.authenticators),
            client_ids_begin: self.client_ids_begin.clone(),
            empty_client_id: self.dialect.empty_client_id,
            keep_alive_max_v3: self.keep_alive_max.filter(|_| self.dialect.refuses_long_keep_alive),
            payload_bytes_max: self.payload_bytes_max,
            terms: Terms::none(),
        }
    }
}

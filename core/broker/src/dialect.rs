//! How Martlet words what the specification leaves open.
//!
//! A dialect is one value, chosen at start; code asks it and never the program's name. The native dialect explains
//! itself in full, the Mosquitto dialect answers byte for byte as Mosquitto 2.0 does.

use martlet_packet::{QoS, ReasonCode};

/// A set of named policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Its name, as `--dialect` takes it.
    pub name: &'static str,
    /// Refusals carry a Reason String that names the rule and the cure.
    pub reason_strings: bool,
    /// Session Expiry Interval for an MQTT 5 Client that sends Clean Start 0 and no interval, in seconds.
    /// CONNACK announces it (§3.2.2.3.2). Zero turns it off.
    pub default_session_expiry: u32,
    /// What several Subscriptions of one Session that match one Message bring it.
    pub overlap: Overlap,
    /// An MQTT 3 Client gets a copy for each Subscription under [`Overlap::CopyForEach`]; else one.
    pub allows_duplicates: bool,
    /// Seconds after which an MQTT 3 Client gets again what it did not answer.
    pub retry_interval: Option<u32>,
    /// Topic Aliases are used towards Clients that take them.
    pub sends_topic_aliases: bool,
    /// Our Topic Alias Maximum.
    pub topic_alias_maximum: u16,
    /// Our Receive Maximum.
    pub receive_maximum: u16,
    /// QoS 1 and 2 copies in flight to one Client at once.
    pub in_flight_maximum: u16,
    /// Messages that may wait for one Session.
    pub queue_messages_max: usize,
    /// Bytes that may wait for one Session.
    pub queue_bytes_max: usize,
    /// Maximum Packet Size we accept, in bytes.
    pub maximum_packet_size: u32,
    /// What a full queue does.
    pub overflow: martlet_session::Overflow,
    /// What generated Client Identifiers begin with.
    pub client_id_prefix: &'static str,
    /// What an empty Client Identifier is refused with where the operator allows none; MQTT 3 always hears 0x02.
    pub empty_client_id: ReasonCode,
    /// What an MQTT 5 Client hears of a payload above the operator's limit. Mosquitto says Packet too large, which no
    /// acknowledgement has.
    pub long_payload: ReasonCode,
    /// An MQTT 3 Client whose Keep Alive is above the node's maximum is refused; else its own counts.
    pub refuses_long_keep_alive: bool,
    /// Receive Maximum exceeded by a QoS 2 PUBLISH is answered by PUBREC 0x97 instead of DISCONNECT 0x93.
    pub refuses_excess_publish: bool,
    /// MQTT 5 Clients are told of a bad topic by its own code, 0x8F or 0x90, instead of 0x81.
    pub names_bad_topics: bool,
    /// PUBREC says when nobody gets the Message (0x10), PUBREL and PUBCOMP when the identifier is unknown (0x92).
    pub tells_absence: bool,
    /// The second repetition of an unreleased QoS 2 PUBLISH ends the Network Connection.
    pub forbids_second_repetition: bool,
    /// A Subscription Identifier in a Client's PUBLISH is passed over instead of being a Protocol Error.
    pub ignores_subscription_ids: bool,
    /// When a Will is published.
    pub wills: Wills,
    /// A Client with a Will that it may not publish is turned away; else the Will is not published.
    pub refuses_denied_wills: bool,
    /// Bytes a packet may be larger than the Client's Maximum Packet Size: Mosquitto does not count the first one.
    pub packet_size_slack: u32,
    /// The QoS of `$SYS` topics.
    pub sys_qos: QoS,
    /// `$delayed/SECONDS/TOPIC` delays a Message; else it is a Topic Name like others.
    pub delays: bool,
    /// Levels a Topic Name or Topic Filter may have.
    pub topic_levels_max: usize,
}

/// What overlapping Subscriptions bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// One copy with the highest QoS and all Subscription Identifiers [MQTT-3.3.4-2], [MQTT-3.3.4-4].
    Merged,
    /// A copy for each Subscription, with its own QoS and identifier.
    CopyForEach,
}

/// When a Will is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wills {
    /// As the specification says: at the end of its delay or of its Session, whichever is first; a take-over ends the
    /// Network Connection like anything else.
    Specified,
    /// As Mosquitto 2.0 does: a Session without expiry is outlived by the delay of its Will, Clean Start discards a
    /// Will that is delayed, and so does the take-over of a Session that goes on.
    Mosquitto,
}

impl Dialect {
    /// Martlet's own.
    pub const NATIVE: Self = Self {
        name: "native",
        reason_strings: true,
        default_session_expiry: 2 * 60 * 60,
        overlap: Overlap::Merged,
        allows_duplicates: false,
        retry_interval: None,
        sends_topic_aliases: true,
        topic_alias_maximum: 64,
        receive_maximum: 1024,
        in_flight_maximum: 1024,
        queue_messages_max: 100_000,
        queue_bytes_max: 16 * 1024 * 1024,
        maximum_packet_size: 16 * 1024 * 1024,
        overflow: martlet_session::Overflow::Spill,
        client_id_prefix: "auto-",
        empty_client_id: ReasonCode::ClientIdentifierNotValid,
        long_payload: ReasonCode::QuotaExceeded,
        refuses_long_keep_alive: false,
        refuses_excess_publish: false,
        names_bad_topics: true,
        tells_absence: true,
        forbids_second_repetition: false,
        ignores_subscription_ids: false,
        wills: Wills::Specified,
        refuses_denied_wills: true,
        packet_size_slack: 0,
        sys_qos: QoS::AtMostOnce,
        delays: true,
        topic_levels_max: 128,
    };

    /// As Mosquitto 2.0 answers.
    pub const MOSQUITTO: Self = Self {
        name: "mosquitto",
        reason_strings: false,
        default_session_expiry: 0,
        overlap: Overlap::CopyForEach,
        allows_duplicates: false,
        retry_interval: None,
        sends_topic_aliases: false,
        topic_alias_maximum: 10,
        receive_maximum: 20,
        in_flight_maximum: 20,
        queue_messages_max: 1000,
        queue_bytes_max: usize::MAX,
        maximum_packet_size: martlet_packet::MAXIMUM_REMAINING_LENGTH + 5,
        overflow: martlet_session::Overflow::DropNewest,
        client_id_prefix: "auto-",
        empty_client_id: ReasonCode::UnspecifiedError,
        long_payload: ReasonCode::PacketTooLarge,
        refuses_long_keep_alive: true,
        refuses_excess_publish: true,
        names_bad_topics: false,
        tells_absence: false,
        forbids_second_repetition: true,
        ignores_subscription_ids: true,
        wills: Wills::Mosquitto,
        refuses_denied_wills: false,
        packet_size_slack: 1,
        sys_qos: QoS::ExactlyOnce,
        delays: false,
        topic_levels_max: 201,
    };

    /// As Mosquitto 1 answered, with its defaults.
    pub const MOSQUITTO_1: Self = Self {
        name: "mosquitto1",
        queue_messages_max: 100,
        allows_duplicates: true,
        retry_interval: Some(20),
        ..Self::MOSQUITTO
    };

    /// The dialect with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::NATIVE, Self::MOSQUITTO, Self::MOSQUITTO_1].into_iter().find(|dialect| dialect.name == name)
    }
}

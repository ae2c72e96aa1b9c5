//! What has a limit, and what happens beyond it.

use std::time::Duration;

use super::Dialect;

/// What has a limit. `None` is no limit, unless the field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Network Connections at once, over all listeners; one more is refused with Server busy.
    pub connections_max: Option<u64>,
    /// Sessions at once, connected or not; a Client that would need one more is refused with Quota exceeded.
    pub clients_max: Option<u64>,
    /// How long a Network Connection may take until its CONNECT is whole.
    pub connect_timeout: Duration,
    /// Largest packet a Client may send, in bytes; `None`: what MQTT allows.
    pub packet_size_max: Option<u32>,
    /// Largest payload of a PUBLISH; a longer one is acknowledged and dropped, as Mosquitto does.
    pub payload_size_max: Option<u32>,
    /// Keep Alive no Client may exceed, in seconds.
    pub keep_alive_max: Option<u16>,
    /// QoS 1 and 2 Messages sent to one Client and not yet acknowledged; `None`: as many as there are Packet
    /// Identifiers.
    pub in_flight_messages_max: Option<u16>,
    /// Bytes of such Messages.
    pub in_flight_bytes_max: Option<u64>,
    /// Messages that may wait for one Session.
    pub queue_messages_max: Option<u64>,
    /// Bytes of Messages that may wait for one Session.
    pub queue_bytes_max: Option<u64>,
    /// Bytes of them that are held in memory, where the store knows the Session; `None`: the default of the core.
    pub queue_memory_max: Option<u64>,
    /// Messages that may wait on disk for one Session.
    pub queue_quota_messages: Option<u64>,
    /// Bytes that may wait on disk for one Session.
    pub queue_quota_bytes: Option<u64>,
    /// What happens when a queue is full.
    pub queue_policy: QueuePolicy,
    /// QoS 0 Messages wait for Sessions whose Client is not connected.
    pub queue_qos0: bool,
    /// Bytes of memory the node may take for Sessions and Messages; beyond it nothing new is accepted.
    pub memory_max: Option<u64>,
    /// Longest time a Session is kept without a Network Connection; `None`: for ever.
    pub session_expiry_max: Option<Duration>,
    /// Session Expiry Interval for an MQTT 5 Client with Clean Start 0 that names none; zero: it ends with its
    /// Network Connection.
    pub default_session_expiry: Duration,
    /// Bytes read at once from one connection, and bytes the head of a WebSocket's HTTP request may have.
    pub packet_buffer_size: u16,
}

/// What happens when more waits for a Session than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueuePolicy {
    /// It waits on disk, where the store has it anyway, up to the quota.
    Spill,
    /// The new Message is dropped, as Mosquitto does; it is counted, and logged once.
    Mosquitto,
    /// The Message that waited longest is dropped.
    DropOldest,
    /// Its publisher is refused with Quota exceeded.
    RejectPublisher,
    /// The Client that does not read is disconnected.
    Disconnect,
}

impl Limits {
    pub(super) fn new(dialect: Dialect) -> Self {
        let native = dialect == Dialect::Native;
        let queue_messages_max = match dialect {
            Dialect::Native => 100_000,
            Dialect::Mosquitto => 1000,
            Dialect::Mosquitto1 => 100,
        };
        Self {
            connections_max: None,
            clients_max: None,
            connect_timeout: Duration::from_secs(10),
            packet_size_max: native.then_some(16 * 1024 * 1024),
            payload_size_max: None,
            keep_alive_max: None,
            in_flight_messages_max: Some(if native { 1024 } else { 20 }),
            in_flight_bytes_max: None,
            queue_messages_max: Some(queue_messages_max),
            queue_bytes_max: native.then_some(16 * 1024 * 1024),
            queue_memory_max: None,
            queue_quota_messages: None,
            queue_quota_bytes: None,
            queue_policy: if native { QueuePolicy::Spill } else { QueuePolicy::Mosquitto },
            queue_qos0: false,
            memory_max: None,
            session_expiry_max: None,
            default_session_expiry: Duration::from_secs(if native { 7200 } else { 0 }),
            packet_buffer_size: 4096,
        }
    }
}

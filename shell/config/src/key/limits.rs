//! Keys of what has a limit.

use super::{Bounds, Key, Kind, Reload, Unit, from_to, global, limit};
use crate::slot::Slot;

const fn count(bounds: Bounds) -> Kind {
    Kind::Number(bounds)
}

const fn bytes(bounds: Bounds) -> Kind {
    Kind::Number(bounds.unit(Unit::Bytes))
}

const fn time(bounds: Bounds, unit: Unit) -> Kind {
    Kind::Time(bounds.unit(unit))
}

/// A number of years that no `Duration` minds.
const SECONDS_MAX: u64 = u32::MAX as u64;
/// The largest packet of MQTT: a Remaining Length of four bytes, and what stands before it.
const PACKET_BYTES_MAX: u64 = 268_435_460;
const PAYLOAD_BYTES_MAX: u64 = 268_435_455;

pub(super) static LIMITS: &[Key] = &[
    global(
        "global_max_connections",
        "limits.connections_max",
        count(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.connections_max),
        "Network connections at once, over all listeners; 0: as many as the system has descriptors for.",
    )
    .since_2_1(),
    global(
        "global_max_clients",
        "limits.clients_max",
        count(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.clients_max),
        "Sessions at once, connected or kept; 0: no limit.",
    )
    .since_2_1(),
    global(
        "",
        "limits.connect_timeout",
        time(from_to(1, 3600), Unit::Seconds),
        |c| Slot::Time(&mut c.limits.connect_timeout),
        "How long a connection may take to send its CONNECT.",
    )
    .reload(Reload::NewConnections),
    global(
        "max_packet_size",
        "limits.packet_size_max",
        bytes(from_to(20, PACKET_BYTES_MAX).none_at(0)),
        |c| Slot::Number(&mut c.limits.packet_size_max),
        "Largest packet a client may send; a larger one ends its connection. 0: what MQTT allows.",
    )
    .reload(Reload::NewConnections),
    global(
        "message_size_limit",
        "limits.payload_size_max",
        bytes(from_to(0, PAYLOAD_BYTES_MAX).none_at(0)),
        |c| Slot::Number(&mut c.limits.payload_size_max),
        "Largest payload; a longer message is acknowledged and dropped. 0: no limit. max_packet_size tells the client.",
    ),
    global(
        "max_keepalive",
        "limits.keep_alive_max",
        time_of_keep_alive(),
        |c| Slot::Number(&mut c.limits.keep_alive_max),
        "Longest keep alive; MQTT 5 clients that ask for more, or for none, are given this. 0: no limit.",
    )
    .reload(Reload::NewConnections),
    global(
        "max_inflight_messages",
        "limits.in_flight_messages_max",
        count(limit(65_535)),
        |c| Slot::Number(&mut c.limits.in_flight_messages_max),
        "QoS 1 and 2 messages sent to one client and not yet acknowledged; 0: no limit.",
    )
    .reload(Reload::NewConnections),
    global(
        "max_inflight_bytes",
        "limits.in_flight_bytes_max",
        bytes(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.in_flight_bytes_max),
        "Bytes of messages sent to one client and not yet acknowledged; 0: no limit.",
    )
    .reload(Reload::NewConnections),
    global(
        "max_queued_messages",
        "limits.queue_messages_max",
        count(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.queue_messages_max),
        "Messages that may wait for one session; queue_policy says what happens then. 0: no limit.",
    ),
    global(
        "max_queued_bytes",
        "limits.queue_bytes_max",
        bytes(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.queue_bytes_max),
        "Bytes of messages that may wait for one session; 0: no limit.",
    ),
    global(
        "queue_policy",
        "limits.queue_policy",
        Kind::Choice,
        |c| Slot::Choice(&mut c.limits.queue_policy),
        "What a full queue does: wait on disk (spill), or drop what is new, as Mosquitto does (mosquitto), and others.",
    ),
    global(
        "",
        "limits.queue_memory_max",
        bytes(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.queue_memory_max),
        "Bytes held in memory for one session that the store knows; the rest is read back. 0: 1048576.",
    ),
    global(
        "",
        "limits.queue_quota_messages",
        count(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.queue_quota_messages),
        "Messages that may wait on disk for one session; beyond it publishers are refused. 0: no limit.",
    ),
    global(
        "",
        "limits.queue_quota_bytes",
        bytes(limit(u64::MAX)),
        |c| Slot::Number(&mut c.limits.queue_quota_bytes),
        "Bytes that may wait on disk for one session; beyond it publishers are refused. 0: no limit.",
    ),
    global(
        "queue_qos0_messages",
        "limits.queue_qos0",
        Kind::Bool,
        |c| Slot::Bool(&mut c.limits.queue_qos0),
        "QoS 0 messages wait for sessions whose client is not connected.",
    ),
    global(
        "memory_limit",
        "limits.memory_max",
        bytes(from_to(0, u64::MAX).none_at(0)),
        |c| Slot::Number(&mut c.limits.memory_max),
        "Bytes of memory for sessions and messages; beyond it nothing new is accepted. 0: no limit.",
    ),
    global(
        "persistent_client_expiration",
        "limits.session_expiry_max",
        time(from_to(0, SECONDS_MAX).none_at(0), Unit::Seconds),
        |c| Slot::Time(&mut c.limits.session_expiry_max),
        "Longest time a session is kept without a connection, as 12h, 2d, 3w, 1m (30 days) or 1y. 0: for ever.",
    ),
    global(
        "",
        "limits.default_session_expiry",
        time(from_to(0, SECONDS_MAX), Unit::Seconds),
        |c| Slot::Time(&mut c.limits.default_session_expiry),
        "How long the session of an MQTT 5 client with Clean Start 0 that names no time is kept; CONNACK tells it.",
    )
    .reload(Reload::NewConnections),
    global(
        "packet_buffer_size",
        "limits.packet_buffer_size",
        bytes(from_to(0, 65_535)),
        |c| Slot::Number(&mut c.limits.packet_buffer_size),
        "Bytes the head of a WebSocket's HTTP request may have.",
    )
    .also(&["websockets_headers_size"])
    .reload(Reload::NewConnections),
];

/// Keep Alive is a number of seconds on the wire, and so in the configuration.
const fn time_of_keep_alive() -> Kind {
    Kind::Number(from_to(0, 65_535).none_at(0).unit(Unit::Seconds))
}

//! Keys of the node itself: its dialect, what it says, TCP, and the process.

use super::{Key, Kind, Reload, Unit, from_to, global};
use crate::slot::Slot;

pub(super) static NODE: &[Key] = &[
    global(
        "",
        "dialect",
        Kind::Choice,
        |c| Slot::Choice(&mut c.dialect),
        "Whose habits the node has, and whose defaults count for what is not written.",
    )
    .reload(Reload::Restart),
    global(
        "per_listener_settings",
        "security.per_listener",
        Kind::Bool,
        |c| Slot::Bool(&mut c.per_listener_settings),
        "Each listener has security settings of its own. In mosquitto.conf it must stand before all of them.",
    ),
];

pub(super) static LOG: &[Key] = &[
    global(
        "log_dest",
        "log.destinations",
        Kind::Words,
        |c| Slot::List(&mut c.log.destinations),
        "Where log lines go: stdout, stderr, syslog, topic, file FILE (log.file), or none.",
    ),
    global(
        "",
        "log.file",
        Kind::Path,
        |c| Slot::Text(&mut c.log.file),
        "The file of the destination file. In mosquitto.conf: log_dest file FILE.",
    ),
    global(
        "log_type",
        "log.types",
        Kind::Words,
        |c| Slot::List(&mut c.log.types),
        "What is logged. In mosquitto.conf one line for each, or none or all.",
    ),
    global(
        "log_timestamp",
        "log.timestamp",
        Kind::Bool,
        |c| Slot::Bool(&mut c.log.timestamp),
        "Each line begins with the time.",
    ),
    global(
        "log_timestamp_format",
        "log.timestamp_format",
        Kind::Text,
        |c| Slot::Text(&mut c.log.timestamp_format),
        "How the time is written, in the language of strftime. Not set: seconds since 1970.",
    ),
    global(
        "connection_messages",
        "log.connection_messages",
        Kind::Bool,
        |c| Slot::Bool(&mut c.log.connection_messages),
        "Clients that come and go are logged.",
    ),
    global(
        "log_facility",
        "log.facility",
        Kind::Number(from_to(0, 7)),
        |c| Slot::Number(&mut c.log.facility),
        "For syslog: 0 to 7 for local0 to local7. Not set: daemon.",
    ),
    global(
        "websockets_log_level",
        "log.websockets_level",
        Kind::Number(from_to(0, 2_147_483_647).lower_is(0)),
        |c| Slot::Number(&mut c.log.websockets_level),
        "What is said of WebSocket connections, as bits of libwebsockets.",
    ),
    global(
        "sys_interval",
        "sys.interval",
        Kind::Time(from_to(0, 65_535).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.sys.interval),
        "How often the topics $SYS/broker/... are published; 0: never.",
    ),
    global(
        "enable_control_api",
        "sys.control_api",
        Kind::Bool,
        |c| Slot::Bool(&mut c.sys.control_api),
        "The interface $CONTROL/broker/v1 answers; give access to it to few.",
    )
    .since_2_1(),
];

pub(super) static PROCESS: &[Key] = &[
    global(
        "set_tcp_nodelay",
        "tcp.no_delay",
        Kind::Bool,
        |c| Slot::Bool(&mut c.tcp.no_delay),
        "Small packets leave at once instead of being gathered (Nagle).",
    )
    .reload(Reload::NewConnections),
    global(
        "",
        "tcp.backlog",
        Kind::Number(from_to(1, 65_535)),
        |c| Slot::Number(&mut c.tcp.backlog),
        "Connections the kernel completes before the broker accepts them.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "tcp.keep_alive_idle",
        Kind::Time(from_to(0, 32_767).none_at(0).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.tcp.keep_alive_idle),
        "Silence before TCP asks whether the peer is still there; 0: it never asks.",
    )
    .reload(Reload::NewConnections),
    global(
        "",
        "tcp.keep_alive_interval",
        Kind::Time(from_to(1, 32_767).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.tcp.keep_alive_interval),
        "Time between two such questions.",
    )
    .reload(Reload::NewConnections),
    global(
        "",
        "tcp.keep_alive_count",
        Kind::Number(from_to(1, 127)),
        |c| Slot::Number(&mut c.tcp.keep_alive_count),
        "Unanswered questions after which the peer is given up.",
    )
    .reload(Reload::NewConnections),
    global(
        "",
        "tcp.user_timeout",
        Kind::Time(from_to(0, 86_400).none_at(0).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.tcp.user_timeout),
        "A peer that acknowledges nothing for so long is given up; 0: as long as the kernel sees fit.",
    )
    .reload(Reload::NewConnections),
    global(
        "user",
        "process.user",
        Kind::Text,
        |c| Slot::Text(&mut c.process.user),
        "Whom the broker becomes when root started it; root stays root.",
    )
    .reload(Reload::Restart),
    global(
        "pid_file",
        "process.pid_file",
        Kind::Path,
        |c| Slot::Text(&mut c.process.pid_file),
        "Where the number of the process is written.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "process.runners",
        Kind::Number(from_to(1, 64)),
        |c| Slot::Number(&mut c.process.runners),
        "Threads that serve connections. Not set: 1 on one or two cores, else half the cores.",
    )
    .reload(Reload::Restart),
];

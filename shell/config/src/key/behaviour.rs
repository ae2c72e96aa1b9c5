//! Keys of what the specification leaves open.

use super::{Key, Kind, Reload, Status, Unit, from_to, global};
use crate::slot::Slot;

pub(super) static BEHAVIOUR: &[Key] = &[
    global(
        "retain_available",
        "behaviour.retain_available",
        Kind::Bool,
        |c| Slot::Bool(&mut c.behaviour.retain_available),
        "Retained messages are offered; if not, MQTT 5 clients are told and a retained PUBLISH ends the connection.",
    )
    .reload(Reload::NewConnections),
    global(
        "retain_expiry_interval",
        "behaviour.retain_expiry_interval",
        Kind::Time(from_to(1, 1_000_000).unit(Unit::Minutes)),
        |c| Slot::Time(&mut c.behaviour.retain_expiry_interval),
        "How often retained messages that expired are looked for. Not set: only when somebody would get them.",
    )
    .since_2_1(),
    global(
        "check_retain_source",
        "behaviour.check_retain_source",
        Kind::Bool,
        |c| Slot::Bool(&mut c.behaviour.check_retain_source),
        "A retained message is sent only if who published it may still publish there.",
    ),
    global(
        "upgrade_outgoing_qos",
        "behaviour.upgrade_outgoing_qos",
        Kind::Bool,
        |c| Slot::Bool(&mut c.behaviour.upgrade_outgoing_qos),
        "Messages go out with the QoS of the subscription even when they came in with a lower one (against MQTT).",
    ),
    global(
        "allow_duplicate_messages",
        "behaviour.allow_duplicate_messages",
        Kind::Bool,
        |c| Slot::Bool(&mut c.behaviour.allow_duplicate_messages),
        "A client with overlapping subscriptions may get a message more than once.",
    )
    .status(Status::Deprecated("overlapping subscriptions are handled as MQTT asks without it")),
    global(
        "",
        "behaviour.shared_strategy",
        Kind::Choice,
        |c| Slot::Choice(&mut c.behaviour.shared_strategy),
        "Which member of a shared subscription ($share/GROUP/FILTER) gets a message.",
    ),
    global(
        "",
        "behaviour.taking_is_life",
        Kind::Bool,
        |c| Slot::Bool(&mut c.behaviour.taking_is_life),
        "Bytes a client takes count as a sign of life: it need not send while it reads.",
    ),
    global(
        "retry_interval",
        "behaviour.retry_interval",
        Kind::Time(from_to(0, 3600).none_at(0).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.behaviour.retry_interval),
        "In the dialect mosquitto1 only: unacknowledged messages are sent again after this time. 0: never.",
    )
    .reload(Reload::NewConnections),
];

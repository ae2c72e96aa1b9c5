//! Keys of what outlasts the process.

use super::{Key, Kind, Reload, Unit, from_to, global};
use crate::slot::Slot;

pub(super) static PERSISTENCE: &[Key] = &[
    global(
        "persistence",
        "persistence.enabled",
        Kind::Bool,
        |c| Slot::Bool(&mut c.persistence.enabled),
        "Sessions, messages and retained messages are kept over a restart.",
    )
    .also(&["retained_persistence"])
    .reload(Reload::Restart),
    global(
        "persistence_location",
        "persistence.location",
        Kind::Path,
        |c| Slot::Text(&mut c.persistence.location),
        "The folder where they are kept.",
    )
    .reload(Reload::Restart),
    global(
        "persistence_file",
        "persistence.file",
        Kind::Text,
        |c| Slot::Text(&mut c.persistence.file),
        "The name of Mosquitto's database in that folder, which is imported.",
    )
    .reload(Reload::Restart),
    global(
        "autosave_interval",
        "persistence.autosave_interval",
        Kind::Number(from_to(0, 2_147_483_647).lower_is(0)),
        |c| Slot::Number(&mut c.persistence.autosave_interval),
        "Seconds, or changes, between snapshots; 0: only at the end. What was acknowledged is safe before.",
    ),
    global(
        "autosave_on_changes",
        "persistence.autosave_on_changes",
        Kind::Bool,
        |c| Slot::Bool(&mut c.persistence.autosave_on_changes),
        "autosave_interval counts changes instead of seconds.",
    ),
    global(
        "",
        "persistence.durability",
        Kind::Choice,
        |c| Slot::Choice(&mut c.persistence.durability),
        "What an acknowledgement promises: survive a power cut (always), all but its last moment (interval), a crash of \
         the broker only (never).",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.topic_durability",
        Kind::List,
        |c| Slot::List(&mut c.persistence.topic_durability),
        "Promises by topic, as [\"alarms/#=always\", \"debug/#=never\"]; the first filter that matches counts.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.sync_interval",
        Kind::Time(from_to(1, 3_600_000).unit(Unit::Milliseconds)),
        |c| Slot::Time(&mut c.persistence.sync_interval),
        "Under the promise interval: how long a power cut may reach back.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.checkpoint_interval",
        Kind::Time(from_to(1, 86_400).unit(Unit::Seconds)),
        |c| Slot::Time(&mut c.persistence.checkpoint_interval),
        "How often the store may write down where everything is. Not set: 60.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.disk_max",
        Kind::Number(from_to(0, u64::MAX).none_at(0).unit(Unit::Bytes)),
        |c| Slot::Number(&mut c.persistence.disk_max),
        "Bytes the store may take; beyond it publishers are refused until something is read. 0: no limit.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.disk_free_min",
        Kind::Number(from_to(0, u64::MAX).unit(Unit::Bytes)),
        |c| Slot::Number(&mut c.persistence.disk_free_min),
        "Bytes of the disk that stay free for others. Not set: 5 % of it, 2 GiB at most.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.segment_size",
        Kind::Number(from_to(4096, 1 << 30).unit(Unit::Bytes)),
        |c| Slot::Number(&mut c.persistence.segment_size),
        "Bytes of one file of the log. Not set: 67108864.",
    )
    .reload(Reload::Restart),
    global(
        "",
        "persistence.allow_network_folder",
        Kind::Bool,
        |c| Slot::Bool(&mut c.persistence.allow_network_folder),
        "The folder may lie on a network file system, which may lose what it acknowledged.",
    )
    .reload(Reload::Restart),
];

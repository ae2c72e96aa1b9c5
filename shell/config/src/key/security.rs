//! Keys of who may enter and do what.

use super::{Key, Kind, Reload, Status, global, security};
use crate::slot::Slot;

pub(super) static SECURITY: &[Key] = &[
    security(
        "allow_anonymous",
        "allow_anonymous",
        Kind::Bool,
        |s| Slot::MaybeBool(&mut s.allow_anonymous),
        "Clients without a user name may enter. Not set: no, unless the broker listens on this machine only.",
    ),
    security(
        "password_file",
        "password_file",
        Kind::Path,
        |s| Slot::Text(&mut s.password_file),
        "User names and hashes of passwords, as martlet passwd and mosquitto_passwd write them.",
    ),
    security(
        "acl_file",
        "acl_file",
        Kind::Path,
        |s| Slot::Text(&mut s.acl_file),
        "Who may publish and subscribe where; what is not in the file is denied.",
    ),
    security(
        "psk_file",
        "psk_file",
        Kind::Path,
        |s| Slot::Text(&mut s.psk_file),
        "Identities and keys for TLS-PSK, as IDENTITY:HEXKEY.",
    ),
    security(
        "allow_zero_length_clientid",
        "allow_zero_length_clientid",
        Kind::Bool,
        |s| Slot::Bool(&mut s.allow_zero_length_clientid),
        "A client that sends no client identifier is given one; else it is refused.",
    ),
    security(
        "auto_id_prefix",
        "auto_id_prefix",
        Kind::Text,
        |s| Slot::Text(&mut s.auto_id_prefix),
        "What such client identifiers begin with.",
    )
    .reload(Reload::NewConnections),
    global(
        "clientid_prefixes",
        "security.clientid_prefixes",
        Kind::Text,
        |c| Slot::Text(&mut c.security.clientid_prefixes),
        "What client identifiers must begin with to be let in.",
    )
    .reload(Reload::NewConnections)
    .status(Status::Deprecated("an acl_file with patterns for %c says it better")),
    global(
        "",
        "security.deny_subscribe",
        Kind::List,
        |c| Slot::List(&mut c.security.deny_subscribe),
        "Topic filters nobody may subscribe to, as clients write them.",
    ),
    global(
        "",
        "security.deny_publish",
        Kind::List,
        |c| Slot::List(&mut c.security.deny_publish),
        "Topic filters of the topics nobody may publish to.",
    ),
    global(
        "",
        "security.conceal_denials",
        Kind::Bool,
        |c| Slot::Bool(&mut c.security.conceal_denials),
        "Clients are not told which rule denies what they ask for.",
    ),
];

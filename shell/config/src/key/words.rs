//! Keys that open a block or have rules of their own, and keys of other times.

use super::{Key, Kind, Reload, Scope, Status};

const fn words(name: &'static str, scope: Scope, doc: &'static str) -> Key {
    Key::new(name, "", scope, Kind::Words, doc).reload(Reload::Restart)
}

const fn obsolete(name: &'static str, doc: &'static str, why: &'static str) -> Key {
    words(name, Scope::Global, doc).status(Status::Obsolete(why))
}

pub(super) static WORDS: &[Key] = &[
    words("listener", Scope::Listener, "PORT [ADDRESS], or 0 PATH for a Unix socket: begins a listener."),
    words("include_dir", Scope::Global, "A folder whose files *.conf are read in order of their names.")
        .reload(Reload::Live),
    words("plugin", Scope::Plugin, "The file of a plug-in; mosquitto_dynamic_security.so is built in.")
        .also(&["auth_plugin", "global_plugin"]),
    words("plugin_opt_", Scope::Plugin, "plugin_opt_NAME VALUE: an option of the plug-in above.")
        .also(&["auth_opt_"]),
    words(
        "auth_plugin_deny_special_chars",
        Scope::Plugin,
        "Clients with +, # or / in their names are denied what the plug-in above decides. Not set: true.",
    ),
    words("connection", Scope::Bridge, "NAME: begins a connection to another broker."),
    words("address", Scope::Bridge, "HOST[:PORT] [HOST[:PORT] ...]: where the other broker is.")
        .also(&["addresses"]),
    words(
        "topic",
        Scope::Bridge,
        "PATTERN [[out|in|both] QOS [LOCAL_PREFIX [REMOTE_PREFIX]]]: what goes over the bridge.",
    ),
    words(
        "restart_timeout",
        Scope::Bridge,
        "SECONDS, or BASE CAP: how long a bridge waits before it connects again. Not set: 5 30.",
    ),
    words("tls_keyform", Scope::Listener, "Where the key is: pem, in keyfile. Not set: pem."),
];

const ENGINE: &str = "OpenSSL itself gave engines up; put the key into a PEM file and name it with keyfile, readable by the broker only";

const PLUGIN: &str = "write plugin FILE where it is used; mosquitto_dynamic_security.so is built in";

pub(super) static OBSOLETE: &[Key] = &[
    obsolete(
        "store_clean_interval",
        "Mosquitto 1.x cleaned its message store so often.",
        "the store keeps itself clean",
    ),
    obsolete(
        "trace_level",
        "Old bridges of another vendor had this.",
        "no version of Mosquitto used it; log_type debug shows each packet",
    ),
    obsolete(
        "trace_output",
        "Old bridges of another vendor had this.",
        "no version of Mosquitto used it; log_dest says where log lines go",
    ),
    obsolete("ffdc_output", "Old bridges of another vendor had this.", "no version of Mosquitto used it"),
    obsolete(
        "max_log_entries",
        "Old bridges of another vendor had this.",
        "no version of Mosquitto used it; the system's log rotation keeps files small",
    ),
    words("plugin_load", Scope::Plugin, "NAME FILE: a plug-in of Mosquitto 2.1 that plugin_use names.")
        .status(Status::Refused(PLUGIN)),
    words("plugin_use", Scope::Plugin, "NAME: the listener above uses a plug-in of Mosquitto 2.1.")
        .status(Status::Refused(PLUGIN)),
    words("tls_engine", Scope::Listener, "The engine of OpenSSL that has the key.")
        .status(Status::Refused(ENGINE)),
    words("tls_engine_kpass_sha1", Scope::Listener, "The hash of the password of the engine's key.")
        .status(Status::Refused(ENGINE)),
];

//! Keys of connections to other brokers.

use super::{Key, Kind, Unit, bridge, from_to, limit};
use crate::slot::Slot;

pub(super) static BRIDGE: &[Key] = &[
    bridge(
        "bridge_protocol_version",
        "protocol_version",
        Kind::Choice,
        |b| Slot::Choice(&mut b.protocol_version),
        "The version of MQTT the bridge speaks.",
    ),
    bridge(
        "remote_clientid",
        "remote_clientid",
        Kind::Text,
        |b| Slot::Text(&mut b.remote_clientid),
        "Client identifier at the other broker. Not set: HOSTNAME.NAME.",
    )
    .also(&["clientid"]),
    bridge(
        "remote_username",
        "remote_username",
        Kind::Text,
        |b| Slot::Text(&mut b.remote_username),
        "User name at the other broker.",
    )
    .also(&["username"]),
    bridge(
        "remote_password",
        "remote_password",
        Kind::Secret,
        |b| Slot::Text(&mut b.remote_password),
        "Password at the other broker.",
    )
    .also(&["password"]),
    bridge(
        "local_clientid",
        "local_clientid",
        Kind::Text,
        |b| Slot::Text(&mut b.local_clientid),
        "Client identifier at this broker. Not set: local. and the remote one.",
    ),
    bridge(
        "local_username",
        "local_username",
        Kind::Text,
        |b| Slot::Text(&mut b.local_username),
        "User name at this broker, for its access rules.",
    ),
    bridge(
        "local_password",
        "local_password",
        Kind::Secret,
        |b| Slot::Text(&mut b.local_password),
        "Password at this broker.",
    ),
    bridge(
        "cleansession",
        "cleansession",
        Kind::Bool,
        |b| Slot::Bool(&mut b.cleansession),
        "The session at the other broker ends with the connection: what comes meanwhile is lost.",
    ),
    bridge(
        "local_cleansession",
        "local_cleansession",
        Kind::Bool,
        |b| Slot::MaybeBool(&mut b.local_cleansession),
        "The same for the session at this broker. Not set: as cleansession.",
    ),
    bridge(
        "keepalive_interval",
        "keepalive_interval",
        Kind::Time(from_to(5, 65_535).lower_is(5).unit(Unit::Seconds)),
        |b| Slot::Time(&mut b.keepalive_interval),
        "Silence after which the bridge asks whether the other broker is still there.",
    ),
    bridge(
        "start_type",
        "start_type",
        Kind::Choice,
        |b| Slot::Choice(&mut b.start_type),
        "When the bridge connects: always, when enough messages wait (lazy), or once.",
    ),
    bridge(
        "idle_timeout",
        "idle_timeout",
        Kind::Time(from_to(1, 2_147_483_647).lower_is(1).unit(Unit::Seconds)),
        |b| Slot::Time(&mut b.idle_timeout),
        "Under start_type lazy: silence after which the bridge disconnects.",
    ),
    bridge(
        "threshold",
        "threshold",
        Kind::Number(from_to(1, 2_147_483_647).lower_is(1)),
        |b| Slot::Number(&mut b.threshold),
        "Under start_type lazy: messages that must wait before the bridge connects.",
    ),
    bridge(
        "",
        "restart_timeout_base",
        Kind::Time(from_to(1, 86_400).unit(Unit::Seconds)),
        |b| Slot::Time(&mut b.restart_timeout_base),
        "The least time before the bridge connects again. In mosquitto.conf: restart_timeout BASE CAP.",
    ),
    bridge(
        "",
        "restart_timeout_cap",
        Kind::Time(from_to(1, 2_147_483_647).unit(Unit::Seconds)),
        |b| Slot::Time(&mut b.restart_timeout_cap),
        "The longest such time; the same as the base: always that time.",
    ),
    bridge(
        "round_robin",
        "round_robin",
        Kind::Bool,
        |b| Slot::Bool(&mut b.round_robin),
        "Addresses are taken in turn; else the first one is gone back to when it answers.",
    ),
    bridge(
        "try_private",
        "try_private",
        Kind::Bool,
        |b| Slot::Bool(&mut b.try_private),
        "The other broker is told that this is a bridge; some brokers refuse that.",
    ),
    bridge(
        "bridge_attempt_unsubscribe",
        "attempt_unsubscribe",
        Kind::Bool,
        |b| Slot::Bool(&mut b.attempt_unsubscribe),
        "Subscriptions that are not wanted are ended at the other broker; some brokers disconnect then.",
    ),
    bridge(
        "notifications",
        "notifications",
        Kind::Bool,
        |b| Slot::Bool(&mut b.notifications),
        "The state of the bridge, 1 or 0, is published as a retained message at both brokers.",
    ),
    bridge(
        "notifications_local_only",
        "notifications_local_only",
        Kind::Bool,
        |b| Slot::Bool(&mut b.notifications_local_only),
        "Its state is published at this broker only.",
    ),
    bridge(
        "notification_topic",
        "notification_topic",
        Kind::Text,
        |b| Slot::Text(&mut b.notification_topic),
        "The topic of its state. Not set: $SYS/broker/connection/CLIENTID/state.",
    ),
    bridge(
        "bridge_outgoing_retain",
        "outgoing_retain",
        Kind::Bool,
        |b| Slot::Bool(&mut b.outgoing_retain),
        "The RETAIN flag is sent to the other broker.",
    ),
    bridge(
        "bridge_max_packet_size",
        "packet_size_max",
        Kind::Number(limit(4_294_967_295).unit(Unit::Bytes)),
        |b| Slot::Number(&mut b.packet_size_max),
        "Largest packet the bridge takes; 0: what MQTT allows.",
    ),
    bridge(
        "bridge_receive_maximum",
        "receive_maximum",
        Kind::Number(from_to(1, 65_535)),
        |b| Slot::Number(&mut b.receive_maximum),
        "QoS 1 and 2 messages the other broker may have under way to the bridge, in MQTT 5.",
    )
    .since_2_1(),
    bridge(
        "bridge_max_topic_alias",
        "topic_alias_max",
        Kind::Number(from_to(0, 65_535)),
        |b| Slot::Number(&mut b.topic_alias_max),
        "Topic aliases the other broker may use, in MQTT 5.",
    )
    .since_2_1(),
    bridge(
        "bridge_session_expiry_interval",
        "session_expiry_interval",
        Kind::Number(from_to(0, 4_294_967_295).unit(Unit::Seconds)),
        |b| Slot::Number(&mut b.session_expiry_interval),
        "How long the other broker keeps the session of the bridge, in MQTT 5.",
    )
    .since_2_1(),
    bridge(
        "bridge_reload_type",
        "reload_type",
        Kind::Choice,
        |b| Slot::Choice(&mut b.reload_type),
        "When changed settings reach the bridge: when it connects the next time (lazy), or at once (immediate).",
    )
    .since_2_1(),
    bridge(
        "bridge_bind_address",
        "bind_address",
        Kind::Text,
        |b| Slot::Text(&mut b.bind_address),
        "The local address the bridge connects from.",
    ),
    bridge(
        "bridge_tcp_keepalive",
        "tcp_keepalive",
        Kind::List,
        |b| Slot::List(&mut b.tcp_keepalive),
        "IDLE INTERVAL COUNT: when TCP asks whether the other broker is still there, in seconds.",
    )
    .since_2_1(),
    bridge(
        "bridge_tcp_user_timeout",
        "tcp_user_timeout",
        Kind::Time(from_to(0, 2_147_483_647).none_at(0).unit(Unit::Milliseconds)),
        |b| Slot::Time(&mut b.tcp_user_timeout),
        "The other broker is given up when it acknowledges nothing for so long; 0: as the system does.",
    )
    .since_2_1(),
];

pub(super) static BRIDGE_TLS: &[Key] = &[
    bridge(
        "bridge_cafile",
        "tls_cafile",
        Kind::Path,
        |b| Slot::Text(&mut b.tls_cafile),
        "Certificates of those who sign the other broker's certificate; it turns TLS on.",
    ),
    bridge(
        "bridge_capath",
        "tls_capath",
        Kind::Path,
        |b| Slot::Text(&mut b.tls_capath),
        "The same in a folder of PEM files; it turns TLS on.",
    ),
    bridge(
        "bridge_tls_use_os_certs",
        "tls_use_os_certs",
        Kind::Bool,
        |b| Slot::Bool(&mut b.tls_use_os_certs),
        "The certificates of the system are trusted; it turns TLS on.",
    )
    .since_2_1(),
    bridge(
        "bridge_certfile",
        "tls_certfile",
        Kind::Path,
        |b| Slot::Text(&mut b.tls_certfile),
        "The certificate the bridge shows.",
    ),
    bridge(
        "bridge_keyfile",
        "tls_keyfile",
        Kind::Path,
        |b| Slot::Text(&mut b.tls_keyfile),
        "The private key of that certificate.",
    ),
    bridge(
        "bridge_insecure",
        "tls_insecure",
        Kind::Bool,
        |b| Slot::Bool(&mut b.tls_insecure),
        "The name in the other broker's certificate is not looked at: anybody can pretend to be it.",
    ),
    bridge(
        "bridge_require_ocsp",
        "tls_require_ocsp",
        Kind::Bool,
        |b| Slot::Bool(&mut b.tls_require_ocsp),
        "The other broker must prove that its certificate was not revoked.",
    ),
    bridge(
        "bridge_alpn",
        "tls_alpn",
        Kind::Text,
        |b| Slot::Text(&mut b.tls_alpn),
        "The application protocol the bridge asks for (ALPN), where a port is shared.",
    ),
    bridge(
        "bridge_tls_version",
        "tls_version",
        Kind::Choice,
        |b| Slot::Choice(&mut b.tls_version),
        "The oldest version of TLS the bridge takes. Not set: tlsv1.2.",
    ),
    bridge(
        "bridge_ciphers",
        "tls_ciphers",
        Kind::Text,
        |b| Slot::Text(&mut b.tls_ciphers),
        "Cipher suites up to TLS 1.2, as OpenSSL names them.",
    )
    .since_2_1(),
    bridge(
        "bridge_ciphers_tls1.3",
        "tls_ciphers_tls13",
        Kind::Text,
        |b| Slot::Text(&mut b.tls_ciphers_tls13),
        "Cipher suites of TLS 1.3, as OpenSSL names them.",
    )
    .since_2_1(),
    bridge(
        "bridge_identity",
        "psk_identity",
        Kind::Text,
        |b| Slot::Text(&mut b.psk_identity),
        "Identity for TLS-PSK, which is used instead of certificates.",
    ),
    bridge("bridge_psk", "psk", Kind::Secret, |b| Slot::Text(&mut b.psk), "Key for TLS-PSK, in hexadecimal."),
];

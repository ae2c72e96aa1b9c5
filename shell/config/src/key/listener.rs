//! Keys of where the node listens, and on which terms.

use super::{Key, Kind, Reload, Status, from_to, limit, listener};
use crate::slot::Slot;

pub(super) static LISTENER: &[Key] = &[
    listener(
        "port",
        "port",
        Kind::Number(from_to(1, 65_535)),
        |l| Slot::Number(&mut l.port),
        "TCP port. In mosquitto.conf this is the old way to set that of the default listener.",
    )
    .reload(Reload::Restart)
    .status(Status::Deprecated("listener PORT")),
    listener(
        "bind_address",
        "host",
        Kind::Text,
        |l| Slot::Text(&mut l.host),
        "Name or address to listen on; localhost is 127.0.0.1 and ::1. Not set: all of this machine.",
    )
    .reload(Reload::Restart)
    .status(Status::Deprecated("listener PORT ADDRESS")),
    listener(
        "",
        "unix_socket",
        Kind::Path,
        |l| Slot::Text(&mut l.unix_socket),
        "Path of a Unix socket, instead of port and host. In mosquitto.conf: listener 0 PATH.",
    )
    .reload(Reload::Restart),
    listener(
        "socket_domain",
        "family",
        Kind::Choice,
        |l| Slot::Choice(&mut l.family),
        "The one family of addresses to listen on. Not set: both.",
    )
    .reload(Reload::Restart),
    listener(
        "bind_interface",
        "bind_interface",
        Kind::Text,
        |l| Slot::Text(&mut l.bind_interface),
        "The one network interface to listen on, such as eth0.",
    )
    .reload(Reload::Restart),
    listener(
        "protocol",
        "protocol",
        Kind::Choice,
        |l| Slot::Choice(&mut l.protocol),
        "What is spoken there.",
    )
    .reload(Reload::Restart),
    listener(
        "accept_protocol_versions",
        "accept_versions",
        Kind::Words,
        |l| Slot::List(&mut l.accept_versions),
        "The versions of MQTT that are welcome; in mosquitto.conf 3, 4 and 5 with commas. Not set: all.",
    )
    .since_2_1(),
    listener(
        "max_connections",
        "connections_max",
        Kind::Number(limit(u64::MAX)),
        |l| Slot::Number(&mut l.connections_max),
        "Network connections at once; -1 or 0: no limit.",
    ),
    listener(
        "max_qos",
        "qos_max",
        Kind::Number(from_to(0, 2)),
        |l| Slot::Number(&mut l.qos_max),
        "The highest QoS a client may publish with.",
    )
    .also(&["maximum_qos"]),
    listener(
        "max_topic_alias",
        "topic_alias_max",
        Kind::Number(from_to(0, 65_535)),
        |l| Slot::Number(&mut l.topic_alias_max),
        "Topic aliases an MQTT 5 client may use; 0: none.",
    ),
    listener(
        "max_topic_alias_broker",
        "topic_alias_sent_max",
        Kind::Number(from_to(0, 65_535)),
        |l| Slot::Number(&mut l.topic_alias_sent_max),
        "Topic aliases the broker uses towards one MQTT 5 client. Not set: as the dialect does.",
    )
    .since_2_1(),
    listener(
        "mount_point",
        "mount_point",
        Kind::Text,
        |l| Slot::Text(&mut l.mount_point),
        "What the topics of these clients are put under.",
    ),
    listener(
        "use_username_as_clientid",
        "use_username_as_clientid",
        Kind::Bool,
        |l| Slot::Bool(&mut l.use_username_as_clientid),
        "The user name becomes the client identifier.",
    ),
    listener(
        "",
        "durability",
        Kind::Choice,
        |l| Slot::Choice(&mut l.durability),
        "How safe what these clients are promised must be. Not set: persistence.durability.",
    ),
    listener(
        "listener_allow_anonymous",
        "allow_anonymous",
        Kind::Bool,
        |l| Slot::MaybeBool(&mut l.allow_anonymous),
        "Overrules allow_anonymous for this listener.",
    )
    .since_2_1(),
    listener(
        "listener_auto_id_prefix",
        "auto_id_prefix",
        Kind::Text,
        |l| Slot::Text(&mut l.auto_id_prefix),
        "Overrules auto_id_prefix for this listener.",
    )
    .since_2_1(),
];

pub(super) static PROXY_AND_WEBSOCKET: &[Key] = &[
    listener(
        "enable_proxy_protocol",
        "proxy.protocol",
        Kind::Words,
        |l| Slot::Choice(&mut l.proxy),
        "A proxy such as HAProxy says who the client is, in version 1 or 2 of the PROXY protocol.",
    )
    .since_2_1(),
    listener(
        "proxy_protocol_v2_require_tls",
        "proxy.require_tls",
        Kind::Bool,
        |l| Slot::Bool(&mut l.proxy_require_tls),
        "Under version 2: only clients that came to the proxy by TLS are let in.",
    )
    .since_2_1(),
    listener(
        "",
        "proxy.trusted",
        Kind::List,
        |l| Slot::List(&mut l.trusted_proxies),
        "Addresses and networks (10.0.0.0/8) of proxies that are believed. Not set: whoever connects.",
    ),
    listener(
        "",
        "websocket.paths",
        Kind::List,
        |l| Slot::List(&mut l.websocket.paths),
        "Paths of the URL that are answered, such as [\"/mqtt\"]. Not set: any.",
    ),
    listener(
        "websockets_origin",
        "websocket.origins",
        Kind::List,
        |l| Slot::List(&mut l.websocket.origins),
        "Origins of web pages that may connect; in mosquitto.conf a line for each. Not set: any.",
    )
    .since_2_1(),
    listener(
        "http_dir",
        "websocket.http_dir",
        Kind::Path,
        |l| Slot::Text(&mut l.websocket.http_dir),
        "Folder of files for browsers, on a listener with protocol websockets.",
    ),
];

pub(super) static TLS: &[Key] = &[
    listener(
        "certfile",
        "tls.certfile",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.certfile),
        "The server's certificate with its chain, in PEM; it turns TLS on, together with keyfile.",
    ),
    listener(
        "keyfile",
        "tls.keyfile",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.keyfile),
        "The private key of the certificate, in PEM.",
    ),
    listener(
        "cafile",
        "tls.cafile",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.cafile),
        "Certificates of those who sign clients' certificates, in one file of PEM.",
    ),
    listener(
        "capath",
        "tls.capath",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.capath),
        "The same in a folder of PEM files, named as openssl rehash does.",
    ),
    listener(
        "crlfile",
        "tls.crlfile",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.crlfile),
        "Certificates that were revoked, in PEM.",
    ),
    listener(
        "require_certificate",
        "tls.require_certificate",
        Kind::Bool,
        |l| Slot::Bool(&mut l.tls.require_certificate),
        "Clients must show a certificate that cafile or capath vouches for.",
    ),
    listener(
        "use_identity_as_username",
        "tls.use_identity_as_username",
        Kind::Bool,
        |l| Slot::Bool(&mut l.tls.use_identity_as_username),
        "The common name of the client's certificate, or its PSK identity, becomes the user name.",
    ),
    listener(
        "use_subject_as_username",
        "tls.use_subject_as_username",
        Kind::Bool,
        |l| Slot::Bool(&mut l.tls.use_subject_as_username),
        "The whole subject of the client's certificate becomes the user name.",
    ),
    listener(
        "disable_client_cert_date_checks",
        "tls.disable_client_cert_date_checks",
        Kind::Bool,
        |l| Slot::Bool(&mut l.tls.disable_client_cert_date_checks),
        "Clients' certificates may be out of date, for devices without a clock.",
    )
    .since_2_1(),
    listener(
        "tls_version",
        "tls.version_min",
        Kind::Choice,
        |l| Slot::Choice(&mut l.tls.version_min),
        "The oldest version of TLS that is welcome. Not set: tlsv1.2.",
    ),
    listener(
        "ciphers",
        "tls.ciphers",
        Kind::Text,
        |l| Slot::Text(&mut l.tls.ciphers),
        "Cipher suites up to TLS 1.2, as OpenSSL names them.",
    ),
    listener(
        "ciphers_tls1.3",
        "tls.ciphers_tls13",
        Kind::Text,
        |l| Slot::Text(&mut l.tls.ciphers_tls13),
        "Cipher suites of TLS 1.3, as OpenSSL names them.",
    ),
    listener(
        "dhparamfile",
        "tls.dhparamfile",
        Kind::Path,
        |l| Slot::Text(&mut l.tls.dhparamfile),
        "Diffie-Hellman parameters; elliptic curves do without them.",
    ),
    listener(
        "psk_hint",
        "tls.psk_hint",
        Kind::Text,
        |l| Slot::Text(&mut l.tls.psk_hint),
        "Turns TLS-PSK on instead of certificates, and is told to clients; keys come from psk_file.",
    ),
];

//! Where the node listens, and on which terms.

use std::path::PathBuf;

use super::{Dialect, Durability, Security};

/// Where the node listens, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// TCP port; 0 for a Unix socket.
    pub port: u16,
    /// Name or address to listen on; `None`: all of this machine. `localhost` is both 127.0.0.1 and ::1.
    pub host: Option<String>,
    /// The path of a Unix socket, instead of port and host.
    pub unix_socket: Option<PathBuf>,
    /// The one family of addresses to use; `None`: both.
    pub family: Option<IpFamily>,
    /// The one network interface to use (`SO_BINDTODEVICE`).
    pub bind_interface: Option<String>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The versions of MQTT that are welcome; empty: all.
    pub accept_versions: Vec<AcceptedVersion>,
    /// Network Connections at once; `None`: no limit of its own.
    pub connections_max: Option<u64>,
    /// Maximum QoS: 0, 1 or 2.
    pub qos_max: u8,
    /// Topic Alias Maximum offered to Clients; 0: none.
    pub topic_alias_max: u16,
    /// Topic Aliases used towards one Client at most; `None`: as the dialect does.
    pub topic_alias_sent_max: Option<u16>,
    /// What all topics of these Clients are put under.
    pub mount_point: Option<String>,
    /// The User Name becomes the Client Identifier.
    pub use_username_as_clientid: bool,
    /// How safe what these Clients are promised must be, if it differs from the node's.
    pub durability: Option<Durability>,
    /// Overrules [`Security::allow_anonymous`] here.
    pub allow_anonymous: Option<bool>,
    /// Overrules [`Security::auto_id_prefix`] here.
    pub auto_id_prefix: Option<String>,
    /// A proxy says who the Client is.
    pub proxy: ProxyProtocol,
    /// Under [`ProxyProtocol::V2`]: only Clients that came to the proxy by TLS are let in.
    pub proxy_require_tls: bool,
    /// Addresses and networks (`10.0.0.0/8`) of proxies that are believed; empty: whoever connects.
    pub trusted_proxies: Vec<String>,
    /// WebSocket settings.
    pub websocket: WebSocket,
    /// TLS settings; TLS is on when [`Tls::is_on`].
    pub tls: Tls,
    /// Who may enter and do what, under
    /// [`Config::per_listener_settings`](super::Config::per_listener_settings).
    pub security: Security,
}

/// WebSocket settings of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebSocket {
    /// Paths of the URL that are answered, such as `/mqtt`; empty: any.
    pub paths: Vec<String>,
    /// Origins of pages that may connect; empty: any.
    pub origins: Vec<String>,
    /// Files for browsers lie here.
    pub http_dir: Option<PathBuf>,
}

/// TLS settings of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The server's certificate with its chain, in PEM.
    pub certfile: Option<PathBuf>,
    /// The key of it, in PEM.
    pub keyfile: Option<PathBuf>,
    /// Certificates of those who sign Clients' certificates, in one file.
    pub cafile: Option<PathBuf>,
    /// The same in a folder, named as `openssl rehash` does.
    pub capath: Option<PathBuf>,
    /// Certificates that were called back.
    pub crlfile: Option<PathBuf>,
    /// Clients must show a certificate.
    pub require_certificate: bool,
    /// The Common Name of the certificate, or the identity of TLS-PSK, becomes the User Name.
    pub use_identity_as_username: bool,
    /// The whole subject of the certificate becomes the User Name.
    pub use_subject_as_username: bool,
    /// Clients' certificates may be out of date.
    pub disable_client_cert_date_checks: bool,
    /// The oldest version that is welcome; `None`: 1.2.
    pub version_min: Option<TlsVersion>,
    /// Cipher suites up to TLS 1.2, as OpenSSL names them.
    pub ciphers: Option<String>,
    /// Cipher suites of TLS 1.3, as OpenSSL names them.
    pub ciphers_tls13: Option<String>,
    /// Diffie-Hellman parameters, which are read and not needed.
    pub dhparamfile: Option<PathBuf>,
    /// Turns TLS-PSK on, and is told to Clients.
    pub psk_hint: Option<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.1, which only OpenSSL still speaks.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// What is spoken at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// MQTT in a plain stream of bytes.
    #[default]
    Mqtt,
    /// MQTT in WebSocket frames.
    Websockets,
    /// A web page and an API that tell about the node.
    HttpApi,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Which PROXY protocol a listener expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// None.
    #[default]
    Off,
    /// Version 1, a line of text.
    V1,
    /// Version 2, binary.
    V2,
}

/// A version of MQTT that is welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AcceptedVersion {
    /// MQTT 3.1.
    V3_1,
    /// MQTT 3.1.1.
    V3_1_1,
    /// MQTT 5.0.
    V5,
}

impl Listener {
    /// A listener on all addresses of this machine, with the defaults of a dialect.
    pub fn new(dialect: Dialect, port: u16) -> Self {
        let native = dialect == Dialect::Native;
        Self {
            port,
            host: None,
            unix_socket: None,
            family: None,
            bind_interface: None,
            protocol: Protocol::default(),
            accept_versions: Vec::new(),
            connections_max: None,
            qos_max: 2,
            topic_alias_max: if native { 64 } else { 10 },
            topic_alias_sent_max: None,
            mount_point: None,
            use_username_as_clientid: false,
            durability: None,
            allow_anonymous: None,
            auto_id_prefix: None,
            proxy: ProxyProtocol::default(),
            proxy_require_tls: false,
            trusted_proxies: Vec::new(),
            websocket: WebSocket::default(),
            tls: Tls::default(),
            security: Security::default(),
        }
    }

    /// The listener of a node that was not told where to listen.
    pub(super) fn unasked(dialect: Dialect) -> Self {
        let host = if dialect == Dialect::Mosquitto1 { None } else { Some("localhost".to_owned()) };
        Self { host, ..Self::new(dialect, 1883) }
    }
}

impl Tls {
    /// Is anything encrypted there?
    pub fn is_on(&self) -> bool {
        self.certfile.is_some() || self.psk_hint.is_some()
    }
}

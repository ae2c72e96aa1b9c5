//! Connections to other brokers.

use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, TlsVersion};

/// A connection to another broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its name, unlike that of any other.
    pub name: String,
    /// Where the other broker is, as `HOST`, `HOST:PORT` or `[IPV6]:PORT`, in the order in which they are tried.
    pub addresses: Vec<String>,
    /// What goes over it.
    pub topics: Vec<BridgeTopic>,
    /// The version of MQTT it speaks.
    pub protocol_version: ProtocolVersion,
    /// Client Identifier at the other broker; `None`: `HOSTNAME.NAME`.
    pub remote_clientid: Option<String>,
    /// User Name at the other broker.
    pub remote_username: Option<String>,
    /// Password at the other broker.
    pub remote_password: Option<Secret>,
    /// Client Identifier at this broker; `None`: `local.` and the remote one.
    pub local_clientid: Option<String>,
    /// User Name at this broker.
    pub local_username: Option<String>,
    /// Password at this broker.
    pub local_password: Option<Secret>,
    /// The Session at the other broker ends with the Network Connection.
    pub cleansession: bool,
    /// The same for the Session at this broker; `None`: as [`Bridge::cleansession`].
    pub local_cleansession: Option<bool>,
    /// Keep Alive.
    pub keepalive_interval: Duration,
    /// When it connects.
    pub start_type: StartType,
    /// Under [`StartType::Lazy`]: silence after which it disconnects.
    pub idle_timeout: Duration,
    /// Under [`StartType::Lazy`]: Messages that must wait before it connects.
    pub threshold: u32,
    /// The least time before it connects again.
    pub restart_timeout_base: Duration,
    /// The longest such time; the same as the base: always that time.
    pub restart_timeout_cap: Duration,
    /// Addresses are taken in turn; else the first one is gone back to when it answers.
    pub round_robin: bool,
    /// The other broker is told that this is a bridge.
    pub try_private: bool,
    /// Subscriptions that are not wanted are ended at the other broker.
    pub attempt_unsubscribe: bool,
    /// Its state is published as a Retained Message.
    pub notifications: bool,
    /// Only at this broker.
    pub notifications_local_only: bool,
    /// Where; `None`: `$SYS/broker/connection/CLIENTID/state`.
    pub notification_topic: Option<String>,
    /// The RETAIN flag is sent to the other broker.
    pub outgoing_retain: bool,
    /// Largest packet it takes, in bytes.
    pub packet_size_max: Option<u32>,
    /// Receive Maximum it names.
    pub receive_maximum: u16,
    /// Topic Alias Maximum it names.
    pub topic_alias_max: u16,
    /// Session Expiry Interval it names, in seconds.
    pub session_expiry_interval: u32,
    /// When changed settings reach it.
    pub reload_type: ReloadType,
    /// The local address it connects from.
    pub bind_address: Option<String>,
    /// Idle time, interval (both in seconds) and count of TCP's questions; `None`: as the system does.
    pub tcp_keepalive: Option<[u32; 3]>,
    /// A peer that acknowledges nothing for so long is given up.
    pub tcp_user_timeout: Option<Duration>,
    /// Certificates of those who sign the other broker's certificate, in one file.
    pub tls_cafile: Option<PathBuf>,
    /// The same in a folder.
    pub tls_capath: Option<PathBuf>,
    /// The certificates of the system are trusted.
    pub tls_use_os_certs: bool,
    /// The certificate it shows.
    pub tls_certfile: Option<PathBuf>,
    /// The key of it.
    pub tls_keyfile: Option<PathBuf>,
    /// The name in the other broker's certificate is not looked at.
    pub tls_insecure: bool,
    /// The other broker must prove that its certificate was not called back.
    pub tls_require_ocsp: bool,
    /// The application protocol it asks for.
    pub tls_alpn: Option<String>,
    /// The oldest version of TLS it takes; `None`: 1.2.
    pub tls_version: Option<TlsVersion>,
    /// Cipher suites up to TLS 1.2.
    pub tls_ciphers: Option<String>,
    /// Cipher suites of TLS 1.3.
    pub tls_ciphers_tls13: Option<String>,
    /// Identity for TLS-PSK.
    pub psk_identity: Option<String>,
    /// Key for TLS-PSK, in hexadecimal.
    pub psk: Option<Secret>,
}

/// A pattern of topics that go over a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeTopic {
    /// The pattern without its prefixes; empty: the prefixes are the whole topic.
    pub pattern: String,
    /// Which way Messages go.
    pub direction: Direction,
    /// The QoS they go with at most: 0, 1 or 2.
    pub qos: u8,
    /// What the topic begins with at this broker.
    pub local_prefix: String,
    /// What the topic begins with at the other broker.
    pub remote_prefix: String,
}

/// Which way Messages go over a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// To the other broker.
    #[default]
    Out,
    /// From the other broker.
    In,
    /// Both ways.
    Both,
}

/// When a bridge connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartType {
    /// At start, and again whenever it is parted.
    #[default]
    Automatic,
    /// When enough Messages wait.
    Lazy,
    /// At start, and not again.
    Once,
}

/// When changed settings reach a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReloadType {
    /// When it connects the next time.
    #[default]
    Lazy,
    /// At once: it connects anew.
    Immediate,
}

/// The version of MQTT a bridge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProtocolVersion {
    /// MQTT 3.1.
    V3_1,
    /// MQTT 3.1.1.
    #[default]
    V3_1_1,
    /// MQTT 5.0.
    V5,
}

impl Bridge {
    /// A bridge of this name that goes nowhere yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            addresses: Vec::new(),
            topics: Vec::new(),
            protocol_version: ProtocolVersion::default(),
            remote_clientid: None,
            remote_username: None,
            remote_password: None,
            local_clientid: None,
            local_username: None,
            local_password: None,
            cleansession: false,
            local_cleansession: None,
            keepalive_interval: Duration::from_secs(60),
            start_type: StartType::default(),
            idle_timeout: Duration::from_secs(60),
            threshold: 10,
            restart_timeout_base: Duration::from_secs(5),
            restart_timeout_cap: Duration::from_secs(30),
            round_robin: false,
            try_private: true,
            attempt_unsubscribe: true,
            notifications: true,
            notifications_local_only: false,
            notification_topic: None,
            outgoing_retain: true,
            packet_size_max: None,
            receive_maximum: 20,
            topic_alias_max: 10,
            session_expiry_interval: 0,
            reload_type: ReloadType::default(),
            bind_address: None,
            tcp_keepalive: None,
            tcp_user_timeout: None,
            tls_cafile: None,
            tls_capath: None,
            tls_use_os_certs: false,
            tls_certfile: None,
            tls_keyfile: None,
            tls_insecure: false,
            tls_require_ocsp: false,
            tls_alpn: None,
            tls_version: None,
            tls_ciphers: None,
            tls_ciphers_tls13: None,
            psk_identity: None,
            psk: None,
        }
    }
}

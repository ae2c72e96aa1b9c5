//! Who is at the other end, as far as the transport learnt it.
//!
//! The rule: what a peer merely claims is kept apart from what was verified; a proxy is believed only when its address
//! is trusted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where the socket of a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// The Internet.
    Inet(SocketAddr),
    /// A Unix socket of this machine: it has no address.
    Unix,
}

/// What the transport learnt of a peer. Complete when CONNECT is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Where its socket is: the Client, or the proxy in front.
    pub address: PeerAddress,
    /// The Client's address, as a trusted proxy told it: by PROXY protocol or X-Forwarded-For.
    pub forwarded: Option<SocketAddr>,
    /// It came through TLS that ends here.
    pub tls: Option<Box<TlsInfo>>,
    /// What else a trusted proxy told by PROXY protocol.
    pub proxied: Option<Box<ProxiedInfo>>,
    /// It speaks MQTT in WebSocket frames.
    pub is_websocket: bool,
}

/// What TLS learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version that was agreed on.
    pub version: TlsVersion,
    /// The cipher suite, by the name of its standard or of OpenSSL.
    pub cipher: Box<str>,
    /// The host name the Client asked for.
    pub server_name: Option<Box<str>>,
    /// The certificate the Client proved to own; its chain was verified.
    pub certificate: Option<Box<PeerCertificate>>,
    /// The identity whose pre-shared key the Client proved to know.
    pub psk_identity: Option<Box<str>>,
}

/// A verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The first Common Name of its subject.
    pub common_name: Option<Box<str>>,
    /// Its subject as RFC 2253 writes it, most specific part first.
    pub subject: Box<str>,
    /// The whole certificate.
    pub der: Box<[u8]>,
}

/// What a trusted proxy told of the connection it took, besides the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxiedInfo {
    /// The Client reached the proxy by TLS.
    pub is_tls: bool,
    /// The version of TLS there, in the proxy's words.
    pub tls_version: Option<Box<str>>,
    /// The Common Name of the Client's certificate, which the proxy verified.
    pub common_name: Option<Box<str>>,
    /// The host name the Client asked for.
    pub server_name: Option<Box<str>>,
    /// The proxy's name for this connection.
    pub unique_id: Option<Box<[u8]>>,
}

/// A version of TLS. Later versions are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0, which OpenSSL alone still speaks.
    V1_0,
    /// TLS 1.1, which OpenSSL alone still speaks.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl PeerInfo {
    /// A peer of which only the address is known.
    pub fn new(address: PeerAddress) -> Self {
        Self { address, forwarded: None, tls: None, proxied: None, is_websocket: false }
    }

    /// The Client's address, behind all proxies that are trusted.
    pub fn client_address(&self) -> PeerAddress {
        self.forwarded.map_or(self.address, PeerAddress::Inet)
    }

    /// The certificate the Client proved to own here.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        self.tls.as_ref()?.certificate.as_deref()
    }

    /// The Common Name of the Client's certificate, verified here or by a trusted proxy.
    pub fn common_name(&self) -> Option<&str> {
        let here = self.certificate().and_then(|certificate| certificate.common_name.as_deref());
        here.or_else(|| self.proxied.as_ref()?.common_name.as_deref())
    }

    /// The identity whose pre-shared key the Client proved to know.
    pub fn psk_identity(&self) -> Option<&str> {
        self.tls.as_ref()?.psk_identity.as_deref()
    }

    /// The version of TLS that ends here.
    pub fn tls_version(&self) -> Option<TlsVersion> {
        Some(self.tls.as_ref()?.version)
    }
}

impl PeerAddress {
    /// The address without the port.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Inet(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Inet(address) => Some(address.port()),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl<T: Into<PeerAddress>> From<T> for PeerInfo {
    fn from(address: T) -> Self {
        Self::new(address.into())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix => f.write_str("a Unix socket"),
        }
    }
}

/// The Client's address, and the proxy's if there is one.
impl fmt::Display for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.forwarded {
            Some(client) => write!(f, "{client} (through {})", self.address),
            None => self.address.fmt(f),
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "TLS 1.0",
            Self::V1_1 => "TLS 1.1",
            Self::V1_2 => "TLS 1.2",
            Self::V1_3 => "TLS 1.3",
        })
    }
}

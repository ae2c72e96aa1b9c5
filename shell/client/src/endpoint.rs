//! Where a Server is and how to get there: what outlives a connection, so that the next one goes the same way.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use crate::TlsOptions;

/// Where a Server is, and how to get there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// The name or address of this machine to connect from; without one the system chooses.
    pub bind: Option<String>,
    /// Who connects in our stead. A Unix socket is reached without.
    pub proxy: Option<Proxy>,
    /// Whether TLS is spoken, and how.
    pub tls: Option<TlsOptions>,
}

/// Where a Server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name or IP address, and a port.
    Tcp {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A SOCKS5 proxy. It resolves the Server's name, as `socks5h` says.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's name or address.
    pub host: String,
    /// The proxy's port.
    pub port: u16,
    /// User and password for the proxy, if it wants them.
    pub credentials: Option<(String, String)>,
}

impl Endpoint {
    /// A Server behind TCP, without TLS.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Address::Tcp { host: host.into(), port })
    }

    /// A Server behind a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(Address::Unix(path.into()))
    }

    const fn new(address: Address) -> Self {
        Self { address, bind: None, proxy: None, tls: None }
    }
}

impl Address {
    /// The name a certificate must bear.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tcp { host, .. } => host,
            Self::Unix(_) => "localhost",
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The password is a secret.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

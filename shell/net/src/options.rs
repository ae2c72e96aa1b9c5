//! How a listener is described: where it listens, and what lies between its sockets and MQTT.
//!
//! The rule: everything here is plain data; what is wrong with it is found when the listener opens, not when a Client
//! comes.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use martlet_record::Need;

use crate::{ProxyOptions, TcpOptions, TlsOptions, WebSocketOptions};

/// A listener that is to be opened.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Where it listens.
    pub address: Address,
    /// What is asked of TCP; of no use on a Unix socket.
    pub tcp: TcpOptions,
    /// How safe what Clients are promised there must be, if it differs from the node's.
    pub need: Option<Need>,
    /// Connections it may have; one more is refused. `None`: as many as the node.
    pub max_connections: Option<u32>,
    /// A proxy in front says who the Client is.
    pub proxy: Option<ProxyOptions>,
    /// Bytes are encrypted.
    pub tls: Option<TlsOptions>,
    /// MQTT is carried by WebSocket frames.
    pub websocket: Option<WebSocketOptions>,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp {
        /// A name or an address; `None`: every address of this machine.
        host: Option<String>,
        /// Port 0 takes a free one.
        port: u16,
        /// Which of the addresses are taken.
        family: Family,
        /// Only connections that come in by this network interface.
        interface: Option<String>,
    },
    /// A Unix socket, made at this path.
    Unix {
        /// The file. A socket that a program left behind there is replaced.
        path: PathBuf,
    },
}

/// Which Internet Protocol a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Whatever the host has addresses of.
    #[default]
    Any,
    /// Version 4 only.
    V4,
    /// Version 6 only.
    V6,
}

impl ListenerOptions {
    /// A listener of plain MQTT.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            tcp: TcpOptions::default(),
            need: None,
            max_connections: None,
            proxy: None,
            tls: None,
            websocket: None,
        }
    }
}

impl Family {
    pub(crate) fn has(self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp {
            host: Some(address.ip().to_string()),
            port: address.port(),
            family: Family::Any,
            interface: None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host: None, port, .. } => write!(f, "port {port}"),
            Self::Tcp { host: Some(host), port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host: Some(host), port, .. } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

//! Listeners and connections: bytes to Packets and back.
//!
//! Nothing here blocks: a socket that has nothing to give or takes nothing says so, and whoever runs it comes back when
//! it is ready. What a connection keeps for a peer grows only with the bytes that peer has sent.

mod listener;
mod options;
mod tcp_options;

mod acceptor;
mod reserve;

mod connection;
mod connections;
mod frames;
mod opening;
mod peer;
mod transport;

mod layers;
mod proxy;
mod tls;
mod trust;
mod websocket;

pub use acceptor::{Accepted, Acceptor};
pub use connection::{Connection, Flushed, Phase, READ_BYTES_MIN, Received};
pub use connections::Connections;
pub use frames::Frames;
pub use listener::{Error, Listener};
pub use opening::{FIRST_PACKET_BYTES_MAX, Opening, Step};
pub use options::{Address, Family, ListenerOptions};
pub use peer::{PeerAddress, PeerCertificate, PeerInfo, ProxiedInfo, TlsInfo, TlsVersion};
pub use proxy::{ProxyError, ProxyHeader, ProxyOptions, ProxyVersions, parse as parse_proxy_header};
pub use reserve::{descriptor_limit, raise_descriptor_limit};
pub use tcp_options::{KeepAliveProbes, TcpOptions};
pub use tls::{
    ClientCertificate, IdentityFiles, KeyPassword, PskKeys, PskOptions, TlsError, TlsHandle, TlsOptions,
    TlsVersions,
};
pub use transport::Transport;
pub use trust::{Network, NotANetwork, TrustedSources};
pub use websocket::WebSocketOptions;
#[doc(hidden)]
pub use websocket::unframe_all;

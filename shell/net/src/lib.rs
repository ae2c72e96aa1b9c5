//! Listeners and connections: bytes to Packets and back.
//!
//! Nothing here blocks: a socket that has nothing to give or takes nothing says so, and whoever runs it comes back when
//! it is ready. What a connection keeps for a peer grows only with the bytes that peer has sent.

mod listener;
mod tcp_options;

mod acceptor;
mod reserve;

mod connection;
mod connections;
mod frames;
mod opening;

pub use acceptor::{Accepted, Acceptor};
pub use connection::{Connection, Flushed, Phase, Received};
pub use connections::Connections;
pub use frames::Frames;
pub use listener::{Error, Listener};
pub use opening::{FIRST_PACKET_BYTES_MAX, Opening, Step};
pub use reserve::{descriptor_limit, raise_descriptor_limit};
pub use tcp_options::{KeepAliveProbes, TcpOptions};

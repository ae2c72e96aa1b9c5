//! A TCP listener of one address.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use martlet_record::Need;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::TcpOptions;

/// Why a listener could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there: choose another port, or stop it.
    #[error("{address} is in use by another program")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// This machine has no such address.
    #[error("this machine has no address {}", address.ip())]
    NoSuchAddress {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused: ports below 1024 often need a privilege.
    #[error("cannot listen on {address}")]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A listener that never blocks.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    need: Option<Need>,
}

impl Listener {
    /// Binds and listens. Port 0 takes a free one, which [`Listener::address`] then tells. `need` says how safe what
    /// Clients are promised there must be, if it differs from the node's.
    pub fn bind(address: SocketAddr, options: &TcpOptions, need: Option<Need>) -> Result<Self, Error> {
        let socket = bind(address, options).map_err(|source| Error::of(address, source))?;
        let bound = socket.local_addr().map_err(|source| Error::of(address, source))?;
        Ok(Self { socket: TcpListener::from_std(socket), address: bound, need })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn need(&self) -> Option<Need> {
        self.need
    }

    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept()
    }

    pub(crate) fn source(&mut self) -> &mut TcpListener {
        &mut self.socket
    }
}

fn bind(address: SocketAddr, options: &TcpOptions) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can be bound beside each other, whatever the system's default is.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    options.apply(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog.into())?;
    Ok(socket.into())
}

impl Error {
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Refused { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_in_use_is_told_from_other_troubles() {
        let options = TcpOptions::default();
        let first = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &options, None).unwrap();
        let second = Listener::bind(first.address(), &options, None);
        assert!(matches!(second, Err(Error::InUse { address }) if address == first.address()));
        let foreign = Listener::bind((Ipv4Addr::new(192, 0, 2, 1), 0).into(), &options, None);
        assert!(matches!(foreign, Err(Error::NoSuchAddress { .. })), "{foreign:?}");
    }
}

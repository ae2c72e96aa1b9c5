//! Sockets: how a connection comes about, over TCP, a Unix socket or a proxy, and with TLS if asked for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Type};

use crate::stream::Stream;
use crate::{Address, Endpoint, Error, proxy, tls};

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Connects in time, or says why not. From then on nothing blocks.
pub(crate) fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Box<dyn Stream>, Error> {
    let until = Instant::now() + timeout;
    let tls = endpoint.tls.as_ref().map(tls::prepare).transpose()?;
    let unreachable = |source| Error::Unreachable { server: endpoint.address.to_string(), source };
    let socket = match (&endpoint.address, &endpoint.proxy) {
        (Address::Unix(path), _) => Socket::Unix(UnixStream::connect(path).map_err(unreachable)?),
        (Address::Tcp { host, port }, None) => {
            Socket::Tcp(connect_tcp(host, *port, endpoint.bind.as_deref(), timeout).map_err(unreachable)?)
        }
        (Address::Tcp { host, port }, Some(through)) => {
            let socket = connect_tcp(&through.host, through.port, endpoint.bind.as_deref(), timeout);
            let address = Address::Tcp { host: through.host.clone(), port: through.port };
            let mut socket = socket
                .map_err(|source| Error::Unreachable { server: format!("the proxy {address}"), source })?;
            proxy::ask(&mut socket, through, (host, *port), timeout)?;
            Socket::Tcp(socket)
        }
    };
    socket.set_nonblocking().map_err(unreachable)?;
    match tls {
        None => Ok(Box::new(socket)),
        Some(tls) => tls.connect(socket, endpoint.address.host(), until),
    }
}

/// Connects to the first address of the name that answers in time.
fn connect_tcp(host: &str, port: u16, bind: Option<&str>, timeout: Duration) -> io::Result<TcpStream> {
    let sources = bind.map(|name| (name, 0).to_socket_addrs()).transpose()?;
    let sources = sources.map(Vec::from_iter);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        let socket = match &sources {
            None => TcpStream::connect_timeout(&address, timeout),
            Some(sources) => connect_from(sources, address, timeout),
        };
        match socket {
            Ok(socket) => {
                // A packet is written whole; waiting for more of them would only cost time.
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Connects from the first of our addresses that is of the same kind.
fn connect_from(sources: &[SocketAddr], address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let source = sources.iter().find(|source| source.is_ipv4() == address.is_ipv4());
    let source = source.ok_or_else(|| {
        io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of that kind to bind to")
    })?;
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SockAddr::from(*source))?;
    socket.connect_timeout(&address.into(), timeout)?;
    Ok(socket.into())
}

impl Socket {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket) => socket.set_nonblocking(true),
        }
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(how),
            Self::Unix(socket) => socket.shutdown(how),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(chunk),
            Self::Unix(socket) => socket.read(chunk),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

//! A listener: sockets of one description, TCP or Unix, and the layers that its connections get.
//!
//! The rule: a listener listens at every address of its description that this machine has, or says why not.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use martlet_record::Need;
use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::layers::Layering;
use crate::tls::{TlsError, TlsHandle};
use crate::{Address, Family, ListenerOptions, PeerAddress, TcpOptions, Transport};

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
    /// The name of a host leads nowhere.
    #[error("the host `{host}` has no address{}", match family {
        Family::Any => "",
        Family::V4 => " of IPv4",
        Family::V6 => " of IPv6",
    })]
    UnknownHost {
        /// The name asked for.
        host: String,
        /// The addresses asked for.
        family: Family,
        /// What the system said, if it said anything.
        source: Option<io::Error>,
    },
    /// Connections of one network interface only: there is none of this name, or it needs a privilege.
    #[error("cannot listen on the network interface `{interface}` alone")]
    Interface {
        /// The interface asked for.
        interface: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another program listens on this Unix socket.
    #[error("{} is in use by another program", path.display())]
    PathInUse {
        /// The path asked for.
        path: PathBuf,
    },
    /// There is a file in the place of the Unix socket: it is not ours to remove.
    #[error("{} is a file, and no socket: remove it or choose another path", path.display())]
    NotASocket {
        /// The path asked for.
        path: PathBuf,
    },
    /// The system refused a Unix socket.
    #[error("cannot listen on the Unix socket {}", path.display())]
    RefusedPath {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// TLS cannot be done as it is asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A listener that never blocks.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Door>,
    need: Option<Need>,
    max_connections: Option<u32>,
    layering: Option<Layering>,
}

/// One socket of a listener.
#[derive(Debug)]
enum Door {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, UnixPath),
}

/// The file of a Unix socket; it goes when the socket does.
#[derive(Debug)]
struct UnixPath(PathBuf);

impl Listener {
    /// Binds and listens as described. Port 0 takes a free one, which [`Listener::address`] then tells.
    pub fn open(options: &ListenerOptions) -> Result<Self, Error> {
        let layering = Layering::new(options)?;
        let sockets = match &options.address {
            Address::Tcp { host, port, family, interface } => {
                let addresses = resolve(host.as_deref(), *port, *family)?;
                bind_all(&addresses, &options.tcp, interface.as_deref())?
            }
            Address::Unix { path } => vec![bind_path(path, options.tcp.backlog)?],
        };
        Ok(Self { sockets, need: options.need, max_connections: options.max_connections, layering })
    }

    /// Where it listens: the first of its addresses. A Unix socket has none, which is told as port 0.
    pub fn address(&self) -> SocketAddr {
        self.addresses().next().unwrap_or_else(|| ([0, 0, 0, 0], 0).into())
    }

    /// The addresses at which it listens.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|door| match door {
            Door::Tcp(_, address) => Some(*address),
            Door::Unix(..) => None,
        })
    }

    /// The Unix socket on which it listens.
    pub fn path(&self) -> Option<&Path> {
        self.sockets.iter().find_map(|door| match door {
            Door::Tcp(..) => None,
            Door::Unix(_, path) => Some(path.0.as_path()),
        })
    }

    /// Connections it may have.
    pub fn max_connections(&self) -> Option<u32> {
        self.max_connections
    }

    /// Exchanges the certificates and all else of its TLS, while it listens.
    pub fn tls(&self) -> Option<TlsHandle> {
        self.layering.as_ref()?.tls()
    }

    pub(crate) fn need(&self) -> Option<Need> {
        self.need
    }

    /// Takes the next connection that waits at one of its sockets.
    pub(crate) fn accept(&self) -> io::Result<(Transport, PeerAddress)> {
        let mut nothing = io::ErrorKind::WouldBlock.into();
        for door in &self.sockets {
            match door.accept() {
                Ok((socket, peer)) => {
                    let layers = self.layering.as_ref().map(Layering::begin).transpose()?;
                    return Ok((Transport { socket, layers }, peer));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => nothing = error,
                Err(error) => return Err(error),
            }
        }
        Err(nothing)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.sockets.iter_mut().try_for_each(|door| match door {
            Door::Tcp(socket, _) => registry.register(socket, token, Interest::READABLE),
            Door::Unix(socket, _) => registry.register(socket, token, Interest::READABLE),
        })
    }
}

impl Door {
    fn accept(&self) -> io::Result<(TcpStream, PeerAddress)> {
        match self {
            Self::Tcp(socket, _) => socket.accept().map(|(socket, peer)| (socket, PeerAddress::Inet(peer))),
            Self::Unix(socket, _) => {
                let (socket, _) = socket.accept()?;
                Ok((as_stream(socket.into()), PeerAddress::Unix))
            }
        }
    }
}

/// A connected socket is read, written and shut down alike, whatever its family; so that of a Unix socket takes no more
/// room in a connection and no case of its own.
fn as_stream(socket: UnixStream) -> TcpStream {
    TcpStream::from_std(OwnedFd::from(socket).into())
}

/// The addresses that are meant.
fn resolve(host: Option<&str>, port: u16, family: Family) -> Result<Vec<SocketAddr>, Error> {
    let (name, found) = match host {
        None => return Ok(everywhere(port).into_iter().filter(|address| family.has(address)).collect()),
        Some(host) => (host, (host, port).to_socket_addrs()),
    };
    let unknown = |source| Error::UnknownHost { host: name.to_owned(), family, source };
    let mut addresses: Vec<_> =
        found.map_err(|source| unknown(Some(source)))?.filter(|address| family.has(address)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() { Err(unknown(None)) } else { Ok(addresses) }
}

fn everywhere(port: u16) -> [SocketAddr; 2] {
    [([0_u16; 8], port).into(), ([0_u8; 4], port).into()]
}

/// Binds all addresses; one that this machine lacks is left out as long as there is another. A free port that was taken
/// for the first is the port of all.
fn bind_all(
    addresses: &[SocketAddr],
    options: &TcpOptions,
    interface: Option<&str>,
) -> Result<Vec<Door>, Error> {
    let mut doors: Vec<Door> = Vec::new();
    let mut missing = None;
    for address in addresses {
        let mut address = *address;
        if let Some(Door::Tcp(_, first)) = doors.first() {
            address.set_port(first.port());
        }
        match bind_one(address, options, interface) {
            Ok(door) => doors.push(door),
            Err(error) if error.is_missing() => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if doors.is_empty() => Err(error),
        _ => Ok(doors),
    }
}

fn bind_one(address: SocketAddr, options: &TcpOptions, interface: Option<&str>) -> Result<Door, Error> {
    let of = |source| Error::of(address, source);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(of)?;
    if let Some(interface) = interface {
        bind_to_interface(&socket, interface)?;
    }
    let socket = listen(socket, address, options).map_err(of)?;
    let bound = socket.local_addr().map_err(of)?;
    Ok(Door::Tcp(TcpListener::from_std(socket), bound))
}

fn bind_to_interface(socket: &Socket, interface: &str) -> Result<(), Error> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let bound = socket.bind_device(Some(interface.as_bytes()));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let bound = Err(io::Error::from(io::ErrorKind::Unsupported));
    bound.map_err(|source| Error::Interface { interface: interface.to_owned(), source })
}

fn listen(socket: Socket, address: SocketAddr, options: &TcpOptions) -> io::Result<StdListener> {
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

/// Makes a Unix socket, in the place of one that nobody listens on any more.
fn bind_path(path: &Path, backlog: u16) -> Result<Door, Error> {
    let refused = |source| Error::RefusedPath { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(Error::NotASocket { path: path.to_owned() }),
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(Error::PathInUse { path: path.to_owned() }),
        Ok(_) => std::fs::remove_file(path).map_err(refused)?,
    }
    let bind = || -> io::Result<UnixListener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        socket.listen(backlog.into())?;
        Ok(UnixListener::from_std(OwnedFd::from(socket).into()))
    };
    let socket = bind().map_err(refused)?;
    Ok(Door::Unix(socket, UnixPath(path.to_owned())))
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        // Who removed it before wanted it gone as well.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Error {
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Refused { address, source },
        }
    }

    /// This machine does not have the address, or its whole protocol.
    fn is_missing(&self) -> bool {
        match self {
            Self::NoSuchAddress { .. } => true,
            Self::Refused { source, .. } => Errno::from_io_error(source) == Some(Errno::AFNOSUPPORT),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::os::unix::net::UnixListener;

    fn tcp(host: Option<&str>, family: Family) -> ListenerOptions {
        let host = host.map(str::to_owned);
        ListenerOptions::new(Address::Tcp { host, port: 0, family, interface: None })
    }

    #[test]
    fn an_address_in_use_is_told_from_other_troubles() {
        let options = ListenerOptions::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let first = Listener::open(&options).unwrap();
        let second = Listener::open(&ListenerOptions::new(first.address()));
        assert!(matches!(second, Err(Error::InUse { address }) if address == first.address()));
        let foreign =
            Listener::open(&ListenerOptions::new(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0))));
        assert!(matches!(foreign, Err(Error::NoSuchAddress { .. })), "{foreign:?}");
    }

    #[test]
    fn no_host_means_every_address_of_the_family() {
        let v4 = Listener::open(&tcp(None, Family::V4)).unwrap();
        assert!(v4.addresses().all(|address| address.is_ipv4()) && v4.addresses().count() == 1);
        let all = Listener::open(&tcp(None, Family::Any)).unwrap();
        let ports: Vec<_> = all.addresses().map(|address| address.port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
    }

    #[test]
    fn a_name_is_resolved_and_one_that_leads_nowhere_is_told() {
        let local = Listener::open(&tcp(Some("localhost"), Family::V4)).unwrap();
        assert!(local.address().ip().is_loopback());
        let none = Listener::open(&tcp(Some("127.0.0.1"), Family::V6));
        assert!(matches!(none, Err(Error::UnknownHost { family: Family::V6, .. })), "{none:?}");
    }

    #[test]
    fn an_interface_that_does_not_exist_is_named() {
        let address = Address::Tcp {
            host: None,
            port: 0,
            family: Family::V4,
            interface: Some("no-such-if0".to_owned()),
        };
        let error = Listener::open(&ListenerOptions::new(address)).unwrap_err();
        assert!(error.to_string().contains("no-such-if0"), "{error}");
    }

    #[test]
    fn a_unix_socket_replaces_one_left_behind_but_no_file_and_none_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.sock");
        let options = ListenerOptions::new(Address::Unix { path: path.clone() });
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file behind");

        let listener = Listener::open(&options).unwrap();
        assert!(matches!(Listener::open(&options), Err(Error::PathInUse { .. })));
        let _client = UnixStream::connect(&path).unwrap();
        assert!(matches!(listener.accept(), Ok((_, PeerAddress::Unix))));
        drop(listener);
        assert!(!path.exists());

        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Listener::open(&options), Err(Error::NotASocket { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}

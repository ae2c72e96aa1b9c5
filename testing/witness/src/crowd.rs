//! Many connections driven by one thread.
//!
//! The rule: nothing here waits but [`Crowd::turn`], and that only until its deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::wire::{Inbox, Packet};

/// Connections to one broker, known by numbers that are given once.
pub struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    address: SocketAddr,
    narrow: Option<Narrow>,
    /// Where the next connection comes from, when the kernel is not to choose.
    source: Option<SocketAddrV4>,
    peers: Vec<Option<Peer>>,
    open: usize,
    happened: Vec<(usize, Event)>,
}

/// A connection that takes little at once, as over a bad radio link: on loopback the kernel would hold megabytes.
#[derive(Clone, Copy)]
pub struct Narrow {
    /// Bytes kept here before they are read.
    pub receive_buffer: usize,
    /// Bytes of one segment; the broker's kernel sizes its send buffer by it.
    pub segment: u32,
}

/// What happened to a connection.
#[derive(Debug)]
pub enum Event {
    /// TCP is connected.
    Opened,
    /// The broker sent a packet.
    Packet(Packet),
    /// It is over, and not because this side closed it.
    Closed(End),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The broker sent its FIN.
    Fin,
    /// It was reset or never came about.
    Broken(ErrorKind),
    /// The broker sent bytes that are no packet.
    Nonsense,
}

struct Peer {
    stream: TcpStream,
    is_connected: bool,
    is_reading: bool,
    inbox: Inbox,
    unsent: Vec<u8>,
}

impl Crowd {
    /// An empty crowd before `address`.
    pub fn new(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("making a poll")?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            address,
            narrow: None,
            source: None,
            peers: Vec::new(),
            open: 0,
            happened: Vec::new(),
        })
    }

    /// Connections opened from now on come from 127.0.0.`last`, so that no port of an earlier one still in TIME_WAIT
    /// is used again. The ports lie below those the kernel gives to everyone else.
    pub fn come_from(&mut self, last: u8) {
        self.source = Some(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 16_384));
    }

    /// Connections opened from now on are as narrow as this.
    pub fn make_narrow(&mut self, narrow: Narrow) {
        self.narrow = Some(narrow);
    }

    /// Begins one more connection.
    pub fn open(&mut self) -> Result<usize> {
        let number = self.peers.len();
        let mut stream = self.begin_connection().with_context(|| format!("opening connection {number}"))?;
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let peer = Peer {
            stream,
            is_connected: false,
            is_reading: true,
            inbox: Inbox::default(),
            unsent: Vec::new(),
        };
        self.peers.push(Some(peer));
        self.open += 1;
        Ok(number)
    }

    /// Connections neither side has ended.
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// Whether connection `number` has not ended.
    pub fn is_open(&self, number: usize) -> bool {
        self.peers.get(number).is_some_and(Option::is_some)
    }

    /// Whether everything given to [`Self::send`] is with the kernel.
    pub fn has_sent(&self, number: usize) -> bool {
        self.peers
            .get(number)
            .and_then(Option::as_ref)
            .is_none_or(|peer| peer.is_connected && peer.unsent.is_empty())
    }

    /// Sends bytes, as far as the kernel takes them now and the rest in later turns.
    pub fn send(&mut self, number: usize, bytes: &[u8]) {
        if let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) {
            peer.unsent.extend_from_slice(bytes);
            if peer.is_connected {
                self.write(number);
            }
        }
    }

    /// No longer reads connection `number`.
    pub fn turn_deaf(&mut self, number: usize) {
        if let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) {
            peer.is_reading = false;
        }
    }

    /// Reads every connection again.
    pub fn listen_again(&mut self) {
        for number in 0..self.peers.len() {
            if let Some(peer) = self.peers[number].as_mut()
                && !std::mem::replace(&mut peer.is_reading, true)
            {
                self.read(number);
            }
        }
    }

    /// Ends the sending half only.
    pub fn half_close(&mut self, number: usize) {
        if let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut)
            && let Err(error) = peer.stream.shutdown(Shutdown::Write)
        {
            self.end(number, End::Broken(error.kind()));
        }
    }

    /// Closes a connection in the usual way.
    pub fn close(&mut self, number: usize) {
        if self.peers.get_mut(number).and_then(Option::take).is_some() {
            self.open -= 1;
        }
    }

    /// Closes a connection with a reset.
    pub fn reset(&mut self, number: usize) {
        if let Some(peer) = self.peers.get(number).and_then(Option::as_ref) {
            // Fails only for a socket that is reset already.
            drop(SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)));
            self.close(number);
        }
    }

    /// What has happened, waiting for it until `deadline` at most.
    pub fn turn(&mut self, deadline: Instant) -> Result<Vec<(usize, Event)>> {
        let wait = if self.happened.is_empty() {
            deadline.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => other.context("waiting for connections")?,
        }
        let ready = |event: &mio::event::Event| {
            (event.token().0, event.is_writable(), event.is_read_closed() || event.is_error())
        };
        let ready: Vec<_> = self.events.iter().map(ready).collect();
        for (number, is_writable, is_ending) in ready {
            if is_writable {
                self.write(number);
            }
            if is_ending { self.read(number) } else { self.read_what_came(number) }
        }
        Ok(std::mem::take(&mut self.happened))
    }

    fn begin_connection(&mut self) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if let Some(Narrow { receive_buffer, segment }) = self.narrow {
            socket.set_recv_buffer_size(receive_buffer)?;
            socket.set_tcp_mss(segment)?;
        }
        if let Some(source) = &mut self.source {
            bind_to_next(&socket, source)?;
        }
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    fn write(&mut self, number: usize) {
        let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) else { return };
        let was_connected = peer.is_connected;
        let result = peer.write();
        if peer.is_connected && !was_connected {
            self.happened.push((number, Event::Opened));
        }
        if let Err(error) = result {
            // What the broker said before it closed is still to be read.
            self.read(number);
            self.end(number, End::Broken(error.kind()));
        }
    }

    /// Reads until the kernel has no more.
    fn read(&mut self, number: usize) {
        while self.read_once(number).is_some() {}
    }

    /// The same with one question less: fewer bytes than there was room for are all there are, unless it ends as well.
    fn read_what_came(&mut self, number: usize) {
        while self.read_once(number) == Some(self.buffer.len()) {}
    }

    /// Reads once; `None` when there was nothing to read or nobody to read it.
    fn read_once(&mut self, number: usize) -> Option<usize> {
        let peer = self.peers.get_mut(number).and_then(Option::as_mut)?;
        if !peer.is_connected || !peer.is_reading {
            return None;
        }
        loop {
            match peer.stream.read(&mut self.buffer) {
                Ok(0) => self.end(number, End::Fin),
                Ok(count) => {
                    peer.inbox.push(&self.buffer[..count]);
                    self.take_packets(number);
                    return Some(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => self.end(number, End::Broken(error.kind())),
            }
            return None;
        }
    }

    fn take_packets(&mut self, number: usize) {
        while let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) {
            match peer.inbox.take() {
                Ok(Some(packet)) => self.happened.push((number, Event::Packet(packet))),
                Ok(None) => return,
                Err(_) => self.end(number, End::Nonsense),
            }
        }
    }

    fn end(&mut self, number: usize, end: End) {
        if self.is_open(number) {
            self.close(number);
            self.happened.push((number, Event::Closed(end)));
        }
    }
}

/// Binds to the first port from `source` on that nobody listens on, and moves `source` past it.
fn bind_to_next(socket: &Socket, source: &mut SocketAddrV4) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    loop {
        let bound = socket.bind(&(*source).into());
        source.set_port(source.port().checked_add(1).ok_or(ErrorKind::AddrNotAvailable)?);
        match bound {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
}

impl Peer {
    fn write(&mut self) -> io::Result<()> {
        if !self.is_connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            if self.stream.peer_addr().is_err() {
                return Ok(());
            }
            self.is_connected = true;
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        Ok(())
    }
}

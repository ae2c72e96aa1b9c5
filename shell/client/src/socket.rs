//! A TCP connection that never blocks in a read or a write, but waits for both at once. So two sides that both want to
//! write cannot wait for each other.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Error;

/// Connects to the first address of the name that answers in time.
pub(crate) fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, Error> {
    let unreachable = |source| Error::Unreachable { host: host.to_owned(), port, source };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs().map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => {
                // A packet is written whole; waiting for more of them would only cost time.
                socket.set_nodelay(true).map_err(unreachable)?;
                socket.set_nonblocking(true).map_err(unreachable)?;
                return Ok(socket);
            }
            Err(error) => failure = error,
        }
    }
    Err(unreachable(failure))
}

/// What the wait ended with.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// One of the others.
    pub(crate) other: bool,
}

/// Waits until the socket can be read or written, one of the others can be read, or it is `until`.
pub(crate) fn wait(
    socket: &TcpStream,
    (read, write): (bool, bool),
    others: &[BorrowedFd<'_>],
    until: Option<Instant>,
) -> io::Result<Ready> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, read);
    events.set(PollFlags::OUT, write);
    let mut fds = vec![PollFd::new(socket, events)];
    fds.extend(others.iter().map(|other| PollFd::new(other, PollFlags::IN)));
    let timeout = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
        Err(error) => return Err(error.into()),
    }
    let is_ready = |fd: &PollFd<'_>, flag| fd.revents().intersects(flag | PollFlags::ERR | PollFlags::HUP);
    Ok(Ready {
        read: is_ready(&fds[0], PollFlags::IN),
        write: is_ready(&fds[0], PollFlags::OUT),
        other: fds[1..].iter().any(|fd| is_ready(fd, PollFlags::IN)),
    })
}

/// Reads once; none when nothing is there, and an error at the end.
pub(crate) fn read(mut socket: &TcpStream, chunk: &mut [u8]) -> io::Result<Option<usize>> {
    match socket.read(chunk) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the Server closed it without a word")),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_passing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes once; none when there is no room.
pub(crate) fn write(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    match socket.write(bytes) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_passing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn timespec(duration: Duration) -> Timespec {
    // What does not fit is longer than anyone waits.
    let tv_sec = duration.as_secs().try_into().unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: duration.subsec_nanos().into() }
}

//! The bytes between us and a Server, whatever carries them: a socket, or TLS on one.
//!
//! The rule: no read and no write blocks. Who has nothing to do waits for the descriptor, unless the stream says that
//! it holds bytes already.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::socket::Socket;

/// What carries the bytes of a connection.
pub(crate) trait Stream: Debug + Send {
    /// What to wait for.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Reads once; none when nothing is there, and an error at the end.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<Option<usize>>;

    /// Writes once; none when there is no room.
    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>>;

    /// Writes what an earlier write or read left in the stream, as far as there is room.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether a flush has something to write.
    fn has_unwritten(&self) -> bool {
        false
    }

    /// Whether a read may find bytes though the descriptor is not readable.
    fn has_unread(&self) -> bool {
        false
    }

    /// Nothing more will be written; what the Server still says can be read.
    fn close(&mut self) -> io::Result<()>;
}

impl Stream for Socket {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    fn read(&mut self, chunk: &mut [u8]) -> io::Result<Option<usize>> {
        match Read::read(self, chunk) {
            Ok(0) => Err(end()),
            result => unless_blocked(result),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        unless_blocked(Write::write(self, bytes))
    }

    fn close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// The end of what the Server says.
pub(crate) fn end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the Server closed it without a word")
}

/// Turns "not now" into none.
pub(crate) fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the wait ended with.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// One of the others.
    pub(crate) other: bool,
}

/// Waits until the stream can be read or written, one of the others can be read, or it is `until`.
pub(crate) fn wait(
    stream: BorrowedFd<'_>,
    (read, write): (bool, bool),
    others: &[BorrowedFd<'_>],
    until: Option<Instant>,
) -> io::Result<Ready> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, read);
    events.set(PollFlags::OUT, write);
    let mut fds = vec![PollFd::from_borrowed_fd(stream, events)];
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

fn timespec(duration: std::time::Duration) -> Timespec {
    // What does not fit is longer than anyone waits.
    let tv_sec = duration.as_secs().try_into().unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: duration.subsec_nanos().into() }
}

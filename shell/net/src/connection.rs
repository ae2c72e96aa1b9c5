//! One Network Connection: its socket, how far it got, and the packet it has not finished.
//!
//! The rule: an idle connection is this value and nothing on the heap.

use std::io::{self, IoSlice, Read, Write};

use martlet_packet::Version;
use martlet_record::{ShardId, Time};
use martlet_session::Outgoing;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::{Frames, Opening};

/// Slices given to the kernel at once; a payload held by reference takes two.
const SLICES: usize = 64;

/// How far a Network Connection got.
#[derive(Debug)]
pub enum Phase {
    /// CONNECT is awaited, or AUTH packets go to and fro.
    Opening(Box<Opening>),
    /// Its CONNACK waits for a commit: nothing is read.
    Connecting,
    /// Packets are read.
    Open,
    /// It was given up: what waits is still written.
    Closing {
        /// The peer may still be sending: it is heard out, lest the kernel throws away what we wrote.
        linger: bool,
    },
    /// All is written and our side is closed: what the peer still sends is thrown away.
    Lingering {
        /// It sent something since it was last asked.
        heard: bool,
        /// How often it may still be asked.
        rounds: u8,
    },
}

/// A Network Connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// Where its Session lies in its home shard.
    pub session_slot: u32,
    /// The home of its Session.
    pub home: ShardId,
    /// The version its CONNECT named.
    pub version: Version,
    /// It has published: it is not read while there is no room for what it publishes.
    pub publishes: bool,
    /// It will be read: now, or once its CONNACK has left.
    pub is_queued: bool,
    /// It is not read until it took more of what waits for it: whoever does not listen need not speak.
    pub is_paused: bool,
    /// Among the bytes that are kept are whole packets.
    pub holds_packets: bool,
    /// Its next packet waits until the journal takes it.
    pub waits_for_room: bool,
    /// The peer closed its side: read on until nothing comes.
    pub is_half_closed: bool,
    /// The socket took nothing more when it was last written.
    is_blocked: bool,
    watches_writable: bool,
    /// How far it got.
    pub phase: Phase,
    rest: Vec<u8>,
}

/// What came of reading once.
#[derive(Debug)]
pub enum Received {
    /// So many bytes came.
    Bytes {
        /// How many.
        count: usize,
        /// There may be more.
        more: bool,
    },
    /// Nothing came.
    Nothing,
    /// The peer closed the connection.
    End,
    /// The connection failed.
    Failed(io::Error),
}

/// What came of writing.
#[derive(Debug)]
pub enum Flushed {
    /// All was taken.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// The connection failed.
    Failed(io::Error),
}

impl Connection {
    /// A connection that has not said anything.
    pub fn new(socket: TcpStream, opening: Opening) -> Self {
        Self {
            socket,
            session_slot: u32::MAX,
            home: ShardId::new(0),
            version: Version::V5,
            publishes: false,
            is_queued: false,
            is_paused: false,
            holds_packets: false,
            waits_for_room: false,
            is_half_closed: false,
            is_blocked: false,
            watches_writable: false,
            phase: Phase::Opening(Box::new(opening)),
            rest: Vec::new(),
        }
    }

    /// A connection whose CONNECT was taken elsewhere, with the bytes that came behind it.
    pub fn admitted(socket: TcpStream, opening: Opening, rest: Vec<u8>) -> Self {
        Self { phase: Phase::Connecting, rest, ..Self::new(socket, opening) }
    }

    /// Asks to be told when it can be read.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Gives up the socket, for another runner.
    pub fn into_socket(mut self, registry: &Registry) -> TcpStream {
        // A socket that was not registered yet says so, which changes nothing.
        drop(registry.deregister(&mut self.socket));
        self.socket
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads once: a buffer that was not filled tells that nothing is left, without asking again.
    #[inline]
    pub fn read(&self, buffer: &mut [u8]) -> Received {
        loop {
            return match (&self.socket).read(buffer) {
                Ok(0) => Received::End,
                Ok(count) => Received::Bytes { count, more: count == buffer.len() || self.is_half_closed },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Received::Failed(error),
            };
        }
    }

    /// What arrived, behind the packet that was left unfinished.
    #[inline]
    pub fn frames<'a>(&mut self, fresh: &'a [u8]) -> Frames<'a> {
        Frames::new(std::mem::take(&mut self.rest), fresh)
    }

    /// Keeps what [`Connection::frames`] did not use up.
    #[inline]
    pub fn keep(&mut self, frames: Frames<'_>) {
        self.rest = frames.into_rest();
    }

    /// Bytes that are kept.
    pub fn kept(&self) -> usize {
        self.rest.len()
    }

    /// Takes what was kept: packets that had to wait, and the beginning of one.
    pub fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// Has the kernel acknowledge at once what came. A client that leaves Nagle's algorithm on holds its next packet back
    /// until its last one is acknowledged; where no answer carries that along, the kernel would take 40 ms.
    pub fn acknowledge_at_once(&self) {
        // Without it everything arrives all the same, only later.
        let _ = SockRef::from(&self.socket).set_tcp_quickack(true);
    }

    /// Writes what waits, with as few calls as it takes.
    pub fn flush(&mut self, outgoing: &mut Outgoing, now: Time) -> Flushed {
        while !outgoing.is_empty() {
            match self.write(outgoing) {
                Ok(true) => {}
                Ok(false) => {
                    self.is_blocked = true;
                    outgoing.blocked(now);
                    return Flushed::Blocked;
                }
                Err(error) => return Flushed::Failed(error),
            }
        }
        Flushed::All
    }

    /// Is it of no use to write before the socket says so?
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// The socket takes bytes again.
    pub fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Asks to be told when it can be written as well. Needed once: the news come only after the socket was full.
    pub fn watch_writable(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.watches_writable {
            return Ok(());
        }
        self.watches_writable = true;
        registry.reregister(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Writes a last word, as far as the socket takes it.
    pub fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write_slices(&[IoSlice::new(bytes)])
    }

    /// Closes our side: the peer reads to the end and finds it.
    pub fn close_our_side(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Writes once; false when the socket took less than it was given.
    fn write(&self, outgoing: &mut Outgoing) -> io::Result<bool> {
        let (written, given) = {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = outgoing.slices(&mut slices);
            let slices = &slices[..count];
            let given: usize = slices.iter().map(|slice| slice.len()).sum();
            (self.write_slices(slices)?, given)
        };
        outgoing.advance(written);
        Ok(written == given)
    }

    fn write_slices(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let result = match slices {
                // One slice is nearly always all there is, and `send` is cheaper than `writev`.
                [slice] => (&self.socket).write(slice),
                slices => (&self.socket).write_vectored(slices),
            };
            return match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        // A debug build of mio remembers in each socket where it is registered.
        let most = if cfg!(debug_assertions) { 72 } else { 56 };
        assert!(size_of::<Connection>() <= most, "{} bytes", size_of::<Connection>());
    }
}

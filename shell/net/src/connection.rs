//! One Network Connection: its socket, how far it got, and the packet it has not finished.
//!
//! The rule: an idle connection is this value and nothing on the heap. One that is not plain has its layers there, in the
//! place where a plain one keeps an unfinished packet.

use std::io::{self, IoSlice, Read, Write};

use martlet_packet::Version;
use martlet_record::{ShardId, Time};
use martlet_session::{Outgoing, Violation};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::layers::Layers;
use crate::{Frames, Opening, PeerInfo, Transport};

/// What [`Connection::receive`] needs: a record of TLS and its payload beside each other, and what comes with it.
pub const READ_BYTES_MIN: usize = 64 * 1024;
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
    /// Which of the listeners it came to.
    pub listener: u16,
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
    kept: Kept,
}

/// What a connection has on the heap.
#[derive(Debug)]
enum Kept {
    /// Packets that had to wait, and the beginning of one.
    Plain(Vec<u8>),
    /// The layers, and the same among them.
    Layered(Box<Layers>),
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
    pub fn new(transport: impl Into<Transport>, opening: Opening) -> Self {
        let Transport { socket, layers } = transport.into();
        // What its layers hold already is looked at without waiting for the system to speak of it.
        let is_queued = layers.as_ref().is_some_and(|layers| layers.has_fate());
        Self {
            socket,
            listener: u16::try_from(opening.listener).unwrap_or(u16::MAX),
            session_slot: u32::MAX,
            home: ShardId::new(0),
            version: Version::V5,
            publishes: false,
            is_queued,
            is_paused: false,
            holds_packets: false,
            waits_for_room: false,
            is_half_closed: false,
            is_blocked: false,
            watches_writable: false,
            phase: Phase::Opening(Box::new(opening)),
            kept: layers.map_or(Kept::Plain(Vec::new()), Kept::Layered),
        }
    }

    /// A connection whose CONNECT was taken elsewhere, with the bytes that came behind it.
    pub fn admitted(transport: impl Into<Transport>, opening: Opening, rest: Vec<u8>) -> Self {
        let mut connection = Self { phase: Phase::Connecting, ..Self::new(transport, opening) };
        *connection.rest() = rest;
        connection
    }

    /// Asks to be told when it can be read.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Gives up the socket and what lies on it, for another runner. Kept packets go with [`Connection::take_kept`].
    pub fn into_transport(mut self, registry: &Registry) -> Transport {
        // A socket that was not registered yet says so, which changes nothing.
        drop(registry.deregister(&mut self.socket));
        let layers = match self.kept {
            Kept::Plain(_) => None,
            Kept::Layered(mut layers) => {
                layers.uncover();
                Some(layers)
            }
        };
        Transport { socket: self.socket, layers }
    }

    /// What the transport learnt of the peer, until its CONNECT is taken.
    pub fn peer_info(&self) -> Option<&PeerInfo> {
        match &self.phase {
            Phase::Opening(opening) => Some(&opening.peer),
            _ => None,
        }
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads once what the peer sent as MQTT, whatever it lies on, into a buffer of at least [`READ_BYTES_MIN`].
    ///
    /// An error refuses the peer: what tells it so was written as far as the socket took it, and the rest is among what
    /// [`Connection::wants_write`] speaks of.
    #[inline]
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, Violation> {
        match &self.kept {
            Kept::Plain(_) => Ok(self.read(buffer)),
            Kept::Layered(_) => self.receive_layered(buffer),
        }
    }

    /// Reads once from the socket itself, for plain MQTT and for what nobody looks at: a buffer that was not filled tells that
    /// nothing is left, without asking again.
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

    /// As [`Connection::receive`], through the layers.
    fn receive_layered(&mut self, buffer: &mut [u8]) -> Result<Received, Violation> {
        let Kept::Layered(layers) = &mut self.kept else { return Ok(Received::Nothing) };
        if matches!(self.phase, Phase::Closing { .. } | Phase::Lingering { .. }) {
            // Nobody looks at it any more.
            return Ok(self.read(buffer));
        }
        if let Some(fate) = layers.fate() {
            return fate.map(|()| Received::End);
        }
        let room = layers.lay_out(buffer);
        let from = room.start;
        let (count, more) = match self.read(&mut buffer[room]) {
            Received::Bytes { count, more } => (count, more),
            other => return Ok(other),
        };
        let Kept::Layered(layers) = &mut self.kept else { return Ok(Received::Nothing) };
        let peer = match &mut self.phase {
            Phase::Opening(opening) => Some(&mut opening.peer),
            _ => None,
        };
        let count = layers.receive(buffer, from + count, peer);
        let fate = if count == 0 { layers.fate() } else { None };
        let more = more || layers.has_fate();
        self.flush_own();
        match fate {
            Some(fate) => fate.map(|()| Received::End),
            None if count == 0 && !more => Ok(Received::Nothing),
            None => Ok(Received::Bytes { count, more }),
        }
    }

    /// What arrived, behind the packet that was left unfinished.
    #[inline]
    pub fn frames<'a>(&mut self, fresh: &'a [u8]) -> Frames<'a> {
        Frames::new(std::mem::take(self.rest()), fresh)
    }

    /// Keeps what [`Connection::frames`] did not use up.
    #[inline]
    pub fn keep(&mut self, frames: Frames<'_>) {
        *self.rest() = frames.into_rest();
    }

    /// Bytes that are kept.
    pub fn kept(&self) -> usize {
        match &self.kept {
            Kept::Plain(rest) => rest.len(),
            Kept::Layered(layers) => layers.kept.len(),
        }
    }

    /// Takes what was kept: packets that had to wait, and the beginning of one.
    pub fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(self.rest())
    }

    #[inline]
    fn rest(&mut self) -> &mut Vec<u8> {
        match &mut self.kept {
            Kept::Plain(rest) => rest,
            Kept::Layered(layers) => &mut layers.kept,
        }
    }

    /// Has the kernel acknowledge at once what came. A client that leaves Nagle's algorithm on holds its next packet back
    /// until its last one is acknowledged; where no answer carries that along, the kernel would take 40 ms.
    pub fn acknowledge_at_once(&self) {
        // Without it everything arrives all the same, only later.
        let _ = SockRef::from(&self.socket).set_tcp_quickack(true);
    }

    /// Writes what waits, with as few calls as it takes.
    ///
    /// With layers it is all taken only when what they made of it is, and what they have to say themselves.
    #[inline]
    pub fn flush(&mut self, outgoing: &mut Outgoing, now: Time) -> Flushed {
        match &self.kept {
            Kept::Plain(_) => self.flush_plain(outgoing, now),
            Kept::Layered(_) => self.flush_layered(outgoing, now),
        }
    }

    fn flush_plain(&mut self, outgoing: &mut Outgoing, now: Time) -> Flushed {
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

    fn flush_layered(&mut self, outgoing: &mut Outgoing, now: Time) -> Flushed {
        loop {
            match self.write_unsent() {
                Ok(Some(covered)) => outgoing.advance(covered),
                Ok(None) => {
                    outgoing.blocked(now);
                    return Flushed::Blocked;
                }
                Err(error) => return Flushed::Failed(error),
            }
            let Kept::Layered(layers) = &mut self.kept else { return Flushed::All };
            if outgoing.is_empty() {
                return Flushed::All;
            }
            if let Err(why) = layers.send(outgoing) {
                return Flushed::Failed(io::Error::other(why.text.into_owned()));
            }
        }
    }

    /// There is something between the socket and MQTT.
    #[inline]
    pub fn is_layered(&self) -> bool {
        matches!(self.kept, Kept::Layered(_))
    }

    /// Layers have something to say themselves that the socket did not take: [`Connection::flush_own`] it, and watch for
    /// when it can be written.
    pub fn wants_write(&self) -> bool {
        match &self.kept {
            Kept::Plain(_) => false,
            Kept::Layered(layers) => layers.has_unsent(),
        }
    }

    /// Writes what layers have to say themselves, where no packet waits.
    pub fn flush_own(&mut self) -> Flushed {
        if let Kept::Layered(layers) = &mut self.kept
            && layers.covers()
        {
            // It goes out with the packets it stands for.
            return Flushed::Blocked;
        }
        match self.write_unsent() {
            Ok(Some(_)) => Flushed::All,
            Ok(None) => Flushed::Blocked,
            Err(error) => Flushed::Failed(error),
        }
    }

    /// Writes what layers made; `None` when the socket takes no more, else how many bytes of MQTT are through with it.
    fn write_unsent(&mut self) -> io::Result<Option<usize>> {
        let mut covered = 0;
        while let Kept::Layered(layers) = &self.kept
            && layers.has_unsent()
        {
            let written = self.write_slices(&[IoSlice::new(layers.unsent())])?;
            let Kept::Layered(layers) = &mut self.kept else { break };
            covered += layers.advance(written);
            if layers.has_unsent() {
                self.is_blocked = true;
                return Ok(None);
            }
            // It may have been tried without waiting for the system to speak of it.
            self.is_blocked = false;
        }
        Ok(Some(covered))
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

    /// Writes a last word to a peer whose handshakes are not awaited, as far as the socket takes it. Behind layers there is
    /// no way to say it.
    pub fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.kept {
            Kept::Plain(_) => self.write_slices(&[IoSlice::new(bytes)]),
            Kept::Layered(_) => Ok(0),
        }
    }

    /// Closes our side: the peer reads to the end and finds it, as each layer says it.
    pub fn close_our_side(&mut self) -> io::Result<()> {
        if let Kept::Layered(layers) = &mut self.kept {
            layers.close();
            // A socket that takes nothing more is closed without these words.
            self.write_unsent()?;
        }
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
        let most = if cfg!(debug_assertions) { 80 } else { 64 };
        assert!(size_of::<Connection>() <= most, "{} bytes", size_of::<Connection>());
    }
}

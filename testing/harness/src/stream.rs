//! A TCP connection that speaks in packets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use martlet_packet::{Packet, Version, decode, frame};

/// What does not happen within this time does not happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A TCP connection to a broker.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    /// What arrived and was not looked at.
    arrived: Vec<u8>,
}

/// A packet that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    version: Version,
    bytes: Vec<u8>,
}

impl Stream {
    /// Connects.
    ///
    /// # Panics
    /// When it cannot.
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the broker listens");
        socket.set_nodelay(true).expect("a TCP socket has this option");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket has a time-out");
        socket.set_write_timeout(Some(PATIENCE)).expect("a socket has a time-out");
        Self { socket, arrived: Vec::new() }
    }

    /// The socket itself.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends bytes, whatever they are.
    ///
    /// # Panics
    /// When the connection is closed.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the broker takes what is sent");
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: &Packet<'_>, version: Version) {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes);
        self.send_bytes(&bytes);
    }

    /// The next packet; `None` when the broker closed the connection.
    ///
    /// # Panics
    /// When nothing comes, or no packet.
    pub fn receive(&mut self, version: Version) -> Option<Received> {
        loop {
            if let Some(packet) = frame(&self.arrived, u32::MAX).expect("a broker sends packets") {
                let rest = self.arrived.split_off(packet.len);
                let bytes = std::mem::replace(&mut self.arrived, rest);
                return Some(Received { version, bytes });
            }
            if !self.read() {
                assert!(self.arrived.is_empty(), "the broker closed the connection within a packet");
                return None;
            }
        }
    }

    /// Waits until the broker closes the connection; what it still says is not looked at.
    pub fn expect_close(&mut self) {
        while self.read() {}
    }

    /// Reads; false at the end of the connection.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(count) => {
                self.arrived.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came within {PATIENCE:?}: {error}"),
        }
    }
}

impl Received {
    /// The packet.
    ///
    /// # Panics
    /// When it is none.
    pub fn packet(&self) -> Packet<'_> {
        let frame = frame(&self.bytes, u32::MAX).ok().flatten().expect("it was found as a whole");
        decode(self.version, frame).expect("a broker sends packets of the version that was agreed on")
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

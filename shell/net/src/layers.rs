//! What lies between a socket and MQTT: a PROXY header, TLS, WebSocket frames, in this order.
//!
//! The rule: no layer touches the socket. Bytes that came are turned into bytes of MQTT where they lie, and what goes out
//! is appended to `unsent`. What is kept for a peer is what it sent of a record that is not whole, and a record is small.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use martlet_packet::ReasonCode;
use martlet_session::{Outgoing, Violation};

use crate::proxy::{self, ProxyOptions};
use crate::tls::{HEADROOM, Tls, TlsError, TlsHandle};
use crate::websocket::{WebSocket, WebSocketOptions};
use crate::{ListenerOptions, PeerAddress, PeerInfo};

/// Bytes of MQTT that are framed and encrypted at once; the socket takes them before the next.
const SEND_BYTES: usize = 64 * 1024;
/// Slices looked at for that.
const SLICES: usize = 64;
/// A handshake message of TLS may be so large, with the head of its last record.
const RECORDS_BYTES_MAX: usize = 32 * 1024;

/// The layers that connections of a listener get.
#[derive(Debug, Clone)]
pub(crate) struct Layering {
    proxy: Option<Arc<ProxyOptions>>,
    tls: Option<TlsHandle>,
    websocket: Option<Arc<WebSocketOptions>>,
}

/// The layers of one connection.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Packets that had to wait, and the beginning of one: what a plain connection keeps in itself.
    pub(crate) kept: Vec<u8>,
    /// What came of the lowest layer's next unit: a PROXY header, a record of TLS.
    partial: Vec<u8>,
    unsent: Option<Box<Unsent>>,
    /// Still awaited.
    proxy: Option<Arc<ProxyOptions>>,
    tls: Option<Box<dyn Tls>>,
    websocket: Option<Box<WebSocket>>,
    /// The peer said that nothing follows.
    has_ended: bool,
    /// What came behind the bytes that were handed on must not be.
    failed: Option<Box<Violation>>,
}

/// What a layer made of what came: so many bytes, and what is wrong with what came behind them.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) count: usize,
    pub(crate) failed: Option<Violation>,
}

/// Bytes for the socket.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    /// How many of `bytes` the socket took.
    taken: usize,
    /// How many bytes of MQTT they stand for: those wait in their `Outgoing` until all of this is taken.
    covers: usize,
}

impl Layering {
    /// `None` for plain MQTT.
    pub(crate) fn new(options: &ListenerOptions) -> Result<Option<Self>, TlsError> {
        let layering = Self {
            proxy: options.proxy.clone().map(Arc::new),
            tls: options.tls.as_ref().map(TlsHandle::new).transpose()?,
            websocket: options.websocket.clone().map(Arc::new),
        };
        let is_plain = layering.proxy.is_none() && layering.tls.is_none() && layering.websocket.is_none();
        Ok((!is_plain).then_some(layering))
    }

    pub(crate) fn tls(&self) -> Option<TlsHandle> {
        self.tls.clone()
    }

    /// The layers of a new connection. Its TLS is that of now, whatever is exchanged later.
    pub(crate) fn begin(&self) -> io::Result<Box<Layers>> {
        Ok(Box::new(Layers {
            kept: Vec::new(),
            partial: Vec::new(),
            unsent: None,
            proxy: self.proxy.clone(),
            tls: self.tls.as_ref().map(TlsHandle::begin).transpose()?,
            websocket: self.websocket.as_ref().map(|options| Box::new(WebSocket::new(options.clone()))),
            has_ended: false,
            failed: None,
        }))
    }
}

impl Layers {
    /// Puts what was kept of a record into `buffer`, and says where the bytes that come now belong behind it.
    pub(crate) fn lay_out(&self, buffer: &mut [u8]) -> Range<usize> {
        let from = if self.tls.is_some() { HEADROOM } else { 0 };
        let to = from + self.partial.len();
        buffer[from..to].copy_from_slice(&self.partial);
        to..buffer.len()
    }

    /// Turns what came, up to `end`, into bytes of MQTT at the front of `buffer`, and says how many there are.
    /// What they told of the peer goes to `peer`. What is wrong behind them is said by the next [`Layers::fate`].
    pub(crate) fn receive(&mut self, buffer: &mut [u8], end: usize, peer: Option<&mut PeerInfo>) -> usize {
        let mut unknown = PeerInfo::new(PeerAddress::Unix);
        let made = self.unwrap(buffer, end, peer.unwrap_or(&mut unknown));
        self.failed = made.failed.map(Box::new);
        made.count
    }

    fn unwrap(&mut self, buffer: &mut [u8], end: usize, peer: &mut PeerInfo) -> Made {
        // It lies in the buffer now, see `lay_out`.
        self.partial = Vec::new();
        let mut bytes = if self.tls.is_some() { HEADROOM..end } else { 0..end };
        if let Some(options) = &self.proxy {
            match proxy::receive(options, &buffer[bytes.clone()], peer) {
                Ok(Some(len)) => bytes.start += len,
                Ok(None) => {
                    self.partial = buffer[bytes].to_vec();
                    return Made::default();
                }
                Err(why) => return Made { count: 0, failed: Some(why) },
            }
            self.proxy = None;
        }
        let mut failed = None;
        if self.tls.is_some() {
            let made = self.decrypt(buffer, bytes, peer);
            (bytes, failed) = (0..made.count, made.failed);
        }
        if self.websocket.is_some() {
            buffer.copy_within(bytes.clone(), 0);
            let made = self.unframe(&mut buffer[..bytes.len()], peer);
            return Made { count: made.count, failed: made.failed.or(failed) };
        }
        let count = bytes.len();
        buffer.copy_within(bytes, 0);
        Made { count, failed }
    }

    fn decrypt(&mut self, buffer: &mut [u8], mut records: Range<usize>, peer: &mut PeerInfo) -> Made {
        let Some(tls) = &mut self.tls else { return Made::default() };
        let mut answer = Vec::new();
        let mut made = tls.receive(buffer, &mut records, &mut answer, peer);
        self.has_ended |= tls.has_ended();
        if !answer.is_empty() {
            self.unsent.get_or_insert_default().bytes.append(&mut answer);
        }
        if records.len() > RECORDS_BYTES_MAX {
            let text = "a TLS handshake message is too large";
            made.failed.get_or_insert(Violation::new(ReasonCode::PacketTooLarge, text));
        }
        self.partial = if made.failed.is_some() { Vec::new() } else { buffer[records].to_vec() };
        made
    }

    fn unframe(&mut self, bytes: &mut [u8], peer: &mut PeerInfo) -> Made {
        let Some(websocket) = &mut self.websocket else { return Made::default() };
        let mut answer = Vec::new();
        let mut made = websocket.receive(bytes, &mut answer, peer);
        self.has_ended |= websocket.has_ended();
        if !answer.is_empty() {
            made.failed = made.failed.or(self.send_encrypted(&answer).err());
        }
        made
    }

    /// What is to happen before anything else is read: the peer is refused, or it has ended by itself.
    pub(crate) fn fate(&mut self) -> Option<Result<(), Violation>> {
        match self.failed.take() {
            Some(why) => Some(Err(*why)),
            None => self.has_ended.then_some(Ok(())),
        }
    }

    /// There will be something to say of it without reading.
    pub(crate) fn has_fate(&self) -> bool {
        self.has_ended || self.failed.is_some()
    }

    /// There are bytes that the socket did not take yet.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent.as_ref().is_some_and(|unsent| unsent.taken < unsent.bytes.len())
    }

    /// Bytes for the socket.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.unsent.as_ref().map_or(&[], |unsent| &unsent.bytes[unsent.taken..])
    }

    /// The socket took so many of them. Says how many bytes of MQTT are through with that.
    pub(crate) fn advance(&mut self, count: usize) -> usize {
        let Some(unsent) = &mut self.unsent else { return 0 };
        unsent.taken += count;
        if unsent.taken < unsent.bytes.len() {
            return 0;
        }
        let covered = unsent.covers;
        self.unsent = None;
        covered
    }

    /// Packets wait in an `Outgoing` until the socket took what they became.
    pub(crate) fn covers(&self) -> bool {
        self.unsent.as_ref().is_some_and(|unsent| unsent.covers > 0)
    }

    /// Frames and encrypts what waits, as much as one write may take; it stays there until [`Layers::advance`] says so.
    pub(crate) fn send(&mut self, outgoing: &Outgoing) -> Result<(), Violation> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = outgoing.slices(&mut slices);
        let mut taken = 0;
        let mut parts: Vec<&[u8]> = Vec::with_capacity(filled);
        for slice in &slices[..filled] {
            let part = &slice[..slice.len().min(SEND_BYTES - taken)];
            taken += part.len();
            parts.push(part);
        }
        match (&self.websocket, parts.as_slice()) {
            (None, [part]) => self.send_encrypted(part)?,
            (websocket, parts) => {
                let mut framed = Vec::with_capacity(taken + WebSocket::HEAD_BYTES_MAX);
                if websocket.is_some() {
                    WebSocket::head(taken, &mut framed);
                }
                parts.iter().for_each(|part| framed.extend_from_slice(part));
                self.send_encrypted(&framed)?;
            }
        }
        self.unsent.get_or_insert_default().covers += taken;
        Ok(())
    }

    /// The last words: a Close frame, a close_notify.
    pub(crate) fn close(&mut self) {
        let mut last = Vec::new();
        if let Some(websocket) = &mut self.websocket {
            websocket.close(&mut last);
        }
        // Where TLS is not yet there to carry a word, none is due.
        if !last.is_empty() && self.send_encrypted(&last).is_err() {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.partial, &mut self.unsent.get_or_insert_default().bytes);
        }
    }

    /// Whoever takes the connection over counts anew what waits for it.
    pub(crate) fn uncover(&mut self) {
        if let Some(unsent) = &mut self.unsent {
            unsent.covers = 0;
        }
    }

    fn send_encrypted(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let unsent = &mut self.unsent.get_or_insert_default().bytes;
        match &mut self.tls {
            Some(tls) => tls.send(bytes, &mut self.partial, unsent),
            None => {
                unsent.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;

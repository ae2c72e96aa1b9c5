//! MQTT in WebSocket frames: the server's side of RFC 6455.
//!
//! The rule: payload is unmasked where it lies and handed on as it comes, for packets need not begin or end where frames do
//! [MQTT-6.0.0-2]. Between reads a connection keeps the head of a frame at most.

mod frame;
mod handshake;
mod options;

use std::sync::Arc;

use martlet_packet::ReasonCode;
use martlet_session::Violation;

use frame::{Frames, Opcode};
use handshake::Request;
pub use options::WebSocketOptions;

use crate::PeerInfo;
use crate::layers::Made;

/// Codes of a Close frame.
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_PROTOCOL_ERROR: u16 = 1002;
const CLOSE_UNSUPPORTED_DATA: u16 = 1003;

/// The WebSocket of one connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The request of the handshake, as far as it came.
    Handshake { options: Arc<WebSocketOptions>, request: Vec<u8> },
    /// Frames.
    Open(Frames),
    /// A Close frame was sent: nothing may follow it.
    Closed,
}

impl WebSocket {
    /// The longest head of a frame that we send.
    pub(crate) const HEAD_BYTES_MAX: usize = 10;

    pub(crate) fn new(options: Arc<WebSocketOptions>) -> Self {
        Self { phase: Phase::Handshake { options, request: Vec::new() } }
    }

    /// Turns what came into bytes of MQTT at the front of `bytes`. What must be answered goes to `answer`.
    pub(crate) fn receive(&mut self, bytes: &mut [u8], answer: &mut Vec<u8>, peer: &mut PeerInfo) -> Made {
        let from = match &self.phase {
            Phase::Handshake { .. } => match self.shake_hands(bytes, answer, peer) {
                Ok(Some(len)) => len,
                Ok(None) => return Made::default(),
                Err(why) => return Made { count: 0, failed: Some(why) },
            },
            Phase::Open(_) => 0,
            Phase::Closed => return Made::default(),
        };
        self.unframe(bytes, from, answer)
    }

    /// The peer sent its Close frame.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// The head of a frame with so many bytes of MQTT, which must be binary [MQTT-6.0.0-1].
    pub(crate) fn head(len: usize, out: &mut Vec<u8>) {
        frame::head(Opcode::Binary, len, out);
    }

    /// The Close frame that ends what is well.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        if matches!(self.phase, Phase::Open(_)) {
            self.say_close(CLOSE_NORMAL, out);
        }
    }

    /// Goes on with the handshake. Says how many of `bytes` belonged to it once it is done.
    fn shake_hands(
        &mut self,
        bytes: &[u8],
        answer: &mut Vec<u8>,
        peer: &mut PeerInfo,
    ) -> Result<Option<usize>, Violation> {
        let Phase::Handshake { options, request } = &mut self.phase else { return Ok(None) };
        let held = request.len();
        request.extend_from_slice(&bytes[..bytes.len().min(options.request_bytes_max.saturating_sub(held))]);
        match Request::read(options, request, peer) {
            Ok(Some(accepted)) => {
                accepted.answer(answer);
                peer.is_websocket = true;
                peer.forwarded = accepted.forwarded.or(peer.forwarded);
                let from = accepted.len - held;
                self.phase = Phase::Open(Frames::default());
                Ok(Some(from))
            }
            Ok(None) => Ok(None),
            Err(refusal) => {
                refusal.answer(answer);
                self.phase = Phase::Closed;
                Err(Violation::new(ReasonCode::ProtocolError, refusal.text))
            }
        }
    }

    fn unframe(&mut self, bytes: &mut [u8], mut from: usize, answer: &mut Vec<u8>) -> Made {
        let mut count = 0;
        while from < bytes.len() {
            let Phase::Open(frames) = &mut self.phase else { break };
            let piece = match frames.next(&mut bytes[from..]) {
                Ok(piece) => piece,
                Err(error) => {
                    self.say_close(error.code(), answer);
                    let why = Violation::new(ReasonCode::ProtocolError, error.to_string());
                    return Made { count, failed: Some(why) };
                }
            };
            bytes.copy_within(from + piece.payload.start..from + piece.payload.end, count);
            count += piece.payload.len();
            from += piece.used;
            match piece.control {
                Some(frame::Control::Ping(payload)) => {
                    frame::head(Opcode::Pong, payload.len(), answer);
                    answer.extend_from_slice(&payload);
                }
                Some(frame::Control::Close(code)) => self.say_close(code, answer),
                None => {}
            }
        }
        Made { count, failed: None }
    }

    fn say_close(&mut self, code: u16, out: &mut Vec<u8>) {
        frame::head(Opcode::Close, 2, out);
        out.extend(code.to_be_bytes());
        self.phase = Phase::Closed;
    }
}

/// For the fuzzer: runs a whole connection's bytes through a WebSocket that is open, in pieces of `step`, and returns the
/// bytes of MQTT as far as they were well.
#[doc(hidden)]
pub fn unframe_all(bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, bool) {
    let mut websocket = WebSocket { phase: Phase::Open(Frames::default()) };
    let mut peer = PeerInfo::new(crate::PeerAddress::Unix);
    let (mut payload, mut answer) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(step.max(1)) {
        let mut piece = piece.to_vec();
        let made = websocket.receive(&mut piece, &mut answer, &mut peer);
        payload.extend_from_slice(&piece[..made.count]);
        if made.failed.is_some() {
            return (payload, answer, false);
        }
    }
    (payload, answer, true)
}

#[cfg(test)]
mod tests;

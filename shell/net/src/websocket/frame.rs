//! Frames of RFC 6455, §5: heads, masks, and which may follow which.
//!
//! The rule: a length that was announced reserves nothing; payload goes through piece by piece, and only a control frame,
//! which is short, is held until it is whole.

use std::ops::Range;

/// The longest head of a frame from a Client.
const HEAD_BYTES_MAX: usize = 14;
/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is. §5.2
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A frame that must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// [MQTT-6.0.0-1]
    #[error("MQTT packets must be sent in binary WebSocket frames, and this is a text frame")]
    Text,
    #[error("the Client sent a WebSocket frame without a mask")]
    Unmasked,
    #[error("the Client sent a WebSocket frame with reserved bits, of an extension that was not agreed on")]
    ReservedBits,
    #[error("the Client sent a WebSocket frame of an unknown kind")]
    UnknownOpcode,
    #[error("the Client sent a WebSocket control frame in fragments or with more than 125 bytes")]
    LongControl,
    #[error("the Client sent a WebSocket frame that continues none, or begins one amid another")]
    OutOfOrder,
    #[error("the Client sent a WebSocket frame whose length is not the shortest way to say it")]
    BadLength,
    #[error("the Client sent a WebSocket Close frame that is malformed")]
    BadClose,
}

/// Reads frames of one connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The head of the next frame, as far as it came.
    head: [u8; HEAD_BYTES_MAX],
    head_len: u8,
    mask: [u8; 4],
    /// A data message has begun and not ended.
    is_amid_message: bool,
    /// Bytes of the current data frame's payload that are to come.
    left: u64,
    /// A control frame that has begun.
    control: Option<Box<ControlFrame>>,
}

#[derive(Debug)]
struct ControlFrame {
    opcode: Opcode,
    len: usize,
    payload: Vec<u8>,
}

/// What was made of some bytes.
#[derive(Debug)]
pub(super) struct Piece {
    /// How many bytes were used.
    pub(super) used: usize,
    /// Which of them are payload, unmasked.
    pub(super) payload: Range<usize>,
    /// A control frame became whole that asks for an answer.
    pub(super) control: Option<Control>,
}

#[derive(Debug)]
pub(super) enum Control {
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// To be answered with this code.
    Close(u16),
}

impl Frames {
    /// Takes the beginning of `bytes`, which are not empty: a head, or payload as far as it came.
    pub(super) fn next(&mut self, bytes: &mut [u8]) -> Result<Piece, FrameError> {
        if self.control.is_some() {
            return self.take_control(bytes);
        }
        if self.left > 0 {
            return Ok(self.take_payload(bytes));
        }
        let used = self.take_head(bytes)?;
        // A control frame may be empty, and then it is whole with its head.
        if self.control.as_ref().is_some_and(|control| control.len == 0) {
            let piece = self.take_control(&mut [])?;
            return Ok(Piece { used, ..piece });
        }
        Ok(Piece { used, payload: 0..0, control: None })
    }

    fn take_head(&mut self, bytes: &[u8]) -> Result<usize, FrameError> {
        let mut used = 0;
        loop {
            let have = usize::from(self.head_len);
            let need = head_bytes(&self.head[..have]);
            if have == need {
                self.begin_frame(need)?;
                return Ok(used);
            }
            let count = (need - have).min(bytes.len() - used);
            if count == 0 {
                return Ok(used);
            }
            self.head[have..have + count].copy_from_slice(&bytes[used..used + count]);
            self.head_len += u8::try_from(count).unwrap_or_default();
            used += count;
            if have < 2 && have + count >= 2 {
                self.check(self.head[0], self.head[1])?;
            }
        }
    }

    /// What the first two bytes may be.
    fn check(&self, first: u8, second: u8) -> Result<(), FrameError> {
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        let is_final = first & 0x80 != 0;
        match first & 0x0F {
            0 if !self.is_amid_message => return Err(FrameError::OutOfOrder),
            2 if self.is_amid_message => return Err(FrameError::OutOfOrder),
            0 | 2 => {}
            1 => return Err(FrameError::Text),
            8..=10 if !is_final || second & 0x7F > 125 => return Err(FrameError::LongControl),
            8..=10 => {}
            _ => return Err(FrameError::UnknownOpcode),
        }
        if second & 0x80 == 0 { Err(FrameError::Unmasked) } else { Ok(()) }
    }

    /// The head is whole.
    fn begin_frame(&mut self, len: usize) -> Result<(), FrameError> {
        let head = &self.head[..len];
        let (length, mask) = head[1..].split_at(len - 5);
        self.mask.copy_from_slice(mask);
        let length = match length[1..] {
            [] => u64::from(length[0] & 0x7F),
            [a, b] if [a, b] >= [0, 126] => u64::from(u16::from_be_bytes([a, b])),
            [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(FrameError::BadLength),
        };
        if length > u64::MAX >> 1 || (len == HEAD_BYTES_MAX && length <= u64::from(u16::MAX)) {
            return Err(FrameError::BadLength);
        }
        self.head_len = 0;
        let opcode = match self.head[0] & 0x0F {
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => {
                self.is_amid_message = self.head[0] & 0x80 == 0;
                self.left = length;
                return Ok(());
            }
        };
        let len = usize::try_from(length).unwrap_or(CONTROL_BYTES_MAX);
        self.control = Some(Box::new(ControlFrame { opcode, len, payload: Vec::new() }));
        Ok(())
    }

    fn take_payload(&mut self, bytes: &mut [u8]) -> Piece {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.unmask(&mut bytes[..count]);
        self.left -= count as u64;
        Piece { used: count, payload: 0..count, control: None }
    }

    fn take_control(&mut self, bytes: &mut [u8]) -> Result<Piece, FrameError> {
        let none = Piece { used: 0, payload: 0..0, control: None };
        let Some(mut control) = self.control.take() else { return Ok(none) };
        let count = (control.len - control.payload.len()).min(bytes.len());
        self.unmask(&mut bytes[..count]);
        control.payload.extend_from_slice(&bytes[..count]);
        if control.payload.len() < control.len {
            self.control = Some(control);
            return Ok(Piece { used: count, ..none });
        }
        let asks = match control.opcode {
            Opcode::Ping => Some(Control::Ping(control.payload)),
            Opcode::Close => Some(Control::Close(close_code(&control.payload)?)),
            Opcode::Pong | Opcode::Binary => None,
        };
        Ok(Piece { used: count, control: asks, ..none })
    }

    /// Removes the mask, and turns it so that it fits the byte behind.
    fn unmask(&mut self, bytes: &mut [u8]) {
        let wide = u64::from_ne_bytes(std::array::from_fn(|at| self.mask[at % 4]));
        let mut chunks = bytes.chunks_exact_mut(8);
        for chunk in &mut chunks {
            let mut eight = [0; 8];
            eight.copy_from_slice(chunk);
            chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
        }
        chunks
            .into_remainder()
            .iter_mut()
            .zip(self.mask.iter().cycle())
            .for_each(|(byte, mask)| *byte ^= mask);
        self.mask.rotate_left(bytes.len() % 4);
    }
}

impl FrameError {
    /// The code of the Close frame that tells it. §7.4.1
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Text => super::CLOSE_UNSUPPORTED_DATA,
            _ => super::CLOSE_PROTOCOL_ERROR,
        }
    }
}

/// Bytes of a Client's head, as far as its beginning tells.
fn head_bytes(head: &[u8]) -> usize {
    match head.get(1).map(|second| second & 0x7F) {
        None => 2,
        Some(127) => HEAD_BYTES_MAX,
        Some(126) => 8,
        Some(_) => 6,
    }
}

/// The code to answer a Close frame with: its own. §5.5.1
fn close_code(payload: &[u8]) -> Result<u16, FrameError> {
    let Some((code, text)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(super::CLOSE_NORMAL) } else { Err(FrameError::BadClose) };
    };
    let code = u16::from_be_bytes(*code);
    let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    if may_be_sent && std::str::from_utf8(text).is_ok() { Ok(code) } else { Err(FrameError::BadClose) }
}

/// The head of a whole frame of ours, which has no mask. §5.1
pub(super) fn head(opcode: Opcode, len: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend(medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
}

//! A Message as the log keeps it.
//!
//! A body checks itself, for it is read back alone: `crc32c u32 | flags u8 | lengths of Topic Name, properties and
//! payload | [expiry u48] | Topic Name | properties | payload`, little endian, lengths as varints, the checksum over all
//! behind it.

use bytes::Bytes;
use martlet_packet::QoS;

use crate::message::Parts;
use crate::{Message, Now, Place, WallTime, varint};

const CRC_BYTES: usize = 4;
const EXPIRY_BYTES: usize = 6;
const QOS_BITS: u8 = 0b0011;
const RETAIN: u8 = 0b0100;
const EXPIRES: u8 = 0b1000;

/// What was read is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("what was read is not what was written")
    }
}

impl std::error::Error for Damaged {}

impl Message {
    /// Appends its body, as it is to be understood at another time and by another process.
    pub fn encode(&self, at: Now, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; CRC_BYTES]);
        let retain = if self.retain { RETAIN } else { 0 };
        let expires = if self.expires().is_some() { EXPIRES } else { 0 };
        out.push(u8::from(self.qos) | retain | expires);
        for len in self.lengths() {
            varint::put(len as u64, out);
        }
        if let Some(expires) = self.expires() {
            out.extend_from_slice(&at.to_wall(expires).0.to_le_bytes()[..EXPIRY_BYTES]);
        }
        out.extend_from_slice(self.block());
        let crc = crc32c::crc32c(&out[start + CRC_BYTES..]);
        out[start..start + CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a body; `now` says which moments its deadline means. Its publisher and version are not kept.
    pub fn decode(body: &[u8], place: Option<Place>, now: Now) -> Result<Self, Damaged> {
        let (crc, mut rest) = body.split_first_chunk().ok_or(Damaged)?;
        if crc32c::crc32c(rest) != u32::from_le_bytes(*crc) {
            return Err(Damaged);
        }
        Self::decode_checked(&mut rest, place, now).filter(|_| rest.is_empty()).ok_or(Damaged)
    }

    /// Bytes of Topic Name, properties and payload.
    fn lengths(&self) -> [usize; 3] {
        [self.topic_len(), self.properties_len(), self.payload_len()]
    }

    fn decode_checked(rest: &mut &[u8], place: Option<Place>, now: Now) -> Option<Self> {
        let flags = take(rest, 1)?[0];
        let mut lengths = [0; 3];
        for len in &mut lengths {
            *len = usize::try_from(varint::take(rest)?).ok()?;
        }
        let mut expires = None;
        if flags & EXPIRES != 0 {
            let mut wall = [0; 8];
            wall[..EXPIRY_BYTES].copy_from_slice(take(rest, EXPIRY_BYTES)?);
            expires = Some(now.from_wall(WallTime(u64::from_le_bytes(wall))));
        }
        let [topic, properties, payload] = lengths;
        let total = topic.checked_add(properties)?.checked_add(payload)?;
        let block = Bytes::copy_from_slice(take(rest, total)?);
        std::str::from_utf8(&block[..topic]).ok()?;
        let parts = Parts {
            topic_len: u16::try_from(topic).ok()?,
            properties_len: u32::try_from(properties).ok()?,
            block,
        };
        let qos = QoS::try_from(flags & QOS_BITS).ok()?;
        Some(Self::from_parts(parts, qos, flags & RETAIN != 0, expires, place))
    }
}

/// Bytes of a body with a Topic Name, properties and payload of these lengths.
pub(crate) fn encoded_len(lengths: [usize; 3], expires: bool) -> u32 {
    let head: usize = lengths.iter().map(|len| varint::len(*len as u64)).sum();
    let expiry = if expires { EXPIRY_BYTES } else { 0 };
    let len = CRC_BYTES + 1 + head + expiry + lengths.iter().sum::<usize>();
    u32::try_from(len).expect("a body is little longer than its packet")
}

/// Takes so many bytes off the front, if there are.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(front)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MessageRef, Time};

    fn message(expires: Option<Time>) -> Message {
        let message = MessageRef {
            properties: b"properties",
            qos: QoS::ExactlyOnce,
            retain: true,
            expires,
            ..MessageRef::new("a/topic", b"payload")
        };
        message.to_message()
    }

    #[test]
    fn it_comes_back_and_its_deadline_with_it() {
        let written = message(Some(Time::from_millis(70_000)));
        let mut body = Vec::new();
        written.encode(Now { time: Time::from_millis(10_000), wall: WallTime(5_000_000) }, &mut body);
        assert_eq!(body.len(), written.encoded_len());
        // Another process started since: its clock began anew.
        let now = Now { time: Time::from_millis(500), wall: WallTime(5_020_000) };
        let read = Message::decode(&body, Some(Place::new(1, 64)), now).expect("nothing happened to it");
        assert_eq!(read.view().payload, b"payload");
        assert_eq!(read.expires(), Some(Time::from_millis(40_500)), "of 60 s, 20 passed");
        assert_eq!(read.place(), Some(Place::new(1, 64)));
        assert_eq!(MessageRef { expires: written.expires(), ..read.view() }.to_message(), written);
    }

    #[test]
    fn no_flipped_bit_and_no_missing_byte_is_taken_for_a_message() {
        let mut body = Vec::new();
        message(None).encode(Now::default(), &mut body);
        for bit in 0..body.len() * 8 {
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(Message::decode(&body, None, Now::default()).is_err(), "bit {bit}");
            body[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..body.len() {
            assert!(Message::decode(&body[..len], None, Now::default()).is_err(), "{len} bytes");
        }
    }
}

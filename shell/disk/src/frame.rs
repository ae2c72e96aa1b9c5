//! A frame: what one write brings to the log, whole or not at all.
//!
//! ```text
//! magic u32 | body length u32 | position u64 | durable u64 | origin u64 | wall clock u48 | kind u8 | 0 |
//! checksum of the body u32 | checksum of the header u32            = 48 bytes, little endian
//! body, padded with zeros to a multiple of 8
//! ```
//!
//! The rule: a checksum begins with the name of the store, the number of the segment and the place in it. What is left in
//! a segment that is used again, what was written to the wrong place, and what lies in a payload, is never taken for a
//! frame.

use martlet_record::{Place, Position, WallTime};

/// Bytes before the body.
pub(crate) const HEADER: usize = 48;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: usize = 8;

const MAGIC: [u8; 4] = *b"mtlf";
const WALL_BYTES: usize = 6;
/// More frames than any disk will ever hold.
const LAST: u64 = 1 << 62;
const CHECKED: usize = HEADER - 4;

/// What the body of a frame is. Never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Batches, one after the other.
    Batches = 1,
    /// Bodies of Messages or parts of them, to which others refer.
    Bytes = 2,
    /// Where bodies are whose name no longer says it.
    Whereabouts = 3,
    /// A checkpoint begins: its number.
    Began = 4,
    /// It is complete: its number.
    Complete = 5,
    /// Nothing but the header: what it says about other frames is its purpose.
    Mark = 6,
    /// Around what could not be read any more: bodies in it keep their places. Positions up to `durable` are lost.
    Lost = 7,
}

/// What checksums of one segment begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

/// What checksums of one frame begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameSeed(u32);

/// What is known about a frame before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) position: Position,
    /// Frames up to here were on the disk when this one was written: whoever cannot read them lost something.
    pub(crate) durable: Position,
    /// Where the newest complete checkpoint begins. All of it was on the disk when this was written.
    pub(crate) origin: Option<Place>,
    pub(crate) wall: WallTime,
    pub(crate) len: u32,
    pub(crate) body_crc: u32,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        let all = [
            Self::Batches,
            Self::Bytes,
            Self::Whereabouts,
            Self::Began,
            Self::Complete,
            Self::Mark,
            Self::Lost,
        ];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

impl Seed {
    pub(crate) fn new(store: [u8; 16], segment: u32) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&store), &segment.to_le_bytes()))
    }

    /// For the frame that begins here.
    pub(crate) fn at(self, offset: u64) -> FrameSeed {
        FrameSeed(crc32c::crc32c_append(self.0, &offset.to_le_bytes()))
    }
}

impl FrameSeed {
    fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

impl Header {
    /// Bytes from the start of the frame to the start of the next.
    pub(crate) fn span(&self) -> u64 {
        span(self.len as usize) as u64
    }

    /// Is this its body?
    pub(crate) fn verifies(&self, body: &[u8], seed: FrameSeed) -> bool {
        body.len() == self.len as usize && seed.checksum(body) == self.body_crc
    }

    /// Reads a header; `None` when these bytes are none.
    pub(crate) fn read(bytes: &[u8], seed: FrameSeed) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        if bytes[..4] != MAGIC || seed.checksum(&bytes[..CHECKED]) != u32_at(bytes, CHECKED) {
            return None;
        }
        let (position, durable) = (u64_at(bytes, 8), u64_at(bytes, 16));
        if position.max(durable) > LAST {
            return None;
        }
        let mut wall = [0; 8];
        wall[..WALL_BYTES].copy_from_slice(&bytes[32..32 + WALL_BYTES]);
        Some(Self {
            len: u32_at(bytes, 4),
            position: Position(position),
            durable: Position(durable),
            origin: Place::from_bits(u64_at(bytes, 24)),
            wall: WallTime(u64::from_le_bytes(wall)),
            kind: Kind::from_number(bytes[38])?,
            body_crc: u32_at(bytes, 40),
        })
    }

    fn write(&self, out: &mut [u8], seed: FrameSeed) {
        out[..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..16].copy_from_slice(&self.position.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.durable.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.origin.map_or(0, Place::to_bits).to_le_bytes());
        out[32..38].copy_from_slice(&self.wall.0.to_le_bytes()[..WALL_BYTES]);
        out[38] = self.kind as u8;
        out[39] = 0;
        out[40..44].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = seed.checksum(&out[..CHECKED]);
        out[CHECKED..HEADER].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The header of a frame that would be whole but for one bit, here or in its body, and in which byte that is; `bytes`
/// begin where the frame does.
pub(crate) fn but_for_one_bit(bytes: &[u8], seed: FrameSeed) -> Option<(Header, usize)> {
    let body_of = |header: &Header| bytes.get(HEADER..HEADER + header.len as usize);
    if let Some(header) = Header::read(bytes, seed) {
        let body = body_of(&header)?;
        let from_end = one_bit(seed.checksum(body) ^ header.body_crc, body.len())?;
        return Some((header, HEADER + body.len() - 1 - from_end / 8));
    }
    let mut start: [u8; HEADER] = *bytes.first_chunk()?;
    (0..HEADER * 8).find_map(|bit| {
        start[bit / 8] ^= 1 << (bit % 8);
        let header = Header::read(&start, seed);
        start[bit / 8] ^= 1 << (bit % 8);
        let header = header.filter(|header| body_of(header).is_some_and(|body| header.verifies(body, seed)));
        Some((header?, bit / 8))
    })
}

/// Which bit of so many bytes, counted from the last, makes this difference between checksums?
fn one_bit(difference: u32, len: usize) -> Option<usize> {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let shift = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
    // What the last bit of the last byte makes, the one before it, and so on.
    let bits = std::iter::successors(Some(shift(1 << 0)), |crc| Some(shift(*crc)));
    bits.take(len * 8).position(|made| made == difference)
}

/// Finishes the frame whose body was appended behind room for the header: `header` but for length and checksum.
pub(crate) fn seal(frame: &mut Vec<u8>, mut header: Header, seed: FrameSeed) {
    let len = frame.len() - HEADER;
    header.len = u32::try_from(len).expect("a frame fits a segment");
    header.body_crc = seed.checksum(&frame[HEADER..]);
    header.write(&mut frame[..HEADER], seed);
    frame.resize(span(len), 0);
}

/// Bytes of a frame with such a body.
pub(crate) const fn span(body: usize) -> usize {
    (HEADER + body).next_multiple_of(ALIGN)
}

/// The offset from `from` on where a header may begin, judged by its first bytes alone.
pub(crate) fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    let start = from.next_multiple_of(ALIGN);
    let places = bytes.get(start..)?.chunks(ALIGN).position(|place| place.starts_with(&MAGIC))?;
    Some(start + places * ALIGN)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> FrameSeed {
        Seed::new([7; 16], 1).at(64)
    }

    fn frame(position: u64, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; HEADER];
        frame.extend_from_slice(body);
        let header = Header {
            kind: Kind::Batches,
            position: Position(position),
            durable: Position(position - 1),
            origin: Place::from_bits(3 << 32 | 64),
            wall: WallTime(1_760_000_000_123),
            len: 0,
            body_crc: 0,
        };
        seal(&mut frame, header, seed());
        frame
    }

    #[test]
    fn a_frame_comes_back() {
        let frame = frame(9, b"thirteen byte");
        assert_eq!(frame.len(), 64);
        let header = Header::read(&frame, seed()).expect("it is whole");
        assert_eq!((header.position.0, header.durable.0, header.len, header.span()), (9, 8, 13, 64));
        assert_eq!(header.origin, Some(Place::new(3, 64)));
        assert_eq!(header.wall.0, 1_760_000_000_123);
        assert!(header.verifies(&frame[HEADER..HEADER + 13], seed()));
    }

    #[test]
    fn no_flipped_bit_and_no_other_segment_passes() {
        let mut frame = frame(9, b"body");
        for bit in 0..(HEADER + 4) * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            let header = Header::read(&frame, seed());
            let is_whole = header.is_some_and(|header| header.verifies(&frame[HEADER..HEADER + 4], seed()));
            assert!(!is_whole, "bit {bit}");
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Header::read(&frame, Seed::new([7; 16], 2).at(64)), None, "another segment");
        assert_eq!(Header::read(&frame, Seed::new([8; 16], 1).at(64)), None, "another store");
        assert_eq!(Header::read(&frame, Seed::new([7; 16], 1).at(72)), None, "another place");
    }

    #[test]
    fn one_bit_is_told_from_more() {
        let whole = frame(9, b"body");
        for bit in 0..(HEADER + 4) * 8 {
            let mut frame = whole.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let found = but_for_one_bit(&frame, seed()).map(|(header, byte)| (header.position.0, byte));
            assert_eq!(found, Some((9, bit / 8)), "bit {bit}");
            frame[(bit / 8 + 7) % 48] ^= 0b11;
            assert_eq!(but_for_one_bit(&frame, seed()), None, "bit {bit} and others");
        }
        assert_eq!(but_for_one_bit(&[0; 64], seed()), None);
        assert_eq!(but_for_one_bit(&whole[..50], seed()), None, "the end of it is torn off");
    }

    #[test]
    fn the_next_frame_is_found_behind_garbage() {
        let mut bytes = vec![0xaa; 40];
        bytes.extend(frame(1, b""));
        assert_eq!(find_magic(&bytes, 0), Some(40));
        assert_eq!(find_magic(&bytes, 33), Some(40));
        assert_eq!(find_magic(&bytes, 41), None);
        assert_eq!(find_magic(&bytes, 4000), None);
    }
}

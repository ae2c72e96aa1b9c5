//! The payload of a test message: who sent it, which of his messages it is, and filling that shows damage.
//!
//! The rule: a payload is a function of its stamp and size, so that a receiver needs no copy to compare with.

/// The first bytes of every payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The publisher's stream, one for each of his topics.
    pub(crate) stream: u32,
    /// The number of the message in its stream, from 0.
    pub(crate) sequence: u64,
}

/// Bytes of a stamp; no payload is shorter.
pub(crate) const STAMP_SIZE: usize = 12;

impl Stamp {
    /// Writes the whole payload.
    pub(crate) fn fill(self, payload: &mut [u8]) {
        let (stamp, filling) = payload.split_at_mut(STAMP_SIZE);
        stamp[..4].copy_from_slice(&self.stream.to_le_bytes());
        stamp[4..].copy_from_slice(&self.sequence.to_le_bytes());
        filling.fill(self.filling());
    }

    /// Reads a payload; `None` when it is not one of ours as it was sent.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (stream, rest) = payload.split_first_chunk()?;
        let (sequence, filling) = rest.split_first_chunk()?;
        let stamp = Self { stream: u32::from_le_bytes(*stream), sequence: u64::from_le_bytes(*sequence) };
        let expected = stamp.filling();
        // Eight bytes at once: a gigabyte is looked through while the broker waits for us.
        let (chunks, tail) = filling.as_chunks::<8>();
        let is_whole =
            chunks.iter().all(|chunk| *chunk == [expected; 8]) && tail.iter().all(|byte| *byte == expected);
        is_whole.then_some(stamp)
    }

    fn filling(self) -> u8 {
        let [low, high, ..] = self.sequence.to_le_bytes();
        let [stream, ..] = self.stream.to_le_bytes();
        low ^ high.rotate_left(3) ^ stream.rotate_left(5) ^ 0x5a
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_and_damage_is_seen() {
        let stamp = Stamp { stream: 7, sequence: 70_000 };
        let mut payload = [0; 101];
        stamp.fill(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        for place in STAMP_SIZE..payload.len() {
            payload[place] ^= 1;
            assert_eq!(Stamp::read(&payload), None, "byte {place}");
            payload[place] ^= 1;
        }
        assert_eq!(Stamp::read(&payload[..STAMP_SIZE - 1]), None);
    }
}

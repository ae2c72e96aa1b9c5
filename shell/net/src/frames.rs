//! Finds whole packets in what arrived, when a packet comes in many pieces and when many come in one.
//!
//! The rule: what is kept for an unfinished packet is what arrived of it, and nothing else is copied.

use martlet_packet::{Error, Frame, frame, needed};

/// Bytes of one connection: the unfinished packet of earlier, and what arrived now.
#[derive(Debug)]
pub struct Frames<'a> {
    partial: Vec<u8>,
    /// The packet in `partial` is whole and was given out.
    is_given: bool,
    fresh: &'a [u8],
    /// What `fresh` was before a packet was taken from it.
    before: &'a [u8],
}

impl<'a> Frames<'a> {
    /// What arrived, behind what an earlier [`Frames::into_rest`] left.
    pub fn new(partial: Vec<u8>, fresh: &'a [u8]) -> Self {
        Self { partial, is_given: false, fresh, before: fresh }
    }

    /// The next whole packet of at most `maximum` bytes; `None` when more bytes must come.
    #[inline]
    pub fn next(&mut self, maximum: u32) -> Result<Option<Frame<'_>>, Error> {
        if self.is_given {
            self.partial = Vec::new();
            self.is_given = false;
        }
        if !self.partial.is_empty() {
            return self.complete(maximum);
        }
        let Some(frame) = frame(self.fresh, maximum)? else { return Ok(None) };
        self.before = self.fresh;
        self.fresh = &self.fresh[frame.len..];
        Ok(Some(frame))
    }

    /// The packet that was given out last is given out again when it is asked for the next.
    pub fn put_back(&mut self) {
        if self.is_given {
            self.is_given = false;
        } else {
            self.fresh = self.before;
        }
    }

    /// The first byte of the next packet.
    pub fn peek(&self) -> Option<u8> {
        if self.is_given { self.fresh.first() } else { self.partial.first().or(self.fresh.first()) }.copied()
    }

    /// The beginning of what no packet was made of, as far as it lies together: to say what it was.
    pub fn head(&self) -> &[u8] {
        if self.is_given || self.partial.is_empty() { self.fresh } else { &self.partial }
    }

    /// What is left, to be continued when more arrives.
    pub fn into_rest(self) -> Vec<u8> {
        if self.is_given || self.partial.is_empty() {
            return self.fresh.to_vec();
        }
        let mut rest = self.partial;
        rest.extend_from_slice(self.fresh);
        rest
    }

    /// Moves bytes to the unfinished packet until it is whole, and never one byte of the packet behind it.
    fn complete(&mut self, maximum: u32) -> Result<Option<Frame<'_>>, Error> {
        while frame(&self.partial, maximum)?.is_none() {
            // As long as the length itself has not arrived, byte by byte.
            let missing = needed(&self.partial).map_or(1, |needed| needed - self.partial.len());
            let count = missing.min(self.fresh.len());
            if count == 0 {
                return Ok(None);
            }
            let (more, rest) = self.fresh.split_at(count);
            self.partial.extend_from_slice(more);
            self.fresh = rest;
        }
        self.is_given = true;
        frame(&self.partial, maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAXIMUM: u32 = 1 << 20;

    /// A PUBLISH of QoS 0 with a body of so many bytes.
    fn publish(size: usize) -> Vec<u8> {
        let body = vec![0x61; size];
        let mut packet = vec![0x30];
        let mut rest = size;
        loop {
            let digit = u8::try_from(rest % 128).unwrap();
            rest /= 128;
            packet.push(if rest > 0 { digit | 0x80 } else { digit });
            if rest == 0 {
                break;
            }
        }
        packet.extend(body);
        packet
    }

    #[test]
    fn a_packet_put_back_comes_again_whole() {
        let stream = [publish(3), publish(5), publish(7)].concat();
        for split in 0..stream.len() {
            let mut first = Frames::new(Vec::new(), &stream[..split]);
            while first.next(MAXIMUM).unwrap().is_some() {}
            let mut frames = Frames::new(first.into_rest(), &stream[split..]);
            let Some(len) = frames.next(MAXIMUM).unwrap().map(|frame| frame.len) else { continue };
            frames.put_back();
            assert_eq!(frames.next(MAXIMUM).unwrap().map(|frame| frame.len), Some(len), "split at {split}");
            frames.put_back();
            assert!(frames.into_rest().ends_with(&publish(7)));
        }
    }

    /// The lengths of the packets found in `stream` when it comes in pieces of `step` bytes.
    fn lengths(stream: &[u8], step: usize) -> Vec<usize> {
        let (mut found, mut partial) = (Vec::new(), Vec::new());
        for piece in stream.chunks(step) {
            let mut frames = Frames::new(partial, piece);
            while let Some(frame) = frames.next(MAXIMUM).unwrap() {
                assert!(frame.body.iter().all(|&byte| byte == 0x61));
                found.push(frame.len);
            }
            partial = frames.into_rest();
        }
        assert!(partial.is_empty());
        found
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let sizes = [2, 127, 128, 300, 0, 20_000, 5];
        let stream: Vec<u8> = sizes.iter().flat_map(|&size| publish(size)).collect();
        let whole = lengths(&stream, stream.len());
        assert_eq!(whole, sizes.map(|size| publish(size).len()));
        for step in (1..40).chain([127, 128, 129, 4096]) {
            assert_eq!(lengths(&stream, step), whole, "in pieces of {step}");
        }
    }

    #[test]
    fn what_was_not_asked_for_is_left() {
        let stream = [publish(10), publish(20), publish(30)].concat();
        let mut frames = Frames::new(stream[..4].to_vec(), &stream[4..]);
        assert_eq!(frames.next(MAXIMUM).unwrap().map(|frame| frame.body.len()), Some(10));
        assert_eq!(frames.peek(), Some(0x30));
        assert_eq!(frames.into_rest(), [publish(20), publish(30)].concat());
    }

    #[test]
    fn a_length_alone_reserves_nothing() {
        let mut frames = Frames::new(vec![0x30], &[0xFF, 0xFF, 0x3E, 1, 2, 3]);
        assert!(frames.next(MAXIMUM).unwrap().is_none());
        assert!(frames.into_rest().capacity() <= 16);
    }

    #[test]
    fn a_packet_too_large_is_refused_at_its_length() {
        let mut frames = Frames::new(vec![0x30, 0xFF], &[0xFF, 0x7F]);
        assert!(matches!(frames.next(MAXIMUM), Err(Error::PacketTooLarge { .. })));
    }
}

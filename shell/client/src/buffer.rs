//! Bytes in order: put in at the end, taken from the front.

/// A queue of bytes that lie in one piece.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

/// What an empty buffer keeps of its memory.
const KEPT: usize = 64 * 1024;

impl Buffer {
    /// What is there.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes bytes from the front. What is left moves only when it is less than what was taken, so that each byte is
    /// moved once.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        assert!(self.taken <= self.bytes.len(), "only what is there can be taken");
        if self.len() <= self.taken {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        if self.is_empty() {
            self.bytes.shrink_to(KEPT);
        }
    }

    /// Where to append.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

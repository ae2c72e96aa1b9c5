//! Bytes decided for one Network Connection and not yet taken by it.
//!
//! Small packets are copied in; large payloads are held by reference between them. Order is kept to the byte.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use martlet_record::Time;

/// Taken bytes are moved out of the way once so many lie in front.
const COMPACT_BYTES: usize = 64 * 1024;

/// Bytes on their way to one Client, in order.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// How many of `bytes` the Network Connection took.
    taken: usize,
    shared: Option<Box<Shared>>,
    /// Since when the Network Connection takes nothing although bytes wait.
    blocked_since: Option<Time>,
}

/// Payloads held by reference, each with the place in `bytes` that it follows.
#[derive(Debug, Default)]
struct Shared {
    parts: VecDeque<(usize, Bytes)>,
    /// Bytes of all parts that are left.
    len: usize,
}

impl Outgoing {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.taken + self.shared.as_ref().map_or(0, |shared| shared.len)
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len() && self.shared.is_none()
    }

    /// Where packets are encoded: only ever appended to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that are already encoded.
    pub fn append(&mut self, encoded: &[u8]) {
        self.bytes.extend_from_slice(encoded);
    }

    /// A payload that follows what was encoded so far, without a copy.
    pub fn append_shared(&mut self, payload: Bytes) {
        let shared = self.shared.get_or_insert_default();
        shared.len += payload.len();
        shared.parts.push_back((self.bytes.len(), payload));
    }

    /// Uses `spare` as the buffer if there is none yet, so that a connection that was idle need not grow one.
    pub fn lend(&mut self, spare: impl FnOnce() -> Option<Vec<u8>>) {
        if self.bytes.capacity() == 0
            && let Some(spare) = spare()
        {
            self.bytes = spare;
        }
    }

    /// The buffer itself, once nothing waits: an idle connection owns none.
    pub fn reclaim(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.bytes.capacity() == 0 {
            return None;
        }
        self.taken = 0;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        Some(bytes)
    }

    /// The slices to write next, in order; how many of `slices` are filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        let mut from = self.taken;
        let mut push = |part: &'a [u8]| {
            if !part.is_empty() && count < slices.len() {
                slices[count] = IoSlice::new(part);
                count += 1;
            }
        };
        for (place, payload) in self.shared.iter().flat_map(|shared| &shared.parts).take(32) {
            push(&self.bytes[from..*place]);
            push(payload);
            from = *place;
        }
        if self.shared.as_ref().is_none_or(|shared| shared.parts.len() <= 32) {
            push(&self.bytes[from..]);
        }
        count
    }

    /// The Network Connection took `count` bytes.
    ///
    /// # Panics
    /// When that is more than waited.
    pub fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len());
        if count > 0 {
            self.blocked_since = None;
        }
        while let Some(shared) = &mut self.shared {
            let Some((place, payload)) = shared.parts.front_mut() else {
                self.shared = None;
                break;
            };
            let inline = count.min(*place - self.taken);
            self.taken += inline;
            count -= inline;
            if self.taken < *place {
                return self.compact();
            }
            let part = count.min(payload.len());
            shared.len -= part;
            count -= part;
            if part < payload.len() {
                let _taken = payload.split_to(part);
                return self.compact();
            }
            shared.parts.pop_front();
        }
        self.taken += count;
        self.compact();
    }

    /// The Network Connection would take nothing at `now`.
    pub fn blocked(&mut self, now: Time) {
        self.blocked_since.get_or_insert(now);
    }

    /// Since when nothing was taken although bytes wait.
    pub fn blocked_since(&self) -> Option<Time> {
        self.blocked_since
    }

    fn compact(&mut self) {
        if self.taken == self.bytes.len() && self.shared.is_none() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken >= COMPACT_BYTES {
            self.bytes.drain(..self.taken);
            for (place, _) in self.shared.iter_mut().flat_map(|shared| &mut shared.parts) {
                *place -= self.taken;
            }
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything in steps of `step` bytes and returns what came out.
    fn drain(outgoing: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = outgoing.slices(&mut slices);
            let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
            let taken = step.min(all.len());
            out.extend_from_slice(&all[..taken]);
            outgoing.advance(taken);
        }
        out
    }

    #[test]
    fn order_is_kept_however_little_is_taken_at_once() {
        for step in 1..12 {
            let mut outgoing = Outgoing::default();
            outgoing.append(b"head");
            outgoing.append_shared(Bytes::from_static(b"PAYLOAD"));
            outgoing.append_shared(Bytes::from_static(b"MORE"));
            outgoing.append(b"tail");
            assert_eq!(outgoing.len(), 19);
            assert_eq!(drain(&mut outgoing, step), b"headPAYLOADMOREtail", "step {step}");
            assert_eq!(outgoing.len(), 0);
        }
    }

    #[test]
    fn what_was_taken_is_given_back_although_payloads_always_wait() {
        let mut outgoing = Outgoing::default();
        let head = [7; 1000];
        for _ in 0..1000 {
            outgoing.append(&head);
            outgoing.append_shared(Bytes::from_static(b"PAYLOAD"));
            outgoing.advance(if outgoing.len() > 2014 { 1007 } else { 0 });
        }
        assert!(outgoing.bytes.capacity() < 4 * COMPACT_BYTES, "{}", outgoing.bytes.capacity());
        let rest = drain(&mut outgoing, 100);
        assert_eq!(rest.len() % 1007, 0);
        assert_eq!(&rest[1000..1007], b"PAYLOAD");
    }

    #[test]
    fn the_buffer_can_be_had_back_only_when_nothing_waits() {
        let mut outgoing = Outgoing::default();
        outgoing.append(b"x");
        assert!(outgoing.reclaim().is_none());
        outgoing.advance(1);
        assert!(outgoing.reclaim().is_some_and(|buffer| buffer.is_empty() && buffer.capacity() > 0));
    }

    #[test]
    fn blocked_lasts_until_a_byte_is_taken() {
        let mut outgoing = Outgoing::default();
        outgoing.append(b"xy");
        outgoing.blocked(Time::from_millis(5));
        outgoing.blocked(Time::from_millis(9));
        assert_eq!(outgoing.blocked_since(), Some(Time::from_millis(5)));
        outgoing.advance(1);
        assert_eq!(outgoing.blocked_since(), None);
    }
}

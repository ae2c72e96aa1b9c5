//! Messages on their way to one Client: in flight, and queued behind those.
//!
//! Both are deques in the order of ordinals; a Packet Identifier follows from the ordinal, so none is ever looked up
//! in a map and none is used twice at once.

use std::collections::VecDeque;

use martlet_packet::PacketId;
use martlet_record::Ordinal;

use crate::{CopyState, MessageCopy};

/// Packet Identifiers there are; an unfinished copy that many ordinals behind stops the sending.
const PACKET_IDS: u64 = 65_535;

/// What may wait unsent for one Session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages; beyond it the overflow policy decides.
    pub messages: usize,
    /// Bytes, each copy counted in full; beyond it the overflow policy decides.
    pub bytes: usize,
    /// What happens to one too many. Either way it is counted and told.
    pub overflow: Overflow,
}

/// What a full queue does with one message too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The new one is dropped.
    DropNewest,
    /// The one that waited longest is dropped.
    DropOldest,
}

/// Copies on their way to one Client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbound {
    /// Sent at least once, ascending ordinals.
    in_flight: VecDeque<(Ordinal, MessageCopy)>,
    /// Never sent, ascending ordinals.
    queued: VecDeque<(Ordinal, MessageCopy)>,
    /// The ordinal of the next copy.
    next: Ordinal,
    /// How many of `in_flight` this Network Connection has seen; those behind wait to be sent again.
    current: usize,
    /// How many of those are not finished.
    open: usize,
    /// How many of `in_flight` are not finished, seen or not.
    unfinished: usize,
    /// Bytes of all copies.
    bytes: usize,
}

impl Outbound {
    /// Appends a copy.
    pub fn enqueue(&mut self, copy: MessageCopy) -> Ordinal {
        let ordinal = self.skip();
        self.bytes += copy.size();
        self.queued.push_back((ordinal, copy));
        ordinal
    }

    /// The ordinal of a copy that is dropped before it is queued: it is used up all the same.
    pub fn skip(&mut self) -> Ordinal {
        let ordinal = self.next;
        self.next = Ordinal(ordinal.0 + 1);
        ordinal
    }

    /// Is there no room for one more of `size` bytes?
    pub fn is_full(&self, size: usize, limits: &QueueLimits) -> bool {
        self.queued.len() >= limits.messages || self.bytes + size > limits.bytes
    }

    /// The copy that would be sent next, if it were never sent before.
    pub fn first_queued(&self) -> Option<&MessageCopy> {
        self.queued.front().map(|(_, copy)| copy)
    }

    /// Takes out the copy that waited longest unsent.
    pub fn pop_queued(&mut self) -> Option<(Ordinal, MessageCopy)> {
        let (ordinal, copy) = self.queued.pop_front()?;
        self.bytes -= copy.size();
        Some((ordinal, copy))
    }

    /// The identifiers of that many copies are still in use that the next cannot have one.
    pub fn is_wrapped(&self) -> bool {
        let next = self.queued.front().map_or(self.next, |(ordinal, _)| *ordinal);
        self.in_flight.front().is_some_and(|(oldest, _)| next.0 - oldest.0 >= PACKET_IDS)
    }

    /// Moves the first queued copy into flight, as sent.
    pub fn start(&mut self) -> Option<(Ordinal, &mut MessageCopy)> {
        let (ordinal, mut copy) = self.pop_queued()?;
        self.bytes += copy.size();
        copy.state = CopyState::Sent;
        self.in_flight.push_back((ordinal, copy));
        self.current = self.in_flight.len();
        self.open += 1;
        self.unfinished += 1;
        self.in_flight.back_mut().map(|(ordinal, copy)| (*ordinal, copy))
    }

    /// Moves all queued copies up to this one into flight: they were sent before it.
    pub fn start_up_to(&mut self, ordinal: Ordinal) {
        while self.queued.front().is_some_and(|(first, _)| *first <= ordinal) {
            self.start();
        }
    }

    /// The next copy in flight that a new Network Connection has not seen.
    pub fn next_unseen(&mut self) -> Option<(Ordinal, &mut MessageCopy)> {
        let (ordinal, copy) = self.in_flight.get_mut(self.current)?;
        Some((*ordinal, copy))
    }

    /// It has seen it now.
    pub fn seen(&mut self) {
        if let Some((_, copy)) = self.in_flight.get(self.current) {
            self.open += usize::from(copy.state != CopyState::Finished);
            self.current += 1;
        }
    }

    /// A new Network Connection has seen nothing yet.
    pub fn restart(&mut self) {
        self.current = 0;
        self.open = 0;
    }

    /// Copies this Network Connection has seen and not finished.
    pub fn open(&self) -> usize {
        self.open
    }

    /// The copy in flight on this Network Connection with this identifier.
    pub fn find(&mut self, id: PacketId) -> Option<(Ordinal, &mut MessageCopy)> {
        let place = self.place_of(id)?;
        let (ordinal, copy) = &mut self.in_flight[place];
        (copy.state != CopyState::Finished).then_some((*ordinal, copy))
    }

    /// The identifier of a copy in flight, if this Network Connection has seen it.
    pub fn seen_id(&self, ordinal: Ordinal) -> Option<PacketId> {
        let place = self.in_flight.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal).ok()?;
        (place < self.current).then(|| packet_id(ordinal))
    }

    /// The copy in flight with this ordinal.
    pub fn find_ordinal(&mut self, ordinal: Ordinal) -> Option<&mut MessageCopy> {
        let place = self.in_flight.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal).ok()?;
        Some(&mut self.in_flight[place].1)
    }

    /// Finishes a copy in flight and gives it back.
    pub fn finish(&mut self, ordinal: Ordinal) -> Option<MessageCopy> {
        let place = self.in_flight.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal).ok()?;
        let copy = &mut self.in_flight[place].1;
        if copy.state == CopyState::Finished {
            return None;
        }
        self.bytes -= copy.size();
        self.open -= usize::from(place < self.current);
        self.unfinished -= 1;
        let ghost = MessageCopy {
            state: CopyState::Finished,
            message: None,
            subscription_ids: None,
            share: None,
            ..*copy
        };
        let finished = std::mem::replace(copy, ghost);
        while self.in_flight.front().is_some_and(|(_, copy)| copy.state == CopyState::Finished) {
            self.in_flight.pop_front();
            self.current = self.current.saturating_sub(1);
        }
        Some(finished)
    }

    /// Takes out a copy that was never sent.
    pub fn remove_queued(&mut self, ordinal: Ordinal) -> Option<MessageCopy> {
        let place = self.queued.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal).ok()?;
        let (_, copy) = self.queued.remove(place)?;
        self.bytes -= copy.size();
        Some(copy)
    }

    /// PUBREC came for this copy: the Message itself is no longer needed.
    pub fn received(&mut self, ordinal: Ordinal, state: CopyState) {
        let Some(copy) = self.find_ordinal(ordinal) else { return };
        let before = copy.size();
        copy.message = None;
        copy.state = state;
        let after = copy.size();
        self.bytes = self.bytes - before + after;
    }

    /// All unfinished copies, in order, with their ordinals.
    pub fn unfinished(&self) -> impl Iterator<Item = (Ordinal, &MessageCopy)> {
        let all = self.in_flight.iter().chain(&self.queued).map(|(ordinal, copy)| (*ordinal, copy));
        all.filter(|(_, copy)| copy.state != CopyState::Finished)
    }

    /// Copies that wait unsent.
    pub fn queued_len(&self) -> usize {
        self.queued.len()
    }

    /// Copies sent and unfinished, on this or an earlier Network Connection.
    pub fn in_flight_len(&self) -> usize {
        self.unfinished
    }

    /// Bytes of all copies.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.queued.is_empty()
    }

    /// The ordinal the next copy gets.
    pub fn next_ordinal(&self) -> Ordinal {
        self.next
    }

    /// Where the copy with this identifier lies among those this Network Connection has seen.
    fn place_of(&self, id: PacketId) -> Option<usize> {
        let (oldest, _) = self.in_flight.front()?;
        let ahead = (u64::from(id.get()) - 1 + PACKET_IDS - oldest.0 % PACKET_IDS) % PACKET_IDS;
        let wanted = Ordinal(oldest.0 + ahead);
        // Mostly nothing was dropped in between, and the distance is the place.
        let guess = usize::try_from(ahead).ok()?;
        let place = match self.in_flight.get(guess) {
            Some((ordinal, _)) if *ordinal == wanted => guess,
            _ => self.in_flight.binary_search_by_key(&wanted, |(ordinal, _)| *ordinal).ok()?,
        };
        (place < self.current).then_some(place)
    }
}

/// The Packet Identifier of a copy.
pub(crate) fn packet_id(ordinal: Ordinal) -> PacketId {
    let id = u16::try_from(ordinal.0 % PACKET_IDS + 1).expect("at most 65,535");
    PacketId::new(id).expect("at least 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_packet::QoS;

    fn copy() -> MessageCopy {
        MessageCopy {
            message: None,
            subscription_ids: None,
            share: None,
            qos: QoS::AtLeastOnce,
            retain: false,
            state: CopyState::Queued,
        }
    }

    /// [MQTT-2.2.1-3]
    #[test]
    fn identifiers_count_from_one_and_wrap_past_zero() {
        assert_eq!(packet_id(Ordinal(0)).get(), 1);
        assert_eq!(packet_id(Ordinal(65_534)).get(), 65_535);
        assert_eq!(packet_id(Ordinal(65_535)).get(), 1);
    }

    #[test]
    fn one_unfinished_copy_stops_the_sending_before_its_identifier_returns() {
        let mut outbound = Outbound::default();
        let mut sent = 0_u32;
        for _ in 0..70_000 {
            outbound.enqueue(copy());
            if !outbound.is_wrapped() {
                let id = packet_id(outbound.start().expect("it was queued").0);
                sent += 1;
                if sent > 1 {
                    let (ordinal, _) = outbound.find(id).expect("in flight");
                    assert!(outbound.finish(ordinal).is_some());
                }
            }
        }
        assert_eq!(sent, 65_535);
        assert!(outbound.finish(Ordinal(0)).is_some());
        assert!(!outbound.is_wrapped());
        let next = outbound.start().expect("the next in line").0;
        assert_eq!(packet_id(next).get(), 1);
    }

    #[test]
    fn a_dropped_copy_leaves_no_trace_behind_those_in_flight() {
        let mut outbound = Outbound::default();
        outbound.enqueue(copy());
        outbound.start();
        for _ in 0..100 {
            outbound.enqueue(copy());
            outbound.pop_queued();
        }
        outbound.enqueue(copy());
        let id = packet_id(outbound.start().expect("queued").0);
        assert_eq!(id.get(), 102);
        assert_eq!(outbound.find(id).map(|(ordinal, _)| ordinal), Some(Ordinal(101)));
        assert_eq!(outbound.in_flight_len(), 2);
    }

    #[test]
    fn an_identifier_unseen_by_this_network_connection_is_unknown() {
        let mut outbound = Outbound::default();
        outbound.enqueue(copy());
        let id = packet_id(outbound.start().expect("queued").0);
        outbound.restart();
        assert!(outbound.find(id).is_none());
        outbound.seen();
        assert!(outbound.find(id).is_some());
    }
}

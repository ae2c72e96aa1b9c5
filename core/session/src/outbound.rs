//! Messages on their way to one Client: in flight, and queued behind those.
//!
//! All are deques in the order of ordinals; a Packet Identifier follows from the ordinal, so none is ever looked up
//! in a map and none is used twice at once. Behind the copies whose Messages are at hand wait those whose Messages are
//! in the log only: there is none of the former behind one of the latter.

mod logged;

use std::collections::VecDeque;

use martlet_packet::PacketId;
use martlet_record::Ordinal;

use crate::spilled::Spilled;
use crate::{CopyState, MessageCopy, Vacant};

/// Packet Identifiers there are; an unfinished copy that many ordinals behind stops the sending.
const PACKET_IDS: u64 = 65_535;

/// What may wait unsent for one Session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages; beyond it the overflow policy decides, unless the rest waits on disk.
    pub messages: usize,
    /// Bytes, each copy counted in full; beyond it the overflow policy decides, unless the rest waits on disk.
    pub bytes: usize,
    /// Bytes of Messages held in memory for one Session that the log knows: the rest is read back when it is time.
    pub memory_bytes: usize,
    /// What happens to one too many. Whatever it is, it is counted and told.
    pub overflow: Overflow,
    /// Messages that may wait on disk under [`Overflow::Spill`]; beyond it publishers are refused.
    pub quota_messages: usize,
    /// Bytes that may wait on disk under [`Overflow::Spill`]; beyond it publishers are refused.
    pub quota_bytes: usize,
}

/// What a full queue does with one message too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// It waits on disk, where the log has it anyway, up to the quota. A Session the log does not know drops the new one.
    Spill,
    /// The new one is dropped.
    DropNewest,
    /// The one that waited longest is dropped.
    DropOldest,
    /// Its publisher is told 0x97 and nobody gets it; an MQTT 3 Client is disconnected, for it cannot be told.
    RejectPublisher,
    /// The Client that does not read is disconnected. What waits for a Session that goes on is kept as under
    /// [`Overflow::Spill`].
    Disconnect,
}

impl QueueLimits {
    /// So much may wait; a mebibyte of it in memory where the log has the rest, which it has without limit.
    pub const fn new(messages: usize, bytes: usize, overflow: Overflow) -> Self {
        let memory_bytes = 1024 * 1024;
        Self { messages, bytes, memory_bytes, overflow, quota_messages: usize::MAX, quota_bytes: usize::MAX }
    }

    /// Can a full queue refuse publishers?
    pub fn has_gates(&self) -> bool {
        let has_quota = self.quota_messages < usize::MAX || self.quota_bytes < usize::MAX;
        self.overflow == Overflow::RejectPublisher || (self.overflow.spills() && has_quota)
    }
}

impl Overflow {
    /// Does a queue under this policy go on in the log?
    pub fn spills(self) -> bool {
        matches!(self, Self::Spill | Self::Disconnect)
    }
}

/// Copies on their way to one Client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbound {
    /// Sent at least once, ascending ordinals.
    in_flight: VecDeque<Flight>,
    /// Never sent, ascending ordinals, at hand.
    queued: VecDeque<(Ordinal, MessageCopy)>,
    /// Behind those, in the log only.
    spilled: VecDeque<Spilled>,
    /// Some of them are being read back.
    reading: bool,
    /// The ordinal of the next copy.
    next: Ordinal,
    /// Where the next one lies that must be sent again to a new Network Connection.
    current: usize,
    /// A new Network Connection has not got the PUBRELs yet that an earlier one left unanswered.
    owes_releases: bool,
    /// How many of `in_flight` this Network Connection has seen and not finished.
    open: usize,
    /// How many of `in_flight` are not finished, seen or not.
    unfinished: usize,
    /// Bytes of all copies.
    bytes: usize,
    /// Bytes of those in `queued`.
    queued_bytes: usize,
    /// The journal knows that copies before this one were sent.
    sent_told: Ordinal,
}

/// A copy that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flight {
    ordinal: Ordinal,
    /// This Network Connection has seen it.
    seen: bool,
    copy: MessageCopy,
}

/// How far ahead of a Client the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAhead {
    /// Messages.
    pub messages: usize,
    /// Bytes; one Message is always read, however large.
    pub bytes: usize,
}

impl ReadAhead {
    /// Enough for a fast Client, little for a thousand slow ones.
    pub const DEFAULT: Self = Self { messages: 256, bytes: 256 * 1024 };
}

impl Vacant for Outbound {
    fn vacant() -> &'static Self {
        static VACANT: Outbound = Outbound {
            in_flight: VecDeque::new(),
            queued: VecDeque::new(),
            spilled: VecDeque::new(),
            reading: false,
            next: Ordinal(0),
            current: 0,
            owes_releases: false,
            open: 0,
            unfinished: 0,
            bytes: 0,
            queued_bytes: 0,
            sent_told: Ordinal(0),
        };
        &VACANT
    }
}

impl Outbound {
    /// Appends a copy: at hand, unless some wait in the log already or `spills` sends it there.
    pub fn enqueue(&mut self, copy: MessageCopy, spills: bool) -> Ordinal {
        let ordinal = self.skip();
        self.bytes += copy.size();
        match Spilled::new(ordinal, &copy).filter(|_| spills || !self.spilled.is_empty()) {
            Some(spilled) => self.spilled.push_back(spilled),
            None => self.push_queued(ordinal, copy),
        }
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
        self.queued_len() >= limits.messages || self.bytes + size > limits.bytes
    }

    /// Would one more of `size` bytes be too much to be kept at hand?
    pub fn is_crowded(&self, size: usize, limits: &QueueLimits) -> bool {
        self.queued_bytes + size > limits.memory_bytes
    }

    /// The copy that would be sent next, if it were never sent before.
    pub fn first_queued(&self) -> Option<&MessageCopy> {
        self.queued.front().map(|(_, copy)| copy)
    }

    /// Takes out the copy that waited longest unsent.
    pub fn pop_queued(&mut self) -> Option<(Ordinal, MessageCopy)> {
        let (ordinal, copy) = match self.queued.pop_front() {
            Some(first) => {
                self.queued_bytes -= first.1.size();
                first
            }
            None => self.pop_spilled()?,
        };
        self.bytes -= copy.size();
        Some((ordinal, copy))
    }

    /// Would one more of `size` bytes go beyond the limit at which publishers are refused?
    pub fn is_at_limit(&self, size: usize, limits: &QueueLimits) -> bool {
        match limits.overflow {
            Overflow::RejectPublisher => self.is_full(size, limits),
            Overflow::Spill | Overflow::Disconnect => {
                self.queued_len() >= limits.quota_messages || self.bytes + size > limits.quota_bytes
            }
            Overflow::DropNewest | Overflow::DropOldest => false,
        }
    }

    /// The identifiers of that many copies are still in use that the next cannot have one.
    pub fn is_wrapped(&self) -> bool {
        let next = self.first_unsent().unwrap_or(self.next);
        self.in_flight.front().is_some_and(|oldest| next.0 - oldest.ordinal.0 >= PACKET_IDS)
    }

    /// Moves the first queued copy into flight, as sent.
    pub fn start(&mut self) -> Option<(Ordinal, &mut MessageCopy)> {
        let (ordinal, mut copy) = self.pop_queued()?;
        self.bytes += copy.size();
        copy.state = CopyState::Sent;
        self.in_flight.push_back(Flight { ordinal, seen: true, copy });
        self.current = self.in_flight.len();
        self.open += 1;
        self.unfinished += 1;
        self.in_flight.back_mut().map(|flight| (flight.ordinal, &mut flight.copy))
    }

    /// Moves all queued copies up to this one into flight: they were sent before it.
    pub fn start_up_to(&mut self, ordinal: Ordinal) {
        while self.first_unsent().is_some_and(|first| first <= ordinal) {
            self.start();
        }
    }

    /// The next copy in flight that a new Network Connection has not seen.
    pub fn next_unseen(&mut self) -> Option<(Ordinal, &mut MessageCopy)> {
        while self.in_flight.get(self.current).is_some_and(|flight| flight.seen) {
            self.current += 1;
        }
        let flight = self.in_flight.get_mut(self.current)?;
        Some((flight.ordinal, &mut flight.copy))
    }

    /// Is there something to send that need not be read back from the log first?
    pub fn can_send(&mut self) -> bool {
        let owes_releases = self.owes_releases;
        match self.next_unseen() {
            Some((_, copy)) => owes_releases || copy.missing().is_none(),
            None => !self.queued.is_empty() && !self.is_wrapped(),
        }
    }

    /// It has seen it now.
    pub fn seen(&mut self) {
        if let Some(flight) = self.in_flight.get_mut(self.current) {
            flight.seen = true;
            self.open += usize::from(flight.copy.state != CopyState::Finished);
            self.current += 1;
        }
    }

    /// Calls `send` for each copy whose PUBREL a new Network Connection has not got: those need no room. Where PUBREC
    /// still waits for its commit, PUBREL follows that.
    pub fn release_unseen(&mut self, mut send: impl FnMut(PacketId)) {
        if !std::mem::take(&mut self.owes_releases) {
            return;
        }
        let has_it = |state| matches!(state, CopyState::Received | CopyState::Released);
        let owed = |flight: &&mut Flight| has_it(flight.copy.state) && !flight.seen;
        for flight in self.in_flight.iter_mut().filter(owed) {
            flight.seen = true;
            self.open += 1;
            if flight.copy.state == CopyState::Released {
                send(packet_id(flight.ordinal));
            }
        }
    }

    /// A new Network Connection has seen nothing yet.
    pub fn restart(&mut self) {
        self.in_flight.iter_mut().for_each(|flight| flight.seen = false);
        self.current = 0;
        self.open = 0;
        self.owes_releases = true;
    }

    /// Copies this Network Connection has seen and not finished.
    pub fn open(&self) -> usize {
        self.open
    }

    /// The copy in flight on this Network Connection with this identifier.
    pub fn find(&mut self, id: PacketId) -> Option<(Ordinal, &mut MessageCopy)> {
        let place = self.place_of(id)?;
        let Flight { ordinal, seen, copy } = &mut self.in_flight[place];
        (*seen && copy.state != CopyState::Finished).then_some((*ordinal, copy))
    }

    /// The identifier of a copy in flight, if this Network Connection has seen it.
    pub fn seen_id(&self, ordinal: Ordinal) -> Option<PacketId> {
        let place = self.place_at(ordinal)?;
        self.in_flight[place].seen.then(|| packet_id(ordinal))
    }

    /// The copy in flight with this ordinal.
    pub fn find_ordinal(&mut self, ordinal: Ordinal) -> Option<&mut MessageCopy> {
        let place = self.place_at(ordinal)?;
        Some(&mut self.in_flight[place].copy)
    }

    /// Finishes a copy in flight and gives it back.
    pub fn finish(&mut self, ordinal: Ordinal) -> Option<MessageCopy> {
        let place = self.place_at(ordinal)?;
        let Flight { seen, copy, .. } = &mut self.in_flight[place];
        if copy.state == CopyState::Finished {
            return None;
        }
        self.bytes -= copy.size();
        self.open -= usize::from(*seen);
        self.unfinished -= 1;
        let ghost = MessageCopy {
            state: CopyState::Finished,
            body: None,
            subscription_ids: None,
            share: None,
            ..*copy
        };
        let finished = std::mem::replace(copy, ghost);
        while self.in_flight.pop_front_if(|first| first.copy.state == CopyState::Finished).is_some() {
            self.current = self.current.saturating_sub(1);
        }
        Some(finished)
    }

    /// Takes out a copy that was never sent.
    pub fn remove_queued(&mut self, ordinal: Ordinal) -> Option<MessageCopy> {
        let copy = match self.queued.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal) {
            Ok(place) => {
                let (_, copy) = self.queued.remove(place)?;
                self.queued_bytes -= copy.size();
                copy
            }
            Err(_) => {
                let place = self.spilled.binary_search_by_key(&ordinal, |spilled| spilled.ordinal).ok()?;
                self.spilled.remove(place)?.into_copy().1
            }
        };
        self.bytes -= copy.size();
        Some(copy)
    }

    /// PUBREC came for this copy: the Message itself is no longer needed.
    pub fn received(&mut self, ordinal: Ordinal, state: CopyState) {
        let Some(copy) = self.find_ordinal(ordinal) else { return };
        let before = copy.size();
        copy.body = None;
        copy.state = state;
        let after = copy.size();
        self.bytes = self.bytes - before + after;
    }

    /// The first copy that was never sent.
    fn first_unsent(&self) -> Option<Ordinal> {
        let queued = self.queued.front().map(|(ordinal, _)| *ordinal);
        queued.or_else(|| self.spilled.front().map(|spilled| spilled.ordinal))
    }

    fn push_queued(&mut self, ordinal: Ordinal, copy: MessageCopy) {
        self.queued_bytes += copy.size();
        self.queued.push_back((ordinal, copy));
    }

    fn pop_spilled(&mut self) -> Option<(Ordinal, MessageCopy)> {
        let first = self.spilled.pop_front()?;
        if self.spilled.is_empty() {
            self.spilled = VecDeque::new();
        }
        Some(first.into_copy())
    }

    /// Have the copies in flight on this Network Connection so many bytes or more?
    pub fn is_at_bytes(&self, limit: usize) -> bool {
        if limit == usize::MAX {
            return false;
        }
        let seen = self.in_flight.iter().filter(|flight| flight.seen && flight.copy.state == CopyState::Sent);
        let bytes = seen.filter_map(|flight| flight.copy.body.as_ref()).map(|body| body.len());
        bytes.sum::<usize>() >= limit
    }

    /// Copies that wait unsent.
    pub fn queued_len(&self) -> usize {
        self.queued.len() + self.spilled.len()
    }

    /// Are there copies whose Messages wait in the log only?
    pub fn has_spilled(&self) -> bool {
        !self.spilled.is_empty()
    }

    /// Copies sent and unfinished, on this or an earlier Network Connection.
    pub fn in_flight_len(&self) -> usize {
        self.unfinished
    }

    /// Bytes of all copies.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The ordinal the next copy gets.
    pub fn next_ordinal(&self) -> Ordinal {
        self.next
    }

    /// Where the copy with this identifier lies.
    fn place_of(&self, id: PacketId) -> Option<usize> {
        let oldest = self.in_flight.front()?.ordinal.0;
        let ahead = (u64::from(id.get()) - 1 + PACKET_IDS - oldest % PACKET_IDS) % PACKET_IDS;
        let wanted = Ordinal(oldest + ahead);
        // Mostly nothing was dropped in between, and the distance is the place.
        let guess = usize::try_from(ahead).ok()?;
        let is_there = self.in_flight.get(guess).is_some_and(|flight| flight.ordinal == wanted);
        if is_there { Some(guess) } else { self.place_at(wanted) }
    }

    fn place_at(&self, ordinal: Ordinal) -> Option<usize> {
        self.in_flight.binary_search_by_key(&ordinal, |flight| flight.ordinal).ok()
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
            body: None,
            subscription_ids: None,
            share: None,
            qos: QoS::AtLeastOnce,
            retain: false,
            state: CopyState::Queued,
        }
    }

    /// [MQTT-2.2.1-4]
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
            outbound.enqueue(copy(), false);
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
        outbound.enqueue(copy(), false);
        outbound.start();
        for _ in 0..100 {
            outbound.enqueue(copy(), false);
            outbound.pop_queued();
        }
        outbound.enqueue(copy(), false);
        let id = packet_id(outbound.start().expect("queued").0);
        assert_eq!(id.get(), 102);
        assert_eq!(outbound.find(id).map(|(ordinal, _)| ordinal), Some(Ordinal(101)));
        assert_eq!(outbound.in_flight_len(), 2);
    }

    #[test]
    fn an_identifier_unseen_by_this_network_connection_is_unknown() {
        let mut outbound = Outbound::default();
        outbound.enqueue(copy(), false);
        let id = packet_id(outbound.start().expect("queued").0);
        outbound.restart();
        assert!(outbound.find(id).is_none());
        outbound.seen();
        assert!(outbound.find(id).is_some());
    }
}

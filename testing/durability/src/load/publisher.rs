//! The sending half of a Session.
//!
//! The rule: what was not acknowledged is sent again, first to last, as the broker's Session Present demands
//! [MQTT-4.4.0-1]; nothing is sent twice that was acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;

use martlet_witness::wire::{self, Connect, Outgoing, Packet, Version, kind};

use super::payload::STAMP_SIZE;
use super::{Bits, Counts, Stamp};

/// How a publisher publishes.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) version: Version,
    pub(crate) qos: u8,
    /// Messages on their way at once.
    pub(crate) window: usize,
    /// Bytes of a payload.
    pub(crate) size: usize,
    /// Where its messages go, in turn.
    pub(crate) topics: Arc<[String]>,
    /// The stream of its first topic; the others follow.
    pub(crate) first_stream: u32,
    /// Whether its Session outlives its Connection.
    pub(crate) persistent: bool,
}

/// A publisher.
pub(crate) struct Publisher {
    client_id: String,
    terms: Terms,
    /// It publishes until so many messages have been published.
    goal: u64,
    published: u64,
    in_flight: VecDeque<Flight>,
    /// The broker has a Session of it.
    has_session: bool,
    acknowledged: Bits,
    refused: Bits,
    /// The Reason Code of the last refusal.
    refusal: Option<u8>,
    /// Sessions the broker had and has no more.
    sessions_lost: u64,
    payload: Vec<u8>,
}

/// A message that is not wholly acknowledged.
struct Flight {
    ordinal: u64,
    /// PUBREC has arrived.
    is_released: bool,
}

impl Publisher {
    /// A publisher with nothing to publish yet.
    pub(crate) fn new(client_id: impl Into<String>, terms: Terms) -> Self {
        assert!(terms.size >= STAMP_SIZE, "a payload holds at least its stamp");
        assert!(terms.window < usize::from(u16::MAX), "a Packet Identifier for each message in flight");
        let payload = vec![0; terms.size];
        Self {
            client_id: client_id.into(),
            terms,
            goal: 0,
            published: 0,
            in_flight: VecDeque::new(),
            has_session: false,
            acknowledged: Bits::default(),
            refused: Bits::default(),
            refusal: None,
            sessions_lost: 0,
            payload,
        }
    }

    /// Publishes until `goal` messages have been published since the beginning, or one is refused.
    pub(crate) fn set_goal(&mut self, goal: u64) {
        self.goal = goal;
    }

    /// Publishes no more than it has.
    pub(crate) fn stop(&mut self) {
        self.goal = self.published;
    }

    /// Messages published.
    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// Everything published is acknowledged or refused.
    pub(crate) fn is_done(&self) -> bool {
        self.published >= self.goal && self.in_flight.is_empty()
    }

    /// Messages acknowledged, by their ordinals.
    pub(crate) fn acknowledged(&self) -> &Bits {
        &self.acknowledged
    }

    /// Messages refused, by their ordinals.
    pub(crate) fn refused(&self) -> &Bits {
        &self.refused
    }

    /// The Reason Code of the last refusal.
    pub(crate) fn refusal(&self) -> Option<u8> {
        self.refusal
    }

    /// Messages on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Sessions the broker forgot.
    pub(crate) fn sessions_lost(&self) -> u64 {
        self.sessions_lost
    }

    /// Its QoS.
    pub(crate) fn qos(&self) -> u8 {
        self.terms.qos
    }

    /// Its streams with the topic of each.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (u32, &str)> {
        (self.terms.first_stream..).zip(self.terms.topics.iter().map(String::as_str))
    }

    /// The messages of one of its streams among `ordinals`, by their sequence numbers.
    pub(crate) fn of_stream(&self, stream: u32, ordinals: &Bits) -> Bits {
        let topics = self.terms.topics.len() as u64;
        let offset = u64::from(stream - self.terms.first_stream);
        let mut sequences = Bits::default();
        for ordinal in ordinals.missing_in(&Bits::default()).filter(|ordinal| ordinal % topics == offset) {
            sequences.insert(ordinal / topics);
        }
        sequences
    }

    pub(super) fn connect(&self) -> Vec<u8> {
        let Terms { version, persistent, .. } = self.terms;
        if persistent {
            Connect::persistent(version, &self.client_id).bytes()
        } else {
            Connect { version, keep_alive: 0, ..Connect::new(&self.client_id) }.bytes()
        }
    }

    pub(super) fn welcomed(&mut self, session_present: bool, out: &mut Vec<u8>) {
        if self.has_session && !session_present {
            self.sessions_lost += 1;
        }
        self.has_session = self.terms.persistent;
        let mut flights = std::mem::take(&mut self.in_flight);
        for flight in &mut flights {
            // Without its Session the broker may never have heard of the message.
            flight.is_released &= session_present;
            if flight.is_released {
                out.extend(wire::acknowledgement(kind::PUBREL, identifier(flight.ordinal)));
            } else {
                self.write(flight.ordinal, session_present, out);
            }
        }
        self.in_flight = flights;
    }

    pub(super) fn receive(&mut self, packet: &Packet, counts: &mut Counts, out: &mut Vec<u8>) {
        let (Some(id), reason) = (packet.id(), packet.reason()) else { return };
        match packet.kind {
            kind::PUBACK => self.finish(id, reason, counts),
            kind::PUBREC if reason >= 0x80 => self.finish(id, reason, counts),
            kind::PUBREC => {
                if let Some(flight) = self.flight(id) {
                    self.in_flight[flight].is_released = true;
                }
                out.extend(wire::acknowledgement(kind::PUBREL, id));
            }
            // Packet Identifier not found: the broker has finished what we have not heard the end of.
            kind::PUBCOMP => self.finish(id, 0, counts),
            _ => {}
        }
    }

    /// Publishes as much as the window and the goal allow.
    pub(super) fn pump(&mut self, out: &mut Vec<u8>) {
        while self.published < self.goal
            && self.in_flight.len() < self.terms.window
            // The oldest flight may be held for long while others come and go: its identifier is taken.
            && self.in_flight.front().is_none_or(|oldest| self.published - oldest.ordinal < IDENTIFIERS)
        {
            self.write(self.published, false, out);
            self.in_flight.push_back(Flight { ordinal: self.published, is_released: false });
            self.published += 1;
        }
    }

    fn write(&mut self, ordinal: u64, dup: bool, out: &mut Vec<u8>) {
        let topics = self.terms.topics.len() as u64;
        let topic = ordinal % topics;
        let index = usize::try_from(topic).expect("below a length");
        let offset = u32::try_from(topic).expect("streams are numbered by 32 bits");
        let stamp = Stamp { stream: self.terms.first_stream + offset, sequence: ordinal / topics };
        stamp.fill(&mut self.payload);
        let Terms { version, qos, topics, .. } = &self.terms;
        let message = Outgoing {
            topic: &topics[index],
            payload: &self.payload,
            qos: *qos,
            retain: false,
            expiry: None,
        };
        message.write(*version, identifier(ordinal), dup, out);
    }

    fn finish(&mut self, id: u16, reason: u8, counts: &mut Counts) {
        let Some(flight) = self.flight(id).and_then(|index| self.in_flight.remove(index)) else { return };
        if reason >= 0x80 {
            self.refused.insert(flight.ordinal);
            self.refusal = Some(reason);
            counts.refused += 1;
            // Nobody gains by asking again at once.
            self.stop();
        } else {
            self.acknowledged.insert(flight.ordinal);
            counts.acknowledged += 1;
        }
    }

    /// Acknowledgements come in order, so it is nearly always the first.
    fn flight(&self, id: u16) -> Option<usize> {
        self.in_flight.iter().position(|flight| identifier(flight.ordinal) == id)
    }
}

const IDENTIFIERS: u64 = 65_535;

/// The Packet Identifier of a message.
fn identifier(ordinal: u64) -> u16 {
    u16::try_from(ordinal % IDENTIFIERS + 1).expect("at most 65,535")
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_witness::wire::Inbox;

    fn publisher(qos: u8, window: usize, topics: &[&str]) -> Publisher {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let (version, size) = (Version::V5, STAMP_SIZE);
        Publisher::new("p", Terms { version, qos, window, size, topics, first_stream: 10, persistent: true })
    }

    fn packet(bytes: &[u8]) -> Packet {
        packets(bytes).remove(0)
    }

    fn packets(bytes: &[u8]) -> Vec<Packet> {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        std::iter::from_fn(|| inbox.take().expect("valid")).collect()
    }

    fn sent(bytes: &[u8]) -> Vec<(u32, u64, bool)> {
        let packets = packets(bytes);
        let publishes = packets.iter().filter_map(|packet| packet.publish(Version::V5));
        publishes
            .map(|publish| {
                let stamp = Stamp::read(publish.payload).expect("ours");
                (stamp.stream, stamp.sequence, publish.dup)
            })
            .collect()
    }

    #[test]
    fn the_window_is_kept_and_topics_take_turns() {
        let (mut publisher, mut out, mut counts) =
            (publisher(1, 3, &["a", "b"]), Vec::new(), Counts::default());
        publisher.set_goal(5);
        publisher.pump(&mut out);
        assert_eq!(sent(&out), [(10, 0, false), (11, 0, false), (10, 1, false)]);
        out.clear();
        publisher.receive(&packet(&wire::puback(1)), &mut counts, &mut out);
        publisher.receive(&packet(&wire::puback(1)), &mut counts, &mut out);
        publisher.pump(&mut out);
        assert_eq!(sent(&out), [(11, 1, false)]);
        assert_eq!(counts.acknowledged, 1);
        assert_eq!(publisher.of_stream(10, publisher.acknowledged()).count(), 1);
        assert_eq!(publisher.of_stream(11, publisher.acknowledged()).count(), 0);
    }

    #[test]
    fn a_session_is_taken_up_where_it_stood() {
        let (mut publisher, mut out, mut counts) = (publisher(2, 3, &["a"]), Vec::new(), Counts::default());
        publisher.set_goal(3);
        publisher.welcomed(false, &mut out);
        publisher.pump(&mut out);
        publisher.receive(&packet(&wire::acknowledgement(kind::PUBREC, 1)), &mut counts, &mut out);
        publisher.receive(&packet(&wire::acknowledgement(kind::PUBREC, 2)), &mut counts, &mut out);
        publisher.receive(&packet(&wire::acknowledgement(kind::PUBCOMP, 1)), &mut counts, &mut out);
        out.clear();
        publisher.welcomed(true, &mut out);
        let kinds: Vec<_> = packets(&out).iter().map(|packet| packet.kind).collect();
        assert_eq!(kinds, [kind::PUBREL, kind::PUBLISH]);
        assert_eq!(sent(&out), [(10, 2, true)]);
        assert_eq!(publisher.sessions_lost(), 0);
        out.clear();
        publisher.welcomed(false, &mut out);
        assert_eq!(sent(&out), [(10, 1, false), (10, 2, false)]);
        assert_eq!(publisher.sessions_lost(), 1);
    }

    #[test]
    fn a_refused_message_is_not_an_acknowledged_one() {
        let (mut publisher, mut out, mut counts) = (publisher(2, 3, &["a"]), Vec::new(), Counts::default());
        publisher.set_goal(1);
        publisher.pump(&mut out);
        out.clear();
        publisher.receive(&packet(&[0x50, 3, 0, 1, 0x97]), &mut counts, &mut out);
        assert!(out.is_empty() && publisher.is_done());
        assert_eq!((counts.refused, counts.acknowledged), (1, 0));
        assert_eq!((publisher.refused().count(), publisher.refusal()), (1, Some(0x97)));
    }
}

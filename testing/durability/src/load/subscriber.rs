//! The receiving half of a Session.
//!
//! The rule: a QoS 2 message is delivered when its PUBLISH comes first, and an identifier stays taken until its PUBREL
//! [MQTT-4.3.3-10]; order is judged by what is delivered the first time.

use std::collections::HashMap;

use martlet_witness::wire::{self, Connect, Packet, Publish, Version, kind};

use super::{Bits, Counts, Publisher, Stamp};

/// A subscriber with one Subscription.
#[derive(Clone)]
pub(crate) struct Subscriber {
    client_id: String,
    version: Version,
    filter: String,
    qos: u8,
    persistent: bool,
    has_session: bool,
    is_subscribed: bool,
    /// QoS 2 messages whose PUBREL has not come, by identifier.
    unreleased: HashMap<u16, Stamp>,
    streams: HashMap<u32, Stream>,
    faults: Faults,
}

/// What came of one stream.
#[derive(Clone, Default)]
struct Stream {
    seen: Bits,
    latest: Option<u64>,
}

/// What no broker may do to a subscriber, counted.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Its Session is gone.
    pub(crate) sessions_lost: u64,
    /// A QoS 2 message came again after it was complete.
    pub(crate) repeated: u64,
    /// A message came after a later one of its stream.
    pub(crate) disordered: u64,
    /// A payload is not what was sent.
    pub(crate) damaged: u64,
    /// An identifier was used for another message before its PUBREL.
    pub(crate) identifiers_reused: u64,
    /// A SUBSCRIBE was refused.
    pub(crate) refused: u64,
}

impl Faults {
    /// Adds those of another.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { sessions_lost, repeated, disordered, damaged, identifiers_reused, refused } = other;
        self.sessions_lost += sessions_lost;
        self.repeated += repeated;
        self.disordered += disordered;
        self.damaged += damaged;
        self.identifiers_reused += identifiers_reused;
        self.refused += refused;
    }
}

impl Subscriber {
    /// A subscriber whose Session is kept.
    pub(crate) fn new(
        version: Version,
        client_id: impl Into<String>,
        filter: impl Into<String>,
        qos: u8,
    ) -> Self {
        Self {
            client_id: client_id.into(),
            version,
            filter: filter.into(),
            qos,
            persistent: true,
            has_session: false,
            is_subscribed: false,
            unreleased: HashMap::new(),
            streams: HashMap::new(),
            faults: Faults::default(),
        }
    }

    /// The broker has granted its Subscription.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.is_subscribed
    }

    /// Nothing of a delivery is unfinished on its side.
    pub(crate) fn is_idle(&self) -> bool {
        self.unreleased.is_empty()
    }

    /// What the broker did wrong.
    pub(crate) fn faults(&self) -> Faults {
        self.faults
    }

    /// Its QoS.
    pub(crate) fn qos(&self) -> u8 {
        self.qos
    }

    /// Messages of this stream, by their sequence numbers.
    fn seen(&self, stream: u32) -> Option<&Bits> {
        self.streams.get(&stream).map(|stream| &stream.seen)
    }

    /// Messages it has got, each counted once.
    pub(crate) fn delivered(&self) -> u64 {
        self.streams.values().map(|stream| stream.seen.count()).sum()
    }

    /// Acknowledged messages of `publisher` that it should have and has not, of the topics its filter matches.
    pub(crate) fn missing(&self, publisher: &Publisher) -> u64 {
        self.missing_of(publisher, publisher.acknowledged())
    }

    /// The same among these messages of his.
    pub(crate) fn missing_of(&self, publisher: &Publisher, ordinals: &Bits) -> u64 {
        let missing = |wanted: &Bits, seen: &Bits| wanted.missing_in(seen).count() as u64;
        self.compare(publisher, ordinals, missing)
    }

    /// How many of these messages of `publisher` it has got.
    pub(crate) fn got_of(&self, publisher: &Publisher, ordinals: &Bits) -> u64 {
        self.compare(publisher, ordinals, |wanted, seen| {
            wanted.count() - wanted.missing_in(seen).count() as u64
        })
    }

    fn compare(&self, publisher: &Publisher, ordinals: &Bits, figure: impl Fn(&Bits, &Bits) -> u64) -> u64 {
        let none = Bits::default();
        publisher
            .streams()
            .filter(|(_, topic)| matches(&self.filter, topic))
            .map(|(stream, _)| {
                figure(&publisher.of_stream(stream, ordinals), self.seen(stream).unwrap_or(&none))
            })
            .sum()
    }

    pub(super) fn connect(&self) -> Vec<u8> {
        let Self { version, client_id, .. } = self;
        if self.persistent {
            Connect::persistent(*version, client_id).bytes()
        } else {
            Connect { version: *version, keep_alive: 0, ..Connect::new(client_id) }.bytes()
        }
    }

    pub(super) fn welcomed(&mut self, session_present: bool, out: &mut Vec<u8>) {
        if !session_present {
            self.faults.sessions_lost += u64::from(self.has_session);
            self.unreleased.clear();
            self.is_subscribed = false;
            self.has_session = self.persistent;
        }
        if !self.is_subscribed {
            out.extend(wire::subscribe(self.version, SUBSCRIBE_ID, &self.filter, self.qos));
        }
    }

    pub(super) fn receive(&mut self, packet: &Packet, counts: &mut Counts, out: &mut Vec<u8>) {
        match packet.kind {
            kind::PUBLISH => match packet.publish(self.version) {
                Some(publish) => self.receive_publish(&publish, counts, out),
                None => self.faults.damaged += 1,
            },
            kind::PUBREL => {
                let id = packet.id().unwrap_or_default();
                self.unreleased.remove(&id);
                out.extend(wire::acknowledgement(kind::PUBCOMP, id));
            }
            kind::SUBACK => {
                self.is_subscribed = packet.granted() == Some(self.qos);
                self.faults.refused += u64::from(!self.is_subscribed);
            }
            _ => {}
        }
    }

    fn receive_publish(&mut self, publish: &Publish<'_>, counts: &mut Counts, out: &mut Vec<u8>) {
        let Some(stamp) = Stamp::read(publish.payload) else {
            self.faults.damaged += 1;
            return;
        };
        counts.delivered_bytes += publish.payload.len() as u64;
        match (publish.qos, publish.id) {
            (1, Some(id)) => out.extend(wire::puback(id)),
            (2, Some(id)) => {
                out.extend(wire::acknowledgement(kind::PUBREC, id));
                if let Some(earlier) = self.unreleased.insert(id, stamp) {
                    counts.repeated += 1;
                    self.faults.identifiers_reused += u64::from(earlier != stamp);
                    return;
                }
            }
            _ => {}
        }
        self.deliver(stamp, publish.qos, counts);
    }

    fn deliver(&mut self, stamp: Stamp, qos: u8, counts: &mut Counts) {
        let stream = self.streams.entry(stamp.stream).or_default();
        if !stream.seen.insert(stamp.sequence) {
            counts.repeated += 1;
            self.faults.repeated += u64::from(qos == 2);
            return;
        }
        counts.delivered += 1;
        self.faults.disordered += u64::from(stream.latest.is_some_and(|latest| stamp.sequence < latest));
        stream.latest = stream.latest.max(Some(stamp.sequence));
    }
}

const SUBSCRIBE_ID: u16 = 1;

/// Whether one of our own filters matches one of our own topics: they end in `/#` or have no wildcard.
fn matches(filter: &str, topic: &str) -> bool {
    match filter.strip_suffix('#') {
        Some(beginning) => topic.starts_with(beginning),
        None => filter == topic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_witness::wire::{Inbox, Outgoing};

    fn publish(sequence: u64, qos: u8, id: u16) -> Packet {
        let mut payload = [0; 32];
        Stamp { stream: 1, sequence }.fill(&mut payload);
        let mut bytes = Vec::new();
        Outgoing { topic: "t", payload: &payload, qos, retain: false, expiry: None }.write(
            Version::V311,
            id,
            false,
            &mut bytes,
        );
        packet(&bytes)
    }

    fn packet(bytes: &[u8]) -> Packet {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        inbox.take().expect("valid").expect("complete")
    }

    fn receive(subscriber: &mut Subscriber, counts: &mut Counts, packet: &Packet) {
        subscriber.receive(packet, counts, &mut Vec::new());
    }

    #[test]
    fn a_repeat_before_pubrel_is_no_second_delivery() {
        let (mut subscriber, mut counts) = (Subscriber::new(Version::V311, "s", "t", 2), Counts::default());
        receive(&mut subscriber, &mut counts, &publish(0, 2, 5));
        receive(&mut subscriber, &mut counts, &publish(0, 2, 5));
        assert_eq!((counts.delivered, counts.repeated, subscriber.faults()), (1, 1, Faults::default()));
        receive(&mut subscriber, &mut counts, &packet(&wire::acknowledgement(kind::PUBREL, 5)));
        receive(&mut subscriber, &mut counts, &publish(0, 2, 5));
        assert_eq!(subscriber.faults(), Faults { repeated: 1, ..Faults::default() });
        receive(&mut subscriber, &mut counts, &publish(1, 2, 5));
        assert_eq!(subscriber.faults().identifiers_reused, 1);
    }

    #[test]
    fn repeats_with_qos_1_are_allowed_and_disorder_is_not() {
        let (mut subscriber, mut counts) = (Subscriber::new(Version::V311, "s", "t", 1), Counts::default());
        for (sequence, id) in [(0, 1), (1, 2), (0, 1), (1, 2), (3, 3)] {
            receive(&mut subscriber, &mut counts, &publish(sequence, 1, id));
        }
        assert_eq!((counts.delivered, counts.repeated, subscriber.faults()), (3, 2, Faults::default()));
        receive(&mut subscriber, &mut counts, &publish(2, 1, 4));
        assert_eq!(subscriber.faults(), Faults { disordered: 1, ..Faults::default() });
    }

    #[test]
    fn a_session_that_is_gone_is_a_fault_only_if_there_was_one() {
        let (mut subscriber, mut out) = (Subscriber::new(Version::V311, "s", "t", 1), Vec::new());
        subscriber.welcomed(false, &mut out);
        receive(&mut subscriber, &mut Counts::default(), &packet(&[0x90, 3, 0, 1, 1]));
        assert!(subscriber.is_subscribed());
        assert_eq!(subscriber.faults().sessions_lost, 0);
        out.clear();
        subscriber.welcomed(true, &mut out);
        assert!(out.is_empty());
        subscriber.welcomed(false, &mut out);
        assert_eq!(subscriber.faults().sessions_lost, 1);
        assert!(!out.is_empty() && !subscriber.is_subscribed());
    }

    #[test]
    fn filters_of_ours_match_topics_of_ours() {
        assert!(matches("kill/#", "kill/3") && matches("kill/3", "kill/3"));
        assert!(!matches("kill/3", "kill/33") && !matches("other/#", "kill/3"));
    }
}

//! One subscriber against a slow, obvious model of its Session: what it hears, to the byte, and the books, to the number.
//!
//! Publications, right and wrong answers, sockets that take nothing, ends and beginnings of Network Connections come in
//! any order, several in one turn, with every limit small enough to be met.

use std::mem::take;

use martlet_broker::{Dialect, Ledger, Settings};
use martlet_packet::{
    Ack, Disconnect, MAXIMUM_REMAINING_LENGTH, Packet, PropertiesBuf, Property, Publish, QoS, ReasonCode,
    Version, decode, frame,
};
use martlet_record::{MemoryJournal, ShardId};
use martlet_simulator::{
    Client, World, connect, puback, pubcomp, publish_qos, pubrec, pubrel, subscribe, tell,
};
use proptest::prelude::*;

use oracle::Oracle;
use parts::{Answer, Message, TOPIC, Terms};
use steps::{Answering, End, Given, Step, given, step};

mod oracle;
mod parts;
mod steps;

/// The real node and the model, taking the same steps.
struct Play {
    world: World,
    oracle: Oracle,
    writer: Client,
    /// The subscriber's Network Connections, as the model numbers them.
    readers: Vec<Client>,
    granted: QoS,
    published: u16,
}

impl Play {
    fn new(given: &Given) -> Self {
        assert_ne!(ShardId::home_of("reader"), ShardId::home_of("writer"), "each has its own batch");
        let dialect = Dialect { reason_strings: false, ..Dialect::NATIVE };
        let settings = Settings {
            queue: given.queue,
            send: given.send,
            // CONNACK has nothing to announce.
            topic_alias_maximum: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: MAXIMUM_REMAINING_LENGTH,
            ..Settings::new(dialect)
        };
        let mut world = World::with_journal(settings, MemoryJournal::with_delay(given.log_delay));
        if given.is_log_backwards {
            world.submit_backwards();
        }
        let writer = world.join(connect("writer").keep_alive(0));
        let oracle = Oracle::new(given.queue, given.send, given.granted, given.is_log_backwards);
        let mut play =
            Self { world, oracle, writer, readers: Vec::new(), granted: given.granted, published: 0 };
        play.connect(&given.first);
        play.settle();
        play
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Turn { published, answers, end } => {
                published.iter().for_each(|message| self.publish(message));
                answers.iter().for_each(|answering| self.answer(answering));
                end.iter().for_each(|end| self.end(end));
            }
            Step::Pass { millis } => {
                self.world.pass_millis(*millis);
                self.oracle.pass(*millis);
            }
            Step::Deafen => self.set_deaf(true),
            Step::Undeafen => self.set_deaf(false),
        }
        self.settle();
    }

    fn publish(&mut self, message: &Message) {
        self.published += 1;
        let qos = u8::from(message.qos);
        let Packet::Publish(publish) = publish_qos(TOPIC, &message.payload, qos, self.published) else {
            unreachable!()
        };
        self.world.post(self.writer, Packet::Publish(Publish { message_expiry: message.expiry, ..publish }));
        self.oracle.publish(message);
    }

    fn answer(&mut self, answering: &Answering) {
        let (answer, id, is_error) = match *answering {
            Answering::Any { answer, id, is_error } => (answer, id, is_error),
            Answering::Right { choice, is_error } => match self.oracle.right_answer(choice) {
                Some((answer, id)) => (answer, id, is_error),
                None => return,
            },
        };
        let Some(reader) = self.reader() else { return };
        let packet = match answer {
            Answer::PubAck => puback(id),
            Answer::PubRec => pubrec(id),
            Answer::PubComp => pubcomp(id),
        };
        self.world.post(reader, if is_error { with_error(packet) } else { packet });
        self.oracle.answer(answer, id, is_error);
    }

    fn end(&mut self, end: &End) {
        match end {
            End::Cut => {
                self.reader().into_iter().for_each(|reader| self.world.break_off(reader));
                self.oracle.cut();
            }
            End::Leave { expiry } => {
                let Some(reader) = self.reader() else { return };
                let properties: PropertiesBuf =
                    expiry.map(Property::SessionExpiryInterval).into_iter().collect();
                let (reason, properties) = (ReasonCode::NormalDisconnection, properties.as_properties());
                self.world.post(reader, Packet::Disconnect(Disconnect { reason, properties }));
                self.oracle.leave(*expiry);
            }
            End::Connect(terms) => self.connect(terms),
        }
    }

    fn connect(&mut self, terms: &Terms) {
        let mut connecting = connect("reader").version(terms.version).keep_alive(0);
        if terms.version.is_v5() {
            connecting = connecting
                .with(&Property::SessionExpiryInterval(terms.expiry))
                .with(&Property::ReceiveMaximum(terms.receive_maximum));
        }
        if let Some(maximum) = terms.maximum_packet_size {
            connecting = connecting.with(&Property::MaximumPacketSize(maximum));
        }
        connecting.clean_start = terms.clean_start;
        self.readers.push(self.world.dial(connecting));
        self.oracle.connect(terms);
    }

    fn set_deaf(&mut self, is_deaf: bool) {
        let Some(place) = self.oracle.connected() else { return };
        if is_deaf {
            self.world.deafen(self.readers[place]);
        } else {
            self.world.undeafen(self.readers[place]);
        }
        self.oracle.connections[place].is_deaf = is_deaf;
    }

    /// Lets both come to rest. A new Session subscribes, and the writer goes on with its side of QoS 2.
    fn settle(&mut self) {
        self.world.settle();
        self.oracle.settle();
        if self.oracle.wants_to_subscribe() {
            let reader = self.reader().expect("only who is connected subscribes");
            self.world.send(reader, subscribe(1, &[(TOPIC, u8::from(self.granted))]));
            self.oracle.subscribe();
            self.oracle.settle();
        }
        for line in self.world.hears(self.writer) {
            if let Some(id) = line.strip_prefix("PUBREC ") {
                let id = id.split(' ').next().and_then(|id| id.parse().ok()).expect("an identifier");
                self.world.send(self.writer, pubrel(id));
            }
        }
    }

    fn reader(&self) -> Option<Client> {
        self.oracle.connected().map(|place| self.readers[place])
    }

    /// Both say the same: what was heard since the last look, who is connected, and what the books say.
    fn compare(&mut self) -> Result<(), TestCaseError> {
        for (reader, expected) in self.readers.iter().zip(&mut self.oracle.connections) {
            let (heard, wanted) = (self.world.hears_bytes(*reader), take(&mut expected.heard));
            if heard != wanted {
                let version = expected.version;
                prop_assert_eq!(in_words(version, &heard), in_words(version, &wanted), "what was heard");
                prop_assert_eq!(heard, wanted, "what was heard");
            }
            prop_assert_eq!(self.world.is_closed(*reader), expected.is_closed, "closed");
        }
        let counters = self.world.counters();
        let expected = self.oracle.ledger();
        prop_assert_eq!(noticed(counters.ledger, &expected), expected);
        prop_assert_eq!(counters.qos0_dropped, self.oracle.qos0_dropped);
        prop_assert_eq!((counters.publish_sent, counters.publish_sent_bytes), self.oracle.sent);
        Ok(())
    }
}

/// What expired is expired in the model from then on. The node looks at it when its turn comes, or when its place is
/// needed; until then it counts as stored, and as ended when its Session ends first.
fn noticed(ledger: Ledger, expected: &Ledger) -> Ledger {
    let unnoticed = expected.expired.saturating_sub(ledger.expired);
    let stored = ledger.stored.saturating_sub(expected.stored).min(unnoticed);
    let ended = ledger.ended.saturating_sub(expected.ended).min(unnoticed - stored);
    Ledger {
        stored: ledger.stored - stored,
        ended: ledger.ended - ended,
        expired: ledger.expired + stored + ended,
        ..ledger
    }
}

fn with_error(packet: Packet<'static>) -> Packet<'static> {
    let refuse = |ack: Ack<'static>| Ack { reason: ReasonCode::QuotaExceeded, ..ack };
    match packet {
        Packet::PubAck(ack) => Packet::PubAck(refuse(ack)),
        Packet::PubRec(ack) => Packet::PubRec(refuse(ack)),
        Packet::PubComp(ack) => Packet::PubComp(Ack { reason: ReasonCode::PacketIdentifierNotFound, ..ack }),
        other => other,
    }
}

/// Packets for people, the last of them perhaps cut off.
fn in_words(version: Version, bytes: &[u8]) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), bytes);
    while let Ok(Some(frame)) = frame(rest, u32::MAX) {
        words.push(decode(version, frame).map_or_else(|error| error.to_string(), |packet| tell(&packet)));
        rest = &rest[frame.len..];
    }
    if !rest.is_empty() {
        words.push(format!("and {rest:x?}"));
    }
    words
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_does_what_the_slow_model_does(given in given(), steps in prop::collection::vec(step(), 1..40)) {
        let mut play = Play::new(&given);
        play.compare()?;
        for step in &steps {
            play.take(step);
            play.compare()?;
        }
    }
}

//! A queue longer than memory: what waits in the log comes back in its place, at the pace of its Client.

use std::sync::Arc;

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{Packet, Property, Publish};
use martlet_record::{MemoryJournal, Place, Stored};
use martlet_session::{Overflow, QueueLimits, ReadAhead};
use martlet_simulator::{
    Client, MemoryLog, ReadableJournal, World, connect, puback, pubcomp, publish_qos, pubrec, subscribe,
};
use proptest::prelude::*;

/// Room for one or two Messages in memory, and read-ahead for two.
fn little_memory() -> Settings {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.queue =
        QueueLimits { memory_bytes: 400, ..QueueLimits::new(usize::MAX, usize::MAX, Overflow::Spill) };
    settings.send.read_ahead = ReadAhead { messages: 2, bytes: 1_000 };
    settings
}

fn spilling() -> World<MemoryLog> {
    World::logged(little_memory(), 1)
}

/// A node whose journal hands out places, so that a test can hold a Message itself.
fn storing() -> World {
    World::with_journal(little_memory(), MemoryJournal::new().storing())
}

/// A reader of "t" whose Session is kept, and a writer.
fn reader_and_writer<J: ReadableJournal>(world: &mut World<J>) -> (Client, Client) {
    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer").keep_alive(0));
    world.hush();
    (reader, writer)
}

fn publish_numbers<J: ReadableJournal>(world: &mut World<J>, writer: Client, numbers: std::ops::Range<u16>) {
    for number in numbers {
        let payload = number.to_string();
        world.send(writer, publish_qos("t", payload.as_bytes(), 1, number + 1));
    }
}

/// The payloads of the PUBLISH packets among these lines.
fn payloads(lines: &[String]) -> Vec<u16> {
    let publishes = lines.iter().filter(|line| line.starts_with("PUBLISH"));
    publishes
        .map(|line| line.split('\'').nth(1).and_then(|text| text.parse().ok()).expect("a number"))
        .collect()
}

/// Answers everything the Client hears until it hears nothing more; the numbers it heard.
fn drain<J: ReadableJournal>(world: &mut World<J>, reader: Client) -> Vec<u16> {
    let mut numbers = Vec::new();
    loop {
        let lines = world.hears(reader);
        if lines.is_empty() {
            return numbers;
        }
        numbers.extend(payloads(&lines));
        lines.iter().filter_map(|line| answer(line)).for_each(|packet| world.send(reader, packet));
    }
}

/// The next step of the flow of a packet.
fn answer(line: &str) -> Option<Packet<'static>> {
    let words: Vec<&str> = line.split(' ').collect();
    let id = |word: &str| word.trim_start_matches('#').parse().expect("an identifier");
    match words[..] {
        ["PUBLISH", _, "q1", number, ..] => Some(puback(id(number))),
        ["PUBLISH", _, "q2", number, ..] => Some(pubrec(id(number))),
        ["PUBREL", number, ..] => Some(pubcomp(id(number))),
        _ => None,
    }
}

/// Where the Message lies that the journal stored as this one, counted from one.
fn stored(number: u32) -> Stored {
    Stored { place: Place::new(number, 0), len: 0 }
}

/// Does anybody but the journal hold it?
fn is_in_memory(world: &mut World, number: u32) -> bool {
    let message = MemoryJournal::read(world.journal(), stored(number)).expect("it was stored");
    Arc::strong_count(&message) > 2
}

/// [MQTT-4.6.0-5]
#[test]
fn a_queue_longer_than_memory_drains_in_order_whatever_the_client_takes_at_once() {
    for receive_maximum in [1, 2, 3, 7, 100] {
        let mut world = spilling();
        let (reader, writer) = reader_and_writer(&mut world);
        world.cut(reader);
        publish_numbers(&mut world, writer, 0..100);
        let connecting = connect("reader").kept(3600).with(&Property::ReceiveMaximum(receive_maximum));
        let reader = world.join(connecting);
        assert_eq!(drain(&mut world, reader), (0..100).collect::<Vec<_>>(), "{receive_maximum} at once");
        assert_eq!(world.counters().ledger.delivered, 100);
    }
}

#[test]
fn a_client_that_is_there_and_slow_gets_them_in_order_too() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    world.deafen(reader);
    publish_numbers(&mut world, writer, 0..100);
    world.undeafen(reader);
    assert_eq!(drain(&mut world, reader), (0..100).collect::<Vec<_>>());
}

/// There is room in memory again, and yet those that wait in the log are first.
#[test]
fn what_comes_goes_behind_what_waits_in_the_log() {
    let mut settings = little_memory();
    settings.queue.memory_bytes = 1_000;
    let mut world = World::logged(settings, 1);
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    publish_numbers(&mut world, writer, 0..20);
    (1..=8).for_each(|id| world.send(reader, puback(id)));
    publish_numbers(&mut world, writer, 20..22);
    let heard = payloads(&world.hears(reader));
    assert_eq!(heard, (0..9).collect::<Vec<_>>());
    world.send(reader, puback(9));
    assert_eq!(drain(&mut world, reader), (9..22).collect::<Vec<_>>());
}

/// [MQTT-4.4.0-1]
#[test]
fn what_was_in_flight_is_read_back_and_sent_again_before_what_waits() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    publish_numbers(&mut world, writer, 0..3);
    world.cut(reader);
    publish_numbers(&mut world, writer, 3..5);
    let reader = world.join(connect("reader").kept(3600));
    let expected = [
        "CONNACK 00 present",
        "PUBLISH t q1 #1 dup '0'",
        "PUBLISH t q1 #2 dup '1'",
        "PUBLISH t q1 #3 dup '2'",
        "PUBLISH t q1 #4 '3'",
        "PUBLISH t q1 #5 '4'",
    ];
    assert_eq!(world.hears(reader), expected);
}

#[test]
fn a_session_whose_client_is_away_keeps_nothing_in_memory() {
    let mut world = storing();
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    publish_numbers(&mut world, writer, 0..10);
    assert!((1..=10).any(|number| is_in_memory(&mut world, number)), "what comes next is at hand");
    world.cut(reader);
    publish_numbers(&mut world, writer, 10..50);
    for number in 1..=50 {
        assert!(!is_in_memory(&mut world, number), "Message {number}, in flight or queued");
    }
}

#[test]
fn a_slow_client_holds_no_more_in_memory_than_its_limit_and_what_is_read_ahead() {
    let mut world = storing();
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    publish_numbers(&mut world, writer, 0..50);
    for answered in 0..50_u16 {
        let held = (1..=50).filter(|number| is_in_memory(&mut world, *number)).count();
        assert!(held <= 5, "{held} held when {answered} were answered");
        world.send(reader, puback(answered + 1));
    }
    assert_eq!(world.counters().ledger.delivered, 50);
}

/// They are needed again only by another Network Connection, which has them read back.
#[test]
fn what_is_in_flight_and_unanswered_holds_no_more_in_memory_than_the_limit() {
    let mut world = storing();
    let (reader, writer) = reader_and_writer(&mut world);
    publish_numbers(&mut world, writer, 0..200);
    assert_eq!(payloads(&world.hears(reader)).len(), 200, "all were sent, and none is answered");
    let held = (1..=200).filter(|number| is_in_memory(&mut world, *number)).count();
    assert!(held <= 5, "{held} held");
}

/// [MQTT-3.3.2-5]
#[test]
fn what_expired_in_the_log_is_not_sent_and_is_booked() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    world.cut(reader);
    for number in 0..20_u16 {
        let payload = number.to_string();
        let Packet::Publish(publish) = publish_qos("t", payload.as_bytes(), 1, number + 1) else { continue };
        let message_expiry = (number % 2 == 0).then_some(10);
        world.send(writer, Packet::Publish(Publish { message_expiry, ..publish }));
    }
    world.pass(11);
    let reader = world.join(connect("reader").kept(3600));
    let odd: Vec<_> = (0..20).filter(|number| number % 2 == 1).collect();
    assert_eq!(drain(&mut world, reader), odd);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.expired, ledger.delivered, ledger.stored), (10, 10, 0));
}

#[test]
fn a_message_the_disk_lost_is_booked_and_told_and_those_behind_it_come() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    world.cut(reader);
    let start = world.journal().len();
    publish_numbers(&mut world, writer, 0..5);
    let end = world.journal().len();
    let bodies: Vec<_> = world
        .journal()
        .batches(start..end)
        .iter()
        .flat_map(|(batch, _)| batch.records.iter().flat_map(|record| record.bodies()))
        .filter_map(|body| body.stored())
        .collect();
    [bodies[1], bodies[3]].into_iter().for_each(|stored| world.journal().damage(stored));
    world.notices();
    let reader = world.join(connect("reader").kept(3600));
    assert_eq!(drain(&mut world, reader), [0, 2, 4]);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.dropped_damaged, ledger.delivered), (2, 3));
    let lost = |client_id: &str, stored| Notice::Damaged { client_id: client_id.into(), stored };
    let told: Vec<_> =
        world.notices().into_iter().filter(|notice| matches!(notice, Notice::Damaged { .. })).collect();
    assert_eq!(told, [lost("reader", bodies[1]), lost("reader", bodies[3])]);

    // It is lost for good: the next start knows, and does not try again.
    world.crash();
    assert_eq!(world.counters().ledger.accepted, 0);
}

#[test]
fn a_message_in_flight_that_the_disk_lost_gives_its_place_to_the_next() {
    let mut world = storing();
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    publish_numbers(&mut world, writer, 0..2);
    world.cut(reader);
    world.journal().damage(stored(1));
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    assert_eq!(world.hears(reader), ["CONNACK 00 present", "PUBLISH t q1 #2 '1'"]);
    assert_eq!(world.counters().ledger.dropped_damaged, 1);
}

/// It lives as long as its Network Connection, and what it waits for is in memory: the log is not asked.
#[test]
fn a_session_that_is_not_kept_never_waits_for_the_log() {
    let mut world = storing();
    let (_, writer) = reader_and_writer(&mut world);
    let volatile = world.join(connect("volatile").with(&Property::ReceiveMaximum(1)));
    world.send(volatile, subscribe(1, &[("t", 1)]));
    world.hush();
    publish_numbers(&mut world, writer, 0..20);
    (1..=20).for_each(|number| world.journal().damage(stored(number)));
    assert_eq!(drain(&mut world, volatile), (0..20).collect::<Vec<_>>());
}

/// The answer to a question of an earlier Network Connection comes when the next has asked the same already.
#[test]
fn a_client_that_comes_back_while_the_log_is_read_hears_everything_once() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    world.cut(reader);
    publish_numbers(&mut world, writer, 0..20);
    world.read_slowly(5);
    for turns in 1..8 {
        let reader = world.dial(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
        world.turns(turns);
        world.break_off(reader);
    }
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    assert_eq!(drain(&mut world, reader), (0..20).collect::<Vec<_>>());
}

/// Nobody waits for what was asked for in the name of a Session that is over.
#[test]
fn an_answer_of_the_log_for_a_session_that_ended_is_nobodys() {
    let mut world = spilling();
    let (reader, writer) = reader_and_writer(&mut world);
    world.cut(reader);
    publish_numbers(&mut world, writer, 0..5);
    world.read_slowly(5);
    let old = world.dial(connect("reader").kept(3600));
    world.turns(3);
    world.break_off(old);
    let new = world.join(connect("reader"));
    world.send(new, subscribe(1, &[("t", 1)]));
    publish_numbers(&mut world, writer, 5..6);
    assert_eq!(world.hears(new), ["CONNACK 00", "SUBACK 1 [01]", "PUBLISH t q1 #1 '5'"]);
}

#[derive(Debug, Clone)]
enum Step {
    Publish {
        qos: u8,
        expiry: Option<u32>,
        len: usize,
    },
    /// The reader answers the first packets it heard.
    Answer {
        count: usize,
    },
    /// It reads nothing for now.
    Pause,
    GoOn,
    Cut,
    ComeBack {
        receive_maximum: u16,
    },
    Pass {
        seconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![3 => 0..50_usize, 1 => 200..3_000_usize];
    prop_oneof![
        8 => (1..=2_u8, proptest::option::of(1..60_u32), len)
            .prop_map(|(qos, expiry, len)| Step::Publish { qos, expiry, len }),
        5 => (1..6_usize).prop_map(|count| Step::Answer { count }),
        1 => Just(Step::Pause),
        2 => Just(Step::GoOn),
        1 => Just(Step::Cut),
        2 => (1..6_u16).prop_map(|receive_maximum| Step::ComeBack { receive_maximum }),
        1 => (1..20_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// One reader of all Messages, of which it hears what it hears.
struct Play<J> {
    world: World<J>,
    reader: Client,
    writer: Client,
    next_id: u16,
    unanswered: Vec<String>,
}

impl<J: ReadableJournal> Play<J> {
    fn new(mut world: World<J>) -> Self {
        let (reader, writer) = reader_and_writer(&mut world);
        Self { world, reader, writer, next_id: 0, unanswered: Vec::new() }
    }

    /// What the reader heard of it.
    fn take(&mut self, step: &Step) -> Vec<String> {
        match *step {
            Step::Publish { qos, expiry, len } => self.publish(qos, expiry, len),
            Step::Answer { count } => {
                let count = count.min(self.unanswered.len());
                for line in self.unanswered.drain(..count).collect::<Vec<_>>() {
                    answer(&line).into_iter().for_each(|packet| self.world.send(self.reader, packet));
                }
            }
            Step::Pause => self.world.deafen(self.reader),
            Step::GoOn => self.world.undeafen(self.reader),
            Step::Cut => self.world.cut(self.reader),
            Step::ComeBack { receive_maximum } => {
                self.unanswered.clear();
                let connecting = connect("reader").kept(3600).keep_alive(0);
                self.reader = self.world.join(connecting.with(&Property::ReceiveMaximum(receive_maximum)));
            }
            Step::Pass { seconds } => self.world.pass(seconds),
        }
        let heard = self.world.hears(self.reader);
        self.unanswered.extend(heard.iter().cloned());
        heard
    }

    fn publish(&mut self, qos: u8, message_expiry: Option<u32>, len: usize) {
        self.next_id += 1;
        let payload = format!("{} {:len$}", self.next_id, "");
        if let Packet::Publish(publish) = publish_qos("t", payload.as_bytes(), qos, self.next_id) {
            self.world.send(self.writer, Packet::Publish(Publish { message_expiry, ..publish }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where a Message waits is nothing a Client can tell.
    #[test]
    fn a_queue_in_the_log_and_one_in_memory_sound_the_same(
        steps in prop::collection::vec(step(), 1..150),
        ahead_bytes in prop_oneof![1..300_usize, Just(256 * 1024)],
        read_ahead in (1..5_usize, 1..2_000_usize),
    ) {
        let mut settings = little_memory();
        settings.receive_maximum = u16::MAX;
        settings.send.ahead_bytes = ahead_bytes;
        settings.send.read_ahead = ReadAhead { messages: read_ahead.0, bytes: read_ahead.1 };
        let mut spilling = Play::new(World::logged(settings.clone(), 1));
        settings.queue.memory_bytes = usize::MAX;
        let mut in_memory = Play::new(World::with(settings));
        for step in &steps {
            prop_assert_eq!(spilling.take(step), in_memory.take(step), "{:?}", step);
        }
        for play_on in [Step::GoOn, Step::ComeBack { receive_maximum: 5 }] {
            prop_assert_eq!(spilling.take(&play_on), in_memory.take(&play_on));
        }
        while !in_memory.unanswered.is_empty() {
            let all = Step::Answer { count: usize::MAX };
            prop_assert_eq!(spilling.take(&all), in_memory.take(&all));
        }
        prop_assert_eq!(spilling.world.counters().ledger, in_memory.world.counters().ledger);
    }
}

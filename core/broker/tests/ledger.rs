//! The books of copies: what is in them is what happened, to the last one, over restarts too.
//!
//! That they add up every world checks by itself, for the node and for each Client.

use std::ops::Range;

use martlet_broker::{Dialect, Ledger, Settings, Shard};
use martlet_packet::{Packet, Property, Publish, ReasonCode};
use martlet_session::Overflow;
use martlet_simulator::{
    Client, MemoryLog, World, connect, puback, puback_of, pubcomp, publish_qos, pubrec, pubrec_of, subscribe,
};
use proptest::prelude::*;

use play::{CLIENTS, Play, Step, durable_state, narrow, step};

mod play;

/// A reader of "t" that takes two Messages of at most 1,000 bytes at once, and a writer.
fn reader_and_writer(settings: Settings) -> (World<MemoryLog>, Client, Client) {
    let mut world = World::logged(settings, 1);
    let reader = world.join(reader());
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer").keep_alive(0));
    world.hush();
    (world, reader, writer)
}

fn reader() -> martlet_simulator::Connecting {
    let kept = connect("reader").kept(3600).keep_alive(0);
    kept.with(&Property::ReceiveMaximum(2)).with(&Property::MaximumPacketSize(1_000))
}

fn native() -> Settings {
    Settings::new(Dialect::NATIVE)
}

fn publish_many(world: &mut World<MemoryLog>, writer: Client, ids: Range<u16>, qos: u8) {
    ids.for_each(|id| world.send(writer, publish_qos("t", b"x", qos, id)));
}

/// The books of the node and of the reader, which are the same where it is the only one.
fn books(world: &mut World<MemoryLog>) -> Ledger {
    let ledger = world.counters().ledger;
    let of_clients: Vec<_> = world.shards().iter().flat_map(Shard::client_ledgers).collect();
    if let [(client_id, of_reader)] = of_clients[..] {
        assert_eq!((client_id, of_reader), ("reader", ledger));
    }
    ledger
}

#[test]
fn what_is_answered_is_delivered_or_refused() {
    let (mut world, reader, writer) = reader_and_writer(native());
    publish_many(&mut world, writer, 1..3, 1);
    let sent = Ledger { accepted: 2, in_flight: 2, ..Ledger::default() };
    assert_eq!(books(&mut world), sent);
    world.send(reader, puback(1));
    world.send(reader, puback(1));
    world.send(reader, puback_of(2, ReasonCode::NotAuthorized));
    let answered = Ledger { accepted: 2, delivered: 1, dropped_refused: 1, ..Ledger::default() };
    assert_eq!(books(&mut world), answered);

    publish_many(&mut world, writer, 3..5, 2);
    world.send(reader, pubrec(3));
    assert_eq!(books(&mut world), Ledger { accepted: 4, in_flight: 2, ..answered }, "PUBREC is half the way");
    world.send(reader, pubcomp(3));
    world.send(reader, pubrec_of(4, ReasonCode::NotAuthorized));
    assert_eq!(books(&mut world), Ledger { accepted: 4, delivered: 2, dropped_refused: 2, ..answered });
}

#[test]
fn what_waits_is_stored_and_what_is_dropped_says_why() {
    let mut settings = native();
    settings.queue.messages = 3;
    settings.queue.overflow = Overflow::DropNewest;
    let (mut world, _, writer) = reader_and_writer(settings);
    publish_many(&mut world, writer, 1..10, 1);
    let full = Ledger { accepted: 9, in_flight: 2, stored: 3, dropped_queue_full: 4, ..Ledger::default() };
    assert_eq!(books(&mut world), full);
}

#[test]
fn what_cannot_be_sent_says_why() {
    let (mut world, reader, writer) = reader_and_writer(native());
    world.send(writer, publish_qos("t", &[b'x'; 2_000], 1, 1));
    let too_large = Ledger { accepted: 1, dropped_too_large: 1, ..Ledger::default() };
    assert_eq!(books(&mut world), too_large);
    world.cut(reader);
    let Packet::Publish(publish) = publish_qos("t", b"x", 1, 2) else { unreachable!("a PUBLISH") };
    world.send(writer, Packet::Publish(Publish { message_expiry: Some(1), ..publish }));
    world.pass(1);
    assert_eq!(books(&mut world), Ledger { accepted: 2, stored: 1, ..too_large }, "nobody looked");
    world.join(self::reader());
    assert_eq!(books(&mut world), Ledger { accepted: 2, expired: 1, ..too_large });
}

#[test]
fn what_was_sent_and_is_too_large_for_the_next_network_connection_says_so() {
    let (mut world, _, writer) = reader_and_writer(native());
    world.send(writer, publish_qos("t", &[b'x'; 500], 1, 1));
    assert_eq!(books(&mut world).in_flight, 1);
    world.join(connect("reader").kept(3600).with(&Property::MaximumPacketSize(100)));
    assert_eq!(books(&mut world), Ledger { accepted: 1, dropped_too_large: 1, ..Ledger::default() });
}

#[test]
fn what_waits_for_a_session_that_is_over_ended() {
    let (mut world, reader, writer) = reader_and_writer(native());
    publish_many(&mut world, writer, 1..6, 1);
    world.cut(reader);
    world.pass(3600);
    assert_eq!(world.counters().ledger, Ledger { accepted: 5, ended: 5, ..Ledger::default() });
}

/// It was matched when there was a Session, and committed when there was none.
#[test]
fn what_finds_its_session_over_ended() {
    let (mut world, _, writer) = reader_and_writer(native());
    world.post(writer, publish_qos("t", b"x", 1, 1));
    world.dial(connect("reader"));
    world.settle();
    assert_eq!(world.counters().ledger, Ledger { accepted: 1, ended: 1, ..Ledger::default() });
}

#[test]
fn a_start_opens_the_books_with_what_it_finds() {
    let (mut world, reader, writer) = reader_and_writer(native());
    publish_many(&mut world, writer, 1..6, 1);
    world.send(reader, puback(1));
    world.crash();
    let opening = Ledger { accepted: 4, in_flight: 2, stored: 2, ..Ledger::default() };
    assert_eq!(books(&mut world), opening);
    let reader = world.join(self::reader());
    world.send(reader, puback(2));
    assert_eq!(books(&mut world), Ledger { delivered: 1, stored: 1, ..opening });
}

#[derive(Debug, Clone)]
enum Event {
    Client(Step),
    Burst { client: usize, qos: u8, count: usize },
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => step().prop_map(Event::Client),
        4 => (0..CLIENTS.len(), 1..=2_u8, 1..6_usize)
            .prop_map(|(client, qos, count)| Event::Burst { client, qos, count }),
        1 => Just(Event::Restart),
    ]
}

/// Copies that wait for kept Sessions, as the state tells them.
fn waiting(world: &mut World<MemoryLog>) -> u64 {
    let is_copy = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let lines = durable_state(world.shards());
    lines.iter().map(|line| line.split(" (").skip(1).filter(|text| is_copy(text)).count() as u64).sum()
}

fn come_back(play: &mut Play<MemoryLog>) {
    for client in 0..CLIENTS.len() {
        play.take(&Step::Connect { client, clean: false, expiry: u32::MAX, will: false });
        play.take(&Step::Subscribe { client, filter: client, qos: 2 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_say_what_clients_say_in_each_life_of_a_node(
        events in prop::collection::vec(event(), 1..150),
        overflow in prop_oneof![
            Just(Overflow::Spill), Just(Overflow::DropNewest), Just(Overflow::DropOldest), Just(Overflow::Disconnect),
        ],
    ) {
        let mut settings = narrow(Dialect::NATIVE);
        settings.queue.overflow = overflow;
        let mut play = Play::new(World::logged(settings, 1));
        come_back(&mut play);
        for event in events {
            match event {
                Event::Client(step) => play.take(&step),
                Event::Burst { client, qos, count } => {
                    let publish = Step::Publish { client, topic: 1, qos, retain: false, expiry: None, empty: false };
                    (0..count).for_each(|_| play.take(&publish));
                }
                Event::Restart => {
                    let left = waiting(&mut play.world);
                    play.world.crash();
                    prop_assert_eq!(play.world.counters().ledger.accepted, left, "the opening balance");
                    (play.had, play.refused) = (0, 0);
                    play.world.settle();
                    play.look_around();
                    come_back(&mut play);
                }
            }
            let ledger = play.world.counters().ledger;
            prop_assert_eq!((ledger.delivered, ledger.dropped_refused), (play.had, play.refused));
        }
    }
}

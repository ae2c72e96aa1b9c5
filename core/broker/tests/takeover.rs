//! Two Clients with one Client Identifier: the later one has it.

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{Property, Version};
use martlet_record::MemoryJournal;
use martlet_simulator::{World, connect, puback, publish_qos, subscribe};

/// [MQTT-3.1.4-3]
#[test]
fn the_earlier_one_is_told_and_closed() {
    for (version, last) in [(Version::V3_1_1, None), (Version::V5, Some("DISCONNECT 8e"))] {
        for kept in [0, 3600] {
            let mut world = World::new();
            let old = world.join(connect("client").version(version).kept(kept));
            world.hush();
            // It may speak another version.
            let new = world.join(connect("client").kept(kept));
            assert_eq!(world.hears(old), last.into_iter().chain(["closed"]).collect::<Vec<_>>());
            assert!(world.hears(new)[0].starts_with("CONNACK 00"));
            assert_eq!(world.counters().connected, 1);
        }
    }
}

/// [MQTT-3.1.2-5] [MQTT-4.4.0-1]
#[test]
fn the_session_goes_on_with_all_that_was_in_flight() {
    let mut world = World::new();
    let old = world.join(connect("reader").kept(3600));
    world.send(old, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    (1..=2).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    world.send(old, puback(1));
    let new = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(new), ["CONNACK 00 present", "PUBLISH t q1 #2 dup 'x'"]);
    world.send(old, puback(2));
    assert_eq!(world.counters().ledger.in_flight, 1, "what the old connection still says counts no more");
    world.send(new, puback(2));
    assert_eq!(world.counters().ledger.in_flight, 0);
}

/// Both come at once: one of them is never told that it was admitted.
#[test]
fn a_connect_that_waits_for_its_commit_is_superseded_without_connack() {
    let journal = MemoryJournal::with_delay(5);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let first = world.dial(connect("client").kept(3600));
    world.turn();
    let second = world.dial(connect("client").kept(3600));
    world.settle();
    assert_eq!(world.hears(first), ["closed"]);
    assert_eq!(world.hears(second), ["CONNACK 00 present"]);
}

#[test]
fn it_is_told_in_the_log_by_its_client_identifier() {
    let mut world = World::new();
    world.join(connect("client"));
    world.join(connect("client"));
    let told = world
        .notices()
        .into_iter()
        .any(|notice| matches!(notice, Notice::TakenOver { client_id } if &*client_id == "client"));
    assert!(told);
}

/// Clients that take each other's place for ever leave nothing behind.
#[test]
fn a_hundred_take_overs_leave_one_session_and_its_subscriptions() {
    let mut world = World::new();
    for _ in 0..100 {
        let client = world.join(connect("client").kept(3600).with(&Property::ReceiveMaximum(5)));
        world.send(client, subscribe(1, &[("t", 2), ("$share/g/t", 2)]));
    }
    let counters = world.counters();
    assert_eq!((counters.sessions, counters.connected, counters.subscriptions), (1, 1, 2));
}

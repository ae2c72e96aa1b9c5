//! What runs over a restart, by which clock: the one that may be set to anything ends nothing.

use std::sync::Arc;

use martlet_broker::{Dialect, Outbox, Settings};
use martlet_packet::{Packet, Publish, QoS};
use martlet_record::{Now, Time, WallTime};
use martlet_simulator::{Client, MemoryLog, World, connect, publish_qos, subscribe};

use play::durable_state;

mod play;

const YEAR: u64 = 365 * 24 * 3_600_000;

fn logged() -> World<MemoryLog> {
    World::logged(Settings::new(Dialect::NATIVE), 1)
}

/// A reader of "t" whose Session lasts an hour without it, and a writer.
fn reader_and_writer(world: &mut World<MemoryLog>) -> (Client, Client) {
    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    world.send(reader, subscribe(1, &[("t", 2)]));
    (reader, world.join(connect("writer").keep_alive(0)))
}

/// Does the reader find its Session when it comes?
fn is_kept(world: &mut World<MemoryLog>) -> bool {
    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    world.hears(reader)[0] == "CONNACK 00 present"
}

/// Sessions, copies, Wills and retained messages: nothing is over because a clock says that years have passed, or that
/// they are still to come.
#[test]
fn a_fold_is_the_same_at_any_time_of_the_wall_clock() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world);
    world.join(connect("mortal").kept(60).keep_alive(0).will("t", b"gone", QoS::AtLeastOnce, false, 30));
    world.cut(reader);
    for (id, retain) in [(1, false), (2, true)] {
        let Packet::Publish(publish) = publish_qos("t", b"x", 1, id) else { unreachable!("a PUBLISH") };
        world.send(writer, Packet::Publish(Publish { message_expiry: Some(10), retain, ..publish }));
    }
    let live = durable_state(world.shards());
    assert!(live.len() == 2 && live.iter().any(|line| line.contains(" (1 ")), "{live:?}");
    let then = world.now().wall.0;
    for wall in [0, then, then + 20_000, then + 50 * YEAR] {
        // A clock that never jumps and has run for long.
        let now = Now { time: Time::from_millis(YEAR), wall: WallTime(wall) };
        let node = world.empty_node();
        let recovery = world.journal().recover(Arc::clone(&node), now);
        assert_eq!(durable_state(recovery.shards()), live);
        let shards = recovery.finish(now, &mut Outbox::default());
        assert_eq!(durable_state(&shards), live, "at {wall}");
        assert_eq!(node.retained.len(), 1);
    }
}

/// [MQTT-3.1.2-23]
#[test]
fn whoever_was_connected_is_away_from_the_start_on() {
    let mut world = logged();
    reader_and_writer(&mut world);
    world.pass(3599);
    world.crash();
    world.pass(3599);
    assert!(is_kept(&mut world));
    world.crash();
    world.pass(3600);
    assert!(!is_kept(&mut world));
}

#[test]
fn whoever_was_away_goes_on_from_the_last_checkpoint() {
    let mut world = logged();
    let (reader, _) = reader_and_writer(&mut world);
    world.cut(reader);
    world.pass(3000);
    world.journal().begin_checkpoint();
    world.settle();
    world.set_wall_clock(WallTime(50 * YEAR));
    world.crash();
    world.pass(599);
    assert!(is_kept(&mut world), "a jump of the wall clock shortens nothing");

    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    world.cut(reader);
    world.pass(3000);
    world.journal().begin_checkpoint();
    world.settle();
    world.crash();
    world.pass(600);
    assert!(!is_kept(&mut world), "nor does a restart prolong what a checkpoint knows");
}

/// [MQTT-3.1.2-8]
#[test]
fn a_will_comes_at_the_end_of_its_delay_counted_from_the_start() {
    let mut world = logged();
    world.join(connect("mortal").kept(3600).keep_alive(0).will("t", b"gone", QoS::AtMostOnce, false, 30));
    world.crash();
    let (reader, _) = reader_and_writer(&mut world);
    world.hush();
    world.pass(29);
    assert_eq!(world.hears(reader), [""; 0]);
    world.pass(1);
    assert_eq!(world.hears(reader), ["PUBLISH t q0 'gone'"]);
    world.crash();
    let (reader, _) = reader_and_writer(&mut world);
    world.hush();
    world.pass(60);
    assert_eq!(world.hears(reader), [""; 0], "once");
}

/// [MQTT-3.3.2-6]
#[test]
fn a_message_in_the_log_grows_older_by_the_time_that_passes_between_two_lives() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world);
    world.cut(reader);
    for (id, expiry) in [(1, 100), (2, 200)] {
        let Packet::Publish(publish) = publish_qos("t", b"x", 1, id) else { unreachable!("a PUBLISH") };
        world.send(writer, Packet::Publish(Publish { message_expiry: Some(expiry), ..publish }));
    }
    world.pass(30);
    let down = WallTime(world.now().wall.0 + 100_000);
    world.set_wall_clock(down);
    world.crash();
    let reader = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(reader), ["CONNACK 00 present", "PUBLISH t q1 #2 expiry=70 'x'"]);
    assert_eq!(world.counters().ledger.expired, 1);
}

#[test]
fn while_a_node_lives_its_wall_clock_may_be_set_to_anything() {
    for wall in [0, 50 * YEAR] {
        let mut world = logged();
        let (reader, writer) = reader_and_writer(&mut world);
        world.send(writer, publish_qos("$delayed/10/t", b"x", 1, 1));
        world.cut(reader);
        world.set_wall_clock(WallTime(wall));
        world.pass_millis(9_999);
        assert_eq!(world.counters().ledger.accepted, 0, "its time has not come");
        world.pass_millis(1);
        assert_eq!(world.counters().ledger.accepted, 1);
        world.pass(3500);
        assert!(is_kept(&mut world));
    }
}

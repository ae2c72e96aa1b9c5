//! QoS 0 Messages that wait for Clients that are away, where the operator wants that.

use martlet_broker::{Dialect, Ledger, Settings};
use martlet_record::Room;
use martlet_session::{Overflow, QueueLimits};
use martlet_simulator::{
    Client, MemoryLog, World, connect, pubcomp, publish, publish_qos, pubrec, subscribe,
};

fn keeping() -> World<MemoryLog> {
    World::logged(Settings { keeps_qos0: true, ..Settings::new(Dialect::NATIVE) }, 1)
}

/// A reader of "t" that went, and a writer.
fn absent_reader(world: &mut World<MemoryLog>) -> Client {
    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    world.send(reader, subscribe(1, &[("t", 2)]));
    world.cut(reader);
    let writer = world.join(connect("writer").keep_alive(0));
    world.hush();
    writer
}

/// What the reader hears behind its CONNACK when it comes back.
fn back(world: &mut World<MemoryLog>) -> (Client, Vec<String>) {
    let reader = world.join(connect("reader").kept(3600).keep_alive(0));
    let heard = world.hears(reader);
    assert_eq!(heard[0], "CONNACK 00 present");
    (reader, heard[1..].to_vec())
}

#[test]
fn they_do_not_wait_unless_that_is_wanted() {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let writer = absent_reader(&mut world);
    world.send(writer, publish("t", b"x"));
    assert_eq!(back(&mut world).1, [""; 0]);
    assert_eq!(world.counters().ledger, Ledger::default());
}

#[test]
fn they_come_in_order_without_an_identifier_and_need_no_answer() {
    let mut world = keeping();
    let writer = absent_reader(&mut world);
    ["1", "2", "3"].iter().for_each(|payload| world.send(writer, publish("t", payload.as_bytes())));
    assert_eq!(world.counters().ledger, Ledger { accepted: 3, stored: 3, ..Ledger::default() });
    let (_, heard) = back(&mut world);
    assert_eq!(heard, ["PUBLISH t q0 '1'", "PUBLISH t q0 '2'", "PUBLISH t q0 '3'"]);
    assert_eq!(world.counters().ledger, Ledger { accepted: 3, delivered: 3, ..Ledger::default() });
    assert_eq!(back(&mut world).1, [""; 0]);
}

#[test]
fn who_is_there_gets_them_at_once_and_the_log_hears_nothing() {
    let mut world = keeping();
    let writer = absent_reader(&mut world);
    let (reader, _) = back(&mut world);
    let written = world.journal().len();
    world.send(writer, publish("t", b"x"));
    assert_eq!(world.hears(reader), ["PUBLISH t q0 'x'"]);
    assert_eq!(world.journal().len(), written);
}

#[test]
fn they_outlive_the_node_and_come_once() {
    for with_checkpoint in [false, true] {
        let mut world = keeping();
        let writer = absent_reader(&mut world);
        world.send(writer, publish("t", b"x"));
        if with_checkpoint {
            world.journal().begin_checkpoint();
            world.settle();
        }
        world.crash();
        assert_eq!(back(&mut world).1, ["PUBLISH t q0 'x'"]);
        world.crash();
        assert_eq!(back(&mut world).1, [""; 0]);
    }
}

/// §4.3.1: once or not at all. The node dies before its log knows that they were sent.
#[test]
fn one_that_may_have_been_sent_is_not_sent_again() {
    let mut world = keeping();
    let writer = absent_reader(&mut world);
    world.send(writer, publish("t", b"0"));
    world.send(writer, publish_qos("t", b"2", 2, 1));
    let reader = world.dial(connect("reader").kept(3600).keep_alive(0));
    while world.hears(reader).len() < 3 {
        world.turn();
    }
    world.crash();
    let (reader, heard) = back(&mut world);
    assert_eq!(heard, ["PUBLISH t q2 #2 dup '2'"]);
    world.send(reader, pubrec(2));
    world.send(reader, pubcomp(2));
    let ledger = world.counters().ledger;
    assert_eq!((ledger.in_flight, ledger.stored), (0, 0), "and nothing waits for ever");
}

/// Nobody is told when they are dropped, so no queue grows for them beyond its limit.
#[test]
fn a_full_queue_takes_no_more() {
    let limits = [
        QueueLimits::new(3, usize::MAX, Overflow::RejectPublisher),
        QueueLimits { quota_messages: 3, ..QueueLimits::new(3, usize::MAX, Overflow::Spill) },
    ];
    for queue in limits {
        let mut world =
            World::logged(Settings { keeps_qos0: true, queue, ..Settings::new(Dialect::NATIVE) }, 1);
        let writer = absent_reader(&mut world);
        (0..10).for_each(|_| world.send(writer, publish("t", b"x")));
        let ledger = world.counters().ledger;
        assert_eq!((ledger.stored, ledger.dropped_queue_full), (3, 7), "{queue:?}");
    }
}

#[test]
fn a_full_disk_takes_none() {
    for room in [Room::DrainOnly, Room::Failed] {
        let mut world = keeping();
        let writer = absent_reader(&mut world);
        world.set_room(room);
        let written = world.journal().len();
        world.send(writer, publish("t", b"x"));
        assert_eq!(world.journal().len(), written);
        assert_eq!(world.counters().qos0_dropped, 1);
    }
}

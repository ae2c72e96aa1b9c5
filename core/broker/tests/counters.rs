//! What the node counts, and what it publishes of it.

use martlet_broker::sys::{self, Loads, NodeFacts};
use martlet_broker::{Counters, Ledger};
use martlet_simulator::{World, connect, ping, puback, publish, publish_qos, retain, subscribe};

#[test]
fn a_conversation_is_counted_packet_by_packet() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 1), ("$share/g/u", 0)]));
    let short = world.join(connect("short").kept(5));
    world.cut(short);
    world.pass(5);
    let writer = world.join(connect("writer"));
    world.send(writer, publish("t", b"12345"));
    world.send(writer, publish_qos("t", b"1234567", 1, 1));
    world.send(writer, publish("nobody", b"123"));
    world.send(writer, retain("kept", b"1"));
    world.send(writer, ping());
    world.send(reader, puback(1));
    world.send(reader, subscribe(2, &[("kept", 0)]));
    let expected = Counters {
        packets_received: 2 + 5 + 1,
        publish_received: 4,
        publish_received_bytes: 5 + 7 + 3 + 1,
        publish_sent: 3,
        publish_sent_bytes: 5 + 7 + 1,
        answers_sent: 3 + 2 + 1 + 1,
        qos0_dropped: 0,
        publish_refused: 0,
        copies_denied: 0,
        sessions: 2,
        connected: 2,
        subscriptions: 3,
        shared_subscriptions: 1,
        sessions_expired: 1,
        connects: 3,
        waiting_bytes: 0,
        ledger: Ledger { accepted: 1, delivered: 1, ..Ledger::default() },
        unbalanced: 0,
    };
    assert_eq!(world.counters(), expected);
}

#[test]
fn the_books_add_up_or_say_so() {
    let balanced = Ledger {
        accepted: 55,
        delivered: 1,
        in_flight: 2,
        stored: 3,
        expired: 4,
        ended: 5,
        dropped_queue_full: 6,
        dropped_too_large: 7,
        dropped_refused: 8,
        dropped_damaged: 9,
        dropped_denied: 10,
    };
    assert!(balanced.is_balanced());
    assert_eq!(balanced.dropped(), 40);
    assert!(!Ledger { accepted: 54, ..balanced }.is_balanced());
    assert!(!Ledger { dropped_refused: 7, ..balanced }.is_balanced());
}

#[test]
fn the_sums_of_two_shards_are_sums() {
    let one = Counters { packets_received: 1, sessions_expired: 2, ..Counters::default() };
    let ledger = Ledger { accepted: 3, delivered: 3, ..Ledger::default() };
    let other = Counters { packets_received: 10, shared_subscriptions: 4, ledger, ..Counters::default() };
    let mut sum = one;
    sum += other;
    let expected = Counters {
        packets_received: 11,
        sessions_expired: 2,
        shared_subscriptions: 4,
        ledger,
        ..Counters::default()
    };
    assert_eq!(sum, expected);
}

#[test]
fn the_topics_of_the_node_say_what_was_counted() {
    let ledger = Ledger { accepted: 9, delivered: 4, in_flight: 2, stored: 3, ..Ledger::default() };
    let counters = Counters { sessions: 5, connected: 3, waiting_bytes: 500, ledger, ..Counters::default() };
    let facts = NodeFacts {
        version: "martlet version x",
        uptime_seconds: 61,
        retained: 7,
        bytes_received: 100,
        bytes_sent: 200,
        connections: 4,
        sockets: 8,
        sessions_maximum: 6,
        retained_bytes: 1000,
        memory: Some((11, 12)),
    };
    let topics = sys::topics(&counters, &facts, &Loads::default());
    let value = |topic: &str| topics.iter().find(|(name, _)| *name == topic).map(|(_, value)| &**value);
    for (topic, expected) in [
        ("$SYS/broker/version", "martlet version x"),
        ("$SYS/broker/uptime", "61 seconds"),
        ("$SYS/broker/clients/total", "5"),
        ("$SYS/broker/clients/connected", "3"),
        ("$SYS/broker/clients/disconnected", "2"),
        ("$SYS/broker/retained messages/count", "7"),
        ("$SYS/broker/bytes/received", "100"),
        ("$SYS/broker/bytes/sent", "200"),
        ("$SYS/broker/clients/maximum", "6"),
        ("$SYS/broker/messages/stored", "12"),
        ("$SYS/broker/store/messages/count", "12"),
        ("$SYS/broker/store/messages/bytes", "1500"),
        ("$SYS/broker/heap/current", "11"),
        ("$SYS/broker/heap/maximum", "12"),
        ("$SYS/broker/load/connections/1min", "0.00"),
        ("$SYS/broker/ledger/accepted", "9"),
        ("$SYS/broker/ledger/in_flight", "2"),
    ] {
        assert_eq!(value(topic), Some(expected), "{topic}");
    }
}

//! What may wait for one Client: by count and bytes, with both overflow policies, told once and counted always.

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::Property;
use martlet_session::{Overflow, QueueLimits};
use martlet_simulator::{Client, World, connect, puback, publish, publish_qos, pubrec, subscribe};

/// A node where so much may wait for a Session.
fn limited(messages: usize, bytes: usize, overflow: Overflow) -> World {
    World::with(Settings {
        queue: QueueLimits::new(messages, bytes, overflow),
        ..Settings::new(Dialect::NATIVE)
    })
}

/// A reader of "t" that went, so that everything is queued for it, and a writer.
fn absent_reader(world: &mut World) -> Client {
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    world.cut(reader);
    let writer = world.join(connect("writer"));
    world.notices();
    writer
}

/// The payloads the reader finds when it comes back.
fn found(world: &mut World) -> Vec<String> {
    let back = world.join(connect("reader").kept(3600));
    let heard = world.hears(back).into_iter().skip(1);
    heard.map(|line| line.split('\'').nth(1).expect("a payload").to_owned()).collect()
}

#[test]
fn the_newest_is_dropped_where_that_is_the_policy() {
    let mut world = limited(3, usize::MAX, Overflow::DropNewest);
    let writer = absent_reader(&mut world);
    for payload in ["1", "2", "3", "4", "5"] {
        world.send(writer, publish_qos("t", payload.as_bytes(), 1, 1));
    }
    assert_eq!(found(&mut world), ["1", "2", "3"]);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.accepted, ledger.dropped_queue_full, ledger.in_flight), (5, 2, 3));
}

#[test]
fn the_oldest_is_dropped_where_that_is_the_policy() {
    let mut world = limited(3, usize::MAX, Overflow::DropOldest);
    let writer = absent_reader(&mut world);
    for payload in ["1", "2", "3", "4", "5"] {
        world.send(writer, publish_qos("t", payload.as_bytes(), 1, 1));
    }
    assert_eq!(found(&mut world), ["3", "4", "5"]);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.accepted, ledger.dropped_queue_full, ledger.in_flight), (5, 2, 3));
}

#[test]
fn bytes_are_a_limit_of_their_own() {
    for (overflow, kept) in [(Overflow::DropNewest, 0..10), (Overflow::DropOldest, 2..12)] {
        // Room for ten payloads and what is kept beside each, but not for eleven.
        let mut world = limited(usize::MAX, 525_000, overflow);
        let writer = absent_reader(&mut world);
        for number in 0..12 {
            world.send(writer, publish_qos("t", format!("{number:050000}").as_bytes(), 1, 1));
        }
        let numbers =
            found(&mut world).iter().map(|payload| payload.parse().expect("a number")).collect::<Vec<i32>>();
        assert_eq!(numbers, kept.collect::<Vec<_>>(), "{overflow:?}");
        assert_eq!(world.counters().ledger.dropped_queue_full, 2);
    }
}

/// As many old ones go as it takes.
#[test]
fn a_large_message_takes_the_place_of_several_small_ones() {
    let mut world = limited(usize::MAX, 20_000, Overflow::DropOldest);
    let writer = absent_reader(&mut world);
    for _ in 0..10 {
        world.send(writer, publish_qos("t", &[b'a'; 1_000], 1, 1));
    }
    world.send(writer, publish_qos("t", &[b'b'; 15_000], 1, 1));
    let bytes: usize = found(&mut world).iter().map(String::len).sum();
    assert!((15_000..=20_000).contains(&bytes), "{bytes} bytes waited");
}

/// From PUBREC on the Message itself is not kept any more, and what it took is free.
#[test]
fn a_message_that_was_received_takes_no_bytes() {
    let mut world = limited(usize::MAX, 2_000, Overflow::DropNewest);
    let reader = world.join(connect("reader").with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", &[b'x'; 1_500], 2, 1));
    world.send(writer, publish_qos("t", &[b'x'; 1_000], 2, 2));
    assert_eq!(world.counters().ledger.dropped_queue_full, 1);
    world.send(reader, pubrec(1));
    world.send(writer, publish_qos("t", &[b'x'; 1_000], 2, 3));
    let ledger = world.counters().ledger;
    assert_eq!((ledger.dropped_queue_full, ledger.in_flight, ledger.stored), (1, 1, 1));
}

/// The limit is on what waits: what a Client takes as it comes is never dropped.
#[test]
fn a_client_that_reads_loses_nothing_to_a_small_limit() {
    let mut world = limited(1, usize::MAX, Overflow::DropNewest);
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    (1..=100).for_each(|id| world.post(writer, publish_qos("t", b"x", 1, id)));
    world.settle();
    assert_eq!(world.hears(reader).len(), 100);
}

#[test]
fn with_a_limit_of_a_hundred_exactly_the_rest_is_dropped() {
    for kept in [0, 3600] {
        let mut world = limited(100, usize::MAX, Overflow::DropNewest);
        let reader = world.join(connect("reader").kept(kept).with(&Property::ReceiveMaximum(10)));
        world.send(reader, subscribe(1, &[("t", 1)]));
        let writer = world.join(connect("writer"));
        world.hush();
        (0..250).for_each(|_| world.send(writer, publish_qos("t", b"x", 1, 1)));
        let ledger = world.counters().ledger;
        assert_eq!((ledger.in_flight, ledger.stored, ledger.dropped_queue_full), (10, 100, 140));
        assert_eq!(world.hears(writer).len(), 250, "the publisher is answered all the same");
        world.send(reader, puback(1));
        assert_eq!(world.counters().ledger.stored, 99);
    }
}

#[test]
fn the_first_drop_of_a_session_is_told_and_no_other() {
    let mut world = limited(2, usize::MAX, Overflow::DropNewest);
    let writer = absent_reader(&mut world);
    (0..10).for_each(|_| world.send(writer, publish_qos("t", b"x", 1, 1)));
    let told: Vec<_> = world
        .notices()
        .into_iter()
        .filter_map(|notice| match notice {
            Notice::FirstDrop { client_id, text } => Some((client_id, text)),
            _ => None,
        })
        .collect();
    let [(client_id, text)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(&**client_id, "reader");
    for words in ["at most 2", "DropNewest", "raise the limit"] {
        assert!(text.contains(words), "{text}");
    }
}

/// QoS 0 is not queued: it is sent as far as the socket keeps up, and for an absent Client not at all.
#[test]
fn qos_0_is_dropped_and_counted_where_too_much_waits_for_the_socket() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.send.qos0_bytes = 1_000;
    let mut world = World::with(settings);
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.deafen(reader);
    (0..10).for_each(|_| world.send(writer, publish("t", &[b'x'; 400])));
    world.undeafen(reader);
    assert_eq!(world.hears(reader).len(), 3, "as long as no more than 1,000 bytes wait");
    assert_eq!(world.counters().qos0_dropped, 7);
    world.send(writer, publish("t", &[b'x'; 5_000]));
    assert_eq!(world.hears(reader).len(), 1, "a socket that keeps up takes any size");
}

/// What waits for a socket is bounded; the rest stays in the queue, and follows when the socket takes more.
#[test]
fn a_socket_that_takes_nothing_is_not_sent_ahead_without_end() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.send.ahead_bytes = 1_000;
    let mut world = World::with(settings);
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.deafen(reader);
    (0..20).for_each(|_| world.send(writer, publish_qos("t", &[b'x'; 400], 1, 1)));
    assert_eq!(world.counters().ledger.in_flight, 3);
    world.undeafen(reader);
    assert_eq!(world.hears(reader).len(), 20);
}

#[test]
fn a_full_queue_is_nobody_elses_affair() {
    let mut world = limited(1, usize::MAX, Overflow::DropNewest);
    let writer = absent_reader(&mut world);
    let other = world.join(connect("other").kept(3600));
    world.send(other, subscribe(1, &[("t", 1)]));
    world.hush();
    (0..5).for_each(|_| world.send(writer, publish_qos("t", b"x", 1, 1)));
    assert_eq!(world.hears(other).len(), 5);
    assert_eq!(found(&mut world).len(), 1);
}

/// Levels and length of topics are limited; what exceeds them is refused by name.
#[test]
fn a_topic_beyond_the_limits_is_refused() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.topics.levels = 3;
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    world.hush();
    world.send(client, subscribe(1, &[("a/b/c", 0), ("a/b/c/d", 0)]));
    assert_eq!(world.hears(client), ["SUBACK 1 [00 8f]"]);
    world.send(client, publish("a/b/c/d", b"x"));
    assert_eq!(world.hears(client), ["DISCONNECT 90", "closed"]);
}

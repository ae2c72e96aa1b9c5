//! What a full queue does, policy by policy, for Sessions that are kept and for others. Every world checks its books.

use martlet_broker::{Dialect, Ledger, Notice, Settings};
use martlet_packet::{Property, Version};
use martlet_session::{Overflow, QueueLimits};
use martlet_simulator::{Client, MemoryLog, World, connect, puback, publish, publish_qos, pubrec, subscribe};

/// A node where so many Messages may wait for a Session.
fn limited(messages: usize, overflow: Overflow) -> World<MemoryLog> {
    limited_to(QueueLimits::new(messages, usize::MAX, overflow))
}

fn limited_to(queue: QueueLimits) -> World<MemoryLog> {
    World::logged(Settings { queue, ..Settings::new(Dialect::NATIVE) }, 1)
}

/// A reader of "t" that takes one Message at a time, and a writer.
fn slow_reader(world: &mut World<MemoryLog>, kept: u32) -> (Client, Client) {
    let reader = world.join(connect("reader").kept(kept).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer"));
    world.notices();
    world.hush();
    (reader, writer)
}

/// Publishes so many numbered Messages; the writer's answers.
fn publish_numbers(
    world: &mut World<MemoryLog>,
    writer: Client,
    numbers: std::ops::Range<u16>,
) -> Vec<String> {
    for number in numbers {
        world.send(writer, publish_qos("t", number.to_string().as_bytes(), 1, number + 1));
    }
    world.hears(writer)
}

/// Acknowledges all that comes, in order; the payloads.
fn drain(world: &mut World<MemoryLog>, reader: Client) -> Vec<u16> {
    let mut numbers = Vec::new();
    loop {
        let heard = world.hears(reader);
        let publishes: Vec<_> = heard.iter().filter(|line| line.starts_with("PUBLISH")).collect();
        if publishes.is_empty() {
            return numbers;
        }
        for line in publishes {
            let id = line.split(['#', ' ']).nth(4).and_then(|id| id.parse().ok()).expect("an identifier");
            numbers.push(line.split('\'').nth(1).and_then(|text| text.parse().ok()).expect("a number"));
            world.send(reader, puback(id));
        }
    }
}

/// What was told of first drops.
fn drops_told(world: &mut World<MemoryLog>) -> Vec<String> {
    let notices = world.notices().into_iter();
    notices
        .filter_map(|notice| match notice {
            Notice::FirstDrop { text, .. } => Some(text),
            _ => None,
        })
        .collect()
}

fn ledger(world: &World<MemoryLog>) -> Ledger {
    world.counters().ledger
}

#[test]
fn spill_keeps_everything_for_a_session_that_is_kept() {
    let mut world = limited(3, Overflow::Spill);
    let (reader, writer) = slow_reader(&mut world, 3600);
    publish_numbers(&mut world, writer, 0..100);
    assert_eq!(drain(&mut world, reader), (0..100).collect::<Vec<_>>());
    assert_eq!((ledger(&world).delivered, ledger(&world).dropped()), (100, 0));
    assert_eq!(drops_told(&mut world), [""; 0]);
}

/// One is in flight, three wait, six are one too many.
#[test]
fn a_session_that_is_not_kept_drops_under_each_policy_that_drops() {
    let newest: Vec<_> = (0..4).collect();
    let oldest = vec![0, 7, 8, 9];
    let expected =
        [(Overflow::Spill, &newest), (Overflow::DropNewest, &newest), (Overflow::DropOldest, &oldest)];
    for (overflow, kept) in expected {
        let mut world = limited(3, overflow);
        let (reader, writer) = slow_reader(&mut world, 0);
        let answers = publish_numbers(&mut world, writer, 0..10);
        assert_eq!(answers.len(), 10, "the publisher is answered all the same");
        assert_eq!(&drain(&mut world, reader), kept, "{overflow:?}");
        assert_eq!((ledger(&world).delivered, ledger(&world).dropped_queue_full), (4, 6), "{overflow:?}");
    }
}

#[test]
fn a_session_that_is_kept_drops_where_the_policy_is_to_drop() {
    let expected = [(Overflow::DropNewest, vec![0, 1, 2, 3]), (Overflow::DropOldest, vec![0, 7, 8, 9])];
    for (overflow, kept) in expected {
        let mut world = limited(3, overflow);
        let (_, writer) = slow_reader(&mut world, 3600);
        publish_numbers(&mut world, writer, 0..10);
        world.crash();
        let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
        assert_eq!(drain(&mut world, reader), kept, "{overflow:?}, after a restart");
    }
}

#[test]
fn the_first_drop_is_told_once_with_limit_policy_and_cure() {
    for (overflow, kept) in [
        (Overflow::Spill, 0),
        (Overflow::DropNewest, 0),
        (Overflow::DropNewest, 3600),
        (Overflow::DropOldest, 0),
        (Overflow::DropOldest, 3600),
    ] {
        let mut world = limited(3, overflow);
        let (_, writer) = slow_reader(&mut world, kept);
        publish_numbers(&mut world, writer, 0..20);
        let told = drops_told(&mut world);
        let [text] = &told[..] else { panic!("{told:?}") };
        for words in ["at most 3", &format!("{overflow:?}"), "raise the limit"] {
            assert!(text.contains(words), "{text}");
        }
    }
}

#[test]
fn reject_publisher_refuses_the_publisher_and_nobody_gets_the_message() {
    for kept in [0, 3600] {
        let mut world = limited(3, Overflow::RejectPublisher);
        let (reader, writer) = slow_reader(&mut world, kept);
        let other = world.join(connect("other"));
        world.send(other, subscribe(1, &[("t", 0), ("u", 0)]));
        world.hush();
        publish_numbers(&mut world, writer, 0..4);
        world.hears(other);
        world.send(writer, publish_qos("t", b"4", 1, 5));
        let answers = world.hears_in_full(writer);
        assert!(answers[0].starts_with("PUBACK 5 97") && answers[0].contains("queue"), "{answers:?}");
        world.send(writer, publish_qos("t", b"4", 2, 5));
        assert_eq!(world.hears(writer), ["PUBREC 5 97"]);
        assert_eq!(world.hears(other), [""; 0], "all get it or none");
        world.send(writer, publish_qos("u", b"else", 1, 6));
        assert_eq!(world.hears(writer), ["PUBACK 6"], "another topic is not concerned");
        world.send(writer, publish("t", b"once"));
        assert_eq!(world.hears(other), ["PUBLISH u q0 'else'", "PUBLISH t q0 'once'"], "QoS 0 does not wait");

        world.hears(reader);
        world.send(reader, puback(1));
        world.send(writer, publish_qos("t", b"4", 1, 7));
        assert_eq!(world.hears(writer), ["PUBACK 7"], "the reader has read: there is room again");
        assert_eq!((ledger(&world).accepted, ledger(&world).dropped()), (5, 0), "kept for {kept} s");
    }
}

/// What was taken must be queued: it cannot be told any more.
#[test]
fn what_was_under_way_when_the_queue_became_full_is_kept() {
    let mut world = limited(3, Overflow::RejectPublisher);
    let (reader, writer) = slow_reader(&mut world, 3600);
    for number in 0..10_u16 {
        world.post(writer, publish_qos("t", number.to_string().as_bytes(), 1, number + 1));
    }
    world.settle();
    assert_eq!(world.hears(writer).len(), 10);
    assert_eq!(drain(&mut world, reader), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_publisher_of_mqtt_3_is_disconnected_for_it_cannot_be_told() {
    let mut world = limited(3, Overflow::RejectPublisher);
    let (_, writer) = slow_reader(&mut world, 3600);
    publish_numbers(&mut world, writer, 0..4);
    let old = world.join(connect("old").version(Version::V3_1_1));
    world.send(old, publish_qos("t", b"4", 1, 1));
    assert_eq!(world.hears(old), ["CONNACK 00", "closed"]);
    assert_eq!(ledger(&world).accepted, 4);
}

#[test]
fn a_queue_that_is_full_of_what_is_in_flight_has_room_when_that_is_answered() {
    for (qos, kept) in [(1, 0), (1, 3600), (2, 0), (2, 3600)] {
        let mut world = limited_to(QueueLimits::new(usize::MAX, 2_000, Overflow::RejectPublisher));
        let (reader, writer) = slow_reader(&mut world, kept);
        world.send(writer, publish_qos("t", &[b'x'; 3_000], qos, 1));
        world.send(writer, publish_qos("t", b"small", 1, 2));
        let answer = if qos == 1 { "PUBACK 1" } else { "PUBREC 1" };
        assert_eq!(world.hears(writer), [answer, "PUBACK 2 97"]);
        world.send(reader, if qos == 1 { puback(1) } else { pubrec(1) });
        world.send(writer, publish_qos("t", b"small", 1, 3));
        assert_eq!(world.hears(writer), ["PUBACK 3"], "QoS {qos}, kept for {kept} s");
    }
}

#[test]
fn the_end_of_a_session_opens_what_it_closed() {
    let mut world = limited(3, Overflow::RejectPublisher);
    let (reader, writer) = slow_reader(&mut world, 3600);
    world.cut(reader);
    assert_eq!(publish_numbers(&mut world, writer, 0..4).last().map(String::as_str), Some("PUBACK 4 97"));
    let new = world.join(connect("reader"));
    world.send(new, subscribe(1, &[("t", 1)]));
    assert_eq!(publish_numbers(&mut world, writer, 4..5), ["PUBACK 5"]);
}

/// A member that cannot take more is passed over; when none can, the publisher is told.
#[test]
fn a_group_with_room_anywhere_takes_what_comes() {
    let mut world = limited(3, Overflow::RejectPublisher);
    for client_id in ["one", "two"] {
        let member = world.join(connect(client_id).kept(3600));
        world.send(member, subscribe(1, &[("$share/g/t", 1)]));
        world.cut(member);
    }
    let writer = world.join(connect("writer"));
    world.hush();
    let answers = publish_numbers(&mut world, writer, 0..8);
    assert!(answers[..6].iter().all(|answer| !answer.contains("97")), "{answers:?}");
    assert!(answers[6..].iter().all(|answer| answer.ends_with("97")), "{answers:?}");
    assert_eq!((ledger(&world).stored, ledger(&world).dropped()), (6, 0));
}

#[test]
fn spill_ends_at_its_quota_where_publishers_are_refused() {
    let by_count = QueueLimits { quota_messages: 5, ..QueueLimits::new(2, usize::MAX, Overflow::Spill) };
    let by_bytes = QueueLimits { quota_bytes: 15_000, ..QueueLimits::new(2, usize::MAX, Overflow::Spill) };
    for (queue, len) in [(by_count, 1), (by_bytes, 3_000)] {
        let mut world = limited_to(queue);
        let (reader, writer) = slow_reader(&mut world, 3600);
        world.cut(reader);
        let payload = vec![b'x'; len];
        (1..=5).for_each(|id| world.send(writer, publish_qos("t", &payload, 1, id)));
        assert_eq!(world.hears(writer).iter().filter(|answer| answer.ends_with(" 97")).count(), 0);
        world.send(writer, publish_qos("t", b"small", 1, 6));
        assert_eq!(world.hears(writer), ["PUBACK 6 97"], "{queue:?}");

        // A start finds the queue as full as it was.
        world.crash();
        let writer = world.join(connect("writer"));
        world.send(writer, publish_qos("t", b"small", 1, 7));
        assert_eq!(world.hears(writer)[1..], ["PUBACK 7 97"], "{queue:?}");

        let reader = world.join(connect("reader").kept(3600));
        assert_eq!(world.hears(reader).len(), 6);
        (1..=5).for_each(|id| world.send(reader, puback(id)));
        world.send(writer, publish_qos("t", b"small", 1, 8));
        assert_eq!(world.hears(writer), ["PUBACK 8"], "{queue:?}");
        assert_eq!((ledger(&world).dropped(), ledger(&world).delivered), (0, 5));
    }
}

#[test]
fn disconnect_parts_with_a_client_that_does_not_read_and_keeps_what_waits_for_it() {
    let mut world = limited(3, Overflow::Disconnect);
    let (reader, writer) = slow_reader(&mut world, 3600);
    publish_numbers(&mut world, writer, 0..10);
    let heard = world.hears_in_full(reader);
    assert!(heard[1].starts_with("DISCONNECT 97") && heard[1].contains("read faster"), "{heard:?}");
    assert_eq!(heard[2..], ["closed"]);
    let reader = world.join(connect("reader").kept(3600));
    assert_eq!(drain(&mut world, reader), (0..10).collect::<Vec<_>>());
    assert_eq!((ledger(&world).delivered, ledger(&world).dropped()), (10, 0));
}

#[test]
fn and_what_waits_for_one_that_is_not_kept_ends_with_it() {
    let mut world = limited(3, Overflow::Disconnect);
    let (reader, writer) = slow_reader(&mut world, 0);
    publish_numbers(&mut world, writer, 0..10);
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 '0'", "DISCONNECT 97", "closed"]);
    let Ledger { accepted, ended, dropped_queue_full, .. } = ledger(&world);
    assert_eq!((accepted, ended, dropped_queue_full), (5, 4, 1), "from the sixth on there is nobody");
    assert_eq!(drops_told(&mut world).len(), 1);
}

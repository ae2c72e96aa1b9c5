//! What must hold when steps, batches and commits come in an unlucky order.

use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery, Settings};
use martlet_packet::{Packet, Property, Publish};
use martlet_record::MemoryJournal;
use martlet_simulator::{World, connect, puback, publish_qos, pubrec, subscribe, two_homes};

fn remembering() -> World {
    World::with_journal(Settings::new(Dialect::NATIVE), MemoryJournal::new().remembering())
}

/// The node again, from its journal; the shards have the state of its last commit.
fn replayed(world: &World) -> Recovery {
    let node = Arc::new(Node::new(world.node.settings.clone(), 42));
    let mut recovery = Recovery::new(node);
    world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
    recovery
}

#[test]
fn copies_are_queued_in_log_order_even_if_the_steps_came_in_another() {
    let mut world = remembering();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let (first, second) = two_homes();
    let (first, second) = (world.join(connect(&first)), world.join(connect(&second)));
    world.hush();
    world.submit_backwards();
    world.post(first, publish_qos("t", b"stepped first", 1, 1));
    world.post(second, publish_qos("t", b"logged first", 1, 1));
    world.settle();
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'logged first'", "PUBLISH t q1 #2 'stepped first'"]);
    world.send(reader, puback(1));
    world.cut(reader);
    let state = replayed(&world).shards().iter().flat_map(|shard| shard.durable_state()).collect::<String>();
    assert!(state.contains(" (1 ") && !state.contains(" (0 "), "only the second is left: {state}");
}

/// [MQTT-4.4.0-1]
#[test]
fn a_qos_2_publish_comes_back_with_its_identifier_after_a_restart() {
    let mut world = remembering();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"one", 1, 1));
    world.send(reader, puback(1));
    world.send(writer, publish_qos("t", b"two", 2, 2));
    assert_eq!(world.hears(reader).last().map(String::as_str), Some("PUBLISH t q2 #2 'two'"));

    let node = Arc::new(Node::new(world.node.settings.clone(), 42));
    let mut recovery = Recovery::new(Arc::clone(&node));
    world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
    let shards = recovery.finish(world.now(), &mut Outbox::default());
    let mut restarted = World::restarted(node, shards);
    let reader = restarted.join(connect("reader").kept(3600));
    assert_eq!(restarted.hears(reader), ["CONNACK 00 present", "PUBLISH t q2 #2 dup 'two'"]);
}

#[test]
fn a_clean_start_between_match_and_commit_leaves_no_ghost_copy() {
    let mut world = remembering();
    let old = world.join(connect("reader").kept(3600));
    world.send(old, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.post(writer, publish_qos("t", b"x", 1, 1));
    let new = world.dial(connect("reader"));
    world.settle();
    assert_eq!(world.hears(new), ["CONNACK 00"]);
    assert_eq!(world.hears(writer), ["PUBACK 1"]);
    assert_eq!(world.counters().ledger.ended, 1);
    assert!(world.counters().ledger.is_balanced());
}

/// [MQTT-2.2.1-4]
#[test]
fn identifiers_wrap_around_one_that_is_never_acknowledged() {
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::ReceiveMaximum(20)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    let mut heard = 0_u32;
    for _ in 0..70_000 {
        world.post(writer, publish_qos("t", b"x", 1, 1));
        world.turn();
        for line in world.hears(reader) {
            let id: u16 =
                line.split(['#', ' ']).nth(4).and_then(|id| id.parse().ok()).expect("an identifier");
            heard += 1;
            assert!(id != 1 || heard == 1, "identifier 1 is in use");
            if heard > 1 {
                world.post(reader, puback(id));
            }
        }
        world.hush();
    }
    assert_eq!(heard, 65_535);
    world.send(reader, puback(1));
    let next = world.hears(reader);
    assert_eq!(next.first().map(String::as_str), Some("PUBLISH t q1 #1 'x'"));
    assert_eq!(next.len(), 20);
}

#[test]
fn retained_messages_wait_for_a_slow_reader_and_stale_ones_are_passed_over() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.send.ahead_bytes = 100;
    let mut world = World::with(settings);
    let writer = world.join(connect("writer"));
    let retain = |topic, payload| Packet::Publish(Publish { retain: true, ..Publish::new(topic, payload) });
    let topics: Vec<String> = (10..60).map(|number| format!("t/{number}")).collect();
    for topic in &topics {
        world.send(writer, retain(topic, b"old"));
    }
    let reader = world.join(connect("reader"));
    world.hush();
    world.deafen(reader);
    world.send(reader, subscribe(1, &[("t/+", 0)]));
    world.send(writer, retain("t/59", b"new"));
    world.undeafen(reader);
    let heard = world.hears(reader);
    assert_eq!(heard[0], "SUBACK 1 [00]");
    let of = |topic: &str| heard.iter().filter(|line| line.contains(topic)).cloned().collect::<Vec<_>>();
    assert_eq!(of("t/59"), ["PUBLISH t/59 q0 'new'"]);
    assert!(topics[..49].iter().all(|topic| of(topic) == [format!("PUBLISH {topic} q0 retain 'old'")]));
}

/// [MQTT-4.3.3-8]
#[test]
fn nothing_that_answers_a_persistent_session_leaves_before_its_commit() {
    let journal = MemoryJournal::with_delay(100);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let reader = world.dial(connect("reader").kept(3600));
    let after = |world: &mut World, client, turns: usize| {
        for turn in 1..turns {
            world.turn();
            assert_eq!(world.hears(client), [""; 0], "turn {turn}");
        }
        world.settle();
        world.hears(client)
    };
    assert_eq!(after(&mut world, reader, 100), ["CONNACK 00"]);
    world.post(reader, subscribe(1, &[("t", 2)]));
    assert_eq!(after(&mut world, reader, 100), ["SUBACK 1 [02]"]);
    let writer = world.join(connect("writer"));
    world.hush();
    world.post(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(after(&mut world, writer, 100), ["PUBREC 1"]);
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 'x'"]);
    world.post(reader, pubrec(1));
    assert_eq!(after(&mut world, reader, 100), ["PUBREL 1"]);
}

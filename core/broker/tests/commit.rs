//! Reply after commit: with a journal that takes a hundred turns, step by step.
//!
//! A turn submits what was decided in it, so an answer that waits leaves in the hundredth turn after that.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Publish};
use martlet_record::MemoryJournal;
use martlet_simulator::{
    Client, Connecting, World, connect, ping, puback, pubcomp, publish_qos, pubrec, pubrel, retain,
    subscribe, unsubscribe,
};

const DELAY: u64 = 100;

fn slow_world() -> World {
    World::with_journal(Settings::new(Dialect::NATIVE), MemoryJournal::with_delay(DELAY))
}

fn kept(id: &str) -> Connecting {
    connect(id).kept(3600)
}

/// What a Client hears, with the number of turns it took.
fn hears_after(world: &mut World, client: Client) -> (u64, Vec<String>) {
    for turns in 0..=2 * DELAY {
        world.turn();
        let heard = world.hears(client);
        if !heard.is_empty() {
            return (turns, heard);
        }
    }
    panic!("nothing was heard in {} turns", 2 * DELAY);
}

#[track_caller]
fn hears_at_once(world: &mut World, client: Client, expected: &[&str]) {
    let (turns, heard) = hears_after(world, client);
    assert_eq!((turns, heard), (0, expected.iter().map(|line| (*line).to_owned()).collect()));
}

#[track_caller]
fn hears_after_commit(world: &mut World, client: Client, expected: &[&str]) {
    let (turns, heard) = hears_after(world, client);
    assert_eq!((turns, heard), (DELAY, expected.iter().map(|line| (*line).to_owned()).collect()));
}

/// A Client that was heard out, with the world at rest.
fn settled(world: &mut World, connecting: Connecting) -> Client {
    let client = world.join(connecting);
    world.hush();
    client
}

#[test]
fn connack_of_a_session_that_is_kept() {
    let mut world = slow_world();
    let first = world.dial(kept("client"));
    hears_after_commit(&mut world, first, &["CONNACK 00"]);
    world.cut(first);
    let second = world.dial(kept("client"));
    hears_after_commit(&mut world, second, &["CONNACK 00 present"]);
    // It ceases to be kept: that is a fact as well.
    let third = world.dial(connect("client").resuming().kept(0));
    hears_after_commit(&mut world, third, &["CONNACK 00 present"]);
}

#[test]
fn suback_and_unsuback_of_a_session_that_is_kept() {
    let mut world = slow_world();
    let client = settled(&mut world, kept("client"));
    world.post(client, subscribe(1, &[("a", 1), ("b", 0)]));
    hears_after_commit(&mut world, client, &["SUBACK 1 [01 00]"]);
    world.post(client, unsubscribe(2, &["a"]));
    hears_after_commit(&mut world, client, &["UNSUBACK 2 [00]"]);
}

#[test]
fn puback_and_pubrec_for_a_receiver_that_is_kept() {
    for (qos, answer) in [(1, "PUBACK 7"), (2, "PUBREC 7")] {
        let mut world = slow_world();
        let reader = settled(&mut world, kept("reader"));
        world.send(reader, subscribe(1, &[("t", 1)]));
        let writer = settled(&mut world, connect("writer"));
        world.post(writer, publish_qos("t", b"x", qos, 7));
        hears_after_commit(&mut world, writer, &[answer]);
        assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'"], "nor does the receiver hear of it earlier");
    }
}

#[test]
fn pubrec_and_pubcomp_of_a_publisher_that_is_kept() {
    let mut world = slow_world();
    let writer = settled(&mut world, kept("writer"));
    world.post(writer, publish_qos("t", b"x", 2, 7));
    hears_after_commit(&mut world, writer, &["PUBREC 7 10"]);
    world.post(writer, pubrel(7));
    hears_after_commit(&mut world, writer, &["PUBCOMP 7"]);
}

#[test]
fn a_duplicate_is_not_answered_before_its_first_was() {
    let mut world = slow_world();
    let writer = settled(&mut world, kept("writer"));
    world.post(writer, publish_qos("t", b"x", 2, 7));
    world.turns(50);
    let Packet::Publish(message) = publish_qos("t", b"x", 2, 7) else { unreachable!() };
    world.post(writer, Packet::Publish(Publish { dup: true, ..message }));
    let (turns, heard) = hears_after(&mut world, writer);
    assert_eq!((turns, heard), (DELAY - 50, vec!["PUBREC 7 10".to_owned(), "PUBREC 7".to_owned()]));
}

#[test]
fn a_duplicate_over_a_new_network_connection_is_not_answered_earlier_either() {
    let mut world = slow_world();
    let writer = settled(&mut world, kept("writer"));
    world.post(writer, publish_qos("t", b"x", 2, 7));
    world.turn();
    let back = world.dial(kept("writer"));
    world.post(back, publish_qos("t", b"x", 2, 7));
    let (turns, heard) = hears_after(&mut world, back);
    assert_eq!((turns, heard[0].as_str()), (DELAY, "CONNACK 00 present"));
    world.settle();
    assert_eq!([heard, world.hears(back)].concat()[1..], ["PUBREC 7"]);
}

#[test]
fn pubrel_of_a_receiver_that_is_kept() {
    let mut world = slow_world();
    let reader = settled(&mut world, kept("reader"));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = settled(&mut world, connect("writer"));
    world.send(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 'x'"]);
    world.post(reader, pubrec(1));
    hears_after_commit(&mut world, reader, &["PUBREL 1"]);
    world.send(reader, pubcomp(1));
    assert_eq!(world.counters().ledger.delivered, 1);
}

/// The PUBREC is durable before PUBREL leaves, also when its Network Connection ends in between.
#[test]
fn pubrel_over_a_new_network_connection_waits_as_well() {
    let mut world = slow_world();
    let reader = settled(&mut world, kept("reader"));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = settled(&mut world, connect("writer"));
    world.send(writer, publish_qos("t", b"x", 2, 1));
    world.post(reader, pubrec(1));
    world.turn();
    let back = world.dial(kept("reader"));
    let (turns, heard) = hears_after(&mut world, back);
    assert_eq!((turns, heard), (DELAY, vec!["CONNACK 00 present".to_owned(), "PUBREL 1".to_owned()]));
}

#[test]
fn whoever_is_not_kept_waits_for_nothing() {
    let mut world = slow_world();
    let client = world.dial(connect("client"));
    hears_at_once(&mut world, client, &["CONNACK 00"]);
    world.post(client, subscribe(1, &[("t", 2)]));
    hears_at_once(&mut world, client, &["SUBACK 1 [02]"]);
    world.post(client, publish_qos("t", b"x", 1, 1));
    hears_at_once(&mut world, client, &["PUBACK 1", "PUBLISH t q1 #1 'x'"]);
    world.post(client, puback(1));
    world.post(client, publish_qos("t", b"x", 2, 2));
    hears_at_once(&mut world, client, &["PUBREC 2", "PUBLISH t q2 #2 'x'"]);
    world.post(client, pubrec(2));
    world.post(client, pubrel(2));
    hears_at_once(&mut world, client, &["PUBREL 2", "PUBCOMP 2"]);
    world.post(client, unsubscribe(3, &["t"]));
    hears_at_once(&mut world, client, &["UNSUBACK 3 [00]"]);
}

#[test]
fn what_promises_nothing_is_answered_at_once() {
    let mut world = slow_world();
    let client = settled(&mut world, kept("client"));
    world.post(client, ping());
    hears_at_once(&mut world, client, &["PINGRESP"]);
    world.post(client, publish_qos("nobody", b"x", 1, 1));
    hears_at_once(&mut world, client, &["PUBACK 1 10"]);
    world.post(client, pubrel(9));
    hears_at_once(&mut world, client, &["PUBCOMP 9 92"]);
    world.post(client, unsubscribe(2, &["never"]));
    hears_at_once(&mut world, client, &["UNSUBACK 2 [11]"]);
}

/// A retained message is kept for later: with QoS 1 that is a promise.
#[test]
fn puback_for_a_retained_message() {
    let mut world = slow_world();
    let writer = settled(&mut world, connect("writer"));
    let Packet::Publish(message) = publish_qos("t", b"x", 1, 1) else { unreachable!() };
    world.post(writer, Packet::Publish(Publish { retain: true, ..message }));
    hears_after_commit(&mut world, writer, &["PUBACK 1 10"]);
}

#[test]
fn retained_messages_of_a_session_that_is_kept_come_behind_suback() {
    let mut world = slow_world();
    let writer = settled(&mut world, connect("writer"));
    world.send(writer, retain("t/0", b"x"));
    let Packet::Publish(message) = publish_qos("t/1", b"x", 1, 1) else { unreachable!() };
    world.send(writer, Packet::Publish(Publish { retain: true, ..message }));
    let reader = settled(&mut world, kept("reader"));
    world.post(reader, subscribe(1, &[("t/+", 1)]));
    let expected = ["SUBACK 1 [01]", "PUBLISH t/0 q0 retain 'x'", "PUBLISH t/1 q1 #1 retain 'x'"];
    hears_after_commit(&mut world, reader, &expected);
}

/// Replies leave in the order of what they answer, those that need not wait behind those that must.
#[test]
fn replies_keep_their_order() {
    let mut world = slow_world();
    let reader = settled(&mut world, kept("reader"));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = settled(&mut world, connect("writer"));
    world.post(writer, publish_qos("t", b"x", 1, 1));
    world.post(writer, publish_qos("nobody", b"x", 1, 2));
    world.turns(10);
    world.post(writer, publish_qos("t", b"x", 1, 3));
    let (turns, heard) = hears_after(&mut world, writer);
    assert_eq!((turns, heard), (DELAY - 10, vec!["PUBACK 1".to_owned(), "PUBACK 2 10".to_owned()]));
    let (turns, heard) = hears_after(&mut world, writer);
    assert_eq!((turns, heard), (9, vec!["PUBACK 3".to_owned()]));
    assert_eq!(world.counters().connects, 2, "each is counted once");
}

/// Message, receivers and mark of a QoS 2 PUBLISH are durable before any receiver sees it: else a publisher that sends it
/// again after a crash would bring it twice.
#[test]
fn no_receiver_sees_a_qos_2_message_before_its_mark_is_durable() {
    let mut world = slow_world();
    let reader = settled(&mut world, connect("reader"));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = settled(&mut world, kept("writer"));
    world.hush();
    world.post(writer, publish_qos("t", b"x", 2, 1));
    hears_after_commit(&mut world, reader, &["PUBLISH t q2 #1 'x'"]);
}

/// What a Session is promised keeps its order when the Session ceases to be kept while a commit is under way.
#[test]
fn messages_keep_their_order_when_a_session_ceases_to_be_kept() {
    let mut world = slow_world();
    let reader = settled(&mut world, kept("reader"));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = settled(&mut world, connect("writer"));
    world.post(writer, publish_qos("t", b"first", 1, 1));
    world.turn();
    let back = world.dial(connect("reader").kept(0));
    world.turn();
    world.post(writer, publish_qos("t", b"second", 1, 2));
    world.settle();
    assert_eq!(
        world.hears(back),
        ["CONNACK 00 present", "PUBLISH t q1 #1 'first'", "PUBLISH t q1 #2 'second'"]
    );
}

/// Clean Start ends a Session for good: were that forgotten in a crash, the Client would find it again.
#[test]
fn connack_that_ends_a_session_that_was_kept() {
    let mut world = slow_world();
    let old = settled(&mut world, kept("client"));
    world.cut(old);
    let new = world.dial(connect("client"));
    hears_after_commit(&mut world, new, &["CONNACK 00"]);
}

/// What waits for a commit is not overtaken by what need not wait any more. [MQTT-4.6.0-5]
#[test]
fn qos_2_messages_keep_their_order_when_the_last_kept_receiver_leaves() {
    let mut world = slow_world();
    let [keeping, volatile] = [kept("keeping"), connect("volatile")].map(|connecting| {
        let reader = world.join(connecting);
        world.send(reader, subscribe(1, &[("t", 2)]));
        reader
    });
    let writer = settled(&mut world, connect("writer"));
    world.post(writer, publish_qos("t", b"first", 2, 1));
    world.turn();
    world.post(keeping, unsubscribe(2, &["t"]));
    world.turn();
    world.post(writer, publish_qos("t", b"second", 2, 2));
    world.settle();
    assert_eq!(world.hears(volatile), ["PUBLISH t q2 #1 'first'", "PUBLISH t q2 #2 'second'"]);
    assert_eq!(world.hears(writer), ["PUBREC 1", "PUBREC 2"]);
}

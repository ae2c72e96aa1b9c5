//! UNSUBSCRIBE: what was asked for no longer comes, what was begun is brought to its end.

use martlet_packet::{Property, Version};
use martlet_simulator::{
    World, connect, puback, pubcomp, publish, publish_qos, pubrec, subscribe, unsubscribe,
};

/// [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-2.2.1-6]
#[test]
fn unsubscribe_is_answered_with_its_identifier_even_when_nothing_was_deleted() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for kept in [false, true] {
            let mut world = World::new();
            let connecting = connect("client").version(version);
            let client = world.join(if kept { connecting.kept(3600) } else { connecting });
            world.send(client, subscribe(1, &[("t", 0)]));
            world.hush();
            world.send(client, unsubscribe(513, &["t"]));
            world.send(client, unsubscribe(514, &["t"]));
            let (deleted, nothing) = if version.is_v5() { (" [00]", " [11]") } else { (" []", " []") };
            assert_eq!(
                world.hears(client),
                [format!("UNSUBACK 513{deleted}"), format!("UNSUBACK 514{nothing}")]
            );
        }
    }
}

/// [MQTT-3.10.4-1] [MQTT-3.10.4-2]
#[test]
fn only_the_very_same_filter_is_deleted() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let reader = world.join(connect("reader").kept(kept));
        world.send(reader, subscribe(1, &[("a/+", 1), ("a/#", 0)]));
        world.hush();
        world.send(reader, unsubscribe(2, &["a/b", "A/+", "a/+/", "+", "#", "$share/g/a/+"]));
        assert_eq!(world.hears(reader), ["UNSUBACK 2 [11 11 11 11 11 11]"]);
        let writer = world.join(connect("writer"));
        world.send(writer, publish_qos("a/b", b"both", 1, 1));
        world.send(reader, unsubscribe(3, &["a/+"]));
        world.send(writer, publish_qos("a/b", b"one", 1, 2));
        world.send(reader, unsubscribe(4, &["a/#"]));
        world.send(writer, publish_qos("a/b", b"none", 1, 3));
        let expected =
            ["PUBLISH a/b q1 #1 'both'", "UNSUBACK 3 [00]", "PUBLISH a/b q0 'one'", "UNSUBACK 4 [00]"];
        assert_eq!(world.hears(reader), expected);
    }
}

/// [MQTT-3.10.4-6] [MQTT-3.11.3-1]
#[test]
fn several_filters_are_answered_in_order_by_one_packet() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.send(client, subscribe(1, &[("a", 0), ("b", 0), ("c", 0)]));
    world.hush();
    world.send(client, unsubscribe(2, &["a", "x", "c", "a"]));
    assert_eq!(world.hears(client), ["UNSUBACK 2 [00 11 00 11]"]);
    for topic in ["a", "b", "c"] {
        world.send(client, publish(topic, b"x"));
    }
    assert_eq!(world.hears(client), ["PUBLISH b q0 'x'"]);
}

/// [MQTT-3.10.4-3]
#[test]
fn a_delivery_that_was_begun_is_completed() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"one", 1, 1));
    world.send(writer, publish_qos("t", b"two", 2, 2));
    world.send(reader, unsubscribe(2, &["t"]));
    world.hush();
    world.cut(reader);
    let back = world.join(connect("reader").kept(3600));
    let expected = ["CONNACK 00 present", "PUBLISH t q1 #1 dup 'one'", "PUBLISH t q2 #2 dup 'two'"];
    assert_eq!(world.hears(back), expected);
    world.send(back, puback(1));
    world.send(back, pubrec(2));
    assert_eq!(world.hears(back), ["PUBREL 2"]);
    world.send(back, pubcomp(2));
    assert_eq!(world.counters().ledger.delivered, 2);
}

/// §3.10.4: what is buffered may still be delivered; here it is.
#[test]
fn what_waits_for_a_free_place_in_flight_still_comes() {
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    (1..=2).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    world.send(reader, unsubscribe(2, &["t"]));
    world.hush();
    world.send(reader, puback(1));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #2 'x'"]);
}

/// The other way round a Session that is not there any more must not be found by a route.
#[test]
fn whoever_is_gone_is_not_routed_to() {
    let mut world = World::new();
    let readers = [connect("volatile"), connect("kept").kept(5)].map(|connecting| world.join(connecting));
    for reader in readers {
        world.send(reader, subscribe(1, &[("a/+", 1), ("a/b", 1), ("$share/g/a/b", 1)]));
        world.cut(reader);
    }
    world.pass(5);
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("a/b", b"x", 1, 1));
    assert_eq!(world.hears(writer), ["PUBACK 1 10"]);
    assert_eq!(world.counters().ledger.accepted, 0);
}

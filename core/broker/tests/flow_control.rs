//! Receive Maximum, both ways: it holds PUBLISH back and nothing else.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Property, QoS, ReasonCode, Version};
use martlet_record::MemoryJournal;
use martlet_simulator::{
    Client, World, connect, ping, puback, puback_of, pubcomp, publish, publish_qos, pubrec, pubrec_of,
    pubrel, subscribe, unsubscribe,
};

/// A world with a reader of "t" that takes `receive_maximum` at once, and a writer that published `count` Messages.
fn world_with_backlog(receive_maximum: u16, qos: u8, count: u16) -> (World, Client, Client) {
    let mut world = World::new();
    let connecting = connect("reader").kept(3600);
    let reader = world.join(connecting.with(&Property::ReceiveMaximum(receive_maximum)));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for id in 1..=count {
        world.send(writer, publish_qos("t", b"x", qos, id));
    }
    (world, reader, writer)
}

fn received(world: &mut World, reader: Client) -> usize {
    world.hears(reader).len()
}

/// [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-3.3.4-9]
#[test]
fn as_many_are_sent_as_the_client_takes_and_every_acknowledgement_makes_room_for_one() {
    let (mut world, reader, _) = world_with_backlog(3, 1, 10);
    assert_eq!(received(&mut world, reader), 3);
    world.send(reader, puback(2));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #4 'x'"]);
    world.send(reader, puback_of(1, ReasonCode::QuotaExceeded));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #5 'x'"]);
    world.send(reader, puback(2));
    world.send(reader, puback(99));
    assert!(world.hears(reader).is_empty(), "an acknowledgement of nothing makes no room");
}

/// [MQTT-4.9.0-2]
#[test]
fn a_qos_2_message_takes_its_place_until_pubcomp_or_a_pubrec_that_refuses() {
    let (mut world, reader, _) = world_with_backlog(1, 2, 5);
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 'x'"]);
    world.send(reader, pubrec(1));
    assert_eq!(world.hears(reader), ["PUBREL 1"]);
    world.send(reader, pubcomp(1));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #2 'x'"]);
    world.send(reader, pubrec_of(2, ReasonCode::QuotaExceeded));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #3 'x'"]);
}

/// [MQTT-4.9.0-3] [MQTT-3.3.4-10]
#[test]
fn at_the_limit_everything_but_a_publish_with_an_identifier_goes_on() {
    let (mut world, reader, writer) = world_with_backlog(1, 1, 5);
    world.hush();
    world.send(reader, ping());
    world.send(reader, subscribe(2, &[("u", 0)]));
    world.send(reader, unsubscribe(3, &["v"]));
    world.send(reader, publish_qos("w", b"x", 1, 4));
    world.send(reader, publish_qos("w", b"x", 2, 5));
    world.send(reader, pubrel(5));
    world.send(writer, publish("u", b"QoS 0"));
    let answers = ["PINGRESP", "SUBACK 2 [00]", "UNSUBACK 3 [11]", "PUBACK 4 10", "PUBREC 5 10", "PUBCOMP 5"];
    let expected: Vec<_> = answers.into_iter().chain(["PUBLISH u q0 'QoS 0'"]).collect();
    assert_eq!(world.hears(reader), expected);
}

/// [MQTT-3.3.4-10]
#[test]
fn a_pubrel_does_not_wait_for_room() {
    let (mut world, reader, _) = world_with_backlog(3, 2, 3);
    world.send(reader, pubrec(3));
    world.cut(reader);
    let back = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    let mut heard = world.hears(back);
    heard.sort();
    assert_eq!(heard, ["CONNACK 00 present", "PUBLISH t q2 #1 dup 'x'", "PUBREL 3"]);
    world.send(back, pubcomp(3));
    assert!(world.hears(back).is_empty(), "the first still takes the only place");
    world.send(back, pubrec(1));
    world.send(back, pubcomp(1));
    assert_eq!(world.hears(back), ["PUBREL 1", "PUBLISH t q2 #2 dup 'x'"]);
}

/// [MQTT-4.3.3-5] [MQTT-4.4.0-1]
#[test]
fn a_pubrel_that_went_ahead_comes_once_for_each_network_connection() {
    let (mut world, reader, writer) = world_with_backlog(3, 2, 3);
    world.send(reader, pubrec(3));
    world.cut(reader);
    let back = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.hush();
    world.send(writer, publish_qos("t", b"x", 2, 4));
    world.send(back, pubrec(1));
    world.send(back, pubcomp(1));
    assert_eq!(world.hears(back), ["PUBREL 1"], "what is not completed takes its place");
    world.send(back, pubcomp(3));
    assert_eq!(world.hears(back), ["PUBLISH t q2 #2 dup 'x'"]);
    world.send(back, pubrec(2));
    world.send(back, pubcomp(2));
    assert_eq!(world.hears(back), ["PUBREL 2", "PUBLISH t q2 #4 'x'"]);
}

/// [MQTT-4.9.0-1]
#[test]
fn the_quota_begins_anew_with_every_network_connection() {
    let (mut world, reader, _) = world_with_backlog(2, 1, 10);
    assert_eq!(received(&mut world, reader), 2);
    for (receive_maximum, dup) in [(5, 2), (3, 3), (1, 1)] {
        world.cut(reader);
        let back = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(receive_maximum)));
        let heard = world.hears(back);
        assert_eq!(heard.len(), 1 + usize::from(receive_maximum), "{heard:?}");
        assert_eq!(heard.iter().filter(|line| line.contains("dup")).count(), dup);
        world.cut(back);
    }
}

/// [MQTT-4.9.0-1]
#[test]
fn a_client_that_does_not_say_takes_what_the_node_sends_at_once() {
    for (version, at_once) in [(Version::V3_1_1, 3), (Version::V5, 3)] {
        let mut settings = Settings::new(Dialect::NATIVE);
        settings.send.in_flight = 3;
        let mut world = World::with(settings);
        let reader = world.join(connect("reader").version(version));
        world.send(reader, subscribe(1, &[("t", 1)]));
        let writer = world.join(connect("writer"));
        world.hush();
        (1..=10).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
        assert_eq!(received(&mut world, reader), at_once);
    }
}

/// [MQTT-3.3.4-7]
#[test]
fn a_client_that_exceeds_the_nodes_receive_maximum_is_sent_away() {
    let settings = Settings { receive_maximum: 2, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    assert!(world.hears_in_full(client).concat().contains("ReceiveMaximum(2)"));
    world.send(client, publish_qos("t", b"x", 2, 1));
    world.send(client, publish_qos("t", b"x", 2, 2));
    world.send(client, publish("t", b"x"));
    world.send(client, publish_qos("t", b"x", 2, 2));
    assert_eq!(world.hears(client), ["PUBREC 1 10", "PUBREC 2 10", "PUBREC 2"], "none of these was one more");
    world.send(client, pubrel(1));
    world.send(client, publish_qos("t", b"x", 2, 3));
    assert_eq!(world.hears(client), ["PUBCOMP 1", "PUBREC 3 10"]);
    world.send(client, publish_qos("t", b"x", 1, 4));
    assert_eq!(world.hears(client), ["DISCONNECT 93", "closed"]);
}

/// [MQTT-3.3.4-7]
#[test]
fn a_qos_1_publish_counts_until_its_puback_has_left() {
    let settings = Settings { receive_maximum: 2, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with_journal(settings, MemoryJournal::with_delay(5));
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let client = world.join(connect("client"));
    world.hush();
    for round in [1, 3] {
        world.post(client, publish_qos("t", b"x", 1, round));
        world.post(client, publish_qos("t", b"x", 1, round + 1));
        world.settle();
        assert_eq!(world.hears(client), [format!("PUBACK {round}"), format!("PUBACK {}", round + 1)]);
    }
    for id in 5..=7 {
        world.post(client, publish_qos("t", b"x", 1, id));
    }
    world.settle();
    assert_eq!(world.hears(client), ["DISCONNECT 93", "closed"]);
}

/// MQTT 3 knows no Receive Maximum.
#[test]
fn a_client_of_mqtt_3_is_not_held_to_what_it_was_not_told() {
    let settings = Settings { receive_maximum: 1, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client").version(Version::V3_1_1));
    world.hush();
    (1..=3).for_each(|id| world.send(client, publish_qos("t", b"x", 2, id)));
    assert_eq!(world.hears(client), ["PUBREC 1", "PUBREC 2", "PUBREC 3"]);
}

/// [MQTT-4.3.1-1]
#[test]
fn qos_0_needs_no_room_in_flight() {
    let (mut world, reader, writer) = world_with_backlog(1, 1, 3);
    world.hush();
    world.send(writer, publish_qos("t", b"at once", u8::from(QoS::AtMostOnce), 0));
    assert_eq!(world.hears(reader), ["PUBLISH t q0 'at once'"]);
}

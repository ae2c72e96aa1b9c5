//! Keep Alive: silence for one and a half times, and what a socket that takes nothing has to do with it.

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{QoS, Version};
use martlet_simulator::{Client, World, connect, ping, puback, publish, publish_qos, subscribe};

/// Why the node ended a Network Connection, as its log says.
fn reason(world: &mut World) -> Option<String> {
    world.notices().into_iter().find_map(|notice| match notice {
        Notice::Disconnected { why, .. } => Some(why.text.into_owned()),
        _ => None,
    })
}

/// [MQTT-3.1.2-22]
#[test]
fn a_silent_client_is_given_up_after_one_and_a_half_keep_alives() {
    for (version, last) in
        [(Version::V3_1, None), (Version::V3_1_1, None), (Version::V5, Some("DISCONNECT 8d"))]
    {
        let mut world = World::new();
        let client = world.join(connect("client").version(version).keep_alive(7));
        world.hush();
        world.pass_millis(10_499);
        assert!(world.hears(client).is_empty());
        world.pass_millis(1);
        assert_eq!(world.hears(client), last.into_iter().chain(["closed"]).collect::<Vec<_>>());
    }
}

/// [MQTT-3.1.2-22]
#[test]
fn any_packet_is_a_sign_of_life() {
    let mut world = World::new();
    let client = world.join(connect("client").keep_alive(10));
    for packet in [ping(), publish("t", b"x"), subscribe(1, &[("u", 0)]), puback(9)] {
        world.pass_millis(14_999);
        world.send(client, packet);
        assert!(!world.is_closed(client));
    }
    world.pass(15);
    assert!(world.is_closed(client));
}

/// [MQTT-3.1.2-22]
#[test]
fn a_keep_alive_of_zero_is_none() {
    let mut world = World::new();
    let client = world.join(connect("client").keep_alive(0));
    world.pass(1_000_000);
    world.hush();
    world.send(client, ping());
    assert_eq!(world.hears(client), ["PINGRESP"]);
}

/// What is sent to a Client is no sign of its life.
#[test]
fn bytes_sent_are_no_sign_of_life() {
    let mut world = World::new();
    let reader = world.join(connect("reader").keep_alive(10));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer").keep_alive(0));
    for _ in 0..3 {
        world.pass(5);
        world.send(writer, publish("t", b"x"));
    }
    assert!(world.is_closed(reader));
    assert!(reason(&mut world).expect("it is told").contains("1.5 times the Keep Alive of 10 s"));
}

/// A reader whose socket takes nothing while a PUBLISH of 8 bytes waits for it.
fn blocked_reader(settings: Settings) -> (World, Client) {
    let mut world = World::with(settings);
    let reader = world.join(connect("reader").keep_alive(10));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer").keep_alive(0));
    world.hush();
    world.deafen(reader);
    // Two bytes of fixed header, three of Topic Name, one of Property Length, two of payload.
    world.send(writer, publish("t", b"xx"));
    (world, reader)
}

#[test]
fn a_socket_that_took_nothing_for_as_long_is_the_stated_reason() {
    let (mut world, reader) = blocked_reader(Settings::new(Dialect::NATIVE));
    world.pass(15);
    assert!(world.is_closed(reader));
    assert_eq!(reason(&mut world).as_deref(), Some("send queue blocked, 8 bytes waiting"));
}

#[test]
fn a_socket_that_was_blocked_for_less_is_not() {
    let mut world = World::new();
    let reader = world.join(connect("reader").keep_alive(10));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer").keep_alive(0));
    world.pass(1);
    world.deafen(reader);
    world.send(writer, publish("t", b"xx"));
    world.pass(14);
    assert!(reason(&mut world).expect("it is told").contains("Keep Alive"));
}

#[test]
fn bytes_taken_are_a_sign_of_life_only_where_that_is_turned_on() {
    for taking_is_life in [false, true] {
        let settings = Settings { taking_is_life, ..Settings::new(Dialect::NATIVE) };
        let (mut world, reader) = blocked_reader(settings);
        world.pass(14);
        world.take(reader, 1);
        world.pass(1);
        assert_eq!(world.is_closed(reader), !taking_is_life);
        world.pass(14);
        assert!(world.is_closed(reader), "that byte was long ago");
    }
}

/// Timers of a Client that comes and goes do not add up to an early end.
#[test]
fn the_keep_alive_of_an_earlier_network_connection_means_nothing() {
    let mut world = World::new();
    let first = world.join(connect("client").kept(3600).keep_alive(4));
    world.pass(5);
    world.cut(first);
    let second = world.join(connect("client").kept(3600).keep_alive(100));
    world.pass(149);
    assert!(!world.is_closed(second));
    world.pass(1);
    assert!(world.is_closed(second));
}

/// [MQTT-3.1.2-22] [MQTT-3.1.2-8]
#[test]
fn it_is_as_if_the_network_had_failed() {
    let mut world = World::new();
    let reader = world.join(connect("reader").keep_alive(0));
    world.send(reader, subscribe(1, &[("#", 1)]));
    let connecting = || connect("silent").kept(3600).keep_alive(10);
    let silent = world.join(connecting().will("will", b"gone", QoS::AtMostOnce, false, 0));
    world.send(silent, subscribe(1, &[("t", 1)]));
    world.hush();
    world.pass(15);
    assert_eq!(world.hears(reader), ["PUBLISH will q0 'gone'"]);
    world.send(reader, publish_qos("t", b"x", 1, 1));
    let back = world.join(connecting());
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #1 'x'"]);
}

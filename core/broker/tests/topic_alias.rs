//! Topic Aliases, both ways: they save bytes and change nothing else.

use martlet_packet::{Packet, Property, Publish};
use martlet_simulator::{World, connect, puback, publish, publish_qos, subscribe};

fn aliased(topic: &'static str, alias: u16) -> Packet<'static> {
    Packet::Publish(Publish { topic_alias: Some(alias), ..Publish::new(topic, b"x") })
}

/// [MQTT-3.3.2-12]
#[test]
fn every_alias_up_to_the_maximum_is_taken_and_may_be_set_anew() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("#", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for alias in 1..=64 {
        world.send(writer, aliased("a", alias));
        world.send(writer, aliased("", alias));
        world.send(writer, aliased("b", alias));
        world.send(writer, aliased("", alias));
        let expected = ["PUBLISH a q0 'x'", "PUBLISH a q0 'x'", "PUBLISH b q0 'x'", "PUBLISH b q0 'x'"];
        assert_eq!(world.hears(reader), expected, "alias {alias}");
    }
    assert!(world.hears(writer).is_empty());
}

/// [MQTT-3.3.2-7]
#[test]
fn an_alias_ends_with_its_network_connection_even_if_the_session_goes_on() {
    let mut world = World::new();
    let writer = world.join(connect("writer").kept(3600));
    world.send(writer, aliased("t", 1));
    world.cut(writer);
    let back = world.join(connect("writer").kept(3600));
    assert_eq!(world.hears(back), ["CONNACK 00 present"]);
    world.send(back, aliased("", 1));
    assert_eq!(world.hears(back), ["DISCONNECT 82", "closed"]);
}

/// [MQTT-3.3.2-7]
#[test]
fn the_nodes_aliases_end_with_their_network_connection_too() {
    let mut world = World::new();
    let connecting = || connect("reader").kept(3600).with(&Property::TopicAliasMaximum(5));
    let reader = world.join(connecting());
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    (1..=2).for_each(|id| world.send(writer, publish_qos("t", b"x", 1, id)));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 alias=1 'x'", "PUBLISH  q1 #2 alias=1 'x'"]);
    world.send(reader, puback(1));
    world.cut(reader);
    let back = world.join(connecting());
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #2 dup alias=1 'x'"]);
}

/// [MQTT-3.1.2-26] [MQTT-3.3.2-11]
#[test]
fn the_node_gives_no_more_aliases_than_the_client_takes() {
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::TopicAliasMaximum(2)));
    world.send(reader, subscribe(1, &[("#", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for topic in ["a", "b", "c", "c", "b", "a"] {
        world.send(writer, publish(topic, b"x"));
    }
    let expected = [
        "PUBLISH a q0 alias=1 'x'",
        "PUBLISH b q0 alias=2 'x'",
        "PUBLISH c q0 'x'",
        "PUBLISH c q0 'x'",
        "PUBLISH  q0 alias=2 'x'",
        "PUBLISH  q0 alias=1 'x'",
    ];
    assert_eq!(world.hears(reader), expected);
}

/// [MQTT-3.1.2-27]
#[test]
fn a_client_that_takes_none_is_sent_none() {
    for maximum in [None, Some(0)] {
        let mut world = World::new();
        let connecting = connect("reader");
        let reader = world.join(match maximum {
            Some(maximum) => connecting.with(&Property::TopicAliasMaximum(maximum)),
            None => connecting,
        });
        world.send(reader, subscribe(1, &[("t", 0)]));
        let writer = world.join(connect("writer"));
        world.hush();
        (0..2).for_each(|_| world.send(writer, publish("t", b"x")));
        assert_eq!(world.hears(reader), ["PUBLISH t q0 'x'", "PUBLISH t q0 'x'"]);
    }
}

#[test]
fn a_publishers_alias_is_not_handed_on() {
    let mut world = World::new();
    let taking = world.join(connect("taking").with(&Property::TopicAliasMaximum(9)));
    let not_taking = world.join(connect("not taking"));
    for reader in [taking, not_taking] {
        world.send(reader, subscribe(1, &[("t", 0)]));
    }
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, aliased("t", 33));
    assert_eq!(world.hears(taking), ["PUBLISH t q0 alias=1 'x'"]);
    assert_eq!(world.hears(not_taking), ["PUBLISH t q0 'x'"]);
}

/// A Message that is skipped for its size must not leave an alias behind that its Client never heard of.
#[test]
fn an_alias_is_set_by_a_packet_that_is_sent() {
    let mut world = World::new();
    let taking = [Property::TopicAliasMaximum(9), Property::MaximumPacketSize(40)];
    let reader = world.join(connect("reader").with(&taking[0]).with(&taking[1]));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish("t", &[b'x'; 100]));
    world.send(writer, publish("t", b"x"));
    assert_eq!(world.hears(reader), ["PUBLISH t q0 alias=1 'x'"]);
}

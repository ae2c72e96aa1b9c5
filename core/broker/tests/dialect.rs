//! The dialects side by side: where Martlet follows the specification, and where it answers as Mosquitto 2.0 does.
//!
//! Bytes of the Mosquitto dialect are written as Mosquitto's own broker tests write them, field by field.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, QoS, Version};
use martlet_simulator::{
    Client, World, block, connect, options, publish, publish_qos, pubrec, pubrel, subscribe, subscribe_with,
};

fn mosquitto() -> World {
    World::with(Settings::new(Dialect::MOSQUITTO))
}

/// A Client that was heard out.
fn settled(world: &mut World, id: &str) -> Client {
    let client = world.join(connect(id));
    world.hush();
    client
}

#[test]
fn a_dialect_is_found_by_its_name() {
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO, Dialect::MOSQUITTO_1] {
        assert_eq!(Dialect::named(dialect.name), Some(dialect));
    }
    assert_eq!(Dialect::named("Mosquitto"), None);
}

#[test]
fn mosquittos_connack_is_topic_alias_maximum_10_and_receive_maximum_20() {
    let mut world = mosquitto();
    let client = world.join(connect("client"));
    let topic_alias_maximum = [0x22, 0, 10];
    let receive_maximum = [0x21, 0, 20];
    let head = [0x20, 9, 0, 0, 6];
    assert_eq!(world.hears_bytes(client), [&head[..], &topic_alias_maximum, &receive_maximum].concat());
}

#[test]
fn mosquittos_connack_has_its_properties_in_their_order() {
    let settings = Settings {
        keep_alive_max: Some(30),
        retain_available: false,
        maximum_packet_size: 1000,
        maximum_qos: QoS::AtLeastOnce,
        ..Settings::new(Dialect::MOSQUITTO)
    };
    let mut world = World::with(settings);
    let client = world.join(connect(""));
    let expected = concat!(
        "CONNACK 00 {ServerKeepAlive(30), TopicAliasMaximum(10), ",
        r#"AssignedClientIdentifier("auto-00000000-0000-0000-0000-000000000000"), "#,
        "RetainAvailable(false), MaximumPacketSize(1000), ReceiveMaximum(20), MaximumQoS(AtLeastOnce)}"
    );
    assert_eq!(world.hears_in_full(client), [expected]);
}

#[test]
fn mosquitto_keeps_no_session_nobody_asked_to_keep() {
    let mut world = mosquitto();
    let client = world.join(connect("client").resuming());
    assert_eq!(world.hears(client), ["CONNACK 00"]);
    world.cut(client);
    assert_eq!(world.counters().sessions, 0);
}

#[test]
fn mosquittos_refusals_and_goodbyes_have_no_words() {
    let mut world = mosquitto();
    let refused = world.join(connect("refused").with(&Property::AuthenticationMethod("unknown")));
    assert_eq!(world.hears_bytes(refused), [0x20, 3, 0, 0x8c, 0]);
    let rude = settled(&mut world, "rude");
    world.connect_again(rude, connect("rude"));
    assert_eq!(world.hears_bytes(rude), [0xe0, 1, 0x82]);
}

#[test]
fn a_take_over_is_told_in_both() {
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO] {
        let mut world = World::with(Settings::new(dialect));
        let old = settled(&mut world, "client");
        world.join(connect("client"));
        assert_eq!(world.hears(old), ["DISCONNECT 8e", "closed"], "{}", dialect.name);
    }
}

#[test]
fn mosquittos_acknowledgements_are_short() {
    let mut world = mosquitto();
    let client = settled(&mut world, "client");
    world.send(client, subscribe(1, &[("t", 0)]));
    world.hush();
    world.send(client, publish_qos("nobody", b"x", 1, 1));
    world.send(client, publish_qos("nobody", b"x", 2, 2));
    world.send(client, pubrel(2));
    world.send(client, pubrel(9));
    world.send(client, pubrec(9));
    let puback_no_subscriber = [0x40, 3, 0, 1, 0x10];
    let (pubrec, pubcomp) = ([0x50, 2, 0, 2], [0x70, 2, 0, 2]);
    let (pubcomp_unknown, pubrel_unknown) = ([0x70, 2, 0, 9], [0x62, 2, 0, 9]);
    let expected = [&puback_no_subscriber[..], &pubrec, &pubcomp, &pubcomp_unknown, &pubrel_unknown].concat();
    assert_eq!(world.hears_bytes(client), expected);
}

/// Subscription Identifiers, then the publisher's own in their order, the expiry last.
#[test]
fn forwarded_properties_have_their_order_in_both() {
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO] {
        let mut world = World::with(Settings::new(dialect));
        let client = settled(&mut world, "client");
        world.send(client, subscribe_with(1, &[("t", options(0))], Some(5)));
        world.hush();
        let properties = block(&[Property::UserProperty("a", "b"), Property::ContentType("c")]);
        let properties = properties.as_properties();
        let message = Publish { message_expiry: Some(60), properties, ..Publish::new("t", b"x") };
        world.send(client, Packet::Publish(message));
        let subscription_id = [0x0b, 5];
        let user_property = [0x26, 0, 1, b'a', 0, 1, b'b'];
        let content_type = [0x03, 0, 1, b'c'];
        let expiry = [0x02, 0, 0, 0, 60];
        let block = [&subscription_id[..], &user_property, &content_type, &expiry].concat();
        let head = [0x30, 23, 0, 1, b't', 18];
        assert_eq!(world.hears_bytes(client), [&head[..], &block, b"x"].concat());
    }
}

#[test]
fn overlapping_subscriptions_bring_one_copy_or_one_each() {
    let expected = |dialect: Dialect| match dialect {
        Dialect::NATIVE => vec!["PUBLISH a/b q1 #1 'x'"],
        _ => vec!["PUBLISH a/b q0 'x'", "PUBLISH a/b q1 #1 'x'"],
    };
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO] {
        let mut world = World::with(Settings::new(dialect));
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("a/+", 0), ("a/b", 1)]));
        let writer = settled(&mut world, "writer");
        world.send(writer, publish_qos("a/b", b"x", 1, 1));
        let mut heard = world.hears(reader);
        heard.sort();
        assert_eq!(heard, expected(dialect), "{}", dialect.name);
    }
}

/// Mosquitto does not count the first byte of a packet.
#[test]
fn a_packet_one_byte_above_the_clients_maximum_is_sent_by_mosquitto_alone() {
    for (dialect, most) in [(Dialect::NATIVE, 40), (Dialect::MOSQUITTO, 41)] {
        // Two bytes of fixed header, three of Topic Name, one of Property Length.
        for (payload, is_sent) in [(most - 6, true), (most - 5, false)] {
            let mut world = World::with(Settings::new(dialect));
            let reader = world.join(connect("reader").with(&Property::MaximumPacketSize(40)));
            world.send(reader, subscribe(1, &[("t", 0)]));
            let writer = settled(&mut world, "writer");
            world.send(writer, publish("t", &vec![b'x'; payload]));
            assert_eq!(!world.hears(reader).is_empty(), is_sent, "{} {payload}", dialect.name);
        }
    }
}

#[test]
fn mosquitto_gives_no_topic_aliases() {
    let mut world = mosquitto();
    let reader = world.join(connect("reader").with(&Property::TopicAliasMaximum(10)));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = settled(&mut world, "writer");
    (0..2).for_each(|_| world.send(writer, publish("t", b"x")));
    assert_eq!(world.hears(reader), ["PUBLISH t q0 'x'"; 2]);
}

#[test]
fn a_publish_too_many_is_refused_by_mosquitto_and_a_violation_by_the_book() {
    for (dialect, expected) in [
        (Dialect::NATIVE, vec!["PUBREC 1", "DISCONNECT 93", "closed"]),
        (Dialect::MOSQUITTO, vec!["PUBREC 1", "PUBREC 2 97"]),
    ] {
        let mut world = World::with(Settings { receive_maximum: 1, ..Settings::new(dialect) });
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("t", 0)]));
        let client = settled(&mut world, "client");
        (1..=2).for_each(|id| world.send(client, publish_qos("t", b"x", 2, id)));
        assert_eq!(world.hears(client), expected, "{}", dialect.name);
        assert_eq!(world.hears(reader).len(), 1);
    }
}

#[test]
fn a_bad_topic_is_named_by_the_book_and_malformed_for_mosquitto() {
    for (dialect, filter, name) in [
        (Dialect::NATIVE, vec!["SUBACK 1 [8f]"], vec!["DISCONNECT 90", "closed"]),
        (Dialect::MOSQUITTO, vec!["DISCONNECT 81", "closed"], vec!["DISCONNECT 81", "closed"]),
    ] {
        let mut world = World::with(Settings::new(dialect));
        let subscriber = settled(&mut world, "subscriber");
        world.send(subscriber, subscribe(1, &[("a/#/b", 0)]));
        assert_eq!(world.hears(subscriber), filter, "{}", dialect.name);
        let publisher = settled(&mut world, "publisher");
        world.send(publisher, publish(&"/".repeat(300), b"x"));
        assert_eq!(world.hears(publisher), name, "{}", dialect.name);
    }
}

/// [MQTT-4.3.3-10]
#[test]
fn a_qos_2_publish_may_come_again_as_often_as_it_likes_but_not_to_mosquitto() {
    for (dialect, expected) in [
        (Dialect::NATIVE, vec!["PUBREC 1", "PUBREC 1", "PUBREC 1"]),
        (Dialect::MOSQUITTO, vec!["PUBREC 1", "PUBREC 1", "DISCONNECT 82", "closed"]),
    ] {
        let mut world = World::with(Settings::new(dialect));
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("t", 0)]));
        let client = settled(&mut world, "client");
        world.hush();
        (0..3).for_each(|_| world.send(client, publish_qos("t", b"x", 2, 1)));
        assert_eq!(world.hears(client), expected, "{}", dialect.name);
        assert_eq!(world.hears(reader).len(), 1);
    }
}

#[test]
fn a_subscription_identifier_from_a_client_is_a_violation_by_the_book_and_nothing_to_mosquitto() {
    for (dialect, heard) in [(Dialect::NATIVE, vec!["DISCONNECT 82", "closed"]), (Dialect::MOSQUITTO, vec![])]
    {
        let mut world = World::with(Settings::new(dialect));
        let client = settled(&mut world, "client");
        let message = Publish { subscription_ids: (&[1][..]).into(), ..Publish::new("t", b"x") };
        world.send(client, Packet::Publish(message));
        assert_eq!(world.hears(client), heard, "{}", dialect.name);
    }
}

/// How a delayed Will fares, by what happens to its Client. [MQTT-3.1.2-8] [MQTT-3.1.3-9]
#[test]
fn a_delayed_will_outlasts_its_session_with_mosquitto_alone() {
    for (dialect, at_once) in [(Dialect::NATIVE, 1), (Dialect::MOSQUITTO, 0)] {
        let mut world = World::with(Settings::new(dialect));
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("will", 0)]));
        let mortal = world.join(connect("mortal").will("will", b"gone", QoS::AtMostOnce, false, 3));
        world.hush();
        world.cut(mortal);
        assert_eq!(world.hears(reader).len(), at_once, "{}", dialect.name);
        world.pass(3);
        assert_eq!(world.hears(reader).len(), 1 - at_once, "{}", dialect.name);
    }
}

#[test]
fn clean_start_discards_a_delayed_will_with_mosquitto_alone() {
    for (dialect, published) in [(Dialect::NATIVE, 1), (Dialect::MOSQUITTO, 0)] {
        let mut world = World::with(Settings::new(dialect));
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("will", 0)]));
        let mortal = connect("mortal").kept(100).will("will", b"gone", QoS::AtMostOnce, false, 3);
        let mortal = world.join(mortal);
        world.cut(mortal);
        world.hush();
        world.join(connect("mortal"));
        world.pass(50);
        assert_eq!(world.hears(reader).len(), published, "{}", dialect.name);
    }
}

#[test]
fn a_take_over_discards_the_will_of_a_session_that_goes_on_with_mosquitto_alone() {
    for (dialect, kept, goes_on, published) in [
        (Dialect::NATIVE, 100, true, 1),
        (Dialect::MOSQUITTO, 100, true, 0),
        (Dialect::MOSQUITTO, 100, false, 1),
        (Dialect::MOSQUITTO, 0, true, 1),
    ] {
        let mut world = World::with(Settings::new(dialect));
        let reader = settled(&mut world, "reader");
        world.send(reader, subscribe(1, &[("will", 0)]));
        let mortal = || connect("mortal").kept(kept);
        world.join(mortal().will("will", b"gone", QoS::AtMostOnce, false, 0));
        world.hush();
        world.join(if goes_on { mortal() } else { connect("mortal") });
        assert_eq!(world.hears(reader).len(), published, "{} {kept} {goes_on}", dialect.name);
    }
}

#[test]
fn a_client_of_mqtt_3_that_is_refused_is_closed_with_its_return_code() {
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO] {
        let mut world = World::with(Settings::new(dialect));
        let client = world.join(connect("").version(Version::V3_1_1).resuming());
        assert_eq!(world.hears_bytes(client), [0x20, 2, 0, 2]);
        assert!(world.is_closed(client));
    }
}

/// Whatever the dialect: a Will that would control the node ends the Network Connection without CONNACK.
#[test]
fn a_will_on_control_topics_is_not_even_answered() {
    for dialect in [Dialect::NATIVE, Dialect::MOSQUITTO] {
        let mut world = World::with(Settings::new(dialect));
        let client = world.join(connect("client").will("$CONTROL/x/v1", b"x", QoS::AtMostOnce, false, 0));
        assert_eq!(world.hears(client), ["closed"], "{}", dialect.name);
    }
}

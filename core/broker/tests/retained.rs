//! Retained messages: one for each Topic Name, for whoever subscribes later.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, RetainHandling, SubscriptionOptions, Version};
use martlet_simulator::{
    Client, World, block, connect, options, publish, publish_qos, retain, subscribe, subscribe_with,
    unsubscribe,
};

/// A world with a writer that retained "on" under "state".
fn world_with_state() -> (World, Client) {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    world.send(writer, retain("state", b"on"));
    (world, writer)
}

/// What a new subscriber of everything hears after its SUBACK.
fn kept(world: &mut World) -> Vec<String> {
    let reader = world.join(connect("looks once"));
    world.send(reader, subscribe(1, &[("#", 2)]));
    let heard = world.hears(reader);
    world.cut(reader);
    heard[2..].to_vec()
}

/// [MQTT-3.3.1-5]
#[test]
fn the_last_one_is_kept_whatever_its_qos() {
    let (mut world, writer) = world_with_state();
    for qos in [2, 1, 0] {
        let Packet::Publish(message) = publish_qos("state", b"newer", qos, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { retain: true, ..message }));
        let id = if qos == 0 { "" } else { " #1" };
        assert_eq!(kept(&mut world), [format!("PUBLISH state q{qos}{id} retain 'newer'")]);
    }
}

/// [MQTT-3.3.1-6] [MQTT-3.3.1-7]
#[test]
fn an_empty_one_deletes_it_and_is_never_kept_itself() {
    let (mut world, writer) = world_with_state();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("state", 0)]));
    world.hush();
    world.send(writer, retain("state", b""));
    world.send(writer, retain("another", b""));
    assert_eq!(world.hears(reader), ["PUBLISH state q0 ''"], "those who are there hear of it");
    assert!(kept(&mut world).is_empty());
    assert!(world.node.retained.is_empty());
}

/// [MQTT-3.3.1-8]
#[test]
fn without_retain_nothing_is_kept_and_nothing_is_touched() {
    let (mut world, writer) = world_with_state();
    world.send(writer, publish("state", b"off"));
    world.send(writer, publish("state", b""));
    world.send(writer, publish("another", b"x"));
    assert_eq!(kept(&mut world), ["PUBLISH state q0 retain 'on'"]);
}

/// [MQTT-3.3.1-9] [3.1.1 MQTT-3.3.1-8]
#[test]
fn every_subscribe_brings_them_with_retain_set() {
    for (version, kept) in [(Version::V3_1, 0), (Version::V3_1_1, 0), (Version::V5, 0), (Version::V5, 3600)] {
        let (mut world, writer) = world_with_state();
        world.send(writer, retain("other/state", b"off"));
        let connecting = connect("reader").version(version);
        let reader = world.join(if kept > 0 { connecting.kept(kept) } else { connecting });
        world.hush();
        for id in [1, 2] {
            world.send(reader, subscribe(id, &[("state", 1)]));
            let expected = [format!("SUBACK {id} [01]"), "PUBLISH state q0 retain 'on'".into()];
            assert_eq!(world.hears(reader), expected, "{version:?}");
        }
        world.send(reader, subscribe(3, &[("+/state", 1)]));
        assert_eq!(world.hears(reader), ["SUBACK 3 [01]", "PUBLISH other/state q0 retain 'off'"]);
    }
}

/// [MQTT-3.8.4-8]
#[test]
fn they_come_with_the_lower_qos() {
    for (published, granted, heard) in
        [(0, 2, "q0"), (1, 2, "q1 #1"), (2, 2, "q2 #1"), (2, 1, "q1 #1"), (2, 0, "q0")]
    {
        for kept in [0, 3600] {
            let mut world = World::new();
            let writer = world.join(connect("writer"));
            let Packet::Publish(message) = publish_qos("t", b"x", published, 1) else { unreachable!() };
            world.send(writer, Packet::Publish(Publish { retain: true, ..message }));
            let reader = world.join(connect("reader").kept(kept));
            world.hush();
            world.send(reader, subscribe(1, &[("t", granted)]));
            assert_eq!(world.hears(reader)[1], format!("PUBLISH t {heard} retain 'x'"));
        }
    }
}

/// [MQTT-3.3.1-10]
#[test]
fn retain_handling_1_brings_them_to_a_new_subscription_only() {
    let (mut world, _) = world_with_state();
    let reader = world.join(connect("reader").kept(3600));
    let if_new = SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..options(1) };
    world.hush();
    world.send(reader, subscribe_with(1, &[("state", if_new)], None));
    assert_eq!(world.hears(reader), ["SUBACK 1 [01]", "PUBLISH state q0 retain 'on'"]);
    world.send(reader, subscribe_with(2, &[("state", if_new)], None));
    assert_eq!(world.hears(reader), ["SUBACK 2 [01]"]);
    world.cut(reader);
    let back = world.join(connect("reader").kept(3600));
    world.send(back, subscribe_with(3, &[("state", if_new)], None));
    assert_eq!(world.hears(back), ["CONNACK 00 present", "SUBACK 3 [01]"], "it was there all the time");
    world.send(back, unsubscribe(4, &["state"]));
    world.send(back, subscribe_with(5, &[("state", if_new)], None));
    let expected = ["UNSUBACK 4 [00]", "SUBACK 5 [01]", "PUBLISH state q0 retain 'on'"];
    assert_eq!(world.hears(back), expected);
}

/// [MQTT-3.3.1-11]
#[test]
fn retain_handling_2_brings_none() {
    let (mut world, writer) = world_with_state();
    let reader = world.join(connect("reader"));
    world.hush();
    let never = SubscriptionOptions { retain_handling: RetainHandling::DoNotSend, ..options(1) };
    world.send(reader, subscribe_with(1, &[("state", never)], None));
    world.send(writer, retain("state", b"off"));
    assert_eq!(world.hears(reader), ["SUBACK 1 [01]", "PUBLISH state q0 'off'"]);
}

/// §4.8.2: a Shared Subscription brings none.
#[test]
fn a_shared_subscription_brings_none() {
    let (mut world, _) = world_with_state();
    let reader = world.join(connect("reader"));
    world.hush();
    world.send(reader, subscribe(1, &[("$share/g/state", 1)]));
    assert_eq!(world.hears(reader), ["SUBACK 1 [01]"]);
}

/// [MQTT-3.3.4-3]
#[test]
fn they_carry_the_identifier_of_the_subscription_and_their_properties() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    let properties = block(&[Property::ContentType("text"), Property::UserProperty("k", "v")]);
    let message = Publish { retain: true, properties: properties.as_properties(), ..Publish::new("t", b"x") };
    world.send(writer, Packet::Publish(message));
    let reader = world.join(connect("reader"));
    world.hush();
    world.send(reader, subscribe_with(1, &[("t", options(0))], Some(5)));
    let expected = "PUBLISH t q0 retain sub=5 'x' {ContentType(\"text\"), UserProperty(\"k\", \"v\")}";
    assert_eq!(world.hears(reader), ["SUBACK 1 [00]", expected]);
}

/// [MQTT-3.3.2-5] [MQTT-3.3.2-6]
#[test]
fn they_expire() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    let short = Publish { retain: true, message_expiry: Some(10), ..Publish::new("t", b"x") };
    world.send(writer, Packet::Publish(short));
    world.pass(6);
    assert_eq!(kept(&mut world), ["PUBLISH t q0 retain expiry=4 'x'"]);
    world.pass(4);
    assert!(kept(&mut world).is_empty());
}

#[test]
fn they_come_in_the_order_of_their_topic_names() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    for topic in ["b", "a/c", "a", "c", "a/b"] {
        world.send(writer, retain(topic, b"x"));
    }
    let expected = ["a", "a/b", "a/c", "b", "c"].map(|topic| format!("PUBLISH {topic} q0 retain 'x'"));
    assert_eq!(kept(&mut world), expected);
}

/// A reader of "#" whose socket takes nothing, with fifty retained messages of which few fit, and their writer.
fn slow_reader(kept: u32) -> (World, Client, Client) {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.send.ahead_bytes = 1_000;
    let mut world = World::with(settings);
    let writer = world.join(connect("writer"));
    for number in 0..50 {
        world.send(writer, retain(&format!("t/{number:02}"), &[b'x'; 100]));
    }
    let reader = world.join(connect("reader").kept(kept));
    world.hush();
    world.deafen(reader);
    world.send(reader, subscribe(1, &[("#", 1)]));
    (world, reader, writer)
}

#[test]
fn they_come_as_fast_as_their_reader_takes_them() {
    for kept in [0, 3600] {
        let (mut world, reader, _) = slow_reader(kept);
        world.undeafen(reader);
        let heard = world.hears(reader);
        let topics: Vec<_> = heard[1..].iter().map(|line| &line[8..12]).collect();
        let expected: Vec<_> = (0..50).map(|number| format!("t/{number:02}")).collect();
        assert_eq!(topics, expected);
    }
}

#[test]
fn one_that_is_replaced_or_deleted_while_it_waits_does_not_come_behind_its_successor() {
    let (mut world, reader, writer) = slow_reader(0);
    world.send(writer, retain("t/48", b"newer"));
    world.send(writer, retain("t/49", b""));
    world.undeafen(reader);
    let heard = world.hears(reader);
    let of = |topic: &str| heard.iter().filter(|line| line.contains(topic)).cloned().collect::<Vec<_>>();
    assert_eq!(of("t/48"), ["PUBLISH t/48 q0 'newer'"]);
    assert_eq!(of("t/49"), ["PUBLISH t/49 q0 ''"]);
    assert_eq!(heard.len(), 51);
}

/// A limit is told to MQTT 5 publishers with 0x97; what is there may still be changed and deleted.
#[test]
fn beyond_the_limit_no_new_one_is_kept() {
    let settings = Settings { retained_messages_max: 1, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let writer = world.join(connect("writer"));
    world.hush();
    for (topic, payload) in [("a", b"1"), ("b", b"1"), ("a", b"2")] {
        let Packet::Publish(message) = publish_qos(topic, payload, 1, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { retain: true, ..message }));
    }
    assert_eq!(world.hears(writer), ["PUBACK 1 10", "PUBACK 1 97", "PUBACK 1 10"]);
    assert_eq!(kept(&mut world), ["PUBLISH a q1 #1 retain '2'"]);
    world.send(writer, retain("a", b""));
    world.send(writer, retain("b", b"1"));
    assert_eq!(kept(&mut world), ["PUBLISH b q0 retain '1'"]);
}

/// A Message that is retained and matches in the same turn as its Subscription is made comes once, live or retained.
#[test]
fn a_message_and_a_subscription_of_one_turn_meet_once() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let writer = world.join(connect("writer"));
        let reader = world.join(connect("reader").kept(kept));
        world.hush();
        let Packet::Publish(message) = publish_qos("t", b"x", 1, 1) else { unreachable!() };
        world.post(writer, Packet::Publish(Publish { retain: true, ..message }));
        world.post(reader, subscribe(1, &[("t", 1)]));
        world.settle();
        let heard = world.hears(reader);
        assert_eq!(heard.iter().filter(|line| line.starts_with("PUBLISH")).count(), 1, "{heard:?}");
    }
}

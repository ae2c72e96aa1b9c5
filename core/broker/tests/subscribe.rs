//! SUBSCRIBE: an answer for each filter, and what a Subscription that is made anew changes.

use martlet_access::Rules;
use martlet_broker::{Dialect, Settings};
use martlet_packet::{SubscriptionOptions, Version};
use martlet_simulator::{
    World, connect, options, publish, publish_qos, raw, retain, subscribe, subscribe_with,
};
use martlet_topic::{Limits, TopicFilter};

fn denying(filter: &str) -> Settings {
    let deny_subscribe = vec![TopicFilter::parse(filter, &Limits::default()).expect("a filter")];
    Settings { rules: Rules { deny_subscribe, ..Rules::default() }, ..Settings::new(Dialect::NATIVE) }
}

/// [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6]
#[test]
fn subscribe_is_answered_with_its_identifier() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for kept in [false, true] {
            let mut world = World::new();
            let connecting = connect("client").version(version);
            let client = world.join(if kept { connecting.kept(3600) } else { connecting });
            for id in [1, 513, 65_535] {
                world.hush();
                world.send(client, subscribe(id, &[("t", 0)]));
                assert_eq!(world.hears(client), [format!("SUBACK {id} [00]")], "{version:?}");
            }
        }
    }
}

/// [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1]
#[test]
fn every_filter_has_its_own_answer_in_order_and_all_of_them_count() {
    let mut world = World::with(denying("secret/#"));
    let client = world.join(connect("client"));
    world.hush();
    world.send(client, subscribe(1, &[("a", 2), ("secret/#", 1), ("b/#/c", 0), ("c", 1), ("d", 0)]));
    assert_eq!(world.hears(client), ["SUBACK 1 [02 87 8f 01 00]"]);
    for topic in ["a", "secret/x", "b/x/c", "c", "d"] {
        world.send(client, publish(topic, b"x"));
    }
    assert_eq!(world.hears(client), ["PUBLISH a q0 'x'", "PUBLISH c q0 'x'", "PUBLISH d q0 'x'"]);
}

/// [3.1.1 MQTT-3.9.3-2]
#[test]
fn mqtt_3_1_1_has_one_code_for_every_failure() {
    let mut world = World::with(denying("secret/#"));
    let client = world.join(connect("client").version(Version::V3_1_1));
    world.hush();
    world.send(client, subscribe(1, &[("a", 2), ("secret/#", 1), ("d", 0)]));
    assert_eq!(world.hears_bytes(client), [0x90, 5, 0, 1, 2, 0x80, 0]);
}

/// A filter that cannot be one is malformed where there is no code for it, and then nothing of the packet counts.
#[test]
fn a_malformed_subscribe_subscribes_to_nothing() {
    let mut world = World::new();
    let connecting = || connect("reader").version(Version::V3_1_1).resuming();
    let reader = world.join(connecting());
    world.hush();
    world.send(reader, subscribe(1, &[("a", 1), ("b/#/c", 1)]));
    assert_eq!(world.hears(reader), ["closed"]);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("a", b"x", 1, 1));
    let back = world.join(connecting());
    world.send(writer, publish_qos("a", b"x", 1, 2));
    assert_eq!(world.hears(back), ["CONNACK 00 present"]);
}

/// [MQTT-3.8.3-4]
#[test]
fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.hush();
    let no_local = SubscriptionOptions { no_local: true, ..options(1) };
    world.send(client, subscribe_with(1, &[("$share/group/t", no_local)], None));
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
}

/// [MQTT-3.8.4-3]
#[test]
fn the_same_filter_again_replaces_the_subscription() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let reader = world.join(connect("reader").kept(kept));
        world.send(reader, subscribe_with(1, &[("a/+", options(2))], Some(7)));
        world.send(reader, subscribe_with(2, &[("a/+", options(1))], Some(8)));
        let writer = world.join(connect("writer"));
        world.hush();
        world.send(writer, publish_qos("a/b", b"x", 2, 1));
        world.send(reader, subscribe(3, &[("a/+", 0)]));
        world.send(writer, publish_qos("a/b", b"x", 2, 2));
        let expected = ["PUBLISH a/b q1 #1 sub=8 'x'", "SUBACK 3 [00]", "PUBLISH a/b q0 'x'"];
        assert_eq!(world.hears(reader), expected);
        assert_eq!(world.counters().subscriptions, 1);
    }
}

/// [MQTT-3.8.4-4] [3.1.1 MQTT-3.8.4-3]
#[test]
fn replacing_brings_the_retained_messages_again_and_loses_nothing() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let writer = world.join(connect("writer").version(version));
        world.send(writer, retain("t/kept", b"kept"));
        let reader = world.join(connect("reader").version(version));
        world.send(reader, subscribe(1, &[("t/+", 1)]));
        world.hush();
        world.post(writer, publish_qos("t/live", b"before", 1, 1));
        world.post(reader, subscribe(2, &[("t/+", 1)]));
        world.post(writer, publish_qos("t/live", b"after", 1, 2));
        world.settle();
        let mut heard = world.hears(reader);
        heard.sort();
        let expected = [
            "PUBLISH t/kept q0 retain 'kept'",
            "PUBLISH t/live q1 #1 'before'",
            "PUBLISH t/live q1 #2 'after'",
            "SUBACK 2 [01]",
        ];
        assert_eq!(heard, expected, "{version:?}");
    }
}

/// [MQTT-4.5.0-1]
#[test]
fn every_client_with_a_matching_subscription_gets_the_message() {
    let mut world = World::new();
    let readers: Vec<_> = (0..100)
        .map(|number| {
            let connecting = connect(&format!("reader-{number}"));
            let reader = world.join(if number % 2 == 0 { connecting.kept(3600) } else { connecting });
            let filter = ["a/b/c", "a/+/c", "a/#", "#", "+/b/+"][number % 5];
            world.send(reader, subscribe(1, &[(filter, 1)]));
            reader
        })
        .collect();
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("a/b/c", b"x", 1, 1));
    for reader in readers {
        assert_eq!(world.hears(reader), ["PUBLISH a/b/c q1 #1 'x'"]);
    }
}

/// [MQTT-4.7.2-1]
#[test]
fn topics_that_begin_with_a_dollar_sign_are_asked_for_by_name() {
    let mut world = World::new();
    let all = world.join(connect("all"));
    world.send(all, subscribe(1, &[("#", 0), ("+/node", 0)]));
    let asked = world.join(connect("asked"));
    world.send(asked, subscribe(1, &[("$facts/#", 0)]));
    world.hush();
    let writer = world.join(connect("writer"));
    world.send(writer, publish("$facts/node", b"x"));
    assert!(world.hears(all).is_empty());
    assert_eq!(world.hears(asked), ["PUBLISH $facts/node q0 'x'"]);
}

/// [3.1.1 MQTT-3.8.3-4] [MQTT-3.8.3-5] [MQTT-4.13.1-1]
#[test]
fn reserved_bits_in_subscription_options_end_the_network_connection() {
    for (version, last) in [(Version::V3_1_1, None), (Version::V5, Some("DISCONNECT 81"))] {
        for wrong in [0x03, 0x40, 0x80] {
            let mut world = World::new();
            let client = world.join(connect("client").version(version));
            world.hush();
            let mut bytes = raw(version, &subscribe(1, &[("t", 0)]));
            *bytes.last_mut().expect("the options come last") = wrong;
            world.post_bytes(client, bytes);
            world.settle();
            assert_eq!(world.hears(client), last.into_iter().chain(["closed"]).collect::<Vec<_>>());
        }
    }
}

//! PUBLISH: the nine rows of the QoS table, retained messages, overlapping Subscriptions, aliases, expiry.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, Subscribe, SubscriptionOptions, Version};
use martlet_simulator::{
    World, block, connect, options, puback, pubcomp, publish, publish_qos, pubrec, pubrel, retain, subscribe,
    subscribe_with,
};

/// [MQTT-3.8.4-8]
#[test]
fn a_copy_is_sent_with_the_lower_qos() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for published in 0..=2_u8 {
            for subscribed in 0..=2_u8 {
                let mut world = World::new();
                let reader = world.join(connect("reader").version(version));
                world.send(reader, subscribe(1, &[("a/b", subscribed)]));
                let writer = world.join(connect("writer").version(version));
                world.hush();
                world.send(writer, publish_qos("a/b", b"x", published, 9));
                let identified = match published.min(subscribed) {
                    0 => "PUBLISH a/b q0 'x'".to_owned(),
                    qos => format!("PUBLISH a/b q{qos} #1 'x'"),
                };
                assert_eq!(world.hears(reader), [identified], "{version:?} {published} {subscribed}");
                let answer = ["", "PUBACK 9", "PUBREC 9"][usize::from(published)];
                assert_eq!(world.hears(writer).join(" "), answer);
            }
        }
    }
}

/// [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11]
#[test]
fn a_duplicate_qos_2_publish_is_answered_and_not_routed_until_it_is_released() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("t", b"1", 2, 5));
    world.send(writer, publish_qos("t", b"1", 2, 5));
    world.send(writer, pubrel(5));
    world.send(writer, publish_qos("t", b"2", 2, 5));
    assert_eq!(world.hears(writer), ["PUBREC 5", "PUBREC 5", "PUBCOMP 5", "PUBREC 5"]);
    assert_eq!(world.hears(reader), ["PUBLISH t q0 '1'", "PUBLISH t q0 '2'"]);
}

#[test]
fn three_qos_2_subscribers_have_packet_identifiers_of_their_own() {
    let mut world = World::new();
    let readers = ["r1", "r2", "r3"].map(|id| world.join(connect(id)));
    for (place, reader) in readers.into_iter().enumerate() {
        // So that the next identifier differs from reader to reader.
        world.send(reader, subscribe(1, &[("own", 1), ("t", 2)]));
        for _ in 0..place {
            world.send(reader, publish("own", b""));
        }
    }
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("own", b"", 1, 1));
    world.send(readers[0], puback(1));
    world.hush();
    world.send(writer, publish_qos("t", b"x", 2, 9));
    for reader in readers {
        let heard = world.hears(reader);
        assert_eq!(heard, ["PUBLISH t q2 #2 'x'"]);
        world.send(reader, pubrec(2));
        assert_eq!(world.hears(reader), ["PUBREL 2"]);
        world.send(reader, pubcomp(2));
        assert!(world.hears(reader).is_empty());
    }
    assert!(world.counters().ledger.is_balanced());
}

/// [MQTT-3.3.1-8] [MQTT-3.3.1-12]
#[test]
fn retained_goes_to_later_subscribers_marked_and_to_earlier_ones_unmarked() {
    let mut world = World::new();
    let early = world.join(connect("early"));
    world.send(early, subscribe(1, &[("state", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    let on = Publish { retain: true, ..Publish::new("state", b"on") };
    world.send(writer, Packet::Publish(on));
    assert_eq!(world.hears(early), ["PUBLISH state q0 'on'"]);
    let late = world.join(connect("late"));
    world.send(late, subscribe(1, &[("state", 1)]));
    assert_eq!(world.hears(late), ["CONNACK 00", "SUBACK 1 [01]", "PUBLISH state q0 retain 'on'"]);
}

/// [MQTT-3.3.1-12]
#[test]
fn to_those_who_are_there_it_is_not_retained_whatever_its_qos() {
    for (kept, qos) in [(0, 0), (0, 1), (3600, 0), (3600, 1)] {
        let mut world = World::new();
        let reader = world.join(connect("reader").kept(kept));
        world.send(reader, subscribe(1, &[("state", 1)]));
        let writer = world.join(connect("writer"));
        world.hush();
        let Packet::Publish(message) = publish_qos("state", b"on", qos, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { retain: true, ..message }));
        let id = if qos == 0 { "" } else { " #1" };
        assert_eq!(world.hears(reader), [format!("PUBLISH state q{qos}{id} 'on'")], "kept for {kept} s");
    }
}

/// [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]
#[test]
fn overlapping_subscriptions_bring_one_copy_with_the_highest_qos_and_all_identifiers() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    for (filter, qos, id) in [("a/+", 0, 7), ("a/b", 1, 8)] {
        let Packet::Subscribe(one) = subscribe(1, &[(filter, qos)]) else { unreachable!() };
        world.send(reader, Packet::Subscribe(Subscribe { subscription_id: Some(id), ..one }));
    }
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("a/b", b"x", 2, 1));
    assert_eq!(world.hears(reader), ["PUBLISH a/b q1 #1 sub=7 sub=8 'x'"]);
}

/// [MQTT-3.8.3-3]
#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    let Packet::Subscribe(mut own) = subscribe(1, &[("t", 1)]) else { unreachable!() };
    own.filters[0].1 = SubscriptionOptions { no_local: true, ..own.filters[0].1 };
    world.send(client, Packet::Subscribe(own));
    let other = world.join(connect("other"));
    world.hush();
    world.send(client, publish("t", b"mine"));
    world.send(other, publish("t", b"theirs"));
    assert_eq!(world.hears(client), ["PUBLISH t q0 'theirs'"]);
}

/// [MQTT-3.3.2-6]
#[test]
fn a_message_that_waited_says_what_is_left_of_its_expiry() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    world.cut(reader);
    let writer = world.join(connect("writer"));
    for (id, expiry) in [(1, 10), (2, 100)] {
        let Packet::Publish(message) = publish_qos("t", b"x", 1, id) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { message_expiry: Some(expiry), ..message }));
    }
    world.pass(30);
    let back = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #2 expiry=70 'x'"]);
    let ledger = world.counters().ledger;
    assert_eq!((ledger.accepted, ledger.expired, ledger.in_flight), (2, 1, 1));
    assert!(ledger.is_balanced());
}

/// [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
#[test]
fn properties_are_handed_on_unaltered_and_in_order() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    let properties = block(&[
        Property::UserProperty("k", "1"),
        Property::ContentType("text"),
        Property::PayloadFormatIndicator(true),
        Property::UserProperty("k", "2"),
        Property::ResponseTopic("answers"),
        Property::CorrelationData(b"\x01"),
    ]);
    let message = Publish { properties: properties.as_properties(), ..Publish::new("t", b"x") };
    world.send(writer, Packet::Publish(message));
    let expected = concat!(
        r#"PUBLISH t q0 'x' {UserProperty("k", "1"), ContentType("text"), PayloadFormatIndicator(true), "#,
        r#"UserProperty("k", "2"), ResponseTopic("answers"), CorrelationData([1])}"#
    );
    assert_eq!(world.hears(reader), [expected]);
}

/// [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn a_packet_too_large_for_the_client_is_skipped_and_counted_and_the_next_comes() {
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::MaximumPacketSize(40)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("t", &[b'x'; 100], 1, 1));
    world.send(writer, publish_qos("t", b"small", 1, 2));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #2 'small'"]);
    let ledger = world.counters().ledger;
    assert_eq!(ledger.dropped_too_large, 1);
    assert!(ledger.is_balanced());
}

/// [MQTT-3.3.4-9]
#[test]
fn no_more_is_in_flight_than_the_client_receives_at_once() {
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::ReceiveMaximum(2)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for id in 1..=4 {
        world.send(writer, publish_qos("t", b"x", 1, id));
    }
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'", "PUBLISH t q1 #2 'x'"]);
    world.send(reader, puback(2));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #3 'x'"]);
}

/// [MQTT-3.3.2-3]
#[test]
fn a_subscriber_hears_the_topic_name_its_filter_matches_and_no_other() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("a/+", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for topic in ["a", "a/b", "a/b/c", "b/a", "A/b", "a/", "/a/b"] {
        world.send(writer, publish(topic, b"x"));
    }
    assert_eq!(world.hears(reader), ["PUBLISH a/b q0 'x'", "PUBLISH a/ q0 'x'"]);
}

/// [MQTT-3.3.2-5]
#[test]
fn a_message_that_expires_before_it_is_sent_never_is() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600).with(&Property::ReceiveMaximum(1)));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    for (id, payload) in [(1, b"a"), (2, b"b")] {
        let Packet::Publish(message) = publish_qos("t", payload, 1, id) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { message_expiry: Some(10), ..message }));
    }
    world.pass(10);
    world.send(reader, puback(1));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 expiry=10 'a'"]);
    assert_eq!(world.counters().ledger.expired, 1);
}

/// [MQTT-3.3.4-6]
#[test]
fn a_client_that_sends_a_subscription_identifier_is_sent_away() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.hush();
    world.send(
        client,
        Packet::Publish(Publish { subscription_ids: (&[1][..]).into(), ..Publish::new("t", b"x") }),
    );
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
}

/// [MQTT-3.3.4-5]
#[test]
fn of_several_copies_each_has_the_identifier_of_its_own_subscription() {
    let mut world = World::with(Settings::new(Dialect::MOSQUITTO));
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe_with(1, &[("a/+", options(0))], Some(7)));
    world.send(reader, subscribe_with(2, &[("a/#", options(0))], Some(8)));
    world.send(reader, subscribe_with(3, &[("a/b", options(0))], None));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish("a/b", b"x"));
    let mut heard = world.hears(reader);
    heard.sort();
    assert_eq!(heard, ["PUBLISH a/b q0 'x'", "PUBLISH a/b q0 sub=7 'x'", "PUBLISH a/b q0 sub=8 'x'"]);
}

/// Of its own Message a Client gets what its Subscriptions without No Local ask for. [MQTT-3.8.3-3] [MQTT-3.3.4-2]
#[test]
fn no_local_counts_for_its_own_subscription_alone() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    let deaf = SubscriptionOptions { no_local: true, ..options(2) };
    world.send(client, subscribe_with(1, &[("a/+", deaf)], Some(7)));
    world.send(client, subscribe_with(2, &[("a/b", options(1))], Some(8)));
    let other = world.join(connect("other"));
    world.hush();
    world.send(client, publish_qos("a/b", b"mine", 2, 1));
    assert_eq!(world.hears(client), ["PUBREC 1", "PUBLISH a/b q1 #1 sub=8 'mine'"]);
    world.send(other, publish_qos("a/b", b"theirs", 2, 1));
    assert_eq!(world.hears(client), ["PUBLISH a/b q2 #2 sub=7 sub=8 'theirs'"]);
}

/// [MQTT-3.3.1-13]
#[test]
fn retain_as_published_hands_the_flag_on() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    let kept = SubscriptionOptions { retain_as_published: true, ..options(1) };
    world.send(reader, subscribe_with(1, &[("t", kept)], None));
    let writer = world.join(connect("writer"));
    world.hush();
    for qos in [0, 1] {
        let Packet::Publish(message) = publish_qos("t", b"x", qos, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { retain: true, ..message.clone() }));
        world.send(writer, Packet::Publish(message));
    }
    assert_eq!(
        world.hears(reader),
        ["PUBLISH t q0 retain 'x'", "PUBLISH t q0 'x'", "PUBLISH t q1 #1 retain 'x'", "PUBLISH t q1 #2 'x'"]
    );
}

/// [MQTT-3.3.1-13]
#[test]
fn of_overlapping_subscriptions_one_that_wants_retain_as_published_is_enough() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    let kept = SubscriptionOptions { retain_as_published: true, ..options(0) };
    world.send(reader, subscribe_with(1, &[("a/+", options(1)), ("a/b", kept)], None));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, retain("a/b", b"x"));
    assert_eq!(world.hears(reader), ["PUBLISH a/b q0 retain 'x'"]);
}

#[test]
fn a_large_payload_reaches_all_its_receivers_unaltered() {
    let payload: Vec<u8> = (b'a'..=b'z').cycle().take(100_000).collect();
    let mut world = World::new();
    let readers = [0, 1, 2].map(|qos| {
        let reader = world.join(connect(&format!("reader-{qos}")));
        world.send(reader, subscribe(1, &[("t", qos)]));
        reader
    });
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("t", &payload, 2, 1));
    let text = String::from_utf8_lossy(&payload);
    for (reader, head) in readers.into_iter().zip(["q0", "q1 #1", "q2 #1"]) {
        assert_eq!(world.hears(reader), [format!("PUBLISH t {head} '{text}'")]);
    }
}

/// Topics of the node's own, and those that would be taken for a Shared Subscription, are not for Clients to publish.
#[test]
fn the_nodes_own_topics_are_refused() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("$SYS/#", 0), ("$other/#", 0)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("$SYS/broker/version", b"mine", 1, 1));
    world.send(writer, publish_qos("$share/g/t", b"x", 1, 2));
    world.send(writer, publish_qos("$other/t", b"x", 1, 3));
    assert_eq!(world.hears(writer), ["PUBACK 1 87", "PUBACK 2 87", "PUBACK 3"]);
    assert_eq!(world.hears(reader), ["PUBLISH $other/t q0 'x'"]);
}

/// What a bridge publishes does not come back to it, and it is told what was retained.
#[test]
fn a_bridge_of_mqtt_3_has_no_local_and_retain_as_published() {
    let mut world = World::new();
    let bridge = world.join(connect("bridge").version(Version::V3_1_1).as_bridge());
    world.send(bridge, subscribe(1, &[("t", 0)]));
    let other = world.join(connect("other"));
    world.hush();
    world.send(bridge, publish("t", b"mine"));
    world.send(other, retain("t", b"kept"));
    assert_eq!(world.hears(bridge), ["PUBLISH t q0 retain 'kept'"]);
}

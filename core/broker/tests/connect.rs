//! CONNECT: Client Identifiers, Clean Start, the terms of a Network Connection, and who is turned away.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Property, QoS, ReasonCode, Version};
use martlet_record::MemoryJournal;
use martlet_simulator::{World, auth, block, connect, ping, publish, publish_qos, retain, subscribe};

/// [MQTT-3.1.0-2] [MQTT-3.2.0-2] [MQTT-4.13.1-1]
#[test]
fn a_second_connect_ends_the_network_connection_and_is_not_answered() {
    for (version, last) in [(Version::V3_1_1, None), (Version::V5, Some("DISCONNECT 82"))] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        world.hush();
        world.connect_again(client, connect("client").version(version));
        let expected: Vec<_> = last.into_iter().chain(["closed"]).collect();
        assert_eq!(world.hears(client), expected, "{version:?}");
    }
}

/// [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2]
#[test]
fn clean_start_ends_the_session_before_it() {
    let mut world = World::new();
    let old = world.join(connect("reader").kept(3600));
    world.send(old, subscribe(1, &[("t", 1)]));
    world.cut(old);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"for the old one", 1, 1));
    let mut fresh = connect("reader").kept(3600);
    fresh.clean_start = true;
    let new = world.join(fresh);
    world.send(writer, publish_qos("t", b"x", 1, 1));
    assert_eq!(world.hears(new), ["CONNACK 00"], "neither its Messages nor its Subscriptions are left");
    assert_eq!(world.counters().ledger.ended, 1);
}

/// [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1]
#[test]
fn a_session_goes_on_for_its_client_identifier_and_no_other() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    world.cut(reader);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"x", 1, 1));
    let other = world.join(connect("Reader").kept(3600));
    assert_eq!(world.hears(other), ["CONNACK 00"]);
    let back = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #1 'x'"]);
}

/// [MQTT-3.1.2-6] [MQTT-3.1.4-5] [MQTT-3.2.2-3] [3.1.1 MQTT-3.1.2-4]
#[test]
fn without_a_session_to_go_on_with_one_is_made() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let connecting = || connect("client").version(version).kept(3600);
        let first = world.join(connecting());
        world.send(first, subscribe(1, &[("t", 0)]));
        assert_eq!(world.hears(first), ["CONNACK 00", "SUBACK 1 [00]"], "{version:?}");
        world.cut(first);
        let second = world.join(connecting());
        let present = if version == Version::V3_1 { "CONNACK 00" } else { "CONNACK 00 present" };
        assert_eq!(world.hears(second), [present], "{version:?}");
        world.send(second, publish("t", b"still subscribed"));
        assert_eq!(world.hears(second), ["PUBLISH t q0 'still subscribed'"]);
    }
}

/// [3.1.1 MQTT-3.1.2-5]
#[test]
fn what_comes_while_a_client_of_mqtt_3_is_away_is_kept() {
    let mut world = World::new();
    let reader = world.join(connect("reader").version(Version::V3_1_1).resuming());
    world.send(reader, subscribe(1, &[("t", 2)]));
    world.cut(reader);
    let writer = world.join(connect("writer"));
    for (qos, payload) in [(0, b"0"), (1, b"1"), (2, b"2")] {
        world.send(writer, publish_qos("t", payload, qos, 9));
    }
    let back = world.join(connect("reader").version(Version::V3_1_1).resuming());
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #1 '1'", "PUBLISH t q2 #2 '2'"]);
}

/// [3.1.1 MQTT-3.1.2-6]
#[test]
fn a_clean_session_ends_with_its_network_connection() {
    let mut world = World::new();
    let client = || connect("client").version(Version::V3_1_1);
    let kept = world.join(client().resuming());
    world.send(kept, subscribe(1, &[("kept", 1)]));
    world.cut(kept);
    let clean = world.join(client());
    assert_eq!(world.hears(clean), ["CONNACK 00"]);
    world.send(clean, subscribe(1, &[("clean", 1)]));
    world.cut(clean);
    let writer = world.join(connect("writer"));
    for topic in ["kept", "clean"] {
        world.send(writer, publish_qos(topic, b"x", 1, 1));
    }
    let back = world.join(client().resuming());
    assert_eq!(world.hears(back), ["CONNACK 00"]);
    world.send(writer, publish_qos("kept", b"x", 1, 1));
    assert!(world.hears(back).is_empty());
}

/// [3.1.1 MQTT-3.1.2-7]
#[test]
fn retained_messages_outlive_the_session_that_published_them() {
    let mut world = World::new();
    let writer = world.join(connect("writer").version(Version::V3_1_1));
    world.send(writer, retain("t", b"still here"));
    world.cut(writer);
    let reader = world.join(connect("reader").version(Version::V3_1_1));
    world.send(reader, subscribe(1, &[("t", 0)]));
    assert_eq!(world.hears(reader), ["CONNACK 00", "SUBACK 1 [00]", "PUBLISH t q0 retain 'still here'"]);
}

/// [MQTT-3.1.3-5]
#[test]
fn client_identifiers_of_letters_and_digits_are_taken_and_longer_ones_too() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let long = "x".repeat(65_535);
        for id in ["a", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ", &long] {
            let mut world = World::new();
            let client = world.join(connect(id).version(version));
            assert_eq!(world.hears(client), ["CONNACK 00"], "{version:?}");
        }
    }
}

/// [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]
#[test]
fn a_client_without_an_identifier_is_given_one_of_its_own_and_told() {
    let mut world = World::new();
    let clients = [(); 2].map(|()| world.join(connect("")));
    let told = clients.map(|client| world.hears(client).concat());
    let names = told.map(|line| line.split('"').nth(1).expect("an Assigned Client Identifier").to_owned());
    assert!(names[0].starts_with("auto-") && names[0] != names[1], "{names:?}");
    // It is the identifier of its Session: whoever uses it takes the Session over.
    let rival = world.join(connect(&names[0]));
    assert_eq!(world.hears(rival), ["CONNACK 00"]);
    assert_eq!(world.hears(clients[0]), ["DISCONNECT 8e", "closed"]);
    assert!(world.hears(clients[1]).is_empty());
}

/// [3.1.1 MQTT-3.1.3-8]
#[test]
fn mqtt_3_has_no_way_to_tell_an_identifier_that_is_to_be_kept() {
    let mut world = World::new();
    let kept = world.join(connect("").version(Version::V3_1_1).resuming());
    let clean = world.join(connect("").version(Version::V3_1_1));
    let older = world.join(connect("").version(Version::V3_1));
    // 0x85 is how Return Code 2, "identifier rejected", reads.
    assert_eq!(world.hears(kept), ["CONNACK 85", "closed"]);
    assert_eq!(world.hears(clean), ["CONNACK 00"]);
    assert_eq!(world.hears(older), ["CONNACK 85", "closed"]);
}

/// [MQTT-3.1.3-8] [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.2.2-7] [MQTT-4.13.2-1]
#[test]
fn nothing_of_what_follows_a_refused_connect_happens() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("#", 0)]));
    world.hush();
    let mut refused = connect("").version(Version::V3_1_1);
    refused.clean_start = false;
    let client = world.dial(refused);
    world.post(client, publish("t", b"x"));
    world.settle();
    assert_eq!(world.hears(client), ["CONNACK 85", "closed"]);
    assert!(world.hears(reader).is_empty());
    assert_eq!(world.counters().sessions, 1);
}

/// [MQTT-3.2.0-1]
#[test]
fn a_packet_that_did_not_wait_for_connack_is_answered_after_it() {
    let journal = MemoryJournal::with_delay(3);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let client = world.dial(connect("client").kept(3600));
    world.post(client, ping());
    world.turn();
    assert!(world.hears(client).is_empty());
    world.settle();
    assert_eq!(world.hears(client), ["CONNACK 00", "PINGRESP"]);
}

/// [MQTT-3.2.0-1]
#[test]
fn no_message_overtakes_connack() {
    let journal = MemoryJournal::with_delay(3);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", 1)]));
    world.cut(reader);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"waited", 1, 1));
    let back = world.dial(connect("reader").kept(3600));
    world.turn();
    world.post(writer, publish("t", b"now"));
    world.turn();
    assert!(world.hears(back).is_empty());
    world.settle();
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q1 #1 'waited'"]);
}

/// [MQTT-3.2.2-12] [MQTT-3.2.2-9]
#[test]
fn a_will_above_the_maximum_qos_is_refused_and_the_maximum_is_told() {
    let settings = Settings { maximum_qos: QoS::AtLeastOnce, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let will = |id, qos| connect(id).will("t", b"x", qos, false, 0);
    let refused = world.join(will("refused", QoS::ExactlyOnce));
    let taken = world.join(will("taken", QoS::AtLeastOnce));
    assert_eq!(world.hears(refused), ["CONNACK 9b", "closed"]);
    assert_eq!(world.hears(taken), ["CONNACK 00 {MaximumQoS(AtLeastOnce)}"]);
}

/// [MQTT-3.2.2-10]
#[test]
fn a_subscribe_above_the_maximum_qos_is_granted_what_there_is() {
    let settings = Settings { maximum_qos: QoS::AtMostOnce, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    world.hush();
    world.send(client, subscribe(1, &[("a", 2), ("b", 1), ("c", 0)]));
    assert_eq!(world.hears(client), ["SUBACK 1 [00 00 00]"]);
}

/// [MQTT-3.2.2-11]
#[test]
fn a_publish_above_the_maximum_qos_ends_the_network_connection() {
    let settings = Settings { maximum_qos: QoS::AtLeastOnce, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    world.hush();
    world.send(client, publish_qos("t", b"x", 1, 1));
    world.send(client, publish_qos("t", b"x", 2, 2));
    assert_eq!(world.hears(client), ["PUBACK 1 10", "DISCONNECT 9b", "closed"]);
}

/// [MQTT-3.2.2-13] [MQTT-3.2.2-14]
#[test]
fn where_nothing_is_retained_it_is_told_and_asking_for_it_is_refused() {
    let settings = Settings { retain_available: false, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let refused = world.join(connect("refused").will("t", b"x", QoS::AtMostOnce, true, 0));
    assert_eq!(world.hears(refused), ["CONNACK 9a", "closed"]);
    let client = world.join(connect("client"));
    assert_eq!(world.hears(client), ["CONNACK 00 {RetainAvailable(false)}"]);
    world.send(client, retain("t", b"x"));
    assert_eq!(world.hears(client), ["DISCONNECT 9a", "closed"]);
}

/// [3.1.1 MQTT-3.2.2-6]
#[test]
fn a_refusal_that_mqtt_3_has_no_code_for_is_a_silent_close() {
    let settings = Settings { retain_available: false, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let will = connect("client").version(Version::V3_1_1).will("t", b"x", QoS::AtMostOnce, true, 0);
    let client = world.join(will);
    assert_eq!(world.hears(client), ["closed"]);
}

/// [MQTT-3.14.0-1]
#[test]
fn before_connack_nobody_is_told_goodbye() {
    let journal = MemoryJournal::with_delay(5);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let pending = world.dial(connect("pending").kept(3600));
    let volatile = world.dial(connect("volatile"));
    world.turn();
    world.shut_down();
    assert_eq!(world.hears(pending), ["closed"]);
    assert_eq!(world.hears(volatile), ["CONNACK 00", "DISCONNECT 8b", "closed"]);
}

/// §3.1.2.11.2: without the property it is 0.
#[test]
fn a_session_without_an_expiry_interval_ends_with_its_network_connection() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.send(client, subscribe(1, &[("t", 1)]));
    world.cut(client);
    assert_eq!(world.counters().sessions, 0);
    let back = world.join(connect("client").resuming().with(&Property::SessionExpiryInterval(0)));
    assert_eq!(world.hears(back), ["CONNACK 00"]);
}

/// §3.2.2.3.2: the Client uses the value of CONNACK in place of its own.
#[test]
fn a_session_expiry_interval_above_the_maximum_is_cut_and_told() {
    let settings = Settings { session_expiry_max: 100, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client").kept(101));
    assert_eq!(world.hears(client), ["CONNACK 00 {SessionExpiryInterval(100)}"]);
    world.cut(client);
    world.pass(99);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
}

/// The reason a Client reads names what is wrong and what would be right.
#[test]
fn a_refusal_explains_itself() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.hush();
    world.send(client, auth(ReasonCode::ReAuthenticate, &block(&[])));
    let words = world.hears_in_full(client).concat();
    assert!(words.contains("without an Authentication Method in CONNECT"), "{words}");
}

//! The Will Message: kept with the Session, published when its time comes, discarded by all that discards it.

use martlet_access::Rules;
use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{Property, QoS, ReasonCode, Version};
use martlet_record::MemoryJournal;
use martlet_simulator::{
    Client, Connecting, World, connect, disconnect, options, publish_qos, subscribe, subscribe_with,
};
use martlet_topic::{Limits, TopicFilter};

/// A world with a reader of "will" that was heard out.
fn world_with_reader() -> (World, Client) {
    let mut world = World::new();
    let reader = world.join(connect("reader").keep_alive(0));
    world.send(reader, subscribe(1, &[("will", 2)]));
    world.hush();
    (world, reader)
}

/// A Client with a Will that waits `delay` seconds, its Session lives `expiry` seconds longer than its connection.
fn mortal(expiry: u32, delay: u32) -> Connecting {
    connect("mortal").kept(expiry).will("will", b"gone", QoS::AtMostOnce, false, delay)
}

const GONE: &str = "PUBLISH will q0 'gone'";

/// [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10]
#[test]
fn it_is_published_once_when_the_network_connection_fails_and_not_before() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let (mut world, reader) = world_with_reader();
        let will = || connect("mortal").version(version).will("will", b"gone", QoS::AtMostOnce, false, 0);
        let mortal = world.join(will());
        world.pass(60);
        assert!(world.hears(reader).is_empty());
        world.cut(mortal);
        assert_eq!(world.hears(reader), [GONE], "{version:?}");
        world.pass(1000);
        assert!(world.hears(reader).is_empty(), "it is gone with its publication");
    }
}

/// [3.1.1 MQTT-3.1.2-12]
#[test]
fn without_one_nothing_is_published() {
    let (mut world, reader) = world_with_reader();
    world.send(reader, subscribe(2, &[("#", 0)]));
    world.hush();
    let mortal = world.join(connect("mortal").version(Version::V3_1_1));
    world.cut(mortal);
    assert!(world.hears(reader).is_empty());
}

/// [MQTT-3.1.2-8]
#[test]
fn silence_and_a_broken_rule_are_failures_too() {
    let (mut world, reader) = world_with_reader();
    world.join(mortal(0, 0));
    world.pass(90);
    assert_eq!(world.hears(reader), [GONE]);
    let rude = world.join(mortal(0, 0));
    world.connect_again(rude, connect("mortal"));
    assert_eq!(world.hears(reader), [GONE]);
}

/// [MQTT-3.1.2-14] [MQTT-3.1.2-15]
#[test]
fn it_is_retained_if_it_asks_for_it() {
    for (retain, kept) in [(false, 0), (true, 1)] {
        let (mut world, reader) = world_with_reader();
        let mortal = world.join(connect("mortal").will("will", b"gone", QoS::AtLeastOnce, retain, 0));
        world.cut(mortal);
        assert_eq!(world.hears(reader), ["PUBLISH will q1 #1 'gone'"]);
        let late = world.join(connect("late"));
        world.send(late, subscribe(1, &[("will", 2)]));
        assert_eq!(world.hears(late).len(), 2 + kept);
    }
}

/// [MQTT-3.1.3-10] [MQTT-3.3.2-6]
#[test]
fn it_carries_its_properties_in_order_and_expires_from_its_publication() {
    let (mut world, reader) = world_with_reader();
    let properties = [
        Property::UserProperty("b", "1"),
        Property::ContentType("text"),
        Property::UserProperty("a", "2"),
        Property::UserProperty("b", "3"),
    ];
    let mortal = world.join(mortal(100, 20).will_with(Some(30), &properties));
    world.cut(mortal);
    world.pass(20);
    let expected = concat!(
        r#"PUBLISH will q0 expiry=30 'gone' {UserProperty("b", "1"), ContentType("text"), "#,
        r#"UserProperty("a", "2"), UserProperty("b", "3")}"#
    );
    assert_eq!(world.hears(reader), [expected]);
}

/// [MQTT-3.1.2-8]
#[test]
fn its_delay_counts_from_the_end_of_the_network_connection() {
    let (mut world, reader) = world_with_reader();
    let mortal = world.join(mortal(100, 5).keep_alive(0));
    world.pass(50);
    world.cut(mortal);
    world.pass_millis(4_999);
    assert!(world.hears(reader).is_empty());
    world.pass_millis(1);
    assert_eq!(world.hears(reader), [GONE]);
    world.pass(100);
    assert!(world.hears(reader).is_empty(), "the end of the Session does not publish it again");
}

/// [MQTT-3.1.2-8]
#[test]
fn the_end_of_the_session_ends_the_delay() {
    for (expiry, delay, after) in [(5, 10, 5), (0, 10, 0), (10, 10, 10), (10, u32::MAX, 10)] {
        let (mut world, reader) = world_with_reader();
        let mortal = world.join(mortal(expiry, delay));
        world.cut(mortal);
        if after > 0 {
            world.pass(after - 1);
            assert!(world.hears(reader).is_empty());
            world.pass(1);
        }
        assert_eq!(world.hears(reader), [GONE], "expiry {expiry}, delay {delay}");
    }
}

/// [MQTT-3.1.3-9]
#[test]
fn who_comes_back_in_time_takes_it_back() {
    let (mut world, reader) = world_with_reader();
    let first = world.join(mortal(100, 10));
    world.cut(first);
    world.pass(9);
    world.join(connect("mortal").kept(100));
    world.pass(80);
    assert!(world.hears(reader).is_empty());
}

/// [MQTT-3.1.3-9]
#[test]
fn who_comes_back_with_a_new_one_has_the_new_one() {
    let (mut world, reader) = world_with_reader();
    let first = world.join(mortal(100, 10));
    world.cut(first);
    let newer = connect("mortal").kept(100).will("will", b"gone again", QoS::AtMostOnce, false, 1);
    let second = world.join(newer);
    world.cut(second);
    world.pass(50);
    assert_eq!(world.hears(reader), ["PUBLISH will q0 'gone again'"]);
}

/// §3.1.3.2.2: Clean Start ends the Session, and with it the delay.
#[test]
fn who_comes_back_to_begin_anew_sets_it_free() {
    let (mut world, reader) = world_with_reader();
    let first = world.join(mortal(100, 10));
    world.cut(first);
    let new = world.join(connect("mortal"));
    assert_eq!(world.hears(reader), [GONE]);
    assert_eq!(world.hears(new), ["CONNACK 00"]);
}

/// §3.1.3.2.2: of a Client that is taken over it is published, but not when the Session goes on and there is a delay.
#[test]
fn a_take_over_is_an_end_unless_there_is_a_delay() {
    for (delay, goes_on, published) in [(0, true, 1), (0, false, 1), (10, true, 0), (10, false, 1)] {
        let (mut world, reader) = world_with_reader();
        world.join(mortal(100, delay));
        world.join(if goes_on { connect("mortal").kept(100) } else { connect("mortal") });
        world.pass(50);
        assert_eq!(world.hears(reader).len(), published, "delay {delay}, goes on: {goes_on}");
    }
}

/// [MQTT-3.14.4-3]
#[test]
fn a_normal_disconnect_discards_it_whatever_its_delay() {
    for delay in [0, 10] {
        let (mut world, reader) = world_with_reader();
        let mortal = world.join(mortal(100, delay));
        world.send(mortal, disconnect(ReasonCode::NormalDisconnection));
        world.pass(200);
        assert!(world.hears(reader).is_empty());
    }
}

/// [MQTT-3.1.2-8]
#[test]
fn disconnect_with_will_message_keeps_to_its_delay() {
    let (mut world, reader) = world_with_reader();
    let mortal = world.join(mortal(100, 10));
    world.send(mortal, disconnect(ReasonCode::DisconnectWithWillMessage));
    assert!(world.hears(reader).is_empty());
    world.pass(10);
    assert_eq!(world.hears(reader), [GONE]);
}

/// [MQTT-3.8.3-3]
#[test]
fn no_local_keeps_it_from_the_session_it_was_of() {
    for (no_local, heard) in [(false, 1), (true, 0)] {
        let mut world = World::new();
        let connecting = || connect("mortal").kept(100).will("will", b"gone", QoS::AtLeastOnce, false, 0);
        let mortal = world.join(connecting());
        let options = martlet_packet::SubscriptionOptions { no_local, ..options(1) };
        world.send(mortal, subscribe_with(1, &[("will", options)], None));
        world.cut(mortal);
        let back = world.join(connect("mortal").kept(100));
        assert_eq!(world.hears(back).len(), 1 + heard);
    }
}

/// A Will is a Message like any other: what its Client may not publish it may not leave behind either.
#[test]
fn a_will_under_a_denied_topic_is_not_published() {
    let deny_publish = vec![TopicFilter::parse("will", &Limits::default()).expect("a filter")];
    let rules = Rules { deny_publish, ..Rules::default() };
    let mut world = World::with(Settings { rules, ..Settings::new(Dialect::NATIVE) });
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("will", 0)]));
    world.hush();
    let mortal = world.join(connect("mortal").will("will", b"gone", QoS::AtMostOnce, false, 0));
    world.cut(mortal);
    assert!(world.hears(reader).is_empty());
    let told = world.notices().into_iter().find_map(|notice| match notice {
        Notice::WillRefused { client_id, text } => Some((client_id, text)),
        _ => None,
    });
    let (client_id, text) = told.expect("it is told in the log");
    assert!(&*client_id == "mortal" && text.contains("will"), "{text}");
}

/// It reaches a kept Session like any Message: through the journal, in order behind what was published before.
#[test]
fn it_comes_behind_what_its_client_published_before() {
    let journal = MemoryJournal::with_delay(3);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let reader = world.join(connect("reader").kept(100));
    world.send(reader, subscribe(1, &[("will", 1)]));
    world.hush();
    let mortal = world.join(connect("mortal").kept(100).will("will", b"gone", QoS::AtLeastOnce, false, 0));
    world.post(mortal, publish_qos("will", b"last words", 1, 1));
    world.cut(mortal);
    assert_eq!(world.hears(reader), ["PUBLISH will q1 #1 'last words'", "PUBLISH will q1 #2 'gone'"]);
}

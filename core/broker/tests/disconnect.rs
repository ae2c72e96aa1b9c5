//! DISCONNECT from either side, and the end of a Network Connection without one.

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{Disconnect, Packet, Property, QoS, ReasonCode, Version};
use martlet_record::MemoryJournal;
use martlet_simulator::{
    Client, World, auth, block, connect, disconnect, ping, publish, publish_qos, raw, subscribe,
};

/// Leaves normally, with this Session Expiry Interval.
fn leave_with_expiry(world: &mut World, client: Client, seconds: u32) {
    let properties = block(&[Property::SessionExpiryInterval(seconds)]);
    let properties = properties.as_properties();
    world.send(client, Packet::Disconnect(Disconnect { properties, ..Disconnect::new(ReasonCode::Success) }));
}

/// [MQTT-3.12.4-1]
#[test]
fn a_ping_is_answered() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        world.hush();
        world.send(client, ping());
        assert_eq!(world.hears(client), ["PINGRESP"]);
    }
}

/// [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.1-1]
#[test]
fn after_its_disconnect_the_node_sends_nothing_more_and_closes() {
    let journal = MemoryJournal::with_delay(3);
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
    let client = world.join(connect("client").kept(3600));
    world.send(client, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.post(client, publish_qos("t", b"its PUBACK waits", 1, 1));
    world.connect_again(client, connect("client"));
    world.send(writer, publish_qos("t", b"x", 1, 1));
    world.send(writer, publish("t", b"x"));
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
}

/// What follows in the same read is not looked at any more. [MQTT-4.13.1-1]
#[test]
fn what_a_client_sends_behind_its_violation_counts_for_nothing() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 0)]));
    let client = world.join(connect("client").kept(3600));
    world.hush();
    world.post(client, auth(ReasonCode::ReAuthenticate, &block(&[])));
    world.post(client, publish("t", b"too late"));
    world.post(client, subscribe(1, &[("t", 0)]));
    world.settle();
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
    assert!(world.hears(reader).is_empty());
    assert_eq!(world.counters().subscriptions, 1);
}

/// [MQTT-3.14.2-2]
#[test]
fn the_nodes_disconnect_names_no_session_expiry() {
    let mut world = World::new();
    let client = world.join(connect("client").kept(3600));
    world.hush();
    world.shut_down();
    let heard = world.hears_in_full(client).concat();
    assert!(heard.starts_with("DISCONNECT 8b") && !heard.contains("SessionExpiryInterval"), "{heard}");
}

/// [MQTT-3.14.1-1]
#[test]
fn a_disconnect_with_a_reserved_bit_is_malformed() {
    for (version, last) in [(Version::V3_1_1, None), (Version::V5, Some("DISCONNECT 81"))] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        world.hush();
        let mut bytes = raw(version, &disconnect(ReasonCode::Success));
        bytes[0] |= 1;
        world.post_bytes(client, bytes);
        world.settle();
        assert_eq!(world.hears(client), last.into_iter().chain(["closed"]).collect::<Vec<_>>());
    }
}

/// Whoever leaves is not told that it left.
#[test]
fn a_clients_disconnect_is_not_answered() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        world.hush();
        world.send(client, disconnect(ReasonCode::Success));
        assert_eq!(world.hears(client), ["closed"]);
    }
}

/// [MQTT-4.1.0-1] [MQTT-4.1.0-2]
#[test]
fn a_session_is_kept_until_its_expiry_has_passed_since_its_network_connection_ended() {
    let mut world = World::new();
    let client = world.join(connect("client").kept(10).keep_alive(0));
    world.send(client, subscribe(1, &[("t", 1)]));
    world.pass(1000);
    world.hush();
    world.send(client, publish("t", b"x"));
    assert_eq!(world.hears(client), ["PUBLISH t q0 'x'"]);
    world.cut(client);
    world.pass_millis(9_999);
    assert_eq!(world.counters().sessions, 1);
    world.pass_millis(1);
    assert_eq!(world.counters().sessions, 0);
    let back = world.join(connect("client").kept(10));
    assert_eq!(world.hears(back), ["CONNACK 00"]);
}

/// [MQTT-4.1.0-1]
#[test]
fn who_came_back_in_time_stays_with_new_terms() {
    let mut world = World::new();
    let first = world.join(connect("client").kept(10).keep_alive(4));
    world.cut(first);
    world.pass(9);
    let second = world.join(connect("client").kept(100).keep_alive(4));
    for _ in 0..10 {
        world.pass(4);
        world.send(second, ping());
    }
    world.cut(second);
    world.pass(99);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
}

/// §3.1.2.11.2: 0xFFFFFFFF is no number of seconds.
#[test]
fn the_largest_session_expiry_never_passes() {
    let mut world = World::new();
    let client = world.join(connect("client").kept(u32::MAX));
    world.cut(client);
    world.pass(10 * u64::from(u32::MAX));
    let back = world.join(connect("client").kept(u32::MAX));
    assert_eq!(world.hears(back), ["CONNACK 00 present"]);
}

/// §3.14.2.2.2
#[test]
fn a_disconnect_can_change_the_session_expiry() {
    for (changed, until) in [(0, 0), (5, 5), (100, 100)] {
        let mut world = World::new();
        let client = world.join(connect("client").kept(10));
        leave_with_expiry(&mut world, client, changed);
        if until > 0 {
            world.pass(until - 1);
            assert_eq!(world.counters().sessions, 1);
            world.pass(1);
        }
        assert_eq!(world.counters().sessions, 0, "{changed}");
    }
}

/// §3.14.2.2.2: what was to end with its Network Connection cannot be kept afterwards.
#[test]
fn a_disconnect_cannot_keep_a_session_that_was_not_to_be_kept() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.hush();
    leave_with_expiry(&mut world, client, 10);
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
    assert_eq!(world.counters().sessions, 0);
}

#[test]
fn a_disconnect_cannot_exceed_the_maximum_either() {
    let settings = Settings { session_expiry_max: 20, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client").kept(10));
    leave_with_expiry(&mut world, client, u32::MAX);
    world.pass(20);
    assert_eq!(world.counters().sessions, 0);
}

/// [MQTT-3.14.4-3] [MQTT-3.1.2-10]
#[test]
fn a_normal_disconnect_discards_the_will_and_any_other_does_not() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let reasons = [ReasonCode::Success, ReasonCode::DisconnectWithWillMessage, ReasonCode::QuotaExceeded];
        let reasons = if version.is_v5() { &reasons[..] } else { &reasons[..1] };
        for reason in reasons {
            let mut world = World::new();
            let reader = world.join(connect("reader"));
            world.send(reader, subscribe(1, &[("will", 0)]));
            world.hush();
            let mortal = connect("mortal").version(version).will("will", b"gone", QoS::AtMostOnce, false, 0);
            let mortal = world.join(mortal);
            world.send(mortal, disconnect(*reason));
            let published = if *reason == ReasonCode::Success { 0 } else { 1 };
            assert_eq!(world.hears(reader).len(), published, "{version:?} {reason:?}");
        }
    }
}

/// What the log says of an end is what a Client with MQTT 5 reads.
#[test]
fn the_log_says_why_a_network_connection_ended() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    world.connect_again(client, connect("client"));
    let words = world.hears_in_full(client).concat();
    let told = world.notices().into_iter().find_map(|notice| match notice {
        Notice::Disconnected { client_id, why } => Some((client_id, why)),
        _ => None,
    });
    let (client_id, why) = told.expect("the end is told");
    assert_eq!((&*client_id, why.reason), ("client", ReasonCode::ProtocolError));
    assert!(words.contains(&*why.text), "{words}");
}

//! CONNACK in the native dialect: what it announces, and nothing else.

use std::sync::Arc;

use martlet_access::Rules;
use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, Version};
use martlet_simulator::{World, block, connect, ping, publish_qos, subscribe};
use martlet_topic::{Limits, TopicFilter};

const LIMITS: &str = "TopicAliasMaximum(64), MaximumPacketSize(16777216), ReceiveMaximum(1024)";

#[test]
fn the_limits_are_announced() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    assert_eq!(world.hears_in_full(client), [format!("CONNACK 00 {{{LIMITS}}}")]);
}

#[test]
fn mqtt_3_has_four_bytes_for_it() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        assert_eq!(world.hears_bytes(client), [0x20, 2, 0, 0]);
    }
}

/// §3.2.2.3.2: a Client that does not say how long its Session lives is told, if it is not zero.
#[test]
fn the_default_session_expiry_is_announced_and_kept() {
    let mut world = World::new();
    let client = world.join(connect("client").resuming());
    assert_eq!(world.hears(client), ["CONNACK 00 {SessionExpiryInterval(7200)}"]);
    world.cut(client);
    world.pass(7199);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
}

#[test]
fn the_default_session_expiry_is_for_those_that_want_to_go_on_and_did_not_say() {
    let mut world = World::new();
    let clean = world.join(connect("clean"));
    let ten = world.join(connect("ten").kept(10));
    let zero = world.join(connect("zero").kept(0));
    for client in [clean, ten, zero] {
        assert_eq!(world.hears(client), ["CONNACK 00"]);
        world.cut(client);
    }
    assert_eq!(world.counters().sessions, 1, "that of ten seconds");
}

#[test]
fn a_default_session_expiry_of_zero_is_none() {
    let settings = Settings { default_session_expiry: 0, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client").resuming());
    assert_eq!(world.hears(client), ["CONNACK 00"]);
    world.cut(client);
    assert_eq!(world.counters().sessions, 0);
}

/// [MQTT-4.12.0-6]
#[test]
fn without_a_method_in_connect_there_is_none_in_connack() {
    let settings = Settings { authenticators: Arc::new([]), ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    assert!(!world.hears_in_full(client).concat().contains("Authentication"));
}

/// [MQTT-3.2.2-17]
#[test]
fn an_alias_above_what_connack_allows_ends_the_network_connection() {
    let settings = Settings { topic_alias_maximum: 3, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    assert!(world.hears_in_full(client).concat().contains("TopicAliasMaximum(3)"));
    world.send(client, aliased("t", 3));
    assert!(world.hears(client).is_empty());
    world.send(client, aliased("t", 4));
    assert_eq!(world.hears(client), ["DISCONNECT 94", "closed"]);
}

/// [MQTT-3.2.2-18]
#[test]
fn where_connack_allows_no_alias_any_ends_the_network_connection() {
    let settings = Settings { topic_alias_maximum: 0, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    assert!(!world.hears_in_full(client).concat().contains("TopicAliasMaximum"));
    world.send(client, aliased("t", 1));
    assert_eq!(world.hears(client), ["DISCONNECT 94", "closed"]);
}

/// [MQTT-3.2.2-22]
#[test]
fn without_a_server_keep_alive_that_of_the_client_counts() {
    let mut world = World::new();
    let client = world.join(connect("client").keep_alive(10));
    assert_eq!(world.hears(client), ["CONNACK 00"]);
    world.pass_millis(14_999);
    assert!(world.hears(client).is_empty());
    world.pass_millis(1);
    assert_eq!(world.hears(client), ["DISCONNECT 8d", "closed"]);
}

#[test]
fn a_keep_alive_above_the_maximum_or_none_at_all_is_answered_by_the_maximum() {
    let settings = Settings { keep_alive_max: Some(10), ..Settings::new(Dialect::NATIVE) };
    for (asked, told) in [(0, " {ServerKeepAlive(10)}"), (11, " {ServerKeepAlive(10)}"), (10, ""), (4, "")] {
        let mut world = World::with(settings.clone());
        let client = world.join(connect("client").keep_alive(asked));
        assert_eq!(world.hears(client), [format!("CONNACK 00{told}")]);
        let millis = if told.is_empty() { u64::from(asked) * 1500 } else { 15_000 };
        world.pass_millis(millis - 1);
        world.send(client, ping());
        assert_eq!(world.hears(client), ["PINGRESP"]);
        world.pass_millis(millis);
        assert_eq!(world.hears(client), ["DISCONNECT 8d", "closed"]);
    }
}

#[test]
fn mqtt_3_cannot_be_told_a_keep_alive_and_keeps_its_own() {
    let settings = Settings { keep_alive_max: Some(10), ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client").version(Version::V3_1_1).keep_alive(20));
    world.pass_millis(29_999);
    assert_eq!(world.hears(client), ["CONNACK 00"]);
    world.pass_millis(1);
    assert_eq!(world.hears(client), ["closed"]);
}

/// [MQTT-3.1.2-29]
#[test]
fn a_client_that_wants_no_problem_information_gets_it_where_it_must_be_given_alone() {
    for (wants, told) in [(true, true), (false, false)] {
        let deny = || vec![TopicFilter::parse("secret", &Limits::default()).expect("a filter")];
        let rules = Rules { deny_subscribe: deny(), deny_publish: deny() };
        let mut world = World::with(Settings { rules, ..Settings::new(Dialect::NATIVE) });
        let client = world.join(connect("client").with(&Property::RequestProblemInformation(wants)));
        world.hush();
        world.send(client, publish_qos("secret", b"x", 1, 1));
        world.send(client, publish_qos("secret", b"x", 2, 2));
        world.send(client, subscribe(3, &[("secret", 0)]));
        for line in world.hears_in_full(client) {
            assert_eq!(line.contains("ReasonString"), told, "{line}");
        }
        let properties = block(&[Property::UserProperty("k", "v")]);
        let message = Publish { properties: properties.as_properties(), ..Publish::new("t", b"x") };
        world.send(client, subscribe(4, &[("t", 0)]));
        world.send(client, Packet::Publish(message));
        assert_eq!(world.hears(client)[1], "PUBLISH t q0 'x' {UserProperty(\"k\", \"v\")}");
        world.connect_again(client, connect("client"));
        assert!(world.hears_in_full(client)[0].contains("ReasonString"), "DISCONNECT always says why");
    }
}

/// §3.1.2.11.6: whether there is Response Information is the node's affair; this one has none.
#[test]
fn request_response_information_brings_none() {
    let mut world = World::new();
    let client = world.join(connect("client").with(&Property::RequestResponseInformation(true)));
    assert_eq!(world.hears(client), ["CONNACK 00"]);
}

fn aliased(topic: &str, alias: u16) -> Packet<'_> {
    Packet::Publish(Publish { topic_alias: Some(alias), ..Publish::new(topic, b"x") })
}

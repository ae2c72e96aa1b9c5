//! What an operator can ask of the node and of one listener, each as a Client sees it.

use std::sync::Arc;

use martlet_broker::{Dialect, Notice, Settings};
use martlet_packet::{Packet, Property, Publish, QoS, ReasonCode, Version};
use martlet_record::Room;
use martlet_session::{ConnectRequest, Overflow, QueueLimits, Terms};
use martlet_simulator::{
    Client, World, connect, options, puback, pubcomp, publish, publish_qos, pubrec, pubrel, retain,
    subscribe, subscribe_with, two_homes, unsubscribe,
};

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];

fn mosquitto() -> Settings {
    Settings::new(Dialect::MOSQUITTO)
}

/// Mosquitto's dialect without its one Reason Code that MQTT does not have there: the Clients of the simulator take legal
/// packets alone.
fn spoken_by_the_book() -> Settings {
    let mut settings = mosquitto();
    settings.dialect.long_payload = ReasonCode::QuotaExceeded;
    settings
}

fn mounted() -> Terms {
    Terms { mount_point: Some("mount/".into()), ..Terms::default() }
}

/// A Client that was heard out.
fn reader(world: &mut World, id: &str, version: Version, filters: &[(&str, u8)]) -> Client {
    let client = world.join(connect(id).version(version));
    world.send(client, subscribe(1, filters));
    world.hears(client);
    client
}

#[test]
fn a_mount_point_stands_before_what_is_published_and_is_not_seen_below_it() {
    for version in BOTH {
        for qos in 0..=2 {
            let mut world = World::with(mosquitto());
            let outside = reader(&mut world, "outside", version, &[("#", 2)]);
            let inside = world.join(connect("inside").version(version).under(mounted()));
            world.send(inside, subscribe(1, &[("a/+", 2), ("$share/g/s", 2)]));
            world.hush();
            world.send(inside, publish_qos("a/b", b"1", qos, 1));
            let whole = world.hears(outside);
            assert!(whole[0].starts_with("PUBLISH mount/a/b "), "{whole:?}");
            let own = world.hears(inside);
            assert!(own.iter().any(|line| line.starts_with("PUBLISH a/b ")), "{own:?}");
            // From outside, to one member of a group as to all.
            world.send(outside, publish("mount/s", b"2"));
            assert_eq!(world.hears(inside), ["PUBLISH s q0 '2'"]);
            world.send(outside, publish("a/b", b"3"));
            assert!(world.hears(inside).is_empty());
        }
    }
}

#[test]
fn a_mount_point_holds_for_wills_and_retained_messages_and_for_leaving() {
    let mut world = World::with(mosquitto());
    let outside = reader(&mut world, "outside", Version::V5, &[("#", 0)]);
    let dying = connect("dying").will("will", b"w", QoS::AtMostOnce, false, 0);
    let dying = world.join(dying.under(mounted()));
    world.cut(dying);
    assert_eq!(world.hears(outside), ["PUBLISH mount/will q0 'w'"]);
    world.send(outside, retain("mount/kept", b"r"));
    world.send(outside, retain("kept", b"x"));
    let inside = world.join(connect("inside").under(mounted()));
    world.hears(inside);
    world.send(inside, subscribe(1, &[("kept", 0)]));
    assert_eq!(world.hears(inside), ["SUBACK 1 [00]", "PUBLISH kept q0 retain 'r'"]);
    world.send(inside, unsubscribe(2, &["kept"]));
    assert_eq!(world.hears(inside), ["UNSUBACK 2 [00]"]);
    assert_eq!(world.counters().subscriptions, 1);
}

#[test]
fn below_a_mount_point_a_message_can_be_delayed_and_nothing_is_the_nodes() {
    let mut world = World::new();
    let outside = reader(&mut world, "outside", Version::V5, &[("#", 0)]);
    let inside = world.join(connect("inside").under(mounted()));
    world.send(inside, publish("$delayed/5/late", b"1"));
    world.pass(5);
    assert_eq!(world.hears(outside), ["PUBLISH mount/late q0 '1'"]);
    world.send(inside, publish("$SYS/broker/uptime", b"2"));
    assert_eq!(world.hears(outside), ["PUBLISH mount/$SYS/broker/uptime q0 '2'"]);
}

#[test]
fn the_maximum_qos_of_a_listener_is_told_and_kept_to() {
    let terms = || Terms { maximum_qos: QoS::AtLeastOnce, ..Terms::default() };
    let mut world = World::with(mosquitto());
    let client = world.join(connect("new").under(terms()));
    let told = world.hears_in_full(client);
    assert!(told[0].contains("MaximumQoS(AtLeastOnce)"), "{told:?}");
    for version in BOTH {
        let mut world = World::with(mosquitto());
        let client = world.join(connect("client").version(version).under(terms()));
        world.hears(client);
        world.send(client, subscribe(1, &[("t", 2)]));
        assert_eq!(world.hears(client), ["SUBACK 1 [01]"]);
        world.send(client, publish_qos("u", b"", 2, 1));
        let heard = world.hears(client);
        assert_eq!(heard.last().map(String::as_str), Some("closed"));
        assert_eq!(heard[0].starts_with("DISCONNECT 9b"), version.is_v5(), "{heard:?}");
        // Another listener has no such limit.
        let other = world.join(connect("other").version(version));
        world.hears(other);
        world.send(other, publish_qos("u", b"", 2, 1));
        assert!(world.hears(other)[0].starts_with("PUBREC 1"));
        let dying = connect("dying").version(version).will("w", b"", QoS::ExactlyOnce, false, 0);
        let dying = world.join(dying.under(terms()));
        assert!(world.is_closed(dying));
    }
}

#[test]
fn the_topic_alias_maximum_of_a_listener_is_told_and_kept_to() {
    for (maximum, told) in [(3, true), (0, false)] {
        let mut world = World::with(mosquitto());
        let terms = Terms { topic_alias_maximum: Some(maximum), ..Terms::default() };
        let client = world.join(connect("client").under(terms));
        let heard = world.hears_in_full(client);
        assert_eq!(heard[0].contains("TopicAliasMaximum(3)"), told, "{heard:?}");
        world.send(client, Packet::Publish(Publish { topic_alias: Some(4), ..Publish::new("t", b"") }));
        assert!(world.hears(client)[0].starts_with("DISCONNECT 94"));
    }
}

#[test]
fn the_user_name_is_the_client_identifier_where_the_listener_has_it_so() {
    let terms = || Terms { username_is_client_id: true, ..Terms::default() };
    let mut world = World::with(mosquitto());
    world.join(connect("chosen").username("alice").under(terms()));
    let names: Vec<_> = world.notices().into_iter().filter_map(client_id).collect();
    assert_eq!(names, ["alice"]);
    for (version, connack) in [(Version::V3_1_1, "CONNACK 87"), (Version::V5, "CONNACK 87")] {
        let nameless = world.join(connect("chosen").version(version).under(terms()));
        let heard = world.hears(nameless);
        assert!(heard[0].starts_with(connack), "{heard:?}");
        assert!(world.is_closed(nameless));
    }
}

fn client_id(notice: Notice) -> Option<String> {
    match notice {
        Notice::Connected { client_id, .. } => Some(client_id.into()),
        _ => None,
    }
}

/// What a transport proved counts, and CONNECT cannot say otherwise.
#[test]
fn an_identity_takes_the_place_of_the_user_name() {
    use martlet_packet::Connect;
    use martlet_session::{Handshake, HandshakePolicy, Progress};
    for username_is_client_id in [false, true] {
        let terms = Terms { identity_is_username: true, username_is_client_id, ..Terms::default() };
        let policy = HandshakePolicy::default().under(Arc::new(terms));
        let connect = Connect {
            user_name: Some("mallory"),
            password: Some(b"x"),
            ..Connect::new(Version::V5, "chosen")
        };
        let progress = Handshake::default().receive(&Packet::Connect(connect), &policy, || 0);
        let Progress::Admitted(mut request) = progress else { panic!("{progress:?}") };
        request.identify("alice");
        let ConnectRequest { username, password, client_id, .. } = &*request;
        assert_eq!((username.as_deref(), password.is_none()), (Some("alice"), true));
        assert_eq!(&**client_id, if username_is_client_id { "alice" } else { "chosen" });
    }
}

#[test]
fn generated_client_identifiers_begin_as_the_listener_says() {
    let mut world = World::with(mosquitto());
    let terms = Terms { client_id_prefix: Some("gate-".into()), ..Terms::default() };
    let client = world.join(connect("").under(terms));
    let heard = world.hears_in_full(client);
    assert!(heard[0].contains("AssignedClientIdentifier(\"gate-00000000-"), "{heard:?}");
}

#[test]
fn an_empty_client_identifier_is_refused_where_the_listener_allows_none() {
    let closed = || Terms { allows_empty_client_id: false, ..Terms::default() };
    for (settings, version, connack) in [
        (mosquitto(), Version::V3_1_1, "CONNACK 85"),
        (mosquitto(), Version::V5, "CONNACK 80"),
        (Settings::new(Dialect::NATIVE), Version::V5, "CONNACK 85"),
    ] {
        let mut world = World::with(settings);
        let client = world.join(connect("").version(version).under(closed()));
        let heard = world.hears(client);
        assert!(heard[0].starts_with(connack), "{heard:?}");
        let client = world.join(connect("").version(version));
        assert!(world.hears(client)[0].starts_with("CONNACK 00"));
    }
}

#[test]
fn a_client_identifier_that_does_not_begin_as_all_must_is_refused() {
    for (version, connack) in [(Version::V3_1_1, "CONNACK 87"), (Version::V5, "CONNACK 87")] {
        let mut world = World::with(Settings { client_ids_begin: Some("secure-".into()), ..mosquitto() });
        let stranger = world.join(connect("client").version(version));
        assert!(world.hears(stranger)[0].starts_with(connack));
        let known = world.join(connect("secure-client").version(version));
        assert!(world.hears(known)[0].starts_with("CONNACK 00"));
    }
}

#[test]
fn copies_are_sent_with_the_qos_of_the_subscription_where_that_is_asked_for() {
    for kept in [false, true] {
        let mut world = World::with(Settings { upgrades_qos: true, ..mosquitto() });
        let client = if kept { connect("reader").kept(60) } else { connect("reader") };
        let client = world.join(client);
        world.send(client, subscribe(1, &[("t", 2)]));
        let writer = world.join(connect("writer"));
        world.send(writer, retain("r", b"kept"));
        world.hush();
        world.send(writer, publish("t", b"0"));
        world.send(client, pubrec(1));
        world.send(client, pubcomp(1));
        world.send(client, subscribe(2, &[("r", 1)]));
        assert_eq!(
            world.hears(client),
            ["PUBLISH t q2 #1 '0'", "PUBREL 1", "SUBACK 2 [01]", "PUBLISH r q1 #2 retain 'kept'"],
            "{kept}"
        );
    }
}

#[test]
fn an_upgraded_message_that_cannot_be_kept_is_dropped_and_counted() {
    let mut world = World::with(Settings { upgrades_qos: true, ..mosquitto() });
    let client = world.join(connect("reader").kept(60));
    world.send(client, subscribe(1, &[("t", 1)]));
    world.cut(client);
    let writer = world.join(connect("writer"));
    world.set_room(Room::DrainOnly);
    world.send(writer, publish("t", b"0"));
    let counters = world.counters();
    assert_eq!((counters.qos0_dropped, counters.ledger.accepted), (1, 0));
}

#[test]
fn an_mqtt_3_client_gets_one_copy_unless_duplicates_are_allowed() {
    for (version, allows, copies) in [
        (Version::V3_1_1, false, 1),
        (Version::V3_1_1, true, 2),
        (Version::V5, false, 2),
        (Version::V5, true, 2),
    ] {
        let mut world = World::with(Settings { allows_duplicates: allows, ..mosquitto() });
        let client = reader(&mut world, "reader", version, &[("t/+", 1), ("t/#", 0)]);
        let writer = world.join(connect("writer"));
        world.send(writer, publish_qos("t/1", b"", 1, 1));
        assert_eq!(world.hears(client).len(), copies, "{version:?} {allows}");
    }
}

#[test]
fn a_session_is_asked_again_for_its_version_when_it_goes_on() {
    let mut world = World::with(mosquitto());
    let client = world.join(connect("reader").version(Version::V3_1_1).resuming());
    world.send(client, subscribe(1, &[("t/+", 0), ("t/#", 0)]));
    world.cut(client);
    let writer = world.join(connect("writer"));
    for (version, copies) in [(Version::V5, 2), (Version::V3_1_1, 1)] {
        let again = connect("reader").version(version).resuming();
        let again = if version.is_v5() { again.with(&Property::SessionExpiryInterval(60)) } else { again };
        let back = world.join(again);
        world.hears(back);
        world.send(writer, publish("t/1", b""));
        assert_eq!(world.hears(back).len(), copies, "{version:?}");
        world.cut(back);
    }
}

#[test]
fn no_more_bytes_are_in_flight_than_allowed() {
    let mut settings = mosquitto();
    settings.send.in_flight_bytes = 100;
    let mut world = World::with(settings);
    let client = reader(&mut world, "reader", Version::V5, &[("t", 1)]);
    let writer = world.join(connect("writer"));
    for id in 1..=4 {
        world.send(writer, publish_qos("t", &[b'x'; 60], 1, id));
    }
    // The second goes beyond the limit, and nothing after it.
    assert_eq!(world.hears(client).len(), 2);
    world.send(client, puback(1));
    assert_eq!(world.hears(client).len(), 1);
    world.send(client, puback(2));
    assert_eq!(world.hears(client).len(), 1);
}

#[test]
fn mosquittos_queue_drops_the_newest_and_says_so_once() {
    let settings = Settings { queue: QueueLimits::new(2, usize::MAX, Overflow::DropNewest), ..mosquitto() };
    assert_eq!(mosquitto().queue.overflow, Overflow::DropNewest);
    let mut world = World::with(settings);
    let client = world.join(connect("reader").kept(60));
    world.send(client, subscribe(1, &[("t", 1)]));
    world.cut(client);
    let writer = world.join(connect("writer"));
    world.notices();
    for id in 1..=5 {
        world.send(writer, publish_qos("t", b"", 1, id));
    }
    let told: Vec<_> = world.notices();
    assert!(matches!(&told[..], [Notice::FirstDrop { .. }]), "{told:?}");
    let ledger = world.counters().ledger;
    assert_eq!((ledger.accepted, ledger.dropped_queue_full, ledger.stored), (5, 3, 2));
}

#[test]
fn a_keep_alive_above_the_maximum_is_refused_where_the_client_cannot_be_told() {
    let settings = Settings { keep_alive_max: Some(100), ..mosquitto() };
    for (keep_alive, connack) in [(100, "CONNACK 00"), (101, "CONNACK 85"), (0, "CONNACK 85")] {
        let mut world = World::with(settings.clone());
        let client = world.join(connect("client").version(Version::V3_1_1).keep_alive(keep_alive));
        let heard = world.hears(client);
        assert!(heard[0].starts_with(connack), "{keep_alive} {heard:?}");
        let client = world.join(connect("new").keep_alive(keep_alive));
        assert!(world.hears(client)[0].starts_with("CONNACK 00"));
    }
}

#[test]
fn a_payload_above_the_limit_is_answered_and_not_published() {
    for version in BOTH {
        let mut world = World::with(Settings { payload_bytes_max: 3, ..spoken_by_the_book() });
        let hearer = reader(&mut world, "hearer", version, &[("t", 0)]);
        let writer = world.join(connect("writer").version(version));
        world.hears(writer);
        world.send(writer, publish_qos("t", b"1234", 1, 1));
        world.send(writer, publish_qos("t", b"1234", 2, 2));
        world.send(writer, pubrel(2));
        world.send(writer, publish("t", b"1234"));
        world.send(writer, publish("t", b"123"));
        let (puback, pubrec) = if version.is_v5() { (" 97", " 97") } else { ("", "") };
        let heard = world.hears(writer);
        assert_eq!(heard[..2], [format!("PUBACK 1{puback}"), format!("PUBREC 2{pubrec}")]);
        assert_eq!(world.hears(hearer), ["PUBLISH t q0 '123'"]);
        assert_eq!(world.counters().publish_refused, 3);
        let dying = connect("dying").version(version).will("w", b"1234", QoS::AtMostOnce, false, 0);
        let dying = world.join(dying);
        let connack = if version.is_v5() { "CONNACK 95" } else { "CONNACK 87" };
        assert_eq!(world.hears(dying), [connack, "closed"]);
    }
}

#[test]
fn a_topic_that_is_too_long_below_its_mount_point_is_refused() {
    let mut world = World::with(mosquitto());
    let longest = "x".repeat(65_535);
    let dying = connect("dying").will(&longest, b"", QoS::AtMostOnce, false, 0);
    let dying = world.join(dying.under(mounted()));
    assert!(world.is_closed(dying));
    let writer = world.join(connect("writer").under(mounted()));
    world.hears(writer);
    world.send(writer, subscribe(1, &[(&longest, 0)]));
    assert!(world.hears(writer)[0].starts_with("SUBACK 1 [8f"));
    world.send(writer, publish(&longest, b""));
    assert!(world.is_closed(writer));
}

#[test]
fn a_session_of_mqtt_3_ends_when_the_node_keeps_none_for_longer() {
    let mut world = World::with(Settings { session_expiry_max: 60, ..mosquitto() });
    let client = world.join(connect("client").version(Version::V3_1_1).resuming());
    world.cut(client);
    world.pass(59);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
}

#[test]
fn mosquitto_1_sends_again_what_is_not_answered_to_mqtt_3_alone() {
    for kept in [false, true] {
        let mut world = World::with(Settings::new(Dialect::MOSQUITTO_1));
        let old = connect("old").version(Version::V3_1_1).keep_alive(0);
        let old = world.join(if kept { old.resuming() } else { old });
        world.send(old, subscribe(1, &[("t", 2)]));
        let new = world.join(connect("new").keep_alive(0));
        world.send(new, subscribe(1, &[("t", 2)]));
        let writer = world.join(connect("writer").keep_alive(0));
        world.hush();
        world.send(writer, publish_qos("t", b"1", 1, 1));
        world.send(writer, publish_qos("t", b"2", 2, 2));
        world.send(writer, pubrel(2));
        assert_eq!(world.hears(old), ["PUBLISH t q1 #1 '1'", "PUBLISH t q2 #2 '2'"]);
        world.hush();
        world.pass(19);
        assert!(world.hears(old).is_empty());
        world.pass(1);
        assert_eq!(world.hears(old), ["PUBLISH t q1 #1 dup '1'", "PUBLISH t q2 #2 dup '2'"]);
        world.send(old, puback(1));
        world.send(old, pubrec(2));
        assert_eq!(world.hears(old), ["PUBREL 2"]);
        world.pass(20);
        assert_eq!(world.hears(old), ["PUBREL 2"]);
        world.send(old, pubcomp(2));
        world.pass(60);
        assert!(world.hears(old).is_empty());
        assert!(world.hears(new).is_empty());
    }
}

#[test]
fn mosquitto_1_has_the_defaults_of_its_time() {
    let settings = Settings::new(Dialect::MOSQUITTO_1);
    assert_eq!((settings.send.in_flight, settings.queue.messages), (20, 100));
}

#[test]
fn new_settings_hold_at_once() {
    let mut world = World::with(mosquitto());
    let client = reader(&mut world, "reader", Version::V5, &[("t", 1)]);
    world.cut(client);
    let writer = world.join(connect("writer"));
    world.hears(writer);
    let smaller =
        Arc::new(Settings { payload_bytes_max: 3, retain_available: false, ..spoken_by_the_book() });
    world.with_shards(|shard, _, _| shard.set_settings(Arc::clone(&smaller)));
    world.send(writer, publish_qos("t", b"1234", 1, 1));
    assert!(world.hears(writer)[0].starts_with("PUBACK 1 97"));
    world.send(writer, retain("t", b"1"));
    assert!(world.hears(writer)[0].starts_with("DISCONNECT 9a"));
}

#[test]
fn subscriptions_are_told_where_somebody_asks() {
    for asks in [false, true] {
        let mut world = World::with(Settings { notices_subscriptions: asks, ..mosquitto() });
        let client = world.join(connect("reader"));
        world.notices();
        world.send(client, subscribe(1, &[("t/+", 1)]));
        world.send(client, unsubscribe(2, &["t/+"]));
        let told: Vec<_> = world.notices();
        let expected = matches!(
            &told[..],
            [Notice::Subscribed { qos: QoS::AtLeastOnce, filter, .. }, Notice::Unsubscribed { client_id, .. }]
                if filter.to_string() == "t/+" && &**client_id == "reader"
        );
        assert_eq!((expected, told.is_empty()), (asks, !asks), "{told:?}");
    }
}

#[test]
fn a_line_of_the_log_comes_with_the_qos_of_the_subscription_and_is_not_retained() {
    for kept in [false, true] {
        let mut world = World::with(mosquitto());
        let client = if kept { connect("reader").kept(60) } else { connect("reader") };
        let client = world.join(client);
        world.send(client, subscribe(1, &[("$SYS/broker/log/#", 2)]));
        world.hears(client);
        let (home, _) = two_homes();
        world.at_home_of(&home, |shard, _, out| shard.publish_log("$SYS/broker/log/N", b"line", out));
        assert_eq!(world.hears(client), ["PUBLISH $SYS/broker/log/N q2 #1 'line'"]);
        let late = world.join(connect("late"));
        world.send(late, subscribe_with(1, &[("$SYS/broker/log/#", options(0))], None));
        assert_eq!(world.hears(late).len(), 2);
    }
}

#[test]
fn every_subscription_is_listed() {
    let mut world = World::new();
    reader(&mut world, "reader", Version::V5, &[("a/+", 1), ("$share/g/b", 2)]);
    let mut listed = Vec::new();
    world.with_shards(|shard, _, _| {
        shard.for_each_subscription(|client_id, filter, qos| {
            listed.push(format!("{client_id} {filter} {}", u8::from(qos)));
        });
    });
    listed.sort();
    assert_eq!(listed, ["reader $share/g/b 2", "reader a/+ 1"]);
}

#[test]
fn mosquitto_publishes_sys_with_qos_2_and_martlet_with_qos_0() {
    for (dialect, qos) in [(Dialect::MOSQUITTO, "q2 #1"), (Dialect::NATIVE, "q0")] {
        let mut world = World::with(Settings::new(dialect));
        let client = reader(&mut world, "reader", Version::V5, &[("$SYS/#", 2)]);
        world.at_home_of("any", |shard, _, out| shard.publish_node("$SYS/broker/uptime", b"1", out));
        assert_eq!(world.hears(client), [format!("PUBLISH $SYS/broker/uptime {qos} '1'")]);
        let why = ReasonCode::Success;
        world.send(client, martlet_simulator::disconnect(why));
    }
}

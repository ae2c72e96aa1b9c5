//! `$delayed/SECONDS/TOPIC`: a Message is published later, once, as it was given.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, Version};
use martlet_record::{MemoryJournal, Need, Record, WallTime};
use martlet_simulator::{
    Client, MemoryLog, ReadableJournal, World, block, connect, publish, publish_qos, pubrel, subscribe,
};

use play::everything_of;

mod play;

fn logged() -> World<MemoryLog> {
    World::logged(Settings::new(Dialect::NATIVE), 1)
}

/// A reader of "t", kept or not, and a writer.
fn reader_and_writer<J: ReadableJournal>(world: &mut World<J>, kept: u32) -> (Client, Client) {
    let reader = world.join(connect("reader").kept(kept).keep_alive(0));
    world.send(reader, subscribe(1, &[("t", 2)]));
    let writer = world.join(connect("writer").keep_alive(0));
    world.hush();
    (reader, writer)
}

/// The same PUBLISH with something changed.
fn with<'a>(packet: Packet<'a>, change: impl FnOnce(&mut Publish<'a>)) -> Packet<'a> {
    let Packet::Publish(mut publish) = packet else { unreachable!("a PUBLISH") };
    change(&mut publish);
    Packet::Publish(publish)
}

#[test]
fn it_is_published_at_its_time_and_not_before() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world, 0);
    world.send(writer, publish_qos("$delayed/5/t", b"x", 1, 1));
    assert_eq!(world.hears(writer), ["PUBACK 1"]);
    world.pass_millis(4_999);
    assert_eq!(world.hears(reader), [""; 0]);
    world.pass_millis(1);
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'"]);
    world.pass(100);
    assert_eq!(world.hears(reader), [""; 0]);
}

#[test]
fn whoever_subscribes_meanwhile_gets_it() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world, 0);
    world.send(writer, publish("$delayed/5/u", b"x"));
    world.send(reader, subscribe(2, &[("u", 0)]));
    world.hush();
    world.pass(5);
    assert_eq!(world.hears(reader), ["PUBLISH u q0 'x'"]);
}

#[test]
fn those_of_one_moment_keep_their_order_and_others_come_when_they_are_due() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world, 3600);
    for (id, (topic, payload)) in (1..).zip([
        ("$delayed/9/t", b"1"),
        ("$delayed/3/t", b"2"),
        ("$delayed/9/t", b"3"),
        ("$delayed/0/t", b"4"),
    ]) {
        world.send(writer, publish_qos(topic, payload, 1, id));
    }
    world.pass(20);
    let heard = world.hears(reader);
    assert_eq!(
        heard,
        ["PUBLISH t q1 #1 '4'", "PUBLISH t q1 #2 '2'", "PUBLISH t q1 #3 '1'", "PUBLISH t q1 #4 '3'",]
    );
}

#[test]
fn its_qos_retain_and_properties_are_kept_and_its_expiry_runs_meanwhile() {
    for kept in [0, 3600] {
        let mut world = logged();
        let (reader, writer) = reader_and_writer(&mut world, kept);
        let properties = block(&[Property::ContentType("text"), Property::UserProperty("a", "b")]);
        let packet = with(publish_qos("$delayed/40/t", b"x", 2, 7), |publish| {
            (publish.retain, publish.message_expiry) = (true, Some(100));
            publish.properties = properties.as_properties();
        });
        world.send(writer, packet);
        assert_eq!(world.node.retained.len(), 0, "not yet");
        world.pass(40);
        let told = "expiry=60 'x' {ContentType(\"text\"), UserProperty(\"a\", \"b\")}";
        assert_eq!(world.hears(reader), [format!("PUBLISH t q2 #1 {told}")]);
        world.send(reader, subscribe(2, &[("t", 2)]));
        assert_eq!(
            world.hears(reader).last().map(String::as_str),
            Some(&*format!("PUBLISH t q2 #2 retain {told}"))
        );
    }
}

/// [MQTT-3.3.2-5]
#[test]
fn one_that_expires_before_its_time_is_nobodys() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world, 3600);
    let packet = with(publish_qos("$delayed/10/t", b"x", 1, 1), |publish| publish.message_expiry = Some(5));
    world.send(writer, packet);
    world.pass(10);
    assert_eq!(world.hears(reader), [""; 0]);
}

#[test]
fn what_is_no_delay_and_no_topic_is_refused() {
    let mut world = logged();
    let (_, writer) = reader_and_writer(&mut world, 0);
    let wrong = [
        "$delayed/5",
        "$delayed/5/",
        "$delayed//t",
        "$delayed/-1/t",
        "$delayed/1.5/t",
        "$delayed/x/t",
        "$delayed/4294967296/t",
    ];
    for (id, topic) in (1..).zip(wrong) {
        world.send(writer, publish_qos(topic, b"x", 1, id));
        assert_eq!(world.hears(writer), [format!("PUBACK {id} 90")], "{topic}");
    }
    for (id, topic) in (1..).zip(["$delayed/1/$SYS/broker/uptime", "$delayed/1/$share/g/t"]) {
        world.send(writer, publish_qos(topic, b"x", 1, id));
        assert_eq!(world.hears(writer), [format!("PUBACK {id} 87")], "{topic}");
    }
}

#[test]
fn there_are_no_more_than_the_limit_and_when_one_is_gone_there_is_room_again() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.delayed_messages_max = 2;
    let mut world = World::logged(settings, 1);
    let (reader, writer) = reader_and_writer(&mut world, 0);
    for id in 1..=3 {
        world.send(writer, publish_qos("$delayed/5/t", b"x", 1, id));
    }
    let heard = world.hears_in_full(writer);
    assert_eq!(heard[..2], ["PUBACK 1", "PUBACK 2"]);
    assert!(heard[2].starts_with("PUBACK 3 97") && heard[2].contains("raise the limit"), "{heard:?}");
    world.pass(5);
    assert_eq!(world.hears(reader).len(), 2);
    world.send(writer, publish_qos("$delayed/5/t", b"x", 2, 4));
    assert_eq!(world.hears(writer), ["PUBREC 4"]);
}

/// It has no code to be told by, and must not believe that its Message was taken.
#[test]
fn a_publisher_of_mqtt_3_that_is_refused_is_disconnected() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.delayed_messages_max = 0;
    let mut world = World::logged(settings, 1);
    for topic in ["$delayed/5/t", "$delayed/x/t"] {
        let writer = world.join(connect("writer").version(Version::V3_1_1));
        world.send(writer, publish_qos(topic, b"x", 1, 1));
        assert_eq!(world.hears(writer), ["CONNACK 00", "closed"], "{topic}");
    }
}

#[test]
fn nor_more_bytes_and_a_start_counts_what_it_finds() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.delayed_bytes_max = 10_000;
    let mut world = World::logged(settings, 1);
    let (_, writer) = reader_and_writer(&mut world, 0);
    world.send(writer, publish_qos("$delayed/5/t", &[b'x'; 6_000], 1, 1));
    world.send(writer, publish_qos("$delayed/5/t", &[b'x'; 6_000], 1, 2));
    assert_eq!(world.hears(writer), ["PUBACK 1", "PUBACK 2 97"]);
    world.crash();
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("$delayed/5/t", &[b'x'; 6_000], 1, 3));
    assert_eq!(world.hears(writer)[1..], ["PUBACK 3 97"]);
}

#[test]
fn it_outlives_its_node_and_waits_for_the_same_moment() {
    let mut world = logged();
    let (_, writer) = reader_and_writer(&mut world, 0);
    world.send(writer, publish_qos("$delayed/60/t", b"x", 1, 1));
    world.pass(20);
    world.crash();
    let (reader, _) = reader_and_writer(&mut world, 0);
    world.pass_millis(39_999);
    assert_eq!(world.hears(reader), [""; 0]);
    world.pass_millis(1);
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'"]);
    world.crash();
    let (reader, _) = reader_and_writer(&mut world, 0);
    world.pass(100);
    assert_eq!(world.hears(reader), [""; 0], "it is not published again");
}

#[test]
fn one_that_came_due_while_the_node_was_down_is_published_at_the_start() {
    let mut world = logged();
    let (_, writer) = reader_and_writer(&mut world, 3600);
    world.send(writer, publish_qos("$delayed/60/t", b"x", 1, 1));
    let later = WallTime(world.now().wall.0 + 3_600_000);
    world.set_wall_clock(later);
    world.crash();
    world.settle();
    let reader = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(reader), ["CONNACK 00 present", "PUBLISH t q1 #1 'x'"]);
}

/// Its end and its publication are one fact: wherever the log is cut, it waits or it is published.
#[test]
fn at_every_place_of_the_log_it_waits_or_is_queued() {
    let mut world = logged();
    let (reader, writer) = reader_and_writer(&mut world, 3600);
    world.cut(reader);
    let before = world.journal().len();
    world.send(writer, publish_qos("$delayed/5/t", b"x", 2, 1));
    world.pass(5);
    world.send(writer, pubrel(1));
    let after = world.journal().len();
    let (mut waits, mut is_queued) = (0, 0);
    for count in before + 1..=after {
        let node = world.empty_node();
        // A clock at its beginning: nothing is due.
        let recovery = world.journal().recover_all(node.clone(), count, martlet_record::Now::default());
        let lines =
            everything_of((node, recovery.finish(martlet_record::Now::default(), &mut Default::default())));
        let has = |words: &str| lines.iter().any(|line| line.starts_with(words));
        assert!(has("delayed ") != has("copies of "), "after {count} batches: {lines:?}");
        waits += usize::from(has("delayed "));
        is_queued += usize::from(has("copies of "));
    }
    assert!(waits > 0 && is_queued > 0);
}

/// [MQTT-4.3.3-10]
#[test]
fn a_qos_2_packet_that_comes_again_is_not_delayed_again() {
    let mut world = logged();
    reader_and_writer(&mut world, 3600);
    let writer = world.join(connect("kept writer").kept(3600));
    world.send(writer, publish_qos("$delayed/60/t", b"x", 2, 1));
    world.crash();
    let writer = world.join(connect("kept writer").kept(3600));
    let again = with(publish_qos("$delayed/60/t", b"x", 2, 1), |publish| publish.dup = true);
    world.send(writer, again);
    assert_eq!(world.hears(writer), ["CONNACK 00 present", "PUBREC 1"]);
    world.pass(60);
    let reader = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(reader), ["CONNACK 00 present", "PUBLISH t q2 #1 'x'"]);
}

/// [MQTT-4.3.2-4] [MQTT-4.3.3-8]
#[test]
fn it_is_answered_when_it_is_durable() {
    for (qos, answer) in [(1, "PUBACK 1"), (2, "PUBREC 1")] {
        let mut world = World::logged(Settings::new(Dialect::NATIVE), 50);
        let writer = world.join(connect("writer"));
        world.hush();
        world.post(writer, publish_qos("$delayed/5/t", b"x", qos, 1));
        world.turns(49);
        assert_eq!(world.hears(writer), [""; 0]);
        world.settle();
        assert_eq!(world.hears(writer), [answer]);
    }
}

#[test]
fn it_is_as_durable_as_its_topic_asks() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.need = Need::Written;
    let mut world = World::with_journal(settings, MemoryJournal::new().remembering());
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("$delayed/5/t", b"x", 1, 1));
    world.send(writer, publish("$delayed/5/t", b"x"));
    let is_delayed = |record: &Record| matches!(record, Record::Delayed(_));
    let batches = world.history().iter().map(|completion| &completion.batch);
    let needs: Vec<_> =
        batches.filter(|batch| batch.records.iter().any(is_delayed)).map(|batch| batch.need).collect();
    assert_eq!(needs, [Need::Written, Need::Lazy]);
}

#[test]
fn mosquitto_knows_no_delay_the_topic_is_like_any_other() {
    let mut world = World::with(Settings::new(Dialect::MOSQUITTO));
    let reader = world.join(connect("reader").version(Version::V3_1_1));
    world.send(reader, subscribe(1, &[("$delayed/5/t", 0), ("t", 0)]));
    let writer = world.join(connect("writer").version(Version::V3_1_1));
    world.hush();
    world.send(writer, publish("$delayed/5/t", b"x"));
    assert_eq!(world.hears(reader), ["PUBLISH $delayed/5/t q0 'x'"]);
    world.pass(5);
    assert_eq!(world.hears(reader), [""; 0]);
}

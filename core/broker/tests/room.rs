//! A disk that is full, or that failed: what can be kept no more is refused or held, and nothing is half done.

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, QoS, Version};
use martlet_record::Room;
use martlet_simulator::{
    Client, MemoryLog, World, connect, ping, puback, pubcomp, publish, publish_qos, pubrec, pubrel, retain,
    subscribe,
};

use play::{durable_state, retained};

mod play;

/// A node with a kept reader of "kept/#", one of "volatile" that is not, and a writer.
struct Setting {
    world: World<MemoryLog>,
    kept: Client,
    volatile: Client,
    writer: Client,
}

fn setting(version: Version) -> Setting {
    let mut world = World::logged(Settings::new(Dialect::NATIVE), 1);
    let kept = world.join(connect("kept").kept(3600).with(&Property::ReceiveMaximum(2)));
    world.send(kept, subscribe(1, &[("kept/#", 2)]));
    let volatile = world.join(connect("volatile"));
    world.send(volatile, subscribe(1, &[("#", 2)]));
    let writer = world.join(connect("writer").version(version));
    world.hush();
    Setting { world, kept, volatile, writer }
}

fn retained_qos<'a>(topic: &'a str, payload: &'a [u8], qos: u8, id: u16) -> Packet<'a> {
    let Packet::Publish(publish) = publish_qos(topic, payload, qos, id) else { unreachable!("a PUBLISH") };
    Packet::Publish(Publish { retain: true, ..publish })
}

/// Everything a step could have changed but the packet counters.
fn state(world: &mut World<MemoryLog>) -> impl PartialEq + std::fmt::Debug + use<> {
    let (ledger, kept) = (world.counters().ledger, retained(&world.node));
    (durable_state(world.shards()), world.journal().len(), ledger, kept)
}

#[test]
fn what_would_have_to_be_kept_is_refused_with_words_and_leaves_no_trace() {
    for (room, code, words) in [(Room::DrainOnly, "97", "full"), (Room::Failed, "83", "restart")] {
        let Setting { mut world, kept, volatile, writer } = setting(Version::V5);
        world.set_room(room);
        let before = state(&mut world);
        let refused = [
            publish_qos("kept/1", b"x", 1, 1),
            publish_qos("kept/1", b"x", 2, 1),
            retained_qos("other", b"x", 1, 1),
            publish_qos("$delayed/1/other", b"x", 1, 1),
        ];
        for packet in refused {
            let told = format!("{packet:?}");
            world.send(writer, packet);
            let heard = world.hears_in_full(writer);
            assert!(
                heard[0].contains(&format!(" 1 {code}")) && heard[0].contains(words),
                "{told}: {heard:?}"
            );
            assert_eq!(state(&mut world), before, "{told}");
        }
        assert_eq!((world.hears(kept), world.hears(volatile)), (vec![], vec![]));
    }
}

/// Its inbound mark is in its Session, which is kept.
#[test]
fn a_qos_2_message_of_a_kept_publisher_is_refused_wherever_it_goes() {
    let Setting { mut world, .. } = setting(Version::V5);
    let writer = world.join(connect("kept writer").kept(3600));
    world.hush();
    world.set_room(Room::DrainOnly);
    world.send(writer, publish_qos("volatile", b"x", 2, 1));
    assert_eq!(world.hears(writer), ["PUBREC 1 97"]);
    // The identifier is free: it is not taken for a repetition later [MQTT-4.3.3-9].
    world.set_room(Room::Open);
    world.send(writer, publish_qos("kept/1", b"y", 2, 1));
    assert_eq!(world.hears(writer), ["PUBREC 1"]);
    assert_eq!(world.counters().ledger.accepted, 2, "one copy for each reader");
}

#[test]
fn what_nothing_must_keep_goes_on() {
    for room in [Room::DrainOnly, Room::Failed] {
        let Setting { mut world, volatile, writer, kept } = setting(Version::V5);
        world.set_room(room);
        world.send(writer, publish("kept/1", b"0"));
        world.send(writer, publish_qos("volatile", b"1", 1, 1));
        world.send(writer, publish_qos("volatile", b"2", 2, 2));
        assert_eq!(world.hears(writer), ["PUBACK 1", "PUBREC 2"]);
        assert_eq!(world.hears(kept), ["PUBLISH kept/1 q0 '0'"]);
        let heard = world.hears(volatile);
        assert_eq!(
            heard,
            ["PUBLISH kept/1 q0 '0'", "PUBLISH volatile q1 #1 '1'", "PUBLISH volatile q2 #2 '2'"]
        );
    }
}

#[test]
fn mqtt_3_is_held_with_all_behind_it_and_served_in_order_when_there_is_space() {
    let Setting { mut world, kept, writer, .. } = setting(Version::V3_1_1);
    world.set_room(Room::DrainOnly);
    let before = state(&mut world);
    world.send(writer, publish_qos("kept/1", b"first", 1, 1));
    world.send(writer, publish("kept/2", b"behind it"));
    world.send(writer, ping());
    world.send(writer, publish_qos("kept/3", b"last", 2, 2));
    assert_eq!(state(&mut world), before);
    assert_eq!((world.hears(writer), world.hears(kept)), (vec![], vec![]));
    world.set_room(Room::DrainOnly);
    assert_eq!(world.hears(writer), [""; 0], "it asked in vain");
    world.set_room(Room::Open);
    assert_eq!(world.hears(writer), ["PINGRESP", "PUBACK 1", "PUBREC 2"]);
    let heard = world.hears(kept);
    assert_eq!(heard.iter().filter(|line| line.contains("q1")).count(), 1);
    let waiting = ["PUBLISH kept/1 q1 #1 'first'", "PUBLISH kept/3 q2 #2 'last'"];
    assert_eq!(heard.into_iter().filter(|line| !line.contains("q0")).collect::<Vec<_>>(), waiting);
}

#[test]
fn a_packet_that_is_held_is_counted_once() {
    let Setting { mut world, writer, .. } = setting(Version::V3_1_1);
    let before = world.counters();
    world.set_room(Room::DrainOnly);
    world.send(writer, publish_qos("kept/1", b"12345", 1, 1));
    (0..5).for_each(|_| world.set_room(Room::DrainOnly));
    world.set_room(Room::Open);
    let after = world.counters();
    assert_eq!(after.packets_received - before.packets_received, 1);
    assert_eq!(after.publish_received - before.publish_received, 1);
    assert_eq!(after.publish_received_bytes - before.publish_received_bytes, 5);
}

#[test]
fn what_waits_is_read_and_answered_and_ends() {
    let Setting { mut world, kept, writer, .. } = setting(Version::V5);
    for id in 1..=6_u16 {
        let qos = if id % 2 == 0 { 2 } else { 1 };
        world.send(writer, publish_qos("kept/1", b"x", qos, id));
    }
    world.set_room(Room::DrainOnly);
    for id in 1..=6_u16 {
        if id % 2 == 0 {
            world.send(kept, pubrec(id));
            world.send(kept, pubcomp(id));
        } else {
            world.send(kept, puback(id));
        }
    }
    assert_eq!(world.counters().ledger.delivered, 6);
    world.crash();
    let kept = world.join(connect("kept").kept(3600));
    assert_eq!(world.hears(kept), ["CONNACK 00 present"], "the log knows that they are delivered");
}

/// What is under way inbound comes to its end as well: it was kept when there was space.
#[test]
fn a_message_that_was_taken_is_released_and_repeated_as_ever() {
    let Setting { mut world, .. } = setting(Version::V5);
    let writer = world.join(connect("kept writer").kept(3600));
    world.hush();
    world.send(writer, publish_qos("kept/1", b"x", 2, 1));
    world.set_room(Room::DrainOnly);
    world.send(writer, publish_qos("kept/1", b"x", 2, 1));
    world.send(writer, pubrel(1));
    assert_eq!(world.hears(writer), ["PUBREC 1", "PUBREC 1", "PUBCOMP 1"]);
}

#[test]
fn sessions_come_and_go() {
    let Setting { mut world, kept, .. } = setting(Version::V5);
    world.set_room(Room::DrainOnly);
    let new = world.join(connect("new").kept(3600));
    world.send(new, subscribe(1, &[("t", 1)]));
    assert_eq!(world.hears(new), ["CONNACK 00", "SUBACK 1 [01]"]);
    world.cut(kept);
    let ended = world.join(connect("kept"));
    assert_eq!(world.hears(ended), ["CONNACK 00"]);
    let live = durable_state(world.shards());
    assert_eq!(live.len(), 1, "{live:?}");
    world.crash();
    assert_eq!(durable_state(world.shards()), live);
}

#[test]
fn a_retained_message_with_qos_0_is_delivered_and_not_kept() {
    let Setting { mut world, volatile, writer, .. } = setting(Version::V5);
    world.send(writer, retain("t", b"before"));
    world.hush();
    world.set_room(Room::DrainOnly);
    let written = world.journal().len();
    world.send(writer, retain("t", b"now"));
    assert_eq!(world.hears(volatile), ["PUBLISH t q0 'now'"]);
    assert_eq!(world.journal().len(), written);
    let (topic, payload, _) = &retained(&world.node)[0];
    assert_eq!((&**topic, &**payload), ("t", &b"before"[..]));
}

#[test]
fn deleting_a_retained_message_makes_room() {
    let Setting { mut world, writer, .. } = setting(Version::V5);
    world.send(writer, retained_qos("t", b"x", 1, 1));
    world.set_room(Room::DrainOnly);
    world.send(writer, retained_qos("t", b"", 1, 2));
    assert_eq!(world.hears(writer), ["PUBACK 1", "PUBACK 2"]);
    world.crash();
    assert_eq!(retained(&world.node), []);
}

/// They were promised when there was space.
#[test]
fn wills_and_delayed_messages_are_published_and_retained() {
    let Setting { mut world, writer, .. } = setting(Version::V5);
    let mortal =
        world.join(connect("mortal").kept(3600).will("kept/will", b"gone", QoS::AtLeastOnce, true, 0));
    world.send(writer, retained_qos("$delayed/5/kept/later", b"late", 1, 1));
    world.set_room(Room::DrainOnly);
    world.cut(mortal);
    world.pass(5);
    let topics = |world: &World<MemoryLog>| {
        retained(&world.node).into_iter().map(|(topic, ..)| topic).collect::<Vec<_>>()
    };
    assert_eq!(topics(&world), ["kept/later", "kept/will"]);
    assert_eq!(world.counters().ledger.accepted, 4, "two copies for each reader");
    world.crash();
    assert_eq!(topics(&world), ["kept/later", "kept/will"]);
}

#[test]
fn a_delayed_message_with_qos_0_is_not_taken() {
    let Setting { mut world, volatile, writer, .. } = setting(Version::V5);
    world.set_room(Room::DrainOnly);
    let before = state(&mut world);
    world.send(writer, publish("$delayed/5/t", b"x"));
    assert_eq!(state(&mut world), before);
    world.pass(5);
    assert_eq!(world.hears(volatile), [""; 0]);
}

#[test]
fn while_the_reserve_is_used_everything_is_taken() {
    let Setting { mut world, kept, writer, .. } = setting(Version::V5);
    world.set_room(Room::Reserve);
    world.send(writer, publish_qos("kept/1", b"x", 1, 1));
    assert_eq!(world.hears(writer), ["PUBACK 1"]);
    assert_eq!(world.hears(kept), ["PUBLISH kept/1 q1 #1 'x'"]);
}

//! How safe each batch must be: as safe as the strictest promise in it, and no safer.

use std::sync::Arc;

use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Publish, QoS};
use martlet_record::{CheckpointNumber, MemoryJournal, Need};
use martlet_simulator::{
    Client, Connecting, World, connect, puback, pubcomp, publish, publish_qos, pubrec, pubrel, retain,
    subscribe, unsubscribe,
};
use martlet_topic::{Limits, TopicFilter};

const ALL: [Need; 4] = [Need::Lazy, Need::Written, Need::SyncedSoon, Need::Synced];

/// A node with this need, and for topics these.
fn needing(need: Need, topics: &[(&str, Need)]) -> World {
    let filter = |text: &str| TopicFilter::parse(text, &Limits::default()).expect("a legal filter");
    let topic_needs: Arc<[_]> = topics.iter().map(|(text, need)| (filter(text), *need)).collect();
    let settings = Settings { need, topic_needs, ..Settings::new(Dialect::NATIVE) };
    World::with_journal(settings, MemoryJournal::new().remembering())
}

/// The needs of the batches that `step` brings to the log.
fn of(world: &mut World, step: impl FnOnce(&mut World)) -> Vec<Need> {
    let before = world.history().len();
    step(world);
    world.settle();
    world.history()[before..].iter().map(|completion| completion.batch.need).collect()
}

fn kept(client_id: &str) -> Connecting {
    connect(client_id).kept(3600)
}

/// A kept reader of everything.
fn reader(world: &mut World) -> Client {
    let reader = world.join(kept("reader"));
    world.send(reader, subscribe(1, &[("#", 2)]));
    reader
}

#[test]
fn what_a_client_is_told_is_as_safe_as_the_node_asks() {
    for need in ALL {
        let mut world = needing(need, &[]);
        let mut reader = None;
        assert_eq!(of(&mut world, |world| reader = Some(world.join(kept("reader")))), [need], "CONNACK");
        let reader = reader.expect("it joined");
        assert_eq!(of(&mut world, |world| world.send(reader, subscribe(1, &[("t", 2)]))), [need], "SUBACK");
        let writer = world.join(kept("writer"));
        // The Message, then what its reader was sent.
        let published = of(&mut world, |world| world.send(writer, publish_qos("t", b"x", 1, 1)));
        assert_eq!(published, [need, Need::Lazy], "PUBACK");
        let published = of(&mut world, |world| world.send(writer, publish_qos("t", b"x", 2, 2)));
        assert_eq!(published, [need, Need::Lazy], "PUBREC");
        assert_eq!(of(&mut world, |world| world.send(writer, pubrel(2))), [need], "PUBCOMP");
        assert_eq!(of(&mut world, |world| world.send(reader, pubrec(2))), [need], "PUBREL");
        assert_eq!(of(&mut world, |world| world.send(reader, unsubscribe(3, &["t"]))), [need], "UNSUBACK");
        let anew = of(&mut world, |world| _ = world.join(connect("reader")));
        assert_eq!(anew, [need], "CONNACK of one whose Session is over");
    }
}

#[test]
fn what_nobody_waits_for_rides_along() {
    let mut world = needing(Need::Synced, &[]);
    let reader = reader(&mut world);
    let writer = world.join(connect("writer"));
    world.send(writer, publish_qos("t", b"x", 1, 1));
    world.send(writer, publish_qos("t", b"x", 2, 2));
    world.send(reader, pubrec(2));
    assert_eq!(of(&mut world, |world| world.send(reader, puback(1))), [Need::Lazy], "a PUBACK that came");
    assert_eq!(of(&mut world, |world| world.send(reader, pubcomp(2))), [Need::Lazy], "a PUBCOMP that came");
    assert_eq!(
        of(&mut world, |world| world.send(writer, retain("t", b"x"))),
        [Need::Lazy],
        "retained, QoS 0"
    );
    assert_eq!(of(&mut world, |world| world.cut(reader)), [Need::Lazy], "a Network Connection that broke");
    assert_eq!(of(&mut world, |world| world.pass(3600)), [Need::Lazy], "a Session that expired");
    let snapshot = of(&mut world, |world| world.journal().begin_checkpoint(CheckpointNumber(1)));
    assert!(!snapshot.is_empty() && snapshot.iter().all(|need| *need == Need::Lazy), "{snapshot:?}");
}

#[test]
fn what_no_kept_session_is_concerned_with_is_not_written() {
    let mut world = needing(Need::Synced, &[]);
    let written = of(&mut world, |world| {
        let reader = world.join(connect("reader"));
        world.send(reader, subscribe(1, &[("t", 2)]));
        let writer = world.join(connect("writer"));
        world.send(writer, publish_qos("t", b"x", 1, 1));
        world.send(writer, publish_qos("t", b"x", 2, 2));
        world.send(writer, pubrel(2));
        world.send(reader, puback(1));
        world.cut(reader);
    });
    assert_eq!(written, []);
}

#[test]
fn a_retained_message_and_a_will_are_as_safe_as_what_is_answered_with_their_qos() {
    let mut world = needing(Need::Synced, &[]);
    let writer = world.join(connect("writer"));
    let Packet::Publish(publish) = publish_qos("t", b"x", 1, 1) else { unreachable!("a PUBLISH") };
    let retained = Packet::Publish(Publish { retain: true, ..publish });
    assert_eq!(of(&mut world, |world| world.send(writer, retained)), [Need::Synced]);
    for (qos, need) in [(QoS::AtMostOnce, Need::Lazy), (QoS::AtLeastOnce, Need::Synced)] {
        let mortal = world.join(kept("mortal").will("w", b"x", qos, false, 0));
        reader(&mut world);
        let fired = of(&mut world, |world| world.cut(mortal));
        assert_eq!(fired[0], need, "{qos:?}");
    }
}

#[test]
fn a_listener_speaks_for_its_clients_be_it_stricter_or_not() {
    for (of_node, of_listener) in [(Need::Synced, Need::Written), (Need::Written, Need::Synced)] {
        let mut world = needing(of_node, &[]);
        reader(&mut world);
        let mut writer = None;
        let joined = of(&mut world, |world| writer = Some(world.join(kept("writer").needing(of_listener))));
        assert_eq!(joined, [of_listener]);
        let writer = writer.expect("it joined");
        let published = of(&mut world, |world| world.send(writer, publish_qos("t", b"x", 2, 1)));
        assert_eq!(published[0], of_listener);
        assert_eq!(of(&mut world, |world| world.send(writer, pubrel(1))), [of_listener]);
        let other = world.join(connect("other"));
        let published = of(&mut world, |world| world.send(other, publish_qos("t", b"x", 1, 1)));
        assert_eq!(published[0], of_node, "those of other listeners are not concerned");
    }
}

#[test]
fn the_first_filter_that_matches_speaks_for_a_topic() {
    let topics = [("bank/#", Need::Synced), ("+/chat", Need::Lazy), ("bank/chat", Need::Written)];
    let mut world = needing(Need::SyncedSoon, &topics);
    reader(&mut world);
    let writer = world.join(connect("writer"));
    for (topic, need) in [
        ("bank/order", Need::Synced),
        ("bank/chat", Need::Synced),
        ("pub/chat", Need::Lazy),
        ("else", Need::SyncedSoon),
    ] {
        let published = of(&mut world, |world| world.send(writer, publish_qos(topic, b"x", 1, 1)));
        assert_eq!(published[0], need, "{topic}");
    }
}

#[test]
fn of_listener_and_topic_the_stricter_counts() {
    let mut world = needing(Need::Lazy, &[("bank/#", Need::Synced), ("chat/#", Need::Written)]);
    reader(&mut world);
    let writer = world.join(connect("writer").needing(Need::SyncedSoon));
    for (topic, need) in [("bank/1", Need::Synced), ("chat/1", Need::SyncedSoon), ("else", Need::SyncedSoon)]
    {
        let published = of(&mut world, |world| world.send(writer, publish_qos(topic, b"x", 1, 1)));
        assert_eq!(published[0], need, "{topic}");
    }
}

#[test]
fn one_strict_record_makes_its_batch_strict_and_no_other() {
    let mut world = needing(Need::Synced, &[("loose", Need::Lazy)]);
    reader(&mut world);
    let writer = world.join(connect("writer"));
    let together = of(&mut world, |world| {
        world.post(writer, publish_qos("loose", b"x", 1, 1));
        world.post(writer, publish_qos("strict", b"x", 1, 2));
        world.post(writer, publish_qos("loose", b"x", 1, 3));
    });
    assert_eq!(together, [Need::Synced, Need::Lazy], "the Messages, then that they were sent");
    let after = of(&mut world, |world| world.send(writer, publish_qos("loose", b"x", 1, 4)));
    assert_eq!(after, [Need::Lazy, Need::Lazy]);
    assert_eq!(of(&mut world, |world| world.send(writer, publish("strict", b"x"))), []);
}

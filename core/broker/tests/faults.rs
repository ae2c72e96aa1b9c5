//! Scenarios across features: log order against retained messages, batches that fail, sizes beyond every limit.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery, Settings, Shard};
use martlet_packet::{Packet, Property, Publish, QoS, Version, decode, frame};
use martlet_record::{Completion, MemoryJournal, Now, Outcome, Position, ShardId};
use martlet_session::{ConnectionId, Handshake, Progress};
use martlet_simulator::{Client, World, connect, publish, publish_qos, raw, retain, subscribe, two_homes};

fn retained_qos<'a>(topic: &'a str, payload: &'a [u8], id: u16) -> Packet<'a> {
    let Packet::Publish(message) = publish_qos(topic, payload, 1, id) else { unreachable!() };
    Packet::Publish(Publish { retain: true, ..message })
}

/// The last PUBLISH a Client heard.
fn last_message(world: &mut World, client: Client) -> String {
    world.hears(client).into_iter().rfind(|line| line.starts_with("PUBLISH")).expect("a PUBLISH")
}

#[test]
fn an_older_retained_message_does_not_follow_a_newer_one_that_was_logged_first() {
    let mut world = World::new();
    let (r, w) = two_homes();
    let writer = world.join(connect(&w));
    world.send(writer, retained_qos("t", b"old", 1));
    let reader = world.join(connect(&r).kept(3600));
    world.hush();
    world.submit_backwards();
    world.post(reader, subscribe(1, &[("t", 1)]));
    world.post(writer, retained_qos("t", b"new", 2));
    world.settle();
    assert!(last_message(&mut world, reader).contains("new"));
}

#[test]
fn nor_when_its_publisher_had_something_to_log_before() {
    let mut world = World::new();
    let (r, w) = two_homes();
    let writer = world.join(connect(&w));
    let keeper = world.join(connect("keeper").kept(3600));
    world.send(keeper, subscribe(1, &[("other", 1)]));
    world.send(writer, retained_qos("t", b"old", 1));
    let reader = world.join(connect(&r).kept(3600));
    world.hush();
    // The writer's shard has something for the journal already in this turn.
    world.post(writer, publish_qos("other", b"x", 1, 3));
    world.post(reader, subscribe(1, &[("t", 1)]));
    world.post(writer, retained_qos("t", b"new", 2));
    world.settle();
    assert!(last_message(&mut world, reader).contains("new"));
}

#[test]
fn nor_with_qos_0() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    world.send(writer, retain("t", b"old"));
    let reader = world.join(connect("reader").kept(3600));
    world.hush();
    world.post(reader, subscribe(1, &[("t", 1)]));
    world.post(writer, retain("t", b"new"));
    world.settle();
    assert!(last_message(&mut world, reader).contains("new"));
}

#[test]
fn a_deleted_retained_message_stays_deleted_in_the_fold() {
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), MemoryJournal::new().remembering());
    let (a, b) = two_homes();
    let (a, b) = (world.join(connect(&a)), world.join(connect(&b)));
    world.submit_backwards();
    world.post(a, retained_qos("t", b"v1", 1));
    world.post(b, retained_qos("t", b"", 1));
    world.settle();
    assert_eq!(world.node.retained.len(), 0);
    let node = Arc::new(Node::new(world.node.settings.clone(), 42));
    let mut recovery = Recovery::new(Arc::clone(&node));
    world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
    assert_eq!(node.retained.len(), 0, "a deleted retained message is back after a restart");
}

fn open(shard: &mut Shard, node: &Node, slot: u32, bytes: &[u8], out: &mut Outbox) -> u32 {
    let f = frame(bytes, u32::MAX).unwrap().unwrap();
    let p = decode(Version::V5, f).unwrap();
    let Progress::Admitted(req) = Handshake::default().receive(&p, &node.settings.handshake_policy(), || 1)
    else {
        panic!()
    };
    shard.connect(ConnectionId { slot, generation: 0 }, req, Now::at_millis(1), out)
}

fn connect_bytes(id: &str, expiry: u32) -> Vec<u8> {
    use martlet_packet::{Connect, PropertiesBuf};
    let mut props = PropertiesBuf::default();
    if expiry > 0 {
        props.push(Property::SessionExpiryInterval(expiry));
    }
    raw(
        Version::V5,
        &Packet::Connect(Connect {
            version: Version::V5,
            bridge: false,
            clean_start: true,
            keep_alive: 60,
            client_id: id,
            will: None,
            user_name: None,
            password: None,
            properties: props.as_properties(),
        }),
    )
}

#[test]
fn a_later_commit_does_not_answer_for_a_batch_that_was_rejected() {
    let node = Arc::new(Node::new(Settings::new(Dialect::NATIVE), 1));
    let home = ShardId::home_of("kept");
    let mut shard = Shard::new(home, Arc::clone(&node));
    let mut out = Outbox::default();
    let now = Now::at_millis(1);
    let slot = open(&mut shard, &node, 0, &connect_bytes("kept", 3600), &mut out);
    let id = ConnectionId { slot: 0, generation: 0 };
    let done = |shard: &mut Shard, out: &mut Outbox, outcome| {
        let batch = Arc::new(shard.take_batch(Now::default()).unwrap());
        shard.completed(&Completion { batch, position: Position(1), outcome }, now, out);
    };
    done(&mut shard, &mut out, Outcome::Committed);
    let before = out.waiting(id).unwrap().len();
    shard.receive(slot, id, subscribe(1, &[("t", 1)]), now, &mut out);
    done(&mut shard, &mut out, Outcome::Rejected("disk full".into()));
    // No SUBACK, now or with a later commit: the Client is disconnected, and may come back.
    assert!(out.closing.iter().any(|closing| closing.connection == id));
    let told = out.waiting(id).unwrap().len();
    assert!(told > before, "it is told why");
    done(&mut shard, &mut out, Outcome::Committed);
    assert_eq!(out.waiting(id).unwrap().len(), told);
}

#[test]
fn a_flood_of_unanswered_publishes_ends_when_identifiers_do() {
    let mut world = World::with_journal(Settings::new(Dialect::NATIVE), MemoryJournal::with_delay(100));
    let keeper = world.join(connect("keeper").kept(3600));
    world.send(keeper, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("w").version(Version::V3_1_1));
    for _ in 0..70_000 {
        world.post(writer, publish_qos("t", b"", 1, 1));
    }
    world.settle();
}

#[test]
fn a_retained_message_larger_than_all_limits_on_waiting_is_sent() {
    let mut world = World::new();
    let writer = world.join(connect("writer"));
    let payload = vec![0_u8; 5 << 20];
    world.send(writer, retain("t", &payload));
    let reader = world.join(connect("reader"));
    world.hush();
    world.send(reader, subscribe(1, &[("t", 0)]));
    assert!(world.hears_bytes(reader).len() > 5 << 20, "the retained message was not sent");
}

#[test]
fn a_group_gets_what_the_node_publishes() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("$share/g/$SYS/x", 0)]));
    world.hush();
    let mut out = Outbox::default();
    world.shards()[0].publish_node("$SYS/x", b"1", &mut out);
    assert!(!out.deliveries.is_empty());
}

#[test]
fn a_bridge_in_a_group_does_not_swallow_its_own_messages() {
    let mut world = World::new();
    let bridge = world.join(connect("bridge").version(Version::V3_1_1).as_bridge());
    let other = world.join(connect("other"));
    world.send(bridge, subscribe(1, &[("$share/g/t", 0)]));
    world.send(other, subscribe(1, &[("$share/g/t", 0)]));
    world.hush();
    for _ in 0..4 {
        world.send(bridge, publish("t", b"x"));
    }
    assert_eq!(world.hears(other).len() + world.hears(bridge).len(), 4);
}

#[test]
fn bytes_sent_with_qos_1_are_counted() {
    let mut world = World::new();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let w = world.join(connect("w"));
    world.send(w, publish_qos("t", b"12345", 1, 1));
    let c = world.counters();
    assert_eq!((c.publish_sent, c.publish_sent_bytes), (1, 5));
}

#[test]
fn heads_of_large_messages_are_given_back_while_others_wait() {
    use martlet_session::Outgoing;
    let mut out = Outgoing::default();
    let head = vec![1_u8; 1000];
    let body = bytes_of(3000);
    for _ in 0..10 {
        out.append(&head);
        out.append_shared(body.clone());
    }
    for _ in 0..100_000 {
        out.append(&head);
        out.append_shared(body.clone());
        out.advance(4000);
    }
    let waiting = out.len();
    assert!(out.buffer().len() < 10 << 20, "{} bytes held for {waiting} that wait", out.buffer().len());
}

fn bytes_of(n: usize) -> bytes::Bytes {
    vec![0_u8; n].into()
}

#[test]
fn a_refused_will_is_gone_in_the_fold_as_well() {
    let mut settings = Settings::new(Dialect::NATIVE);
    settings.retained_messages_max = 0;
    let mut world = World::with_journal(settings, MemoryJournal::new().remembering());
    let c = world.join(connect("c").kept(3600).will("w", b"x", QoS::AtMostOnce, true, 0));
    world.cut(c);
    let live: Vec<_> = world.shards().iter().flat_map(|s| s.durable_state()).collect();
    let node = Arc::new(Node::new(world.node.settings.clone(), 42));
    let mut recovery = Recovery::new(node);
    world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
    let folded: Vec<_> = recovery.shards().iter().flat_map(|s| s.durable_state()).collect();
    assert_eq!(live, folded);
}

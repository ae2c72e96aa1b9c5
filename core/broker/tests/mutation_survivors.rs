//! Rules that could be disabled once without any test noticing: each has its test here. `cargo xtask mutants` disables
//! them again and again.

use std::sync::Arc;

use martlet_broker::{Dialect, Outbox, Settings, shards_of};
use martlet_packet::{Packet, Publish, SubscriptionOptions};
use martlet_record::{Batch, BatchNumber, Completion, MemoryJournal, Outcome, Position, Record};
use martlet_simulator::{World, connect, options, publish_qos, retain, subscribe, subscribe_with};

/// For a Session that is kept the flag goes through the journal. [MQTT-3.3.1-13]
#[test]
fn retain_as_published_hands_the_flag_on_to_a_session_that_is_kept() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600));
    let as_published = SubscriptionOptions { retain_as_published: true, ..options(2) };
    world.send(reader, subscribe_with(1, &[("t", as_published)], None));
    let writer = world.join(connect("writer"));
    world.hush();
    for (id, qos) in [(1, 1), (2, 2)] {
        let Packet::Publish(message) = publish_qos("t", b"x", qos, id) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { retain: true, ..message.clone() }));
        assert_eq!(world.hears(reader), [format!("PUBLISH t q{qos} #{} retain 'x'", 2 * id - 1)]);
        world.send(writer, publish_qos("t", b"x", 1, 9));
        assert_eq!(world.hears(reader), [format!("PUBLISH t q1 #{} 'x'", 2 * id)]);
    }
}

/// Whichever of the overlapping Subscriptions it is. [MQTT-3.3.1-13]
#[test]
fn any_overlapping_subscription_may_want_retain_as_published() {
    for wanting in ["a/b", "a/+", "+/b", "#"] {
        let mut world = World::new();
        let reader = world.join(connect("reader"));
        for filter in ["a/b", "a/+", "+/b", "#"] {
            let retain_as_published = filter == wanting;
            let options = SubscriptionOptions { retain_as_published, ..options(0) };
            world.send(reader, subscribe_with(1, &[(filter, options)], None));
        }
        let writer = world.join(connect("writer"));
        world.hush();
        world.send(writer, retain("a/b", b"x"));
        assert_eq!(world.hears(reader), ["PUBLISH a/b q0 retain 'x'"], "{wanting}");
    }
}

/// For a Session that is kept the identifiers go through the journal. [MQTT-3.3.4-3]
#[test]
fn a_session_that_is_kept_gets_the_identifiers_of_its_subscriptions() {
    let mut world = World::new();
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe_with(1, &[("a/+", options(1))], Some(7)));
    world.send(reader, subscribe_with(2, &[("a/b", options(2))], Some(8)));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("a/b", b"x", 2, 1));
    assert_eq!(world.hears(reader), ["PUBLISH a/b q2 #1 sub=7 sub=8 'x'"]);
}

/// [MQTT-4.3.3-1] [MQTT-2.2.1-4]
#[test]
fn every_new_qos_2_message_goes_out_with_an_identifier_not_in_use() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let reader = world.join(connect("reader").kept(kept));
        world.send(reader, subscribe(1, &[("t", 2)]));
        let writer = world.join(connect("writer"));
        world.hush();
        (1..=3).for_each(|id| world.send(writer, publish_qos("t", b"x", 2, id)));
        let expected = [1, 2, 3].map(|id| format!("PUBLISH t q2 #{id} 'x'"));
        assert_eq!(world.hears(reader), expected);
    }
}

/// Only a batch that is committed releases answers and copies: of any other, whoever waited only hears that it must go.
#[test]
fn nobody_hears_of_a_batch_that_may_not_be_durable() {
    for (outcome, releases) in [
        (Outcome::Unknown, false),
        (Outcome::Rejected("the disk is full".to_owned()), false),
        (Outcome::Committed, true),
    ] {
        let journal = MemoryJournal::with_delay(100).remembering();
        let mut world = World::with_journal(Settings::new(Dialect::NATIVE), journal);
        let reader = world.join(connect("reader").kept(3600));
        world.send(reader, subscribe(1, &[("t", 1)]));
        let writer = world.join(connect("writer"));
        world.send(writer, publish_qos("t", b"first", 1, 1));
        world.post(writer, publish_qos("t", b"second", 1, 2));
        world.turn();
        let is_message = |record: &Record| matches!(record, Record::Published(_));
        let mut batches = world.history().iter().map(|done| &done.batch);
        let first = batches.find(|batch| batch.records.iter().any(is_message)).expect("it was committed");
        // The second differs from the first in nothing that counts here but its number.
        let second = Batch { number: BatchNumber(first.number.0 + 1), ..Batch::clone(first) };
        let accepted = world.counters().ledger.accepted;

        let completion = Completion { batch: Arc::new(second), position: Position(9), outcome };
        let (now, mut out) = (world.now(), Outbox::default());
        for shard in shards_of(&completion.batch) {
            world.shards()[shard.index()].completed(&completion, now, &mut out);
        }

        let told = out.take_dirty().len();
        let (answered, ended) = if releases { (2, 0) } else { (1, 1) };
        assert_eq!(told, answered, "writer and reader, or the writer of its end: {:?}", completion.outcome);
        assert_eq!(out.closing.len(), ended);
        assert_eq!(world.counters().ledger.accepted - accepted, u64::from(releases));
    }
}

//! Checkpoints, and the space they give back.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use martlet_record::{Message, Need, Record, ShardId, Stored};
use std::sync::Arc;
use support::{Memory, Rig, message, published, settings, settled};

const SEGMENT: u32 = 32 << 10;

fn stored(message: &Message) -> Stored {
    message.stored().expect("it was written")
}

/// Publishes so many Messages of 1000 bytes.
fn publish(rig: &mut Rig, count: u8) -> Vec<Arc<Message>> {
    (0..count).map(|at| rig.publish(1, &[at; 1000])).collect()
}

fn is_there(rig: &Rig, message: &Message) -> bool {
    rig.fetch(message).is_some_and(|read| read.view().payload == message.view().payload)
}

#[test]
fn recovery_begins_at_the_newest_complete_checkpoint() {
    let mut rig = Rig::new(SEGMENT);
    publish(&mut rig, 20);
    let number = rig.checkpoint(&[]);
    rig.commit(vec![settled(1, 7)]);
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert_eq!(again.recovered.checkpoint, number);
    assert_eq!(again.read.len(), ShardId::COUNT + 1, "what the shards wrote down, and what came after");
    assert_eq!(again.read[ShardId::COUNT].0.records, [settled(1, 7)]);
}

#[test]
fn a_checkpoint_that_is_not_complete_does_not_count() {
    let mut rig = Rig::new(SEGMENT);
    publish(&mut rig, 20);
    rig.log.request_checkpoint();
    rig.step();
    let number = rig.log.checkpoint().expect("it began");
    // All shards but the last.
    for shard in 0..63 {
        let record = Record::Snapshotted { checkpoint: number, opened: 0, delayed: 0, version: 0 };
        rig.submit(shard, vec![record], Need::Synced);
    }
    rig.step();
    assert_eq!(rig.log.checkpoint(), Some(number));
    let mut again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert_eq!(again.read.len(), 20 + 63, "all there is");
    assert_eq!(again.log.checkpoint(), None, "it is over");
    // Its number is not used again, so late words of it are not taken for those of another.
    assert!(again.checkpoint(&[]) > number);
}

#[test]
fn everything_settled_leaves_fewer_than_four_segments() {
    let mut rig = Rig::new(SEGMENT);
    publish(&mut rig, 250);
    assert!(rig.disk.segments().len() >= 8);
    (0..250).for_each(|at| rig.submit(0, vec![settled(1, at)], Need::Lazy));
    rig.wait(100);
    rig.checkpoint(&[]);
    rig.wait(10_000);
    assert!(rig.log.stats().segments < 4, "{:?}", rig.disk.paths());
    let on_disk = rig.disk.paths().iter().filter(|path| path.starts_with("log/")).count();
    assert_eq!(on_disk as u64, rig.log.stats().segments);
    rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
}

#[test]
fn segments_are_used_again_and_what_was_in_them_never_comes_back() {
    let mut rig = Rig::new(SEGMENT);
    for round in 0..10 {
        publish(&mut rig, 100);
        rig.checkpoint(&[]);
        rig.commit(vec![settled(1, round)]);
        let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
        assert_eq!(again.read.len(), ShardId::COUNT + 1);
        assert_eq!(again.read[ShardId::COUNT].0.records, [settled(1, round)]);
        assert!(rig.disk.paths().iter().any(|path| path.contains("spare-")), "{:?}", rig.disk.paths());
    }
}

#[test]
fn what_is_named_stays_where_it_is_and_what_is_not_is_given_back() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 200);
    let kept: Vec<Stored> = messages[..100].iter().map(|message| stored(message)).collect();
    let before = rig.disk.segments().len();
    rig.checkpoint(&kept);
    assert!(rig.disk.segments().len() < before);
    let stats = rig.log.stats().checkpoint;
    assert_eq!(stats.bodies, 100);
    assert_eq!(stats.live_bytes, kept.iter().map(|stored| u64::from(stored.len)).sum::<u64>());
    assert!(messages[..100].iter().all(|message| is_there(&rig, message)));
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(messages[..100].iter().all(|message| is_there(&again, message)));
}

#[test]
fn what_a_record_names_while_a_checkpoint_runs_is_kept() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 100);
    rig.log.request_checkpoint();
    rig.step();
    let number = rig.log.checkpoint().expect("it began");
    // No shard writes it down, but somebody gets a copy of it meanwhile.
    rig.commit(vec![published(&messages[3], 2)]);
    rig.snapshot(number, &[]);
    rig.step();
    assert_eq!(rig.log.checkpoint(), None);
    assert!(is_there(&rig, &messages[3]));
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(is_there(&again, &messages[3]));
}

#[test]
fn what_a_record_names_after_all_shards_is_kept_too() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 100);
    rig.log.request_checkpoint();
    rig.step();
    let number = rig.log.checkpoint().expect("it began");
    for shard in ShardId::all() {
        let record = Record::Snapshotted { checkpoint: number, opened: 0, delayed: 0, version: 0 };
        rig.submit(u8::try_from(shard.index()).unwrap(), vec![record], Need::Written);
    }
    let mut done = Vec::new();
    rig.log.step(rig.now, &mut done);
    // What is needed is being found out; now one more is named.
    let jobs = rig.log.take_jobs();
    rig.submit(0, vec![published(&messages[3], 2)], Need::Written);
    rig.log.step(rig.now, &mut done);
    for job in jobs {
        rig.log.finish(job.run(), rig.now);
    }
    rig.step();
    assert_eq!(rig.log.checkpoint(), None);
    assert!(is_there(&rig, &messages[3]));
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(is_there(&again, &messages[3]));
}

#[test]
fn a_message_in_memory_whose_place_was_given_back_is_written_again() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 100);
    rig.checkpoint(&[]);
    assert!(!is_there(&rig, &messages[0]));
    rig.commit(vec![published(&messages[0], 2)]);
    assert!(is_there(&rig, &messages[0]));
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(is_there(&again, &messages[0]));
}

#[test]
fn bodies_in_sparse_segments_move_and_keep_their_names() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 250);
    let kept: Vec<&Arc<Message>> = messages.iter().step_by(10).collect();
    let names: Vec<Stored> = kept.iter().map(|message| stored(message)).collect();
    rig.commit(vec![settled(1, 0)]);
    rig.checkpoint(&names);
    let before = rig.disk.segments().len();
    assert!(before >= 8, "every segment holds a few");
    for round in 0..3 {
        // Slices are copied between commits.
        (0..100).for_each(|_| drop(rig.wait(20)));
        rig.commit(vec![settled(1, round)]);
        rig.checkpoint(&names);
        assert!(kept.iter().all(|message| is_there(&rig, message)), "round {round}");
        let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
        assert!(kept.iter().all(|message| is_there(&again, message)), "round {round}");
    }
    assert!(rig.disk.segments().len() <= 3, "{:?}", rig.disk.segments());
    rig.checkpoint(&[]);
    assert!(!is_there(&rig, kept[0]));
}

#[test]
fn the_log_checkpoints_when_it_has_grown() {
    let mut rig = Rig::new(SEGMENT);
    let mut began = 0;
    for at in 0..500 {
        rig.submit(0, vec![published(&message(&[7; 1000]), 1)], Need::Synced);
        rig.submit(0, vec![settled(1, at)], Need::Lazy);
        rig.step();
        if let Some(number) = rig.log.checkpoint() {
            began += 1;
            rig.snapshot(number, &[]);
            rig.step();
        }
    }
    // Half a megabyte is about four times four segments.
    assert!((3..=5).contains(&began), "{began}");
    assert!(rig.disk.paths().len() <= 9, "{:?}", rig.disk.paths());
}

#[test]
fn the_log_checkpoints_after_a_minute_if_space_can_be_given_back() {
    let mut rig = Rig::new(SEGMENT);
    publish(&mut rig, 60);
    rig.wait(59_000);
    assert_eq!(rig.log.checkpoint(), None);
    rig.wait(1000);
    let number = rig.log.checkpoint().expect("more than a segment was written");
    rig.snapshot(number, &[]);
    // There is nothing more to gain, so nothing happens however long it takes.
    rig.wait(1000);
    let before = rig.disk.written();
    (0..10).for_each(|_| drop(rig.wait(100_000)));
    assert_eq!(rig.log.checkpoint(), None);
    assert_eq!(rig.disk.written(), before);
}

#[test]
fn an_idle_log_comes_to_rest_whatever_it_holds() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 250);
    let kept: Vec<Stored> = messages.iter().step_by(9).map(|message| stored(message)).collect();
    (0..200).for_each(|at| rig.submit(0, vec![settled(1, at)], Need::Lazy));
    rig.wait(100);
    let mut written = Vec::new();
    for _ in 0..300 {
        rig.wait(10_000);
        if let Some(number) = rig.log.checkpoint() {
            rig.snapshot(number, &kept);
            rig.step();
        }
        written.push(rig.disk.written());
    }
    assert!(written[100] > written[0], "it checkpointed");
    assert_eq!(written[100], written[299], "and then it rested");
}

#[test]
fn large_messages_are_kept_moved_and_given_back_like_others() {
    let mut rig = Rig::new(SEGMENT);
    // Parts are an eighth of a segment here.
    let large = rig.publish(1, &vec![9; 20_000]);
    assert!(is_there(&rig, &large));
    let small = publish(&mut rig, 100);
    rig.checkpoint(&[stored(&large)]);
    assert!(is_there(&rig, &large));
    assert!(!is_there(&rig, &small[50]));
    for round in 0..4 {
        publish(&mut rig, 100);
        rig.commit(vec![settled(1, round)]);
        rig.checkpoint(&[stored(&large)]);
        (0..10).for_each(|_| drop(rig.wait(20)));
        assert!(is_there(&rig, &large), "round {round}");
        let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
        assert!(is_there(&again, &large), "round {round}");
    }
    rig.checkpoint(&[]);
    assert!(!is_there(&rig, &large));
}

#[test]
fn a_large_message_just_before_a_checkpoint_is_found_from_there() {
    let mut rig = Rig::new(SEGMENT);
    // In the segment in which the checkpoint begins.
    let large = rig.publish(1, &[9; 10_000]);
    rig.checkpoint(&[stored(&large)]);
    let mut again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(is_there(&again, &large));
    again.checkpoint(&[stored(&large)]);
    let once_more = again.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert!(is_there(&once_more, &large));
}

#[test]
fn other_shards_pass_a_large_message_and_its_own_does_not() {
    let mut rig = Rig::new(SEGMENT);
    let large = message(&vec![9; 20_000]);
    rig.submit(1, vec![published(&large, 1)], Need::Synced);
    rig.submit(1, vec![settled(1, 0)], Need::Synced);
    rig.submit(2, vec![settled(2, 0)], Need::Synced);
    let done = rig.step();
    let order: Vec<u64> = done.iter().map(|done| done.batch.number.0).collect();
    assert_eq!(order, [3, 1, 2]);
}

#[test]
fn large_messages_fill_segments_like_others() {
    let mut rig = Rig::new(SEGMENT);
    for _ in 0..6 {
        rig.publish(1, &vec![9; 20_000]);
    }
    assert!(rig.disk.segments().len() <= 5, "{:?}", rig.disk.segments());
}

#[test]
fn a_batch_too_long_for_a_frame_is_written_in_several() {
    let mut rig = Rig::new(SEGMENT);
    // Together they do not fit a segment, though each is small.
    let messages: Vec<_> = (0..100_u8).map(|at| message(&[at; 1000])).collect();
    rig.commit(messages.iter().map(|message| published(message, 1)).collect());
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert_eq!(again.read.len(), 1);
    assert_eq!(again.read[0].0.records.len(), 100);
    assert!(messages.iter().all(|message| is_there(&again, message)));
    let longest = 8 * SEGMENT / 8;
    let lengths = rig.disk.segments().into_iter().map(|path| rig.disk.bytes(&path).len());
    assert!(lengths.into_iter().all(|len| len <= longest as usize), "no segment grew");
}

#[test]
fn stores_of_other_segment_sizes_are_read() {
    let mut rig = Rig::new(SEGMENT);
    let messages = publish(&mut rig, 100);
    let mut again = rig.restart(&settings(2 * SEGMENT)).expect("only new segments are longer");
    assert!(messages.iter().all(|message| is_there(&again, message)));
    let more = publish(&mut again, 100);
    let once_more = again.restart(&settings(SEGMENT / 2)).expect("or shorter");
    assert!(messages.iter().chain(&more).all(|message| is_there(&once_more, message)));
}

#[test]
fn bodies_come_back_in_the_order_asked_for() {
    let mut rig = Rig::open(&Memory::default(), &settings(8 << 20)).expect("an empty folder");
    let messages: Vec<_> = (0..50_000_u32).map(|at| message(&at.to_le_bytes())).collect();
    for chunk in messages.chunks(1000) {
        rig.commit(chunk.iter().map(|message| published(message, 1)).collect());
    }
    let large = rig.publish(1, &vec![7; 2 << 20]);
    let mut wanted: Vec<Stored> = messages.iter().rev().map(|message| stored(message)).collect();
    wanted.insert(7, stored(&large));
    let read = rig.log.read(&wanted, rig.now);
    assert_eq!(read.len(), wanted.len());
    for (wanted, read) in wanted.iter().zip(read) {
        let read = read.expect("it is there");
        assert_eq!(read.place(), Some(wanted.place));
        assert_eq!(read.stored(), Some(*wanted));
    }
}

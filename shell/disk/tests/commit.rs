//! What is committed comes back; what is not waits as long as it may and no longer.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use martlet_disk::{Folder, OpenError, Settings, open};
use martlet_record::{Need, Now, Outcome, Position, Room};
use support::{Call, Memory, Rig, message, numbers, published, settings, settled};

const SEGMENT: u32 = 1 << 20;

#[test]
fn what_was_committed_comes_back_in_order() {
    let mut rig = Rig::new(SEGMENT);
    let positions: Vec<Position> = (0..10).map(|at| rig.commit(vec![settled(1, at)])).collect();
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert_eq!(numbers(&again.read), (1..=10).collect::<Vec<_>>());
    assert_eq!(again.read.iter().map(|(_, position)| *position).collect::<Vec<_>>(), positions);
    assert_eq!(again.read[3].0.records, [settled(1, 3)]);
    assert_eq!(again.recovered.torn, None);
}

#[test]
fn a_batch_is_synced_before_it_is_committed_and_one_sync_serves_all_that_wait() {
    let mut rig = Rig::new(SEGMENT);
    let before = rig.disk.calls(Call::SyncData);
    (0..5).for_each(|at| rig.submit(at, vec![settled(1, u64::from(at))], Need::Synced));
    let done = rig.step();
    assert_eq!(done.len(), 5);
    assert!(done.windows(2).all(|two| two[0].position == two[1].position), "one frame");
    assert_eq!(rig.disk.calls(Call::SyncData) - before, 1);
}

#[test]
fn what_is_only_to_be_written_is_not_synced() {
    let mut rig = Rig::new(SEGMENT);
    let before = rig.disk.calls(Call::SyncData);
    rig.submit(0, vec![settled(1, 0)], Need::Written);
    assert_eq!(rig.step().len(), 1);
    rig.wait(10_000);
    assert_eq!(rig.disk.calls(Call::SyncData), before);
}

#[test]
fn what_is_to_be_synced_soon_is_committed_at_once_and_synced_a_tenth_of_a_second_later() {
    let mut rig = Rig::new(SEGMENT);
    let before = rig.disk.calls(Call::SyncData);
    rig.submit(0, vec![settled(1, 0)], Need::SyncedSoon);
    assert_eq!(rig.step().len(), 1);
    rig.wait(99);
    assert_eq!(rig.disk.calls(Call::SyncData), before);
    rig.wait(1);
    assert_eq!(rig.disk.calls(Call::SyncData), before + 1);
    rig.wait(10_000);
    assert_eq!(rig.disk.calls(Call::SyncData), before + 1, "there is nothing new to sync");
}

#[test]
fn a_lazy_batch_rides_along_or_goes_alone_after_a_tenth_of_a_second() {
    let mut rig = Rig::new(SEGMENT);
    rig.submit(0, vec![settled(1, 0)], Need::Lazy);
    assert!(rig.step().is_empty());
    assert!(rig.wait(99).is_empty());
    assert_eq!(rig.wait(1).len(), 1);

    rig.submit(0, vec![settled(1, 1)], Need::Lazy);
    assert!(rig.step().is_empty());
    rig.submit(1, vec![settled(2, 0)], Need::Synced);
    let done = rig.step();
    assert_eq!(done.iter().map(|done| done.batch.number.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(done[0].position, done[1].position);
}

#[test]
fn many_lazy_bytes_do_not_wait() {
    let mut rig = Rig::new(8 * SEGMENT);
    let message = message(&[7; 100_000]);
    (0..4).for_each(|_| rig.submit(0, vec![published(&message, 1)], Need::Lazy));
    assert_eq!(rig.step().len(), 4);
}

/// What [`martlet_disk::Log::write`] completes at this moment.
fn write(rig: &mut Rig) -> Vec<u64> {
    let mut done = Vec::new();
    rig.log.write(rig.now, &mut done);
    assert!(done.iter().all(|done| done.outcome == Outcome::Committed));
    done.iter().map(|done| done.batch.number.0).collect()
}

#[test]
fn what_needs_no_sync_is_committed_by_a_write_alone() {
    let mut rig = Rig::new(SEGMENT);
    let calls = |rig: &Rig| [Call::Write, Call::SyncData, Call::SyncFolder].map(|call| rig.disk.calls(call));
    let [writes, syncs, folders] = calls(&rig);
    rig.submit(0, vec![settled(1, 0)], Need::Lazy);
    assert_eq!(write(&mut rig), [], "it may wait");
    rig.submit(1, vec![settled(2, 0)], Need::Written);
    rig.submit(2, vec![settled(3, 0)], Need::SyncedSoon);
    assert_eq!(write(&mut rig), [1, 2, 3]);
    assert_eq!(calls(&rig), [writes + 1, syncs, folders]);
    assert_eq!(rig.log.due(), Some(Now::at_millis(1100).time), "it is synced soon");
}

#[test]
fn a_write_leaves_what_takes_more_to_the_next_step() {
    let mut rig = Rig::new(SEGMENT);
    rig.submit(0, vec![settled(1, 0)], Need::Synced);
    rig.submit(0, vec![settled(1, 1)], Need::Written);
    assert_eq!(write(&mut rig), [], "the first must be synced, and the other comes after it");
    assert_eq!(rig.log.due(), Some(Now::at_millis(0).time));
    assert_eq!(rig.step().len(), 2);

    let mut rig = Rig::new(16 << 10);
    let syncs = rig.disk.calls(Call::SyncData);
    let mut last = 0;
    while rig.disk.calls(Call::SyncData) == syncs {
        rig.submit(0, vec![published(&message(&[7; 1000]), 1)], Need::Written);
        last += 1;
        if write(&mut rig) != [last] {
            assert_eq!(rig.disk.calls(Call::SyncData), syncs, "only a step leaves a segment");
            assert_eq!(rig.step().len(), 1);
        }
    }
    assert!(last > 10, "as many as go into a segment");
}

#[test]
fn a_page_is_written_whole_once() {
    let mut rig = Rig::new(SEGMENT);
    let before = rig.disk.written();
    rig.commit(vec![settled(1, 0)]);
    assert_eq!(rig.disk.written() - before, 4096, "what was there before need not be read");
    rig.commit(vec![settled(1, 1)]);
    assert!(rig.disk.written() - before < 4096 + 100);
}

#[test]
fn a_message_is_written_once_however_many_batches_name_it() {
    let mut rig = Rig::new(SEGMENT);
    let message = message(&[7; 5000]);
    let before = rig.log.stats().written_bytes;
    rig.commit(vec![published(&message, 1), published(&message, 2)]);
    rig.commit(vec![published(&message, 3)]);
    assert!(rig.log.stats().written_bytes - before < 5000 + 300);
    assert_eq!(rig.fetch(&message).expect("it is there").view().payload, [7; 5000]);
    let again = rig.restart(&settings(SEGMENT)).expect("nothing happened to it");
    assert_eq!(again.fetch(&message).expect("it is there").view().payload, [7; 5000]);
}

#[test]
fn an_idle_log_writes_nothing() {
    let mut rig = Rig::new(SEGMENT);
    rig.commit(vec![settled(1, 0)]);
    rig.wait(1000);
    let before = (rig.disk.written(), rig.disk.calls(Call::SyncData), rig.disk.calls(Call::SyncFolder));
    (0..100).for_each(|_| drop(rig.wait(60_000)));
    let after = (rig.disk.written(), rig.disk.calls(Call::SyncData), rig.disk.calls(Call::SyncFolder));
    assert_eq!(before, after);
    assert_eq!(rig.log.due(), None, "nobody need wake up for it");
}

#[test]
fn after_a_failed_sync_nothing_is_committed_any_more() {
    let mut rig = Rig::new(SEGMENT);
    rig.commit(vec![settled(1, 0)]);
    rig.disk.break_call(Call::SyncData);
    rig.submit(0, vec![settled(1, 1)], Need::Synced);
    assert_eq!(rig.step()[0].outcome, Outcome::Unknown);
    assert_eq!(rig.log.room(), Room::Failed);
    assert!(rig.log.trouble().expect("there is").contains("start again"));
    // The disk seems to work again: what it lost it does not say.
    rig.disk.mend();
    for need in [Need::Synced, Need::Written, Need::Lazy] {
        rig.submit(0, vec![settled(1, 2)], need);
        assert_eq!(rig.step()[0].outcome, Outcome::Unknown);
    }
    let again = rig.restart(&settings(SEGMENT)).expect("the first is safe");
    assert_eq!(numbers(&again.read)[0], 1);
    assert_eq!(again.log.room(), Room::Open);
}

#[test]
fn after_a_failed_write_nothing_is_committed_any_more() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.break_call(Call::Write);
    rig.submit(0, vec![settled(1, 0)], Need::Written);
    assert_eq!(rig.step()[0].outcome, Outcome::Unknown);
    rig.disk.mend();
    rig.submit(0, vec![settled(1, 1)], Need::Synced);
    assert_eq!(rig.step()[0].outcome, Outcome::Unknown);
}

/// Lets a sync begin that another thread does, with something behind it that is to be on the disk at once.
fn sync_under_way(rig: &mut Rig) -> Vec<martlet_disk::Job<Memory>> {
    rig.submit(0, vec![settled(1, 0)], Need::SyncedSoon);
    assert_eq!(rig.step().len(), 1);
    rig.now = Now::at_millis(rig.now.time.as_millis() + 100);
    let mut done = Vec::new();
    rig.log.step(rig.now, &mut done);
    let jobs = rig.log.take_jobs();
    assert!(jobs.iter().any(martlet_disk::Job::is_soon));
    rig.submit(1, vec![settled(2, 0)], Need::Written);
    rig.log.step(rig.now, &mut done);
    assert_eq!(done.len(), 1, "this one needs no sync");
    rig.submit(1, vec![settled(2, 1)], Need::Synced);
    rig.log.step(rig.now, &mut done);
    assert_eq!(done.len(), 1, "this one must wait for the fate of the other");
    jobs
}

#[test]
fn what_waits_for_a_sync_is_committed_after_it() {
    let mut rig = Rig::new(SEGMENT);
    for job in sync_under_way(&mut rig) {
        rig.log.finish(job.run(), rig.now);
    }
    let done = rig.step();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].outcome, Outcome::Committed);
}

#[test]
fn a_sync_that_fails_elsewhere_fails_whatever_waits() {
    let mut rig = Rig::new(SEGMENT);
    let jobs = sync_under_way(&mut rig);
    rig.disk.break_call(Call::SyncData);
    let finished: Vec<_> = jobs.into_iter().map(martlet_disk::Job::run).collect();
    // The system told the failure once: the next sync would succeed.
    rig.disk.mend();
    finished.into_iter().for_each(|finished| rig.log.finish(finished, rig.now));
    let done = rig.step();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].outcome, Outcome::Unknown);
    assert_eq!(rig.log.room(), Room::Failed);
}

#[test]
fn the_log_goes_on_in_the_next_segment() {
    let mut rig = Rig::new(16 << 10);
    let messages: Vec<_> = (0..100).map(|at| rig.publish(1, &[at; 1000])).collect();
    assert!(rig.disk.segments().len() >= 7, "{:?}", rig.disk.paths());
    let again = rig.restart(&settings(16 << 10)).expect("nothing happened to it");
    assert_eq!(numbers(&again.read), (1..=100).collect::<Vec<_>>());
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(again.fetch(message).expect("it is there").view().payload[0] as usize, at);
    }
}

#[test]
fn a_segment_is_left_when_the_disk_has_all_of_it_even_a_mark() {
    let mut rig = Rig::new(32 << 10);
    (0..10).for_each(|_| drop(rig.publish(1, &[7; 3000])));
    assert_eq!(rig.disk.segments().len(), 2, "the next one is ready");
    // The last frame of the segment says that the one before is safe.
    rig.wait(100);
    let next = message(&[7; 3000]);
    rig.submit(0, vec![published(&next, 1)], Need::Written);
    let before = rig.disk.calls(Call::SyncData);
    // One step, and none of the jobs that sync other files.
    let mut done = Vec::new();
    rig.log.step(rig.now, &mut done);
    assert_eq!(done.len(), 1);
    assert_eq!(next.place().map(martlet_record::Place::segment), Some(2));
    assert_eq!(rig.disk.calls(Call::SyncData), before + 1);
}

#[test]
fn a_log_goes_on_where_it_was_closed() {
    let mut rig = Rig::new(16 << 10);
    rig.submit(0, vec![settled(1, 0)], Need::Lazy);
    rig.close();
    for round in 1..20 {
        rig = rig.restart(&settings(16 << 10)).expect("nothing happened to it");
        assert_eq!(rig.read.len(), round * 2 - 1);
        rig.commit(vec![published(&message(&[1; 3000]), 1)]);
        rig.commit(vec![settled(1, 0)]);
        rig.close();
    }
}

#[test]
fn one_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let first = Folder::take(folder.path(), false).expect("nobody has it");
    assert!(matches!(Folder::take(folder.path(), false), Err(OpenError::InUse)));
    drop(first);
    let files = Folder::take(folder.path(), false).expect("it is free again");
    let small = Settings { segment_bytes: 4096, ..Settings::default() };
    drop(open(files, &small).expect("an empty folder"));
}

#[test]
fn segments_without_a_name_of_the_store_are_not_touched() {
    let disk = Memory::default();
    disk.set_bytes("log/00000001.seg", vec![1; 4096]);
    let opened = open(disk.clone(), &settings(4096));
    assert!(matches!(opened, Err(OpenError::NotAStore(_))));
    assert_eq!(disk.bytes("log/00000001.seg"), [1; 4096]);
}

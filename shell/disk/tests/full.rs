//! A disk that is full, and how it becomes empty again.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use martlet_disk::Settings;
use martlet_record::{Need, Outcome, Room};
use support::{Call, Memory, Rig, message, published, settings, settled};

const SEGMENT: u32 = 32 << 10;

/// Publishes until there is no room for more, as whoever asks first does; how many Messages are in the log then.
fn fill(rig: &mut Rig) -> u64 {
    for count in 0..10_000 {
        if rig.log.room() == Room::DrainOnly {
            let why = rig.log.trouble().expect("it says why");
            assert!(why.contains("Free some space") || why.contains("Raise that limit"), "{why}");
            return count;
        }
        rig.submit(0, vec![published(&message(&[7; 1000]), 1)], Need::Synced);
        assert!(rig.step().iter().all(|done| done.outcome == Outcome::Committed), "what was let in is kept");
    }
    panic!("it never is full")
}

fn cycles(rig: &mut Rig) {
    for cycle in 0..20 {
        let count = fill(rig);
        assert!(count > 10, "cycle {cycle}: {count}");
        assert_eq!(rig.log.room(), Room::DrainOnly);
        assert!(rig.log.trouble().expect("there is").contains("full"));
        // Acknowledgements go on.
        for at in 0..count {
            rig.submit(0, vec![settled(1, at)], Need::Synced);
            let done = rig.step();
            assert!(done.iter().all(|done| done.outcome == Outcome::Committed), "cycle {cycle}");
        }
        rig.wait(1000);
        let number = rig.log.checkpoint().expect("what was let go can be given back");
        rig.snapshot(number, &[]);
        rig.wait(1000);
        assert_eq!(rig.log.room(), Room::Open, "cycle {cycle}");
        assert_eq!(rig.log.trouble(), None);
    }
}

#[test]
fn a_store_as_long_as_it_may_get_drains_and_takes_more() {
    let settings = Settings { disk_max: Some(10 * u64::from(SEGMENT)), ..settings(SEGMENT) };
    let mut rig = Rig::open(&Memory::default(), &settings).expect("an empty folder");
    cycles(&mut rig);
    assert!(rig.disk.paths().len() <= 11, "{:?}", rig.disk.paths());
}

/// Whoever submitted them had asked for room: they are not turned away, nor is what was decided beside them.
#[test]
fn what_was_under_way_when_the_disk_became_full_is_kept() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.set_free(Some(100));
    fill(&mut rig);
    for _ in 0..20 {
        rig.submit(0, vec![published(&message(&[7; 1000]), 1)], Need::Synced);
        assert_eq!(rig.step()[0].outcome, Outcome::Committed);
    }
    assert_eq!(rig.log.room(), Room::DrainOnly);
}

/// A limit counts less than what was promised.
#[test]
fn a_store_goes_beyond_its_limit_for_acknowledgements() {
    let settings = Settings { disk_max: Some(10 * u64::from(SEGMENT)), ..settings(SEGMENT) };
    let mut rig = Rig::open(&Memory::default(), &settings).expect("an empty folder");
    fill(&mut rig);
    for at in 0..5_000 {
        rig.submit(0, vec![settled(1, 2 * at); 100], Need::Synced);
        assert!(rig.step().iter().all(|done| done.outcome == Outcome::Committed), "batch {at}");
    }
    assert!(rig.disk.paths().len() > 11, "{:?}", rig.disk.paths());
}

#[test]
fn a_checkpoint_completes_on_a_full_disk_though_it_writes_retained_messages_down() {
    let mut rig = Rig::new(SEGMENT);
    let kept: Vec<_> = (0..5).map(|_| rig.publish(1, b"kept").stored().unwrap()).collect();
    rig.disk.set_free(Some(100));
    fill(&mut rig);
    assert_eq!(rig.log.room(), Room::DrainOnly);
    rig.log.request_checkpoint();
    rig.step();
    let number = rig.log.checkpoint().expect("it began");
    rig.snapshot(number, &kept);
    rig.wait(1000);
    assert_eq!(rig.log.checkpoint(), None);
    assert_eq!(rig.log.stats().checkpoint.number, number);
}

#[test]
fn room_that_others_free_is_noticed() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.set_free(Some(100));
    fill(&mut rig);
    rig.wait(5000);
    assert_eq!(rig.log.room(), Room::DrainOnly);
    rig.disk.set_free(None);
    rig.wait(1000);
    assert_eq!(rig.log.room(), Room::Open);
    rig.publish(1, b"more");
}

#[test]
fn what_must_stay_free_stays_free() {
    let kept = Settings { free_min: Some(1 << 30), ..settings(SEGMENT) };
    let disk = Memory::default();
    let mut rig = Rig::open(&disk, &kept).expect("an empty folder");
    assert_eq!(rig.log.room(), Room::Open);
    disk.set_free(Some((1 << 30) + 10));
    fill(&mut rig);
    assert_eq!(rig.log.room(), Room::DrainOnly);
}

#[test]
fn acknowledgements_wait_for_room_when_even_the_reserve_is_used_up() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.set_free(Some(100));
    fill(&mut rig);
    let mut waiting = None;
    for at in 0..100_000 {
        rig.submit(0, vec![settled(1, at); 100], Need::Synced);
        let done = rig.step();
        assert!(done.iter().all(|done| done.outcome == Outcome::Committed), "never lost");
        if done.is_empty() {
            waiting = Some(at);
            break;
        }
    }
    assert!(waiting.is_some_and(|at| at > 50), "{waiting:?}");
    rig.disk.set_free(None);
    assert_eq!(rig.wait(1000)[0].outcome, Outcome::Committed);
}

#[test]
fn a_disk_that_cannot_make_room_for_other_reasons_has_failed() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.break_call(Call::Allocate);
    for _ in 0..1000 {
        rig.submit(0, vec![published(&message(&[7; 1000]), 1)], Need::Synced);
        if rig.step()[0].outcome == Outcome::Unknown {
            assert_eq!(rig.log.room(), Room::Failed);
            return;
        }
    }
    panic!("it never needs room");
}

#[test]
fn a_store_on_a_full_disk_opens_and_drains() {
    let mut rig = Rig::new(SEGMENT);
    rig.disk.set_free(Some(100));
    let count = fill(&mut rig);
    let disk = rig.disk.copy();
    disk.set_free(Some(100));
    let mut again = Rig::open(&disk, &settings(SEGMENT)).expect("it needs no room");
    for at in 0..count {
        again.submit(0, vec![settled(1, at)], Need::Synced);
        assert!(again.step().iter().all(|done| done.outcome == Outcome::Committed));
    }
    again.wait(1000);
    let number = again.log.checkpoint().expect("what was let go can be given back");
    again.snapshot(number, &[]);
    again.wait(1000);
    assert_eq!(again.log.room(), Room::Open);
}

//! What a look at a store shows, and what a repair saves.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use martlet_disk::{Content, OpenError, inspect};
use martlet_record::{Batch, Message, Stored};
use std::sync::Arc;
use support::{Memory, Rig, numbers, settings, settled};

const SEGMENT: u32 = 16 << 10;

fn store(count: u8) -> (Rig, Vec<Arc<Message>>) {
    let mut rig = Rig::new(SEGMENT);
    let messages = (0..count).map(|at| rig.publish(1, &[at; 1000])).collect();
    rig.close();
    (rig, messages)
}

fn problems(disk: &Memory) -> Vec<String> {
    let mut problems = Vec::new();
    let mut each = |problem: martlet_disk::Problem| problems.push(problem.to_string());
    inspect(disk.clone()).unwrap().check(&mut each, &mut |_, _| {}).unwrap();
    problems
}

#[test]
fn a_whole_store_has_no_problems_and_looking_changes_nothing() {
    let (mut rig, messages) = store(30);
    let stored: Vec<Stored> = messages.iter().map(|message| message.stored().unwrap()).collect();
    rig = rig.restart(&settings(SEGMENT)).unwrap();
    rig.checkpoint(&stored[..7]);
    let before: Vec<_> = rig.disk.paths().into_iter().map(|path| rig.disk.bytes(&path)).collect();
    assert_eq!(problems(&rig.disk), Vec::<String>::new());
    let inspection = inspect(rig.disk.clone()).unwrap();
    let stat = inspection.stat(&mut |_, _| {}).unwrap();
    assert_eq!(stat.bodies, 7);
    assert_eq!(stat.live_bytes(), stored[..7].iter().map(|stored| u64::from(stored.len)).sum::<u64>());
    assert_eq!(stat.segments.len(), rig.disk.segments().len());
    assert!(!stat.segments[0].is_log && stat.segments[0].live_bytes > 0);
    let after: Vec<_> = rig.disk.paths().into_iter().map(|path| rig.disk.bytes(&path)).collect();
    assert!(before == after);
}

#[test]
fn every_frame_can_be_listed() {
    let mut rig = Rig::new(SEGMENT);
    rig.commit(vec![settled(1, 7)]);
    rig.checkpoint(&[]);
    rig.close();
    let (mut lines, mut heads) = (Vec::new(), Vec::new());
    inspect(rig.disk.clone())
        .unwrap()
        .heads(&mut |head| heads.push(head.position.0), &mut |_, _| {})
        .unwrap();
    inspect(rig.disk.clone()).unwrap().frames(&mut |frame| lines.push(frame.to_string())).unwrap();
    assert_eq!(heads, (1..=lines.len() as u64).collect::<Vec<_>>());
    let all = lines.join("\n");
    for expected in [
        "1/0 ",
        "position 1 ",
        "shard 0 batch 1",
        "Settled",
        "checkpoint 1 begins",
        "checkpoint 1 is complete",
    ] {
        assert!(all.contains(expected), "{expected} in {all}");
    }
    assert!(!all.contains("DAMAGED"));
}

#[test]
fn a_body_that_decayed_is_found_and_named_when_it_is_read() {
    let (rig, messages) = store(30);
    let mut rig = rig.restart(&settings(SEGMENT)).unwrap();
    let stored: Vec<Stored> = messages.iter().map(|message| message.stored().unwrap()).collect();
    rig.checkpoint(&stored);
    rig.disk.flip("log/00000001.seg", (stored[3].place.offset() as usize + 100) * 8);
    let again = rig.restart(&settings(SEGMENT)).expect("the log itself is whole");
    let read: Vec<bool> = messages.iter().map(|message| again.fetch(message).is_some()).collect();
    assert_eq!(read.iter().filter(|is_there| !**is_there).count(), 1);
    assert!(!read[3]);
    let problems = problems(&rig.disk);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("damaged"));
}

/// The batches left, and whether the Messages are there.
fn repaired(disk: &Memory, messages: &[Arc<Message>]) -> (Vec<u64>, Vec<bool>, Vec<std::ops::Range<u64>>) {
    assert!(matches!(Rig::open(&disk.copy(), &settings(SEGMENT)), Err(OpenError::Damaged(_))));
    assert!(!problems(disk).is_empty());
    let planned = inspect(disk.clone()).unwrap().plan().unwrap();
    let repaired = inspect(disk.clone()).unwrap().repair().unwrap();
    assert!(!repaired.is_empty());
    for (planned, repaired) in planned.iter().zip(&repaired) {
        assert_eq!((planned.place, &planned.positions), (repaired.place, &repaired.positions));
    }
    let mut again = Rig::open(disk, &settings(SEGMENT)).expect("it is repaired");
    let lost = again.recovered.lost.clone();
    let read = numbers(&again.read);
    let there = messages.iter().map(|message| again.fetch(message).is_some()).collect();
    // It goes on, and what was lost stays lost.
    again.commit(vec![settled(1, 0)]);
    let once_more = again.restart(&settings(SEGMENT)).expect("nothing happened since");
    assert_eq!(once_more.read.len(), read.len() + 1);
    assert_eq!(once_more.recovered.lost, lost);
    (read, there, lost)
}

#[test]
fn a_repair_takes_out_one_frame_and_leaves_all_others_where_they_are() {
    for broken in 0..12 {
        let (rig, messages) = store(12);
        let mut frames = Vec::new();
        let mut each = |frame: martlet_disk::Frame| {
            if matches!(frame.content, Content::Batches(_)) {
                frames.push(frame.place);
            }
        };
        inspect(rig.disk.clone()).unwrap().frames(&mut each).unwrap();
        let place = frames[broken];
        // Header or body, by turns.
        let byte = place.offset() as usize + if broken % 2 == 0 { 20 } else { 200 };
        let path = format!("log/{:08}.seg", place.segment());
        let before = {
            rig.disk.flip(&path, byte * 8);
            rig.disk.bytes(&path)
        };
        let (read, there, lost) = repaired(&rig.disk, &messages);
        let expected: Vec<u64> = (1..=12).filter(|number| *number != broken as u64 + 1).collect();
        assert_eq!(read, expected);
        assert_eq!(lost.len(), 1);
        assert_eq!(there.iter().filter(|is_there| **is_there).count(), if broken % 2 == 0 { 12 } else { 11 });
        let kept = rig.disk.paths().into_iter().find(|path| path.starts_with("quarantine/")).expect("a copy");
        assert!(rig.disk.bytes(&kept) == before, "as it was");
    }
}

#[test]
fn a_repair_goes_on_behind_a_missing_segment() {
    for missing in [1, 2, 3] {
        let (rig, messages) = store(50);
        martlet_disk::files::Files::remove(&rig.disk, format!("log/{missing:08}.seg").as_ref()).unwrap();
        let (read, there, _) = repaired(&rig.disk, &messages);
        assert!(read.len() > 30 && read.len() < 50, "{read:?}");
        for (at, is_there) in there.into_iter().enumerate() {
            assert_eq!(is_there, read.contains(&(at as u64 + 1)), "{at}");
        }
    }
}

#[test]
fn a_repair_survives_a_damaged_beginning_of_a_checkpoint() {
    let mut rig = Rig::new(SEGMENT);
    let message = rig.publish(1, &[7; 1000]);
    rig.checkpoint(&[message.stored().unwrap()]);
    rig.commit(vec![settled(1, 0)]);
    rig.close();
    let mut began = None;
    let mut each = |frame: martlet_disk::Frame| {
        if matches!(frame.content, Content::Began(_)) {
            began = Some(frame.place);
        }
    };
    inspect(rig.disk.clone()).unwrap().frames(&mut each).unwrap();
    rig.disk.flip("log/00000001.seg", (began.unwrap().offset() as usize + 50) * 8);
    let (read, there, _) = repaired(&rig.disk, &[message]);
    assert_eq!(read.len(), 65);
    assert_eq!(there, [true]);
}

#[test]
fn a_whole_store_needs_no_repair() {
    let (rig, _) = store(12);
    let before: Vec<_> = rig.disk.paths().into_iter().map(|path| rig.disk.bytes(&path)).collect();
    assert_eq!(inspect(rig.disk.clone()).unwrap().repair().unwrap(), []);
    let after: Vec<_> = rig.disk.paths().into_iter().map(|path| rig.disk.bytes(&path)).collect();
    assert!(before == after);
}

#[test]
fn batches_can_be_read_without_a_start() {
    let (rig, messages) = store(12);
    let inspection = inspect(rig.disk.clone()).unwrap();
    let mut read: Vec<(Batch, _)> = Vec::new();
    inspection.batches(&mut |batch, position| read.push((batch, position)), &mut |_, _| {}).unwrap();
    assert_eq!(numbers(&read), (1..=12).collect::<Vec<_>>());
    let stored = messages[5].stored().unwrap();
    assert_eq!(inspection.read(&[stored], rig.now)[0].as_ref().unwrap().view().payload, [5; 1000]);
}

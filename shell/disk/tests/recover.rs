//! What is read back after the power failed, the process was killed, or the disk decayed.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use martlet_disk::{Damage, OpenError, open};
use martlet_record::{Batch, Need, Position, SessionNumber};
use support::{Call, Memory, Rig, message, numbers, published, settings, settled};

const SEGMENT: u32 = 8192;
const FIRST: &str = "log/00000001.seg";

/// Where frames of the first segment begin, and where the last ends.
fn frames(disk: &Memory) -> Vec<usize> {
    let bytes = disk.bytes(FIRST);
    let is_frame = |at: &usize| bytes[*at..].starts_with(b"mtlf");
    let mut frames: Vec<usize> = (0..bytes.len()).step_by(8).filter(is_frame).collect();
    let last = frames[frames.len() - 1];
    let len = u32::from_le_bytes(bytes[last + 4..last + 8].try_into().unwrap()) as usize;
    frames.push((last + 48 + len).next_multiple_of(8));
    frames
}

fn damage<T>(opened: Result<T, OpenError>) -> Damage {
    match opened {
        Err(OpenError::Damaged(damage)) => *damage,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_and_nothing_before_it() {
    let mut rig = Rig::new(SEGMENT);
    (0..4).for_each(|at| {
        rig.commit(vec![settled(1, at), published(&message(b"payload"), 2)]);
    });
    let frames = frames(&rig.disk);
    let whole = rig.disk.bytes(FIRST);
    for cut in 0..frames[4] {
        let disk = rig.disk.copy();
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        disk.set_bytes(FIRST, bytes);
        let opened = Rig::open(&disk, &settings(SEGMENT));
        let lost_bits: u32 = whole[cut..].iter().map(|byte| byte.count_ones()).sum();
        let is_one_bit = {
            let end = frames.iter().copied().find(|end| *end > cut).unwrap_or_default();
            whole[cut..end].iter().map(|byte| byte.count_ones()).sum::<u32>() == 1
        };
        if is_one_bit && cut % 512 != 0 {
            // No disk tears like that: a bit that decayed looks just the same.
            assert!(lost_bits > 0 && opened.is_err(), "cut at {cut}");
            continue;
        }
        let mut again = opened.unwrap_or_else(|error| panic!("{cut}: {error}"));
        // A frame is whole without its padding.
        let survivors = frames[1..].iter().filter(|end| **end <= cut + 7).count();
        let expected: Vec<u64> = (1..=4).take(again.read.len()).collect();
        assert_eq!(numbers(&again.read), expected, "cut at {cut}");
        assert!(again.read.len() <= survivors && again.read.len() + 1 >= survivors, "cut at {cut}");
        assert!(frames[again.read.len()] <= cut + 7, "cut at {cut}");
        // It goes on as if nothing had happened.
        let kept = again.read.len();
        again.commit(vec![settled(3, 0)]);
        let once_more = again.restart(&settings(SEGMENT)).expect("nothing happened since");
        assert_eq!(once_more.read.len(), kept + 1, "cut at {cut}");
    }
}

#[test]
fn frames_behind_a_torn_one_never_come_back() {
    let mut rig = Rig::new(SEGMENT);
    for at in 0..5 {
        rig.submit(0, vec![settled(1, at)], Need::Written);
        rig.step();
    }
    // The power failed: of five frames that nobody synced, the third is not on the disk.
    let frames = frames(&rig.disk);
    let mut bytes = rig.disk.bytes(FIRST);
    bytes[frames[2]..frames[3]].fill(0);
    rig.disk.set_bytes(FIRST, bytes);
    let mut again = rig.restart(&settings(SEGMENT)).expect("nobody was told that they are safe");
    assert_eq!(numbers(&again.read), [1, 2]);
    let torn = again.recovered.torn.expect("it says so");
    assert_eq!((torn.segment, torn.offset as usize), (1, frames[2]));
    assert_eq!(torn.bytes as usize, frames[5] - frames[2]);
    // One that fits the gap exactly would lead to those behind it.
    again.commit(vec![settled(9, 2)]);
    let once_more = again.restart(&settings(SEGMENT)).expect("nothing happened since");
    assert_eq!(once_more.read.len(), 3);
    assert_eq!(once_more.read[2].0.records, [settled(9, 2)]);
}

#[test]
fn what_was_synced_is_never_taken_for_a_torn_end() {
    let mut rig = Rig::new(SEGMENT);
    for at in 0..5 {
        rig.commit(vec![settled(64 * 7, at)]);
    }
    let frames = frames(&rig.disk);
    let mut bytes = rig.disk.bytes(FIRST);
    bytes[frames[2] + 48..frames[3]].fill(0);
    rig.disk.set_bytes(FIRST, bytes.clone());
    let found = damage(rig.restart(&settings(SEGMENT)));
    assert_eq!((found.segment, found.offset as usize, found.position), (1, frames[2], Position(3)));
    // What is left of the body may say whom it was about.
    bytes[frames[2] + 48..frames[3]]
        .copy_from_slice(&rig.disk.copy().bytes(FIRST)[frames[2] + 48..frames[3]]);
    assert!(found.to_string().contains("segment 1 at byte"));
}

#[test]
fn damage_names_the_sessions_it_can_make_out() {
    let mut rig = Rig::new(SEGMENT);
    rig.commit(vec![settled(64 * 7, 0), settled(64 * 8, 0)]);
    rig.commit(vec![settled(1, 0)]);
    rig.commit(vec![settled(1, 1)]);
    // The last byte of the first body: all records can still be read.
    let end = {
        let bytes = rig.disk.bytes(FIRST);
        48 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize
    };
    rig.disk.flip(FIRST, (end - 2) * 8 + 1);
    let found = damage(rig.restart(&settings(SEGMENT)));
    assert!(found.sessions.contains(&SessionNumber(64 * 7)), "{found}");
}

#[test]
fn every_flipped_bit_of_a_closed_store_is_reported_or_harmless() {
    let mut rig = Rig::new(4096);
    (0..3).for_each(|at| {
        rig.commit(vec![settled(1, at), published(&message(b"payload"), 2)]);
    });
    rig.close();
    flip_all(&rig);
}

#[test]
fn every_flipped_bit_of_a_store_that_was_not_closed_is_reported_or_harmless() {
    let mut rig = Rig::new(4096);
    (0..3).for_each(|at| {
        rig.commit(vec![settled(1, at), published(&message(b"payload"), 2)]);
    });
    flip_all(&rig);
}

#[test]
fn every_flipped_bit_around_a_checkpoint_and_two_segments_is_reported_or_harmless() {
    let mut rig = Rig::new(4096);
    let old = rig.publish(1, &[7; 1200]);
    rig.publish(1, &[8; 1200]);
    rig.publish(1, &[9; 1200]);
    let stored = old.stored().unwrap();
    rig.checkpoint(&[stored]);
    rig.commit(vec![settled(1, 0)]);
    flip_all(&rig);
}

/// Flips every bit of every file, one at a time: either it is reported, or nothing is different.
fn flip_all(rig: &Rig) {
    let whole = rig.restart(&settings(4096)).expect("nothing happened to it");
    let expected: Vec<_> = whole.read.iter().map(|(batch, _)| batch.records.clone()).collect();
    let mut reported = 0;
    for path in rig.disk.paths().into_iter().filter(|path| !path.contains("new-")) {
        let used = rig.disk.bytes(&path).iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for bit in 0..used * 8 {
            let disk = rig.disk.copy();
            disk.flip(&path, bit);
            let mut read = Vec::new();
            let mut each = |batch: Batch, _| read.push(batch.records);
            match open(disk, &settings(4096)).and_then(|mut opened| opened.recover(&mut each, &mut |_, _| {}))
            {
                Err(OpenError::Damaged(_)) => reported += 1,
                Err(other) => panic!("{path}, bit {bit}: {other}"),
                Ok(recovered) => {
                    assert!(read == expected, "{path}, bit {bit}");
                    // A mark that is gone is no loss.
                    let missing = whole.recovered.position.0 - recovered.position.0;
                    assert!(missing <= 1, "{path}, bit {bit}");
                }
            }
        }
    }
    assert!(reported > 500, "{reported}");
}

#[test]
fn a_missing_segment_is_reported() {
    let mut rig = Rig::new(4096);
    (0..9).for_each(|at| {
        rig.publish(1, &[at; 1000]);
    });
    for missing in ["log/00000001.seg", "log/00000002.seg"] {
        let disk = rig.disk.copy();
        martlet_disk::files::Files::remove(&disk, missing.as_ref()).unwrap();
        damage(Rig::open(&disk, &settings(4096)));
    }
}

#[test]
fn what_was_read_back_is_on_the_disk_afterwards() {
    let mut rig = Rig::new(SEGMENT);
    rig.submit(0, vec![settled(1, 0)], Need::Written);
    rig.step();
    let disk = rig.disk.copy();
    Rig::open(&disk, &settings(SEGMENT)).expect("nothing happened to it");
    assert!(disk.calls(Call::SyncData) > 0);
    assert!(disk.written() > 0, "written anew: an earlier sync may have failed");
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_name() {
    let rig = Rig::new(4096);
    let mut meta = rig.disk.bytes("store.meta");
    for at in [0, 4096] {
        meta[at + 8] = 9;
        let crc = crc32c::crc32c(&meta[at..at + 37]);
        meta[at + 37..at + 41].copy_from_slice(&crc.to_le_bytes());
    }
    rig.disk.set_bytes("store.meta", meta);
    assert!(matches!(rig.restart(&settings(4096)), Err(OpenError::Newer { found: 9, .. })));
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let mut rig = Rig::new(SEGMENT);
    rig.commit(vec![settled(1, 0)]);
    let disk = rig.disk.copy();
    disk.segments().iter().for_each(|segment| disk.take_away(segment));
    assert!(matches!(open(disk.clone(), &settings(SEGMENT)), Err(OpenError::NoLog)));
    disk.take_away("store.meta");
    assert!(Rig::open(&disk, &settings(SEGMENT)).unwrap().read.is_empty(), "it was given up on purpose");
}

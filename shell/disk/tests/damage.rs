//! Whatever lies on the disk: nothing panics, and nothing is handed out that was not written.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that is wrong may fail")]

mod support;

use std::collections::BTreeMap;

use martlet_disk::{inspect, open};
use martlet_record::{Batch, Body, Now, Record, Stored};
use support::{Memory, Rig, settings};

const SEGMENT: u32 = 8192;
const ROUNDS: u64 = 3000;

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }
}

/// A store of several segments and a checkpoint, not closed.
fn store() -> Rig {
    let mut rig = Rig::new(SEGMENT);
    let messages: Vec<_> = (0..20_u8).map(|at| rig.publish(1, &[at; 700])).collect();
    let large = rig.publish(2, &[9; 5000]);
    let kept: Vec<Stored> =
        messages.iter().step_by(3).chain([&large]).map(|kept| kept.stored().unwrap()).collect();
    rig.checkpoint(&kept);
    (0..10_u8).for_each(|at| drop(rig.publish(3, &[at; 300])));
    rig
}

fn damage(disk: &Memory, chance: &mut Chance) {
    let paths = disk.segments();
    let path = &paths[chance.below(paths.len())];
    let mut bytes = disk.bytes(path);
    let (from, len) = (chance.below(bytes.len()), chance.below(2000));
    let to = (from + len).min(bytes.len());
    match chance.below(6) {
        0 => bytes[from] ^= 1 << chance.below(8),
        1 => bytes[from..to].fill(0),
        2 => bytes[from..to].fill(0xff),
        3 => bytes.truncate(from),
        // A piece of it stands elsewhere too, where a frame may begin.
        4 => {
            let (from, target) = (from / 8 * 8, chance.below(bytes.len()) / 8 * 8);
            let len = (to - from).min(bytes.len() - target);
            bytes.copy_within(from..from + len, target);
        }
        // Another segment stands here.
        _ => bytes = disk.bytes(&paths[chance.below(paths.len())]),
    }
    disk.set_bytes(path, bytes);
}

#[test]
fn nothing_panics_and_nothing_wrong_is_handed_out() {
    let rig = store();
    let mut written: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    let whole = rig.restart(&settings(SEGMENT)).unwrap();
    written.extend(whole.read.iter().map(|(batch, _)| (batch.number.0, batch.records.clone())));
    let (mut opened, mut refused) = (0, 0);
    for round in 1..=ROUNDS {
        let mut chance = Chance(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let disk = rig.disk.copy();
        (0..=chance.below(4)).for_each(|_| damage(&disk, &mut chance));
        let mut read: Vec<Batch> = Vec::new();
        let mut store = open(disk.clone(), &settings(SEGMENT)).unwrap();
        match store.recover(&mut |batch, _| read.push(batch), &mut |_, _| {}) {
            Ok(_) => opened += 1,
            Err(_) => refused += 1,
        }
        // After an older checkpoint there are more batches than these, each as it was written.
        for batch in &read {
            if let Some(records) = written.get(&batch.number.0) {
                assert!(batch.records == *records, "round {round}, batch {}", batch.number.0);
            }
        }
        let bodies: Vec<Stored> = read
            .iter()
            .flat_map(|batch| &batch.records)
            .flat_map(Record::bodies)
            .filter_map(Body::stored)
            .collect();
        for message in store.read(&bodies, Now::at_millis(1000)).into_iter().flatten() {
            let payload = message.payload();
            assert!(payload.iter().all(|byte| *byte == payload[0]), "round {round}");
        }
        let _ = inspect(disk.clone()).unwrap().check(&mut |_| {}, &mut |_, _| {});
        inspect(disk.clone()).unwrap().repair().unwrap();
        if let Err(error) = Rig::open(&disk, &settings(SEGMENT)) {
            panic!("round {round}: a repair did not help: {error}");
        }
    }
    assert!(opened > 100 && refused > 100, "{opened} opened, {refused} refused");
}

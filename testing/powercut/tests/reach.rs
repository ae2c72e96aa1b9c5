//! The lives that are cut off are worth it: everything the log can do happens in them.

use std::collections::BTreeSet;

use martlet_powercut::{Chance, Disk, Event, Life, Process, Story, frames, moment, recover};
use martlet_record::Time;

fn live(seed: u64, has_faults: bool) -> Life {
    let chance = Chance::new(seed);
    let found = recover(&Disk::default(), &chance).expect("an empty disk");
    let now = moment(Time::from_millis(1000));
    let story = Story::new(Chance::of(seed, 1), 3000);
    let mut process = Process::new(Disk::default(), found, [].into(), story, now, chance);
    if has_faults {
        process.have_faults();
    }
    process.live(600);
    process.into_life().0
}

fn disk_after(life: &Life) -> Disk {
    let mut disk = life.disk.clone();
    life.trace.iter().for_each(|event| disk.apply(event));
    disk
}

fn what_happens(event: &Event) -> Option<&'static str> {
    match event {
        Event::Rename(from, _) if is_segment(from) => Some("recycled"),
        Event::Rename(_, to) if is_segment(to) => Some("rolled"),
        Event::Rename(_, to) if to.ends_with("store.meta") => Some("begun"),
        Event::Remove(path) if is_segment(path) => Some("given back"),
        _ => None,
    }
}

fn is_segment(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "seg")
}

#[test]
fn a_life_sees_checkpoints_and_segments_that_come_and_go() {
    let mut seen = BTreeSet::new();
    for life in (0..8).map(|seed| live(seed, false)) {
        seen.extend(life.trace.iter().filter_map(what_happens));
        for line in frames(&disk_after(&life)) {
            let kinds = ["Batches", "Bytes", "Whereabouts", "Began", "Complete", "Mark"];
            seen.extend(kinds.into_iter().filter(|kind| line.contains(kind)));
        }
    }
    let all = [
        "Batches",
        "Began",
        "Bytes",
        "Complete",
        "Mark",
        "Whereabouts",
        "begun",
        "given back",
        "recycled",
        "rolled",
    ];
    assert_eq!(seen, all.into());
}

#[test]
fn a_life_on_a_bad_disk_sees_it_fill_up_and_break() {
    let lives: Vec<Life> = (0..16).map(|seed| live(seed, true)).collect();
    assert!(lives.iter().any(|life| life.full > 0), "no disk was full");
    let is_unknown = |life: &Life| life.commits.iter().any(|commit| commit.acknowledged.is_none());
    assert!(lives.iter().any(is_unknown), "no write failed while somebody waited");
    let is_failed = |life: &Life| life.trace.iter().any(|event| matches!(event, Event::FailSync(..)));
    assert!(lives.iter().any(is_failed), "no sync failed");
    let goes_on =
        |life: &Life| life.full > 0 && life.commits.last().is_some_and(|last| last.acknowledged.is_some());
    assert!(lives.iter().any(goes_on), "no full disk was given space again");
}

//! A bit that flips anywhere is reported, or changes nothing that anybody gets.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use martlet_server::tools::{Checked, OpenError, Store};

use crate::support::{cut, fill, filled, folder, segments, start};

/// How many bits are flipped, one at a time.
const FLIPS: usize = 500;

/// Everything that is kept, as it is handed out.
fn exported(folder: &Path) -> Result<Vec<String>, OpenError> {
    let mut lines = Vec::new();
    Store::open(folder)?.export(
        &mut |message| {
            let line = message.map(|message| message.to_json().to_string());
            lines.push(line.unwrap_or_else(|_| "unreadable".to_owned()));
            ControlFlow::Continue(())
        },
        &mut |_, _, _| {},
    )?;
    Ok(lines)
}

fn checked(folder: &Path) -> Checked {
    Store::open(folder).and_then(|store| store.check(&mut |_, _, _| {})).expect("it can be checked")
}

fn flips(folder: &Path) {
    let whole = exported(folder).expect("nothing happened to it yet");
    let written = Store::open(folder).unwrap().stat(&mut |_, _, _| {}).unwrap().written_bytes;
    let (mut reported, mut harmless) = (0, 0);
    for round in 0..FLIPS as u64 {
        // Spread evenly, and no multiple of what frames are aligned to.
        let bit = round * (written * 8 / FLIPS as u64) + round % 7;
        let flipped = cut(folder);
        let path = &segments(flipped.path())[0];
        let mut bytes = fs::read(path).unwrap();
        bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        fs::write(path, bytes).unwrap();
        if checked(flipped.path()).is_sound() {
            assert_eq!(exported(flipped.path()).expect("it is sound"), whole, "bit {bit}");
            harmless += 1;
        } else {
            reported += 1;
        }
    }
    assert!(reported > FLIPS / 4, "{reported} reported, {harmless} harmless");
}

#[test]
fn in_a_log_that_was_cut_off() {
    let folder = folder();
    let broker = start(folder.path());
    fill(&broker);
    flips(cut(folder.path()).path());
}

#[test]
fn in_a_log_with_a_checkpoint() {
    flips(filled().path());
}

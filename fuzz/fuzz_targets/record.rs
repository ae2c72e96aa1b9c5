//! A frame's body as a damaged disk may give it back. Nothing panics, nothing is set aside for a count alone, and
//! whatever can be read is written and read alike from then on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_record::{Batch, Place, Stored};

/// Records that one byte may stand for, at most: copies of one Session that were settled alike.
const RUN: usize = 32;

fuzz_target!(|data: &[u8]| {
    let base = Place::new(7, 4096);
    let mut rest = data;
    loop {
        let before = rest;
        let mut named = Vec::new();
        let read =
            Batch::decode(&mut rest, base.plus(data.len() - before.len()), &mut |stored| named.push(stored));
        let Ok(batch) = read else {
            assert_eq!(rest, before, "nothing is taken of what cannot be read");
            return;
        };
        let taken = before.len() - rest.len();
        assert!(batch.records.len() <= taken * RUN);
        assert!(named.len() <= taken);
        check_written(&batch, base);
    }
});

/// The first writing settles what may be said in more than one way; from then on nothing changes.
fn check_written(batch: &Batch, base: Place) {
    let (bytes, written) = write(batch, base);
    let mut rest = bytes.as_slice();
    let mut named = Vec::new();
    let again =
        Batch::decode(&mut rest, base, &mut |stored| named.push(stored)).expect("it was just written");
    assert!(rest.is_empty());
    assert_eq!(named, written);
    assert_eq!(write(&again, base).0, bytes);
}

fn write(batch: &Batch, base: Place) -> (Vec<u8>, Vec<Stored>) {
    let (mut bytes, mut named) = (Vec::new(), Vec::new());
    batch.encode(base, &mut bytes, &mut |stored| named.push(stored));
    (bytes, named)
}

//! Makes a log that was read back one that can be written.
//!
//! The rule: afterwards the disk has everything that was read, and nothing of what was dropped.

use std::io;

use crate::files::{File, Files};
use crate::open::Survey;
use crate::shelf::Shelf;

const CHUNK: usize = 1 << 20;

/// Where a log ends, and what is not certain about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    /// Where the first frame begins of which nobody said that the disk has it.
    pub(crate) unsaid: Option<(u32, u64)>,
}

/// Takes away what was dropped, and sees to it that the disk has all that was not.
pub(crate) fn mend<F: Files>(shelf: &Shelf<F>, survey: &Survey, end: End) -> io::Result<()> {
    for (number, to) in survey.ends.iter().copied().filter(|(number, _)| *number >= end.segment) {
        let from = if number == end.segment { end.offset } else { 0 };
        if let Some(file) = shelf.segment(number).filter(|_| to > from) {
            zero(&*file, from, to)?;
            file.sync_data()?;
        }
    }
    let Some(file) = shelf.segment(end.segment) else { return Ok(()) };
    // A sync that failed before may have left the system believing that the disk has these: they are written anew.
    if let Some((_, from)) = end.unsaid.filter(|(unsaid, _)| *unsaid == end.segment) {
        rewrite(&*file, from, end.offset)?;
    }
    file.sync_data()
}

pub(crate) fn zero(file: &impl File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    in_chunks(from, to, |offset, len| file.write_at(&zeros[..len], offset))
}

fn rewrite(file: &impl File, from: u64, to: u64) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK];
    in_chunks(from, to, |offset, len| {
        let read = file.read_at(&mut bytes[..len], offset)?;
        file.write_at(&bytes[..read], offset)
    })
}

fn in_chunks(mut from: u64, to: u64, mut each: impl FnMut(u64, usize) -> io::Result<()>) -> io::Result<()> {
    while from < to {
        let len = usize::try_from(to - from).unwrap_or(CHUNK).min(CHUNK);
        each(from, len)?;
        from += len as u64;
    }
    Ok(())
}

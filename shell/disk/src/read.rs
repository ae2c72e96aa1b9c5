//! Reads bodies back.
//!
//! Those that lie close together are read together, in the order of the disk, by several threads where it pays.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use martlet_record::{Message, Now, Place, Stored};

use crate::ReadError;
use crate::files::{File, Files};
use crate::shelf::{Shelf, Span};

/// Bytes read at once, and bytes between two bodies that are read rather than passed over.
const WINDOW: u64 = 1 << 20;
const GAP: u64 = 16 << 10;
/// Bodies for which another thread pays.
const WORTH_A_THREAD: usize = 20_000;

type Outcome = Result<Message, ReadError>;

/// Reads bodies; the answers stand in the order of what is wanted.
pub(crate) fn read_all<F: Files>(shelf: &Shelf<F>, wanted: &[Stored], now: Now) -> Vec<Outcome> {
    let mut order: Vec<(Span, usize)> = Vec::new();
    let mut in_parts = Vec::new();
    for (at, stored) in wanted.iter().enumerate() {
        match shelf.spans(*stored).as_slice() {
            [span] => order.push((*span, at)),
            _ => in_parts.push(at),
        }
    }
    order.sort_unstable();
    let mut read: Vec<Option<Outcome>> = wanted.iter().map(|_| None).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(order.len() / WORTH_A_THREAD + 1);
    let share = order.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let mut shares = order.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || read_sorted(shelf, wanted, share, now))).collect();
        let mut keep = |share: Vec<(usize, Outcome)>| {
            share.into_iter().for_each(|(at, outcome)| read[at] = Some(outcome));
        };
        keep(read_sorted(shelf, wanted, first, now));
        for other in others {
            keep(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    for at in in_parts {
        read[at] = Some(read_one(shelf, wanted[at], now));
    }
    let retried = |(at, outcome): (usize, Option<Outcome>)| match outcome {
        Some(Ok(message)) => Ok(message),
        // Its segment may have been given back after it moved, between the look and the read.
        _ => read_one(shelf, wanted[at], now),
    };
    read.into_iter().enumerate().map(retried).collect()
}

/// Reads bodies that are in one piece each, in the order of the disk.
fn read_sorted<F: Files>(
    shelf: &Shelf<F>,
    wanted: &[Stored],
    sorted: &[(Span, usize)],
    now: Now,
) -> Vec<(usize, Outcome)> {
    let mut read = Vec::with_capacity(sorted.len());
    let mut files: HashMap<u32, Option<Arc<F::File>>> = HashMap::new();
    let mut window = Vec::new();
    let mut rest = sorted;
    while let Some((first, _)) = rest.first() {
        let segment = first.place.segment();
        let start = u64::from(first.place.offset());
        let mut end = start;
        let together = rest.iter().take_while(|(span, _)| {
            let (from, to) = (u64::from(span.place.offset()), end_of(span));
            let is_near = span.place.segment() == segment && from <= end + GAP && to <= start + WINDOW;
            end = if is_near { end.max(to) } else { end };
            is_near
        });
        // One that is longer than the window is read alone.
        let count = together.count().max(1);
        end = end.max(end_of(first));
        let file = files.entry(segment).or_insert_with(|| shelf.segment(segment));
        let problem = match file {
            None => Some(ReadError::Missing(first.place)),
            Some(file) => {
                read_into(&mut window, &**file, start, end).err().map(|error| io_error(first.place, &error))
            }
        };
        let (these, others) = rest.split_at(count);
        for (span, at) in these {
            let from = usize::try_from(u64::from(span.place.offset()) - start).unwrap_or(usize::MAX);
            let outcome = match &problem {
                Some(problem) => Err(problem.clone()),
                None => decode(window.get(from..from.saturating_add(span.len as usize)), wanted[*at], now),
            };
            read.push((*at, outcome));
        }
        rest = others;
    }
    read
}

/// Reads one body, wherever its parts are.
fn read_one<F: Files>(shelf: &Shelf<F>, wanted: Stored, now: Now) -> Outcome {
    let (mut body, mut part) = (Vec::new(), Vec::new());
    for span in shelf.spans(wanted) {
        let file = shelf.segment(span.place.segment()).ok_or(ReadError::Missing(wanted.place))?;
        read_into(&mut part, &*file, u64::from(span.place.offset()), end_of(&span))
            .map_err(|error| io_error(wanted.place, &error))?;
        body.extend_from_slice(&part);
    }
    decode(Some(&body), wanted, now)
}

/// Reads what there is between two offsets. A length is believed only as far as the file goes.
fn read_into(bytes: &mut Vec<u8>, file: &impl File, start: u64, end: u64) -> io::Result<()> {
    let end = if end - start > WINDOW { end.min(file.len()?) } else { end };
    bytes.resize(usize::try_from(end.saturating_sub(start)).unwrap_or_default(), 0);
    let read = file.read_at(bytes, start)?;
    bytes.truncate(read);
    Ok(())
}

fn io_error(place: Place, error: &io::Error) -> ReadError {
    ReadError::Io { place, why: error.to_string() }
}

fn decode(body: Option<&[u8]>, wanted: Stored, now: Now) -> Outcome {
    let damaged = ReadError::Damaged(wanted.place);
    let message = body.and_then(|body| Message::decode(body, Some(wanted.place), now).ok());
    message.ok_or(damaged)
}

fn end_of(span: &Span) -> u64 {
    u64::from(span.place.offset()) + u64::from(span.len)
}

//! Room for what comes: the next segment, and the reserve for a full disk.
//!
//! The rule: two segments beside the one that is written are set aside on the disk, before they are needed. When no
//! more can be had, publishers are told so, and what is set aside is for what was under way, for acknowledgements and for
//! checkpoints: that is how a full disk becomes empty again. If even that is used up, a limit of the operator's counts
//! less than what was promised: the store goes beyond it as long as the disk itself has room.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use martlet_record::Time;

use crate::Settings;
use crate::files::{File, Files};
use crate::names::{self, LOG, Spare};

/// Segments that are set aside.
pub(crate) const RESERVE: usize = 2;
/// Those that come back and are kept to be used again: as many as are needed until the next checkpoint …
const KEPT: usize = 6;
/// … while the log grows. When no segment was begun for so many milliseconds, the disk gets back what is no reserve.
const KEPT_MS: u64 = 10_000;
/// How long a full disk is left alone before it is asked again, in milliseconds.
const RETRY_MS: u64 = 1000;
/// The share of a file system, in parts of a hundred, and the bytes that stay free for others.
const FREE_PERCENT: u64 = 5;
const FREE_BYTES: u64 = 2 << 30;

/// A segment with a number, to be written next.
#[derive(Debug)]
pub(crate) struct Next<F: Files> {
    pub(crate) number: u32,
    pub(crate) file: Arc<F::File>,
}

/// What is there, and what is on order.
#[derive(Debug)]
pub(crate) struct Supply<F: Files> {
    next: Option<Next<F>>,
    spares: VecDeque<Spare>,
    is_ordered: bool,
    /// Why there is no more.
    full: Option<String>,
    /// The disk itself has no room.
    is_exhausted: bool,
    retry_at: Time,
    last_spare: u32,
    /// When a segment was begun.
    grew_at: Time,
}

impl<F: Files> Supply<F> {
    pub(crate) fn new(spares: Vec<Spare>, next: Option<Next<F>>) -> Self {
        let last_spare = spares.iter().map(|spare| spare.number).max().unwrap_or_default();
        let spares = spares.into();
        Self {
            next,
            spares,
            is_ordered: false,
            full: None,
            is_exhausted: false,
            retry_at: Time::START,
            last_spare,
            grew_at: Time::START,
        }
    }

    /// Segments set aside, the next one included.
    pub(crate) fn count(&self) -> usize {
        self.spares.len() + usize::from(self.next.is_some())
    }

    /// Why what is set aside is not for publishes, if it is not.
    pub(crate) fn shortage(&self) -> Option<&str> {
        self.full.as_deref()
    }

    pub(crate) fn take_next(&mut self, now: Time) -> Option<Next<F>> {
        self.grew_at = now;
        self.next.take()
    }

    /// How many segments that are given back are welcome.
    pub(crate) fn welcome(&self) -> usize {
        KEPT.saturating_sub(self.count() + usize::from(self.is_ordered))
    }

    /// A name no spare has.
    pub(crate) fn new_spare(&mut self, is_filled: bool) -> Spare {
        self.last_spare += 1;
        Spare { number: self.last_spare, is_filled }
    }

    /// What should be done now, off the way of those who wait: one thing at a time.
    pub(crate) fn order(&mut self, needs_next: bool, number: u32, now: Time) -> Option<Order> {
        if self.is_ordered {
            return None;
        }
        let order = if needs_next && self.next.is_none() && !self.spares.is_empty() {
            // Those that were written before come first: they are ready at once.
            let filled = self.spares.iter().position(|spare| spare.is_filled).unwrap_or_default();
            Order::Name(self.spares.remove(filled)?, number)
        } else if self.count() < RESERVE
            && (self.full.is_none() || now >= self.retry_at || self.is_urgent(needs_next))
        {
            Order::Make { spare: self.new_spare(false), is_needed: needs_next && self.count() == 0 }
        } else if self.count() > RESERVE && self.trim_at() <= now {
            let is_new = self.spares.iter().position(|spare| !spare.is_filled).unwrap_or_default();
            Order::Remove(self.spares.remove(is_new)?)
        } else {
            return None;
        };
        self.is_ordered = true;
        Some(order)
    }

    /// Nothing is left that could be written to, and the disk was not asked for that yet.
    fn is_urgent(&self, needs_next: bool) -> bool {
        needs_next && self.count() == 0 && !self.is_exhausted
    }

    /// When something is to be ordered: at once, when a full disk is to be asked again, or to get something back.
    pub(crate) fn due(&self, needs_next: bool) -> Option<Time> {
        if self.is_ordered {
            return None;
        }
        if needs_next && self.next.is_none() && !self.spares.is_empty() {
            return Some(Time::START);
        }
        if self.count() < RESERVE {
            let must_wait = self.full.is_some() && !self.is_urgent(needs_next);
            return Some(if must_wait { self.retry_at } else { Time::START });
        }
        (self.count() > RESERVE && !self.spares.is_empty()).then(|| self.trim_at())
    }

    fn trim_at(&self) -> Time {
        self.grew_at.after_millis(KEPT_MS)
    }

    pub(crate) fn removed(&mut self) {
        self.is_ordered = false;
    }

    pub(crate) fn made(&mut self, made: Result<Spare, Shortage>, now: Time) -> io::Result<()> {
        self.is_ordered = false;
        match made {
            Ok(spare) => {
                self.is_exhausted = false;
                self.spares.push_back(spare);
            }
            Err(Shortage::Full(why)) => {
                self.is_exhausted = self.full.is_some() && self.count() == 0;
                self.full = Some(why);
                self.retry_at = now.after_millis(RETRY_MS);
            }
            Err(Shortage::Failed(error)) => return Err(error),
        }
        self.recover();
        Ok(())
    }

    pub(crate) fn named(&mut self, next: Next<F>) {
        self.is_ordered = false;
        self.next = Some(next);
    }

    /// Segments that hold nothing any more came back.
    pub(crate) fn gave_back(&mut self, spares: Vec<Spare>) {
        self.spares.extend(spares);
        self.recover();
    }

    /// A full reserve means that there is room again.
    fn recover(&mut self) {
        if self.count() >= RESERVE {
            self.full = None;
        }
    }
}

/// Something to do on the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Set room for a segment aside, beyond the limits if it is needed at once.
    Make { spare: Spare, is_needed: bool },
    /// Give it a number.
    Name(Spare, u32),
    /// Give it back.
    Remove(Spare),
}

/// Why there is no room.
#[derive(Debug)]
pub(crate) enum Shortage {
    /// The disk is full, or as full as it may get.
    Full(String),
    /// It does not work.
    Failed(io::Error),
}

/// Sets room for one more segment aside; `segments` are there already. One that is needed goes beyond the limits.
pub(crate) fn make(
    files: &impl Files,
    spare: Spare,
    segments: usize,
    settings: &Settings,
    is_needed: bool,
) -> Result<Spare, Shortage> {
    let bytes = u64::from(settings.segment_bytes);
    if !is_needed {
        check_space(files, segments, settings)?;
    }
    let made = allocate(files, spare, bytes);
    made.map_err(|error| {
        if !is_full(&error) {
            return Shortage::Failed(error);
        }
        // What was begun takes room that others need.
        let _ = files.remove(&spare.path());
        Shortage::Full(format!("no room for another {bytes} bytes: {error}. Free some space on this disk"))
    })
}

pub(crate) fn allocate(files: &impl Files, spare: Spare, bytes: u64) -> io::Result<Spare> {
    let file = files.create(&spare.path())?;
    file.allocate(bytes)?;
    file.sync_data()?;
    files.sync_folder(Path::new(LOG))?;
    Ok(spare)
}

fn check_space(files: &impl Files, segments: usize, settings: &Settings) -> Result<(), Shortage> {
    let bytes = u64::from(settings.segment_bytes);
    let taken = (segments as u64 + 1) * bytes;
    if let Some(max) = settings.disk_max.filter(|max| taken > *max) {
        return Err(Shortage::Full(format!(
            "the store may take {max} bytes and would take {taken}. Raise that limit, or let queues drain"
        )));
    }
    let (free, total) = files.space().map_err(Shortage::Failed)?;
    let least = settings.free_min.unwrap_or(FREE_BYTES.min(total / 100 * FREE_PERCENT));
    if free < bytes.saturating_add(least) {
        return Err(Shortage::Full(format!(
            "{free} of {total} bytes are free, and {least} are to stay free. Free some space on this disk"
        )));
    }
    Ok(())
}

/// Does it mean that the disk, or what is ours of it, is full?
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes a segment of room that was set aside.
pub(crate) fn name<F: Files>(files: &F, spare: Spare, number: u32) -> io::Result<Next<F>> {
    let file = files.open(&spare.path())?;
    if !spare.is_filled {
        file.fill(file.len()?)?;
    }
    files.rename(&spare.path(), &names::segment(number))?;
    files.sync_folder(Path::new(LOG))?;
    Ok(Next { number, file: Arc::new(file) })
}

/// Gives room back that was set aside.
pub(crate) fn remove(files: &impl Files, spare: Spare) -> io::Result<()> {
    files.remove(&spare.path())?;
    files.sync_folder(Path::new(LOG))
}

/// Gives segments back: so many to be used again under the names of spares, the others to the disk.
pub(crate) fn give_back<F: Files>(
    files: &F,
    segments: &[(u32, Arc<F::File>)],
    mut welcome: Vec<Spare>,
    bytes: u64,
) -> io::Result<Vec<Spare>> {
    let mut spares = Vec::new();
    for (segment, file) in segments {
        // One of another length is of no use: it grew, or other settings made it.
        match if file.len()? == bytes { welcome.pop() } else { None } {
            Some(spare) => {
                files.rename(&names::segment(*segment), &spare.path())?;
                spares.push(spare);
            }
            None => files.remove(&names::segment(*segment))?,
        }
    }
    files.sync_folder(Path::new(LOG))?;
    Ok(spares)
}

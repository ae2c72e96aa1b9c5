//! What the log leaves to others: whatever may take long and nobody waits for.

use std::io;
use std::sync::Arc;

use martlet_record::Position;

use crate::Settings;
use crate::compact::{Gathered, gather};
use crate::files::{File, Files};
use crate::liveness::{Live, Marks, Weighed, weigh};
use crate::names::Spare;
use crate::shelf::Shelf;
use crate::supply::{self, Next, Shortage};

/// Something to do on the disk, away from those who wait for commits.
#[derive(Debug)]
pub struct Job<F: Files> {
    pub(crate) files: Arc<F>,
    pub(crate) task: Task<F>,
}

#[derive(Debug)]
pub(crate) enum Task<F: Files> {
    /// Set room for a segment aside.
    Make { spare: Spare, segments: usize, settings: Settings, is_needed: bool },
    /// Make it the next segment.
    Name { spare: Spare, number: u32 },
    /// Give room back that was set aside.
    Remove(Spare),
    /// Give segments back that hold nothing any more.
    GiveBack { segments: Vec<(u32, Arc<F::File>)>, welcome: Vec<Spare>, bytes: u64 },
    /// Find out what segments still hold.
    Weigh { shelf: Arc<Shelf<F>>, marks: Marks, segment_bytes: u64 },
    /// Bring everything up to here to the disk.
    Sync { file: Arc<F::File>, up_to: Position },
    /// Read bodies that are to move.
    Gather { shelf: Arc<Shelf<F>>, bodies: Vec<Live> },
}

/// What came of a job.
#[derive(Debug)]
pub struct Done<F: Files>(pub(crate) Report<F>);

#[derive(Debug)]
pub(crate) enum Report<F: Files> {
    Made(Result<Spare, Shortage>),
    Named(io::Result<Next<F>>),
    Removed(io::Result<()>),
    GaveBack(io::Result<Vec<Spare>>),
    Weighed(Weighed),
    Gathered(Gathered),
    Synced(io::Result<Position>),
}

impl<F: Files> Job<F> {
    /// Somebody counts on its being done soon: it need not wait for those before it.
    pub fn is_soon(&self) -> bool {
        matches!(self.task, Task::Sync { .. })
    }

    /// Does it. Jobs of one log are done one after the other, in the order they were handed out, but for those that
    /// are to be done soon.
    pub fn run(self) -> Done<F> {
        let files = &*self.files;
        Done(match self.task {
            Task::Make { spare, segments, settings, is_needed } => {
                Report::Made(supply::make(files, spare, segments, &settings, is_needed))
            }
            Task::Name { spare, number } => Report::Named(supply::name(files, spare, number)),
            Task::Remove(spare) => Report::Removed(supply::remove(files, spare)),
            Task::GiveBack { segments, welcome, bytes } => {
                Report::GaveBack(supply::give_back(files, &segments, welcome, bytes))
            }
            Task::Weigh { shelf, marks, segment_bytes } => {
                Report::Weighed(weigh(&shelf, marks, segment_bytes))
            }
            Task::Sync { file, up_to } => Report::Synced(file.sync_data().map(|()| up_to)),
            Task::Gather { shelf, bodies } => Report::Gathered(gather(&shelf, bodies)),
        })
    }
}

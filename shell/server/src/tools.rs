//! What looks after a store while no broker runs on it: figures, verification, repair, and ways to read it.
//!
//! The rule: everything but [`Store::repair`] only reads, and holds the store's lock meanwhile, so that no broker changes
//! under its hands what it looks at.

mod check;
mod dump;
mod export;
mod repair;
mod stat;

mod contents;
mod json;
mod problem;
mod scratch;
mod sizes;
mod words;
mod written;

use std::path::{Path, PathBuf};

use martlet_disk::{Inspection, Recovered};

use self::contents::{Contents, Fold};
use self::scratch::Scratch;

pub use check::{Checked, Loss};
pub use dump::{Line, Wanted};
pub use export::{Exported, Unreadable, Why};
pub use martlet_disk::{Damage, OpenError, ReadError, Repaired, Torn};
pub use martlet_record::{Place, WallTime};
pub use problem::{Concerned, Fault, Problem};
pub use sizes::Sizes;
pub use stat::{Amount, Oldest, QueueStat, Stat, Totals};
pub use words::Kind;

/// A store that no broker runs on.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    files: Scratch,
    inspection: Inspection<Scratch>,
    sizes: Sizes,
}

/// What takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The records of the log are folded.
    Log,
    /// Frames are verified.
    Frames,
    /// Messages are read back.
    Messages,
}

/// Hears how much of how much is done, in bytes.
pub type Progress<'a> = &'a mut dyn FnMut(Stage, u64, u64);

impl Store {
    /// Opens the store in a folder that has one.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let files = Scratch::take(folder)?;
        let io = |source| OpenError::Io { what: folder.display().to_string(), source };
        let sizes = Sizes::of(&files).map_err(io)?;
        Ok(Self {
            folder: folder.to_owned(),
            inspection: martlet_disk::inspect(files.clone())?,
            files,
            sizes,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folds the log, as a start does: a second time, if only the first told where records are missing.
    fn contents(&self, progress: Progress<'_>) -> Result<(Contents, Recovered), OpenError> {
        let mut lost = Vec::new();
        loop {
            let mut fold = Fold::new(self.inspection.origin().is_some(), &lost);
            let mut take = |batch, position| fold.take(batch, position);
            let mut told = |done, total| progress(Stage::Log, done, total);
            let recovered = self.inspection.batches(&mut take, &mut told)?;
            if recovered.lost == lost {
                return Ok((fold.finish(), recovered));
            }
            lost = recovered.lost;
        }
    }
}

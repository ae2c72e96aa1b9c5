//! Opens a store: what segments there are, and where recovery begins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use martlet_record::{CheckpointNumber, Message, Now, Place, Position, Stored, Time};

use crate::checkpoint::Checkpoints;
use crate::files::{File, Files};
use crate::frame::Header;
use crate::meta::Meta;
use crate::names::{self, LOG, Name, Spare};
use crate::read::read_all;
use crate::scan::{Scan, Surveyed, survey};
use crate::shelf::Shelf;
use crate::supply::{self, Next, Supply};
use crate::writer::{Head, Writer};
use crate::{Log, OpenError, ReadError, Settings};

/// A store whose records are still to be read.
#[derive(Debug)]
pub struct Opened<F: Files> {
    pub(crate) files: Arc<F>,
    pub(crate) settings: Settings,
    pub(crate) shelf: Arc<Shelf<F>>,
    pub(crate) spares: Vec<Spare>,
    pub(crate) survey: Survey,
    pub(crate) tail: Option<Tail>,
}

/// What the newest headers say.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The one with the highest position, if there is any.
    pub(crate) newest: Option<Header>,
    /// Segments it or a later place is in, and where the last frame of each ends that may be one.
    pub(crate) ends: Vec<(u32, u64)>,
}

/// Where the log goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) position: Position,
    pub(crate) checkpoint: CheckpointNumber,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// Opens the store of a folder, or begins one.
pub fn open<F: Files>(files: F, settings: &Settings) -> Result<Opened<F>, OpenError> {
    let meta = Meta::open(&files, settings)?;
    let files = Arc::new(files);
    let shelf = Arc::new(Shelf::new(meta.id));
    fill_shelf(&*files, &shelf, meta)?;
    let spares = usable_spares(&*files, settings)?;
    let survey = survey_end(&shelf)?;
    Ok(Opened { files, settings: settings.clone(), shelf, spares, survey, tail: None })
}

/// Opens all segments.
fn fill_shelf<F: Files>(files: &F, shelf: &Shelf<F>, meta: Meta) -> Result<(), OpenError> {
    for name in files.list(Path::new(LOG)).map_err(OpenError::io(LOG))? {
        if let Name::Segment(number) = Name::parse(&name) {
            let file = files.open(&names::segment(number)).map_err(OpenError::io(name))?;
            shelf.put(number, Arc::new(file));
        }
    }
    if meta.has_log && shelf.numbers().is_empty() {
        return Err(OpenError::NoLog);
    }
    Ok(())
}

/// What is set aside for more segments. What was left unfinished, or is of another length, goes.
fn usable_spares(files: &impl Files, settings: &Settings) -> Result<Vec<Spare>, OpenError> {
    let mut spares = Vec::new();
    for name in files.list(Path::new(LOG)).map_err(OpenError::io(LOG))? {
        let Name::Spare(spare) = Name::parse(&name) else { continue };
        let problem = || OpenError::io(name.clone());
        let len = files.open(&spare.path()).and_then(|file| file.len()).map_err(problem())?;
        if len == u64::from(settings.segment_bytes) {
            spares.push(spare);
        } else {
            files.remove(&spare.path()).map_err(problem())?;
        }
    }
    Ok(spares)
}

/// Reads the headers at the end of the log, however damaged what lies between them.
fn survey_end<F: Files>(shelf: &Shelf<F>) -> Result<Survey, OpenError> {
    let mut found = Survey::default();
    for number in shelf.numbers().into_iter().rev() {
        let Some(file) = shelf.segment(number) else { continue };
        let surveyed = Scan::new(&*file, shelf.seed(number))
            .and_then(|mut scan| survey(&mut scan))
            .map_err(OpenError::io(format!("segment {number}")))?;
        if let Some(Surveyed { newest, end }) = surveyed {
            found.newest = found.newest.filter(|so_far| so_far.position > newest.position).or(Some(newest));
            found.ends.push((number, end));
            break;
        }
    }
    Ok(found)
}

/// Opens a store to look at it: nothing is made, and nothing is changed.
pub(crate) fn open_existing<F: Files>(files: F) -> Result<(Meta, Opened<F>), OpenError> {
    let meta = Meta::existing(&files)?;
    let shelf = Arc::new(Shelf::new(meta.id));
    fill_shelf(&files, &shelf, meta)?;
    let survey = survey_end(&shelf)?;
    let (files, settings, spares) = (Arc::new(files), Settings::default(), Vec::new());
    Ok((meta, Opened { files, settings, shelf, spares, survey, tail: None }))
}

impl<F: Files> Opened<F> {
    /// Where recovery begins: a newest checkpoint that is complete, or the first segment.
    pub(crate) fn origin(&self) -> Option<Place> {
        self.survey.newest.and_then(|newest| newest.origin)
    }

    /// Does recovery begin at a checkpoint, or at the beginning of the log?
    pub fn begins_at_checkpoint(&self) -> bool {
        self.origin().is_some()
    }

    /// Reads bodies back, in the order asked for.
    pub fn read(&self, wanted: &[Stored], now: Now) -> Vec<Result<Message, ReadError>> {
        read_all(&*self.shelf, wanted, now)
    }

    /// Opens the log for writing. What was not recovered before is read now, and nobody hears of it.
    pub fn into_log(mut self, now: Time) -> Result<Log<F>, OpenError> {
        if self.tail.is_none() {
            self.recover(&mut |_, _| {}, &mut |_, _| {})?;
        }
        let tail = self.tail.expect("it was recovered");
        let problem = || OpenError::io("the segment that is written next");
        let next = self.take_next(&tail).map_err(problem())?;
        let (head, next) = match self.shelf.segment(tail.segment) {
            Some(file) => {
                let room = file.len().map_err(problem())?;
                (Head { segment: tail.segment, file, offset: tail.offset, room }, next)
            }
            None => (self.first_head(tail.segment).map_err(problem())?, None),
        };
        Meta::note_log(&*self.files)?;
        let origin = self.origin();
        let shelf = Arc::clone(&self.shelf);
        let writer = Writer::new(Arc::clone(&shelf), head, tail.position, origin, tail.bytes);
        let supply = Supply::new(self.spares, next);
        let checkpoints = Checkpoints::new(tail.checkpoint, now);
        let mut log = Log::new(self.files, self.settings, shelf, writer, supply, checkpoints);
        log.recovery = tail.took;
        Ok(log)
    }

    /// What was made ready behind the end goes on being ready.
    fn take_next(&mut self, tail: &Tail) -> std::io::Result<Option<Next<F>>> {
        let mut next = None;
        for number in self.shelf.numbers().into_iter().filter(|number| *number > tail.segment) {
            let Some(file) = self.shelf.segment(number) else { continue };
            self.shelf.take(number);
            if number == tail.segment + 1 {
                next = Some(Next { number, file });
            } else {
                self.files.remove(&names::segment(number))?;
            }
        }
        Ok(next)
    }

    /// The first segment of a store that has none.
    fn first_head(&mut self, number: u32) -> std::io::Result<Head<F>> {
        let spare = match self.spares.pop() {
            Some(spare) => spare,
            None => {
                let spare = Spare { number, is_filled: false };
                supply::allocate(&*self.files, spare, u64::from(self.settings.segment_bytes))?
            }
        };
        let Next { number, file } = supply::name(&*self.files, spare, number)?;
        self.shelf.put(number, Arc::clone(&file));
        let room = file.len()?;
        Ok(Head { segment: number, file, offset: 0, room })
    }
}

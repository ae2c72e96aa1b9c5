//! A life of a store that is over, and whether every promise was kept however it ended.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use martlet_disk::{Opened, Settings, open};
use martlet_record::{Batch, Body, Message, MessageRef, Need, Now, Place, Position, Record, Stored};

use crate::books::Commit;
use crate::disk::{Disk, Event};
use crate::model::Fold;
use crate::{Chance, Model, SimulatedFiles};

/// Bytes of a segment: so few that a short life sees many.
const SEGMENT_BYTES: u32 = 4096;

/// What a process did to its disk, and what it promised.
#[derive(Debug, Clone)]
pub struct Life {
    /// The disk when it began.
    pub disk: Disk,
    /// What it did to the disk.
    pub trace: Vec<Event>,
    /// Steps of the disk before its store was recovered: it may end at any later step.
    pub born: usize,
    /// What became of its batches, in the order of the log.
    pub commits: Vec<Commit>,
    /// What was durable before the first of them, and after each.
    pub models: Vec<Model>,
    /// The Messages that lay in the log when it began, by their places.
    pub inherited: BTreeMap<Place, Arc<Message>>,
    /// Those, and all that were written.
    pub contents: BTreeMap<Place, Arc<Message>>,
    /// Steps on a full disk.
    pub full: usize,
    /// The clocks at its end.
    pub now: Now,
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process is killed; the system lives on.
    Kill,
    /// The power fails.
    Cut,
}

/// A life that ended without a broken promise.
#[derive(Debug)]
pub struct Ended {
    /// How many of its batches are there.
    pub commits: usize,
    /// The disk it left.
    pub left: Disk,
    /// Its end was torn, and something had to be dropped.
    pub is_torn: bool,
}

/// A store that was opened again.
#[derive(Debug)]
pub struct Recovered {
    /// What is in it.
    pub model: Model,
    /// The batches that say so.
    pub batches: Vec<(Batch, Position)>,
    /// Do they begin with a checkpoint?
    pub has_checkpoint: bool,
    /// Something behind them was dropped.
    pub is_torn: bool,
    /// Its files, as recovery left them.
    pub files: SimulatedFiles,
    /// The store, to go on with.
    pub opened: Opened<SimulatedFiles>,
}

/// Looks at a store that was opened again after such an end at this step, with so many batches.
pub type Also<'a> = &'a mut dyn FnMut(&Recovered, End, usize, usize) -> Result<(), String>;

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Broken {
    /// What is not as it must be.
    pub what: String,
    /// The disk on which it is so.
    pub disk: Box<Disk>,
}

/// The settings of all stores.
pub fn settings() -> Settings {
    Settings { segment_bytes: SEGMENT_BYTES, free_min: Some(0), ..Settings::default() }
}

/// Opens the store on this disk and reads it; the text says why that cannot be done.
pub fn recover(disk: &Disk, chance: &Chance) -> Result<Recovered, Broken> {
    let files = SimulatedFiles::new(disk.clone(), chance.clone());
    let broken = |error: martlet_disk::OpenError| Broken::on(disk)(error.to_string());
    let mut opened = open(files.clone(), &settings()).map_err(broken)?;
    let has_checkpoint = opened.begins_at_checkpoint();
    let (mut fold, mut batches) = (Fold::default(), Vec::new());
    let mut each = |batch: Batch, position| {
        fold.fold(&batch, position);
        batches.push((batch, position));
    };
    let is_torn = opened.recover(&mut each, &mut |_, _| {}).map_err(broken)?.torn.is_some();
    Ok(Recovered { model: fold.model, batches, has_checkpoint, is_torn, files, opened })
}

/// Is what was read what was written? Who published it and what version it had is not kept.
pub fn is_same(one: &Message, other: &Message) -> bool {
    let kept = |message: &Message| {
        let MessageRef { topic, properties, payload, qos, retain, expires, .. } = message.view();
        (topic.to_owned(), properties.to_vec(), payload.to_vec(), qos, retain, expires)
    };
    kept(one) == kept(other)
}

/// Remembers the Messages of a batch by their places, of which each is only ever given once.
pub(crate) fn keep_contents(contents: &mut BTreeMap<Place, Arc<Message>>, batch: &Batch) {
    for body in batch.records.iter().flat_map(Record::bodies) {
        if let (Body::Held(message), Some(stored)) = (body, body.stored()) {
            let before = contents.insert(stored.place, Arc::clone(message));
            assert!(before.is_none_or(|before| is_same(&before, message)), "{stored:?} names two Messages");
        }
    }
}

impl Broken {
    pub(crate) fn on(disk: &Disk) -> impl FnOnce(String) -> Self {
        |what| Self { what, disk: Box::new(disk.clone()) }
    }

    fn after(self, before: &str) -> Self {
        Self { what: format!("{before}, and then: {}", self.what), ..self }
    }
}

impl Life {
    /// Ends this life at a step, when the disk is like this, and looks whether every promise was kept, and what `also` says.
    /// Gives back how many batches are there, and the disk.
    pub fn check(
        &self,
        disk: &Disk,
        (end, step): (End, usize),
        chance: &mut Chance,
        also: Also<'_>,
    ) -> Result<Ended, Broken> {
        let left = match end {
            End::Kill => disk.killed(),
            End::Cut => disk.cut(chance),
        };
        let found = recover(&left, chance)?;
        let commits = self.find(&found.model, end, step).map_err(Broken::on(&left))?;
        self.check_bodies(&found)?;
        also(&found, end, step, commits).map_err(Broken::on(&left))?;
        self.check_again(&left, &found, chance)?;
        self.check_interrupted(&left, &found, (end, step), chance)?;
        Ok(Ended { commits, left, is_torn: found.is_torn })
    }

    /// How many of its batches may be there after such an end at this step.
    pub fn allowed(&self, end: End, step: usize) -> RangeInclusive<usize> {
        let needed = if end == End::Cut { Need::Synced } else { Need::Lazy };
        let is_promised = |commit: &Commit| {
            commit.batch.need >= needed
                && commit.acknowledged.is_some_and(|acknowledged| acknowledged <= step)
        };
        let least = self.commits.iter().rposition(is_promised).map_or(0, |last| last + 1);
        let most = self.commits.iter().take_while(|commit| commit.submitted <= step).count();
        least..=most.max(least)
    }

    /// The Messages that lie in the places that so many batches gave.
    pub fn contents_of(&self, commits: usize) -> BTreeMap<Place, Arc<Message>> {
        let mut contents = self.inherited.clone();
        self.commits[..commits].iter().for_each(|commit| keep_contents(&mut contents, &commit.batch));
        contents
    }

    /// How many batches lead to this model.
    fn find(&self, model: &Model, end: End, step: usize) -> Result<usize, String> {
        let allowed = self.allowed(end, step);
        if let Some(there) = allowed.clone().rev().find(|count| self.models[*count] == *model) {
            return Ok(there);
        }
        if let Some(other) = (0..self.models.len()).rev().find(|count| self.models[*count] == *model) {
            return Err(format!("{other} batches are there, and {allowed:?} were allowed"));
        }
        let closest = allowed.clone().min_by_key(|count| difference(&self.models[*count], model).len());
        let closest = closest.expect("something is allowed");
        let rows = difference(&self.models[closest], model).concat();
        Err(format!(
            "what is there never was; {allowed:?} batches were allowed, and {closest} come closest:{rows}"
        ))
    }

    /// Every body that is named is there, and is what was written.
    fn check_bodies(&self, found: &Recovered) -> Result<(), Broken> {
        let mut named: Vec<Stored> = found.model.bodies().collect();
        named.sort_unstable();
        named.dedup();
        let read = found.opened.read(&named, self.now);
        for (stored, read) in named.iter().zip(read) {
            let written = self.contents.get(&stored.place);
            let what = match read {
                Ok(read) if written.is_some_and(|written| is_same(written, &read)) => continue,
                Ok(read) => format!("{stored:?} is {read:?}, and {written:?} was written"),
                Err(error) => format!("{stored:?} cannot be read: {error}"),
            };
            return Err(Broken::on(&found.files.disk())(what));
        }
        Ok(())
    }

    /// What was given back once is given back for ever.
    fn check_again(&self, left: &Disk, found: &Recovered, chance: &mut Chance) -> Result<(), Broken> {
        let mut disk = left.clone();
        found.files.trace().iter().for_each(|event| disk.apply(event));
        let (left, how) = match chance.below(2) {
            0 => (disk.killed(), "killed after recovery"),
            _ => (disk.cut(chance), "cut off after recovery"),
        };
        let again = recover(&left, chance).map_err(|broken| broken.after(how))?;
        if again.model != found.model {
            let what = format!("another state came back:{}", difference(&found.model, &again.model).concat());
            return Err(Broken::on(&left)(what).after(how));
        }
        self.check_bodies(&again).map_err(|broken| broken.after(how))
    }

    /// Recovery that is cut off itself, at any step, changes nothing.
    fn check_interrupted(
        &self,
        left: &Disk,
        found: &Recovered,
        (end, step): (End, usize),
        chance: &mut Chance,
    ) -> Result<(), Broken> {
        let trace = found.files.trace();
        let mut disk = left.clone();
        let done = chance.index(trace.len() + 1);
        trace[..done].iter().for_each(|event| disk.apply(event));
        let how = format!("recovery was cut off after {done} of {} steps", trace.len());
        let left = disk.cut(chance);
        let again = recover(&left, chance).map_err(|broken| broken.after(&how))?;
        self.find(&again.model, end, step).map_err(|what| Broken::on(&left)(what).after(&how))?;
        self.check_bodies(&again).map_err(|broken| broken.after(&how))
    }
}

/// The rows that differ.
fn difference(expected: &Model, found: &Model) -> Vec<String> {
    let (expected, found) = (expected.rows(), found.rows());
    let missing = expected.iter().filter(|(key, row)| found.get(*key) != Some(row));
    let extra = found.iter().filter(|(key, row)| expected.get(*key) != Some(row));
    let missing = missing.map(|(key, row)| format!("\n  - {key}: {row}"));
    let extra = extra.map(|(key, row)| format!("\n  + {key}: {row}"));
    missing.chain(extra).collect()
}

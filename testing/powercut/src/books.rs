//! Who was promised what, and at which step of the disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use martlet_record::{
    Batch, BatchNumber, Completion, Message, Now, Outcome, Place, Position, Record, ShardId,
};

use crate::disk::Disk;
use crate::life::{Life, keep_contents};
use crate::model::Fold;
use crate::{Model, SimulatedFiles};

/// A batch that is in the log, or may be.
#[derive(Debug, Clone)]
pub struct Commit {
    /// What it says.
    pub batch: Arc<Batch>,
    /// Its place in the order of the log.
    pub position: Position,
    /// Steps of the disk before it was submitted.
    pub submitted: usize,
    /// Steps of the disk before it was acknowledged, if it was.
    pub acknowledged: Option<usize>,
}

/// The books of one life.
#[derive(Debug)]
pub struct Books {
    files: SimulatedFiles,
    began: Disk,
    born: usize,
    submitted: HashMap<(ShardId, BatchNumber), usize>,
    commits: Vec<Commit>,
    /// What was durable before the first commit, and after each.
    models: Vec<Model>,
    /// What is if everything is in the log that may be.
    possible: Fold,
    inherited: BTreeMap<Place, Arc<Message>>,
    contents: BTreeMap<Place, Arc<Message>>,
    full: usize,
}

impl Books {
    /// The books of a life that begins with this model, on files that were recovered; `began` is their disk before that,
    /// `inherited` the Messages that lie in the log.
    pub fn new(
        files: SimulatedFiles,
        began: Disk,
        model: Model,
        inherited: BTreeMap<Place, Arc<Message>>,
    ) -> Self {
        // Until it was recovered the promises of the life before count, of which the first store has none.
        let born = if began.files().next().is_some() { files.steps() } else { 0 };
        Self {
            files,
            began,
            born,
            submitted: HashMap::new(),
            commits: Vec::new(),
            models: vec![model.clone()],
            possible: Fold::from(model),
            contents: inherited.clone(),
            inherited,
            full: 0,
        }
    }

    /// A batch is handed to the log.
    pub fn submit(&mut self, batch: &Batch) {
        self.submitted.insert((batch.shard, batch.number), self.files.steps());
    }

    /// Batches of which nothing was heard yet.
    pub fn waiting(&self) -> usize {
        self.submitted.len()
    }

    /// One more step on a full disk.
    pub fn is_full(&mut self) {
        self.full += 1;
    }

    /// The log told what became of one.
    pub fn completed(&mut self, completion: &Completion) {
        let Completion { batch, position, outcome } = completion;
        let submitted = self.submitted.remove(&(batch.shard, batch.number)).expect("it was submitted");
        let acknowledged = match outcome {
            Outcome::Committed => {
                let is_failed = self.commits.last().is_some_and(|before| before.acknowledged.is_none());
                assert!(!is_failed, "nothing is acknowledged after a failure");
                Some(self.files.steps())
            }
            Outcome::Unknown if may_be_there(batch) => None,
            Outcome::Unknown => return,
            Outcome::Rejected(why) => panic!("what was let in was turned away: {why}"),
        };
        self.possible.fold(batch, *position);
        self.models.push(self.possible.model.clone());
        let (batch, position) = (Arc::clone(batch), *position);
        keep_contents(&mut self.contents, &batch);
        self.commits.push(Commit { batch, position, submitted, acknowledged });
    }

    /// The life so far.
    pub fn life(&self, now: Now) -> Life {
        Life {
            disk: self.began.clone(),
            trace: self.files.trace(),
            born: self.born,
            commits: self.commits.clone(),
            models: self.models.clone(),
            inherited: self.inherited.clone(),
            contents: self.contents.clone(),
            full: self.full,
            now,
        }
    }
}

/// Of what nobody knows about only that can be in the log whose Messages were given places.
fn may_be_there(batch: &Batch) -> bool {
    batch.records.iter().flat_map(Record::bodies).all(|body| body.stored().is_some())
}

//! Records to the journal, and what became of them back to the shards that wait for it.

use martlet_broker::shards_of;
use martlet_record::{CheckpointNumber, Completion};

use crate::mailbox::Mail;
use crate::runner::Runner;
use crate::shared::Shared;

/// Records and copies a runner writes down for a checkpoint in one turn: well below a millisecond of work.
const SLICE: usize = 1000;

/// What became of batches, in log order.
#[derive(Debug, Default)]
pub(crate) struct Completions {
    pub(crate) completions: Vec<Completion>,
    /// Bytes of their Messages, where one runner may be slower than those who write for it.
    pub(crate) bytes: usize,
}

impl Shared {
    /// Hands what became of batches to the runners they concern, one thread at a time: in log order.
    pub(crate) fn hand_out_commits(&self) {
        let _only = self.handing_out.lock();
        if let [mailbox] = &*self.mailboxes {
            let mut completions = Vec::new();
            self.journal.collect(|completion| completions.push(completion));
            if !completions.is_empty() {
                mailbox.post(Mail::Completed(Completions { completions, bytes: 0 }));
            }
            return;
        }
        let mut mail: Vec<Completions> = self.mailboxes.iter().map(|_| Completions::default()).collect();
        self.journal.collect(|completion| {
            let bytes = completion.batch.message_bytes();
            for runner in bits(self.runners_of(&completion)) {
                mail[runner].bytes += bytes;
                mail[runner].completions.push(completion.clone());
            }
        });
        for (mailbox, completions) in self.mailboxes.iter().zip(mail) {
            if !completions.completions.is_empty() {
                mailbox.post(Mail::Completed(completions));
            }
        }
    }

    fn runners_of(&self, completion: &Completion) -> u64 {
        let shards = shards_of(&completion.batch).into_iter();
        shards.fold(0, |runners, shard| runners | 1 << self.runner_of(shard))
    }

    /// The store has something to say: commits, a checkpoint, or how much it takes.
    pub(crate) fn hear_from_store(&self) {
        let Some(disk) = self.journal.disk() else { return };
        // A shard writes itself down only after it heard of all that was committed before the checkpoint began: so that is
        // looked at before the commits are handed out, and told behind them.
        let checkpoint = disk.checkpoint();
        self.hand_out_commits();
        let room = disk.room();
        if room != self.node.room() {
            self.node.set_room(room);
            self.mailboxes[0].post(Mail::StoreChanged);
        }
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| self.announce(*checkpoint)) {
            self.mailboxes.iter().for_each(|mailbox| mailbox.post(Mail::WriteDown(checkpoint)));
        }
    }
}

impl Runner {
    /// Commits what needs no sync. What waits for it goes on in this turn: so packets leave in fewer and larger pieces.
    pub(crate) fn commit(&mut self) {
        self.shared.journal.commit();
        if self.shared.journal.must_be_asked() {
            self.collect_commits();
            self.take_mail();
            self.hand_over();
        }
    }

    /// Deals with what became of batches, where the journal does not say so by itself.
    pub(crate) fn collect_commits(&mut self) {
        if !self.shared.journal.must_be_asked() {
            return;
        }
        let shared = &*self.shared;
        if shared.mailboxes.len() > 1 || shared.journal.disk().is_some() {
            // Through the mailbox here too: another thread may have put earlier ones there.
            return shared.hand_out_commits();
        }
        let mut here = Vec::new();
        shared.journal.collect(|completion| here.push(completion));
        here.iter().for_each(|completion| self.complete(completion));
    }

    /// Tells the shards of this runner what became of a batch that concerns them.
    pub(crate) fn complete(&mut self, completion: &Completion) {
        for shard in shards_of(&completion.batch) {
            if let Some(shard) = self.shards.step(shard) {
                shard.completed(completion, self.now, &mut self.out);
            }
        }
        self.deliver();
        self.read_opened();
    }

    /// A checkpoint began.
    pub(crate) fn begin_checkpoint(&mut self, checkpoint: CheckpointNumber) {
        self.checkpoint = Some(checkpoint);
    }

    /// Writes down a slice for the checkpoint under way: a part of it in each turn, so that nobody waits for it.
    pub(crate) fn write_down(&mut self) {
        let Some(checkpoint) = self.checkpoint.filter(|_| !self.shared.journal.is_pressed()) else { return };
        let (now, out) = (self.now, &mut self.out);
        let mut shards = self.shards.step_all();
        if !shards.any(|shard| shard.write_down(checkpoint, SLICE, now, out)) {
            self.checkpoint = None;
        }
    }

    /// Submits the records of this turn.
    pub(crate) fn submit(&mut self) {
        if self.out.journaling.is_empty() {
            return;
        }
        let mut journaling = std::mem::take(&mut self.out.journaling);
        let shards = &mut self.shards;
        let now = self.now;
        let batches = journaling.drain(..).filter_map(|shard| shards.step(shard)?.take_batch(now));
        self.shared.journal.submit(batches);
        self.out.journaling = journaling;
    }
}

/// The places of the bits that are set.
pub(crate) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(place)
    })
}

//! Records to the journal, and what became of them back to the shards that wait for it.

use martlet_broker::shards_of;
use martlet_record::Completion;

use crate::mailbox::Mail;
use crate::runner::Runner;

impl Runner {
    /// Hands what became of batches to the runners they concern, and deals with what concerns this one.
    pub(crate) fn collect_commits(&mut self) {
        if self.shared.journal.is_idle() {
            return;
        }
        let mut here = Vec::new();
        let shared = &*self.shared;
        if shared.mailboxes.len() == 1 {
            shared.journal.collect(|completion| here.push(completion));
        } else {
            // Through the mailbox here too: another runner may have put earlier ones there.
            shared.journal.collect(|completion| {
                let runners = shards_of(&completion.batch)
                    .into_iter()
                    .fold(0_u64, |runners, shard| runners | 1 << shared.runner_of(shard));
                for runner in bits(runners) {
                    shared.mailboxes[runner].post(Mail::Completed(completion.clone()));
                }
            });
        }
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

//! Messages to the shards of their receivers: stepped here, or posted to the runner that steps them.

use martlet_broker::Chunk;

use crate::commit::bits;
use crate::mailbox::Mail;
use crate::runner::Runner;

impl Runner {
    /// Delivers what was published since the last call.
    #[inline]
    pub(crate) fn deliver(&mut self) {
        // A delivery can bring on another, when a Message goes back to its Shared Subscription.
        while !self.out.deliveries.is_empty() {
            self.deliver_pending();
        }
    }

    fn deliver_pending(&mut self) {
        let mut chunk = std::mem::take(&mut self.out.deliveries);
        self.deliver_here(&chunk);
        if self.posts.len() > 1 {
            self.pack(&chunk);
        }
        chunk.clear();
        if self.out.deliveries.is_empty() {
            self.out.deliveries = chunk;
        }
    }

    /// Steps those receivers' shards that are ours.
    pub(crate) fn deliver_here(&mut self, chunk: &Chunk) {
        for run in chunk.runs() {
            for (shard, recipients) in &run.destinations().shards {
                if let Some(shard) = self.shards.step(*shard) {
                    shard.deliver(run, recipients, self.now, &mut self.out);
                }
            }
        }
    }

    /// Packs Messages for other runners, once for each runner that has receivers.
    fn pack(&mut self, chunk: &Chunk) {
        for run in chunk.runs() {
            let shards = run.destinations().shards.iter().map(|(shard, _)| *shard);
            let runners = shards.fold(0_u64, |runners, shard| runners | 1 << self.shared.runner_of(shard));
            for runner in bits(runners & !(1 << self.number)) {
                run.messages().for_each(|message| self.posts[runner].push_packed(message));
            }
        }
    }

    /// Ends the stepping: what was decided is delivered, submitted and posted.
    pub(crate) fn hand_over(&mut self) {
        self.deliver();
        self.read_opened();
        self.submit();
        self.fetch();
        if self.posts.len() > 1 {
            self.post();
        }
    }

    /// One chunk for each runner that gets something.
    fn post(&mut self) {
        for (runner, chunk) in self.posts.iter_mut().enumerate().filter(|(_, chunk)| !chunk.is_empty()) {
            self.shared.mailboxes[runner].post(Mail::Messages(std::mem::take(chunk)));
        }
    }
}

//! What Clients ask of the node by publishing under `$CONTROL`, and the answers.

use martlet_broker::Control;
use martlet_record::ShardId;

use crate::control::{Order, Request};
use crate::runner::Runner;

impl Runner {
    /// Passes on what was asked in this turn: to answer it may take long.
    pub(crate) fn pass_on_requests(&mut self) {
        if self.out.controls.is_empty() {
            return;
        }
        for Control { client_id, username, topic, payload } in std::mem::take(&mut self.out.controls) {
            let request = Request { client_id, username, topic, payload };
            // Nobody answers any more once the node has ended.
            let _ = self.shared.orders.send(Order::Request(Box::new(request)));
        }
    }

    /// Sends a Client the answer to what it asked.
    pub(crate) fn answer(&mut self, client_id: &str, topic: &str, payload: &[u8]) {
        if let Some(shard) = self.shards.step(ShardId::home_of(client_id)) {
            // One that is gone does not hear its answer.
            let _is_there = shard.send_to(client_id, topic, payload, self.now, &mut self.out);
        }
        self.deliver();
    }

    /// Publishes a line of the log.
    pub(crate) fn publish_log(&mut self, topic: &str, line: &[u8]) {
        if let Some(shard) = self.shards.step(ShardId::new(0)) {
            shard.publish_log(topic, line, &mut self.out);
        }
        self.deliver();
    }
}

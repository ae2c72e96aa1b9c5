//! The thread that does what no runner may wait for: signals, and the configuration when it is read again.
//!
//! The rule: orders are carried out one after the other, and a new configuration that is broken leaves the old one in
//! force.

mod dynamic;
mod tree;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use martlet_topic::SubscriptionFilter;

use crate::Config;
use crate::log_target::NOTICE;
use crate::mailbox::Mail;
use crate::shared::Shared;

pub(crate) use dynamic::{Administration, Request};
pub(crate) use tree::Subscribed;
use watch::Watch;

/// How often it is looked whether a file changed.
const LOOK: Duration = Duration::from_millis(500);

/// Where a configuration comes from, so that it can be read again.
pub trait Source: Send {
    /// Reads it. Whoever can say what is wrong with it does so in the error.
    fn read(&mut self) -> Result<Config, String>;

    /// The files it was read from the last time.
    fn files(&self) -> Vec<PathBuf>;
}

/// Something for the control thread.
pub(crate) enum Order {
    /// From here the configuration can be read again: when a file changes, and when it is asked for.
    Watch(Box<dyn Source>),
    /// Read the configuration again.
    Reload,
    /// Bring everything to where a start is quick.
    Checkpoint,
    /// Print who subscribed to what.
    PrintTree,
    /// Do what a Client asks of the node.
    Request(Box<Request>),
    /// What the shards of a runner are subscribed to.
    Subscribed(Subscribed),
    /// The node ends: nothing changes any more.
    Rest,
    /// The node has ended.
    End,
}

/// Where orders are given.
pub(crate) type Orders = Sender<Order>;

/// The thread, before it is started.
pub(crate) struct Control {
    orders: Receiver<Order>,
    shared: Arc<Shared>,
    administration: Administration,
    source: Option<Box<dyn Source>>,
    watch: Watch,
    tree: tree::Tree,
}

/// A place for orders, and where they come out.
pub(crate) fn orders() -> (Orders, Receiver<Order>) {
    channel()
}

impl Control {
    pub(crate) fn new(orders: Receiver<Order>, shared: Arc<Shared>, administration: Administration) -> Self {
        let (watch, tree) = (Watch::default(), tree::Tree::default());
        Self { orders, shared, administration, source: None, watch, tree }
    }

    /// Carries out orders until the node ends.
    pub(crate) fn run(mut self) {
        loop {
            match self.next() {
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => self.carry_out(order),
                Err(RecvTimeoutError::Timeout) => {
                    if self.watch.has_changed() {
                        tracing::info!("A file of the configuration changed.");
                        self.reload();
                    }
                }
            }
        }
    }

    fn next(&self) -> Result<Order, RecvTimeoutError> {
        if self.watch.is_empty() {
            return self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        self.orders.recv_timeout(LOOK)
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Watch(source) => {
                self.watch = Watch::over(source.files());
                self.source = Some(source);
            }
            Order::Reload => {
                self.reload();
                self.shared.end_change();
            }
            Order::Checkpoint => self.checkpoint(),
            Order::PrintTree => {
                self.tree.ask(self.shared.mailboxes.len());
                self.shared.mailboxes.iter().for_each(|mailbox| mailbox.post(Mail::ListSubscriptions));
            }
            Order::Request(request) => self.administration.carry_out(*request, &self.shared),
            Order::Subscribed(subscribed) => self.tree.take(subscribed),
            Order::Rest => (self.watch, self.source) = (Watch::default(), None),
            Order::End => {}
        }
    }

    /// Reads the configuration again, and has it if it is sound.
    fn reload(&mut self) {
        let Some(source) = &mut self.source else {
            tracing::warn!("There is no configuration file to read again.");
            return;
        };
        tracing::info!("Reloading config.");
        match source.read() {
            Ok(config) => self.shared.change(&config, self.administration.rules().as_ref()),
            Err(error) => tracing::error!("{error} The configuration stays as it was."),
        }
        self.watch = Watch::over(source.files());
    }

    fn checkpoint(&self) {
        match self.shared.journal.disk() {
            Some(disk) => {
                tracing::info!(target: NOTICE, "Writing a checkpoint of the store.");
                disk.request_checkpoint();
            }
            None => tracing::info!(target: NOTICE, "Nothing is kept here, so there is nothing to write."),
        }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// A filter as people write it, with its group.
fn written(filter: &SubscriptionFilter) -> String {
    filter.to_string()
}

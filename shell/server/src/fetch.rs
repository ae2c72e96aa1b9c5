//! Messages from the log to the Sessions that wait for them.

use std::sync::Arc;

use martlet_broker::{Fetch, Read, Reader};
use martlet_disk::ReadError;
use martlet_record::{Damaged, Message, Stored};

use crate::mailbox::Mail;
use crate::runner::Runner;

/// Messages that were read back, in the order they were asked for, and for whom.
#[derive(Debug)]
pub(crate) struct ReadBack {
    reader: Reader,
    read: Vec<Read>,
}

impl ReadBack {
    /// Bytes of Messages in it.
    pub(crate) fn bytes(&self) -> usize {
        self.read.iter().flatten().map(|message| message.size()).sum()
    }
}

/// A Message that can be sent. What cannot be read is as good as damaged: it is told, and booked as lost.
fn usable(read: Result<Message, ReadError>) -> Read {
    read.map(Arc::new).map_err(|error| {
        tracing::error!("A message cannot be read from the store: {error}.");
        Damaged
    })
}

impl Runner {
    /// Asks the store for what the shards of this runner want to read back.
    pub(crate) fn fetch(&mut self) {
        if self.out.fetches.is_empty() {
            return;
        }
        let mut fetches = std::mem::take(&mut self.out.fetches);
        for Fetch { reader, wanted } in fetches.drain(..) {
            let Some(disk) = self.shared.journal.disk() else { continue };
            let (shared, runner) = (Arc::clone(&self.shared), self.number);
            let reply = move |read: Vec<(Stored, Result<Message, ReadError>)>| {
                let read = read.into_iter().map(|(_, message)| usable(message)).collect();
                shared.mailboxes[runner].post(Mail::ReadBack(Box::new(ReadBack { reader, read })));
            };
            disk.fetch(wanted, self.now, Box::new(reply));
        }
        self.out.fetches = fetches;
    }

    /// Hands what was read back to whoever asked for it.
    pub(crate) fn read_back(&mut self, ReadBack { reader, read }: ReadBack) {
        match reader {
            Reader::Session { home, slot, session, ordinals } => {
                let read = ordinals.into_iter().zip(read).collect();
                if let Some(shard) = self.shards.step(home) {
                    shard.fetched(slot, session, read, self.now, &mut self.out);
                }
            }
            Reader::Receivers(to) => {
                for message in read.into_iter().flatten() {
                    self.out.deliveries.push_shared(message, Arc::clone(&to));
                }
            }
        }
        self.deliver();
    }
}

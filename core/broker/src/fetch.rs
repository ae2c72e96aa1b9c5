//! Messages read back from the log for Sessions whose queue is longer than memory.

use std::sync::Arc;

use martlet_record::{Damaged, Message, Now, Ordinal, SessionNumber, Settled};
use martlet_session::MessageCopy;

use crate::Shard;
use crate::books::Books;
use crate::outbox::{Fetch, Notice, Outbox, Reader};

/// A Message from the log, or the news that it is lost.
pub type Read = Result<Arc<Message>, Damaged>;

impl Shard {
    /// Asks for what a Session needs next, if it is not at hand.
    pub(crate) fn fetch(&mut self, slot: u32, out: &mut Outbox) {
        let limits = &self.settings.send;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let wanted = resident.session.wanted(limits);
        if wanted.is_empty() {
            return;
        }
        let (ordinals, wanted) = wanted.into_iter().unzip();
        let reader = Reader::Session { home: self.id, slot, session: resident.session.number, ordinals };
        out.fetches.push(Fetch { reader, wanted });
    }

    /// What was asked for is here, in the order it was asked for.
    pub fn fetched(
        &mut self,
        slot: u32,
        session: SessionNumber,
        read: Vec<(Ordinal, Read)>,
        now: Now,
        out: &mut Outbox,
    ) {
        let Some(resident) = self.sessions.numbered(slot, session) else { return };
        resident.session.outbound.end_reading();
        if resident.session.connection.is_none() {
            return; // Nobody is there to send it to: it stays where it is.
        }
        for (ordinal, read) in read {
            match read {
                Ok(message) => {
                    let Some(resident) = self.sessions.numbered(slot, session) else { return };
                    resident.session.outbound.put_back(ordinal, message);
                }
                Err(Damaged) => self.lose(slot, ordinal, out),
            }
        }
        self.send_queued(slot, now, out);
    }

    /// A copy whose Message the disk has no more is booked as lost, and told.
    fn lose(&mut self, slot: u32, ordinal: Ordinal, out: &mut Outbox) {
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let Some(lost) = session.outbound.remove_unreadable(ordinal) else { return };
        let mut books = Books {
            ledger: &mut self.counters.ledger,
            tally: resident.tally.get_or_insert_default(),
            records: &mut self.records,
            session: session.number,
            is_persistent: session.is_persistent(),
        };
        books.settle(ordinal, Settled::Damaged);
        if let Some(stored) = stored(&lost) {
            out.notices.push(Notice::Damaged { client_id: session.client_id.clone(), stored });
        }
        self.watch_gate(slot);
        self.journal(out);
    }
}

fn stored(copy: &MessageCopy) -> Option<martlet_record::Stored> {
    copy.body.as_ref()?.stored()
}

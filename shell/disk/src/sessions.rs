//! Which Sessions a batch is about.

use martlet_record::{Batch, Record, SessionNumber};

/// All Sessions a batch names, some of them several times.
pub(crate) fn sessions_of(batch: &Batch) -> impl Iterator<Item = SessionNumber> + '_ {
    batch.records.iter().flat_map(of_record)
}

fn of_record(record: &Record) -> Vec<SessionNumber> {
    match record {
        Record::Opened(terms) | Record::Resumed(terms) => vec![terms.session],
        Record::Kept(kept) => vec![kept.terms.session],
        Record::Subscribed(made) => vec![made.session],
        Record::Published(published) => {
            let copies = published.copies.iter().flat_map(|(_, copies)| copies).map(|copy| copy.session);
            let mark = published.mark.map(|(session, _)| session);
            copies.chain(mark).chain(published.will_of).chain(published.passed_from).collect()
        }
        Record::Delayed(delayed) => delayed.mark.iter().map(|(session, _)| *session).collect(),
        Record::Disconnected { session, .. }
        | Record::Ended { session, .. }
        | Record::Unsubscribed { session, .. }
        | Record::Sent { session, .. }
        | Record::Received { session, .. }
        | Record::Settled { session, .. }
        | Record::Released { session, .. }
        | Record::KeptCopies { session, .. } => vec![*session],
        Record::Retained { .. } | Record::Snapshotted { .. } => Vec::new(),
    }
}

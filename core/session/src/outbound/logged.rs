//! Copies whose Messages the log has: let go of, read back, written down and restored.

use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Body, Message, Ordinal, Stored};

use super::{Flight, Outbound, ReadAhead};
use crate::spilled::Spilled;
use crate::{CopyState, MessageCopy};

impl Outbound {
    /// The QoS of a copy that was never sent.
    pub fn queued_qos(&self, ordinal: Ordinal) -> Option<QoS> {
        match self.queued.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal) {
            Ok(place) => Some(self.queued[place].1.qos),
            Err(_) => {
                let place = self.spilled.binary_search_by_key(&ordinal, |spilled| spilled.ordinal).ok()?;
                Some(self.spilled[place].qos())
            }
        }
    }

    /// All unfinished copies from this ordinal on, in order.
    pub fn unfinished_from(&self, from: Ordinal) -> impl Iterator<Item = (Ordinal, MessageCopy)> {
        let flown = self.in_flight.partition_point(|flight| flight.ordinal < from);
        let queued = self.queued.partition_point(|(ordinal, _)| *ordinal < from);
        let spilled = self.spilled.partition_point(|spilled| spilled.ordinal < from);
        let in_flight = self.in_flight.range(flown..).map(|flight| (flight.ordinal, flight.copy.clone()));
        let in_flight = in_flight.filter(|(_, copy)| copy.state != CopyState::Finished);
        let queued = self.queued.range(queued..).cloned();
        in_flight.chain(queued).chain(self.spilled.range(spilled..).cloned().map(Spilled::into_copy))
    }

    /// All unfinished copies, in order, with their ordinals.
    pub fn unfinished(&self) -> impl Iterator<Item = (Ordinal, MessageCopy)> {
        self.unfinished_from(Ordinal(0))
    }

    /// Puts back a copy that a checkpoint kept, where its ordinal belongs.
    pub fn restore(&mut self, ordinal: Ordinal, copy: MessageCopy) {
        self.bytes += copy.size();
        if copy.state != CopyState::Queued {
            let place = self.in_flight.partition_point(|flight| flight.ordinal < ordinal);
            self.in_flight.insert(place, Flight { ordinal, seen: false, copy });
            self.unfinished += 1;
        } else if let Some(spilled) = Spilled::new(ordinal, &copy) {
            let place = self.spilled.partition_point(|spilled| spilled.ordinal < ordinal);
            self.spilled.insert(place, spilled);
        } else {
            self.queued_bytes += copy.size();
            let place = self.queued.partition_point(|(queued, _)| *queued < ordinal);
            self.queued.insert(place, (ordinal, copy));
        }
    }

    /// The next copy takes this ordinal, as a checkpoint says.
    pub fn restore_next(&mut self, next: Ordinal) {
        self.next = next;
    }

    /// Lets go of all Messages that the log has: nobody reads them for now.
    pub fn spill(&mut self) {
        self.reading = false;
        for flight in &mut self.in_flight {
            flight.copy.let_go();
        }
        let all_have_places =
            self.queued.iter().all(|(ordinal, copy)| Spilled::new(*ordinal, copy).is_some());
        if !all_have_places {
            return;
        }
        while let Some((ordinal, copy)) = self.queued.pop_back() {
            if let Some(spilled) = Spilled::new(ordinal, &copy) {
                self.spilled.push_front(spilled);
            }
        }
        self.queued_bytes = 0;
        self.queued.shrink_to_fit();
    }

    /// What should be read back now, in order: first what was sent before and must be sent again, within `window` copies,
    /// then what comes next. Nothing while an earlier answer is awaited.
    pub fn wanted(&mut self, window: usize, ahead: ReadAhead) -> Vec<(Ordinal, Stored)> {
        if self.reading {
            return Vec::new();
        }
        let unseen = self.in_flight.iter().skip(self.current).filter(|flight| !flight.seen).take(window);
        let mut wanted: Vec<_> =
            unseen.filter_map(|flight| Some((flight.ordinal, flight.copy.missing()?))).collect();
        if wanted.is_empty() && self.queued.len() <= ahead.messages / 2 {
            let mut bytes = 0;
            let next = self.spilled.iter().take(ahead.messages).take_while(|spilled| {
                let is_first = bytes == 0;
                bytes += spilled.stored().len as usize;
                is_first || bytes <= ahead.bytes
            });
            wanted.extend(next.map(|spilled| (spilled.ordinal, spilled.stored())));
        }
        self.reading = !wanted.is_empty();
        wanted
    }

    /// The answer to [`Outbound::wanted`] is here.
    pub fn end_reading(&mut self) {
        self.reading = false;
    }

    /// A Message was read back. One that is no longer next was finished, or let go of, meanwhile.
    pub fn put_back(&mut self, ordinal: Ordinal, message: Arc<Message>) {
        if let Some(copy) = self.find_ordinal(ordinal) {
            if copy.missing().is_some() {
                copy.body = Some(Body::Held(message));
            }
        } else if self.spilled.front().is_some_and(|first| first.ordinal == ordinal)
            && let Some((_, copy)) = self.pop_spilled()
        {
            self.push_queued(ordinal, MessageCopy { body: Some(Body::Held(message)), ..copy });
        }
    }

    /// Takes out a copy whose Message the disk has no more, sent before or not.
    pub fn remove_unreadable(&mut self, ordinal: Ordinal) -> Option<MessageCopy> {
        match self.find_ordinal(ordinal).is_some() {
            true => self.finish(ordinal),
            false => self.remove_queued(ordinal),
        }
    }

    /// Takes out the next copy with QoS 0 that waits: it may have been sent, and must not be sent again (§4.3.1).
    pub fn take_at_most_once(&mut self) -> Option<Ordinal> {
        let queued = self.queued.iter().map(|(ordinal, copy)| (*ordinal, copy.qos));
        let mut all = queued.chain(self.spilled.iter().map(|spilled| (spilled.ordinal, spilled.qos())));
        let (ordinal, _) = all.find(|(_, qos)| *qos == QoS::AtMostOnce)?;
        self.remove_queued(ordinal).map(|_| ordinal)
    }

    /// Of the first `count` copies that are not known to have been sent some may have been. Those with QoS 2 must be taken
    /// for sent: they may not expire, nor go to another Client [MQTT-4.8.2-5].
    pub fn may_have_sent(&mut self, count: u16) {
        let queued = self.queued.iter().map(|(ordinal, copy)| (*ordinal, copy.qos));
        let spilled = self.spilled.iter().map(|spilled| (spilled.ordinal, spilled.qos()));
        let first = queued.chain(spilled).take(usize::from(count));
        let last = first.filter(|(_, qos)| *qos == QoS::ExactlyOnce).last();
        if let Some((ordinal, _)) = last {
            self.start_up_to(ordinal);
        }
    }

    /// The last copy that was sent, if the journal does not know it yet; it does from here.
    pub fn tell_sent(&mut self) -> Option<Ordinal> {
        let last = self.in_flight.back()?.ordinal;
        let is_news = last >= self.sent_told;
        self.sent_told = Ordinal(last.0 + 1);
        is_news.then_some(last)
    }
}

//! The slow, obvious oracle: everything that must survive, changed by one record after the other.
//!
//! It shares no code with the broker's fold, and all its bodies are places: what two models say is equal when they are.

use std::collections::{BTreeMap, BTreeSet};

use martlet_packet::{PacketId, SubscriptionOptions};
use martlet_record::{
    Batch, Body, DelayedNumber, KeptCopy, KeptProgress, KeptSession, Ordinal, PublishRecord, Record,
    SessionNumber, SessionRecord, Stored, WallTime,
};
use martlet_topic::SubscriptionFilter;

/// All that is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// Those that are not over.
    pub sessions: BTreeMap<SessionNumber, ModelSession>,
    /// The last change of each Topic Name: its version, and its body unless it was deleted.
    pub retained: BTreeMap<Box<str>, (u64, Option<Stored>)>,
    /// Messages that wait for their time.
    pub delayed: BTreeMap<DelayedNumber, (WallTime, Stored)>,
}

/// A Session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSession {
    /// Its terms.
    pub terms: SessionRecord,
    /// Packet Identifiers that are not released.
    pub inbound: BTreeSet<PacketId>,
    /// Its Subscriptions by what the Client wrote.
    pub subscriptions: BTreeMap<String, (SubscriptionFilter, SubscriptionOptions, Option<u32>)>,
    /// The ordinal of its next copy.
    pub next: Ordinal,
    /// Its copies, and how far they came.
    pub copies: BTreeMap<Ordinal, KeptCopy>,
}

impl Model {
    /// The model after this batch.
    pub fn fold(&mut self, batch: &Batch) {
        batch.records.iter().for_each(|record| self.apply(record));
    }

    /// The bodies it names.
    pub fn bodies(&self) -> impl Iterator<Item = Stored> {
        let copies = self.sessions.values().flat_map(|session| session.copies.values());
        let copies = copies.filter_map(|copy| copy.body.as_ref()?.stored());
        let retained = self.retained.values().filter_map(|(_, body)| *body);
        copies.chain(retained).chain(self.delayed.values().map(|(_, body)| *body))
    }

    /// The same in rows of a database: one a Session, one a copy, one a Topic Name, one a delayed Message.
    pub fn rows(&self) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        for (number, session) in &self.sessions {
            let number = format!("session/{:020}", number.0);
            for (ordinal, copy) in &session.copies {
                rows.insert(format!("{number}/{:020}", ordinal.0), format!("{copy:?}"));
            }
            let ModelSession { terms, inbound, subscriptions, next, .. } = session;
            rows.insert(number, format!("{terms:?} {inbound:?} {subscriptions:?} {next:?}"));
        }
        for (topic, change) in &self.retained {
            rows.insert(format!("retained/{topic}"), format!("{change:?}"));
        }
        for (number, delayed) in &self.delayed {
            rows.insert(format!("delayed/{:020}", number.0), format!("{delayed:?}"));
        }
        rows
    }

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Opened(terms) => drop(self.sessions.insert(terms.session, ModelSession::new(terms))),
            Record::Resumed(terms) => self.with(terms.session, |session| session.terms = terms.clone()),
            Record::Disconnected { session, expiry, will_discarded, .. } => self.with(*session, |session| {
                session.terms.expiry = *expiry;
                if *will_discarded {
                    session.terms.will = None;
                }
            }),
            Record::Ended { session, .. } => drop(self.sessions.remove(session)),
            Record::Subscribed(made) => self.with(made.session, |session| {
                session.subscribe(&made.filter, made.options, made.subscription_id);
                for copy in made.queued_copies() {
                    session.queue(KeptCopy {
                        qos: copy.qos,
                        retain: true,
                        subscription_ids: made.subscription_id.map(|id| [id].into()),
                        ..new_copy(&copy.body)
                    });
                }
            }),
            Record::Unsubscribed { session, filter } => self.with(*session, |session| {
                session.subscriptions.remove(&filter.to_string());
            }),
            Record::Published(published) => self.publish(published),
            Record::Retained { topic, version, body } => self.retain(topic, *version, body.as_ref()),
            Record::Delayed(delayed) => {
                self.delayed.insert(delayed.number, (delayed.due, stored(&delayed.body)));
                self.mark(delayed.mark);
            }
            Record::Sent { session, up_to } => self.with(*session, |session| session.send(*up_to)),
            Record::Received { session, ordinal, .. } => self.with(*session, |session| {
                session.send(*ordinal);
                if let Some(copy) = session.copies.get_mut(ordinal) {
                    copy.progress = KeptProgress::Released;
                    copy.body = None;
                }
            }),
            Record::Settled { session, ordinal, .. } => self.with(*session, |session| {
                session.copies.remove(ordinal);
            }),
            Record::Released { session, packet_id } => self.with(*session, |session| {
                session.inbound.remove(packet_id);
            }),
            Record::Kept(kept) => drop(self.sessions.insert(kept.terms.session, ModelSession::kept(kept))),
            Record::KeptCopies { session, copies } => self.with(*session, |session| {
                session.copies.extend(copies.iter().map(|copy| (copy.ordinal, as_stored(copy))));
            }),
            Record::Snapshotted { .. } => {}
        }
    }

    fn publish(&mut self, published: &PublishRecord) {
        for copy in published.copies.iter().flat_map(|(_, copies)| copies) {
            self.with(copy.session, |session| {
                session.queue(KeptCopy {
                    qos: copy.qos,
                    retain: copy.retain,
                    subscription_ids: copy.subscription_ids.clone(),
                    share: copy.share.clone(),
                    ..new_copy(&published.body)
                });
            });
        }
        self.mark(published.mark);
        if let Some(session) = published.will_of {
            self.with(session, |session| session.terms.will = None);
        }
        if let Some(number) = published.was_delayed {
            self.delayed.remove(&number);
        }
    }

    /// The highest version counts; deletions are remembered.
    fn retain(&mut self, topic: &str, version: u64, body: Option<&Body>) {
        if self.retained.get(topic).is_none_or(|(newest, _)| *newest <= version) {
            self.retained.insert(topic.into(), (version, body.map(stored)));
        }
    }

    fn mark(&mut self, mark: Option<(SessionNumber, PacketId)>) {
        if let Some((session, packet_id)) = mark {
            self.with(session, |session| {
                session.inbound.insert(packet_id);
            });
        }
    }

    /// Whatever names a Session that is over is void.
    fn with(&mut self, session: SessionNumber, change: impl FnOnce(&mut ModelSession)) {
        if let Some(session) = self.sessions.get_mut(&session) {
            change(session);
        }
    }
}

impl ModelSession {
    fn new(terms: &SessionRecord) -> Self {
        Self {
            terms: terms.clone(),
            inbound: BTreeSet::new(),
            subscriptions: BTreeMap::new(),
            next: Ordinal(0),
            copies: BTreeMap::new(),
        }
    }

    /// A snapshot says all about its Session.
    fn kept(kept: &KeptSession) -> Self {
        let mut session = Self { next: kept.next, ..Self::new(&kept.terms) };
        session.inbound.extend(&kept.inbound);
        for (filter, options, id) in &kept.subscriptions {
            session.subscribe(filter, *options, *id);
        }
        session
    }

    /// What a snapshot says.
    pub fn to_kept(&self, entered: martlet_record::Position) -> KeptSession {
        KeptSession {
            absent: None,
            terms: self.terms.clone(),
            inbound: self.inbound.iter().copied().collect(),
            subscriptions: self.subscriptions.values().cloned().collect(),
            next: self.next,
            entered,
        }
    }

    fn subscribe(&mut self, filter: &SubscriptionFilter, options: SubscriptionOptions, id: Option<u32>) {
        self.subscriptions.insert(filter.to_string(), (filter.clone(), options, id));
    }

    fn queue(&mut self, copy: KeptCopy) {
        self.copies.insert(self.next, KeptCopy { ordinal: self.next, ..copy });
        self.next.0 += 1;
    }

    fn send(&mut self, up_to: Ordinal) {
        for copy in self.copies.range_mut(..=up_to).map(|(_, copy)| copy) {
            if copy.progress == KeptProgress::Queued {
                copy.progress = KeptProgress::Sent;
            }
        }
    }
}

fn new_copy(body: &Body) -> KeptCopy {
    KeptCopy {
        ordinal: Ordinal(0),
        progress: KeptProgress::Queued,
        body: Some(Body::Stored(stored(body))),
        qos: martlet_packet::QoS::AtLeastOnce,
        retain: false,
        subscription_ids: None,
        share: None,
    }
}

fn as_stored(copy: &KeptCopy) -> KeptCopy {
    KeptCopy { body: copy.body.as_ref().map(|body| Body::Stored(stored(body))), ..copy.clone() }
}

fn stored(body: &Body) -> Stored {
    body.stored().expect("what is committed has a place")
}

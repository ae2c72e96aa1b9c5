//! The slow, obvious oracle: everything that must survive, changed by one record after the other.
//!
//! It shares no code with the broker's fold, and all its bodies are places: what two models say is equal when they are.

use std::collections::{BTreeMap, BTreeSet};

use martlet_packet::{PacketId, SubscriptionOptions};
use martlet_record::{
    Batch, Body, DelayedNumber, KeptCopy, KeptProgress, KeptSession, Ordinal, Position, PublishRecord,
    Record, ReplayedCopy, SessionNumber, SessionRecord, Stored, WallTime,
};
use martlet_topic::SubscriptionFilter;

/// All that is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// Those that are not over.
    pub sessions: BTreeMap<SessionNumber, ModelSession>,
    /// Retained messages by Topic Name: the version, and the body.
    pub retained: BTreeMap<Box<str>, (u64, Stored)>,
    /// Messages that wait for their time.
    pub delayed: BTreeMap<DelayedNumber, (WallTime, Stored)>,
}

/// A model in the making.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    /// What it is so far.
    pub model: Model,
    /// The versions of deletions: an older change may come later.
    deleted: BTreeMap<Box<str>, u64>,
    /// Sessions that a snapshot brought: their copies come in slices.
    kept: BTreeSet<SessionNumber>,
    /// Copies of Sessions that nobody has heard of, with their positions: a snapshot may be yet to come.
    early: BTreeMap<SessionNumber, Vec<(Position, KeptCopy)>>,
    position: Position,
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
    /// The bodies it names.
    pub fn bodies(&self) -> impl Iterator<Item = Stored> {
        let copies = self.sessions.values().flat_map(|session| session.copies.values());
        let copies = copies.filter_map(|copy| copy.body.as_ref()?.stored());
        let retained = self.retained.values().map(|(_, body)| *body);
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
}

impl Fold {
    /// Goes on from here.
    pub fn from(model: Model) -> Self {
        Self { model, ..Self::default() }
    }

    /// Where in the log it stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Topic Names whose retained message was deleted, with the versions: a snapshot names them too.
    pub fn deleted(&self) -> &BTreeMap<Box<str>, u64> {
        &self.deleted
    }

    /// Takes the next batch of the log.
    pub fn fold(&mut self, batch: &Batch, position: Position) {
        self.position = position;
        batch.records.iter().for_each(|record| self.apply(record));
    }

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Opened(terms) => {
                self.model.sessions.insert(terms.session, ModelSession::new(terms));
            }
            Record::Resumed(terms) => self.with(terms.session, |session| session.terms = terms.clone()),
            Record::Disconnected { session, expiry, will_discarded, .. } => self.with(*session, |session| {
                session.terms.expiry = *expiry;
                if *will_discarded {
                    session.terms.will = None;
                }
            }),
            Record::Ended { session, .. } => {
                self.model.sessions.remove(session);
                self.early.remove(session);
            }
            Record::Subscribed(made) => {
                self.with(made.session, |session| {
                    session.subscribe(&made.filter, made.options, made.subscription_id);
                });
                for ReplayedCopy { body, qos } in made.queued_copies() {
                    let subscription_ids = made.subscription_id.map(|id| [id].into());
                    let copy = KeptCopy { qos: *qos, retain: true, subscription_ids, ..new_copy(body) };
                    self.queue(made.session, copy);
                }
            }
            Record::Unsubscribed { session, filter } => self.with(*session, |session| {
                session.subscriptions.remove(&filter.to_string());
            }),
            Record::Published(published) => self.publish(published),
            Record::Retained { topic, version, body } => self.retain(topic, *version, body.as_ref()),
            Record::Delayed(delayed) => {
                self.model.delayed.insert(delayed.number, (delayed.due, stored(&delayed.body)));
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
            Record::Kept(kept) => self.keep(kept),
            Record::KeptCopies { session, copies } if self.kept.contains(session) => {
                self.with(*session, |session| {
                    session.copies.extend(copies.iter().map(|copy| (copy.ordinal, as_stored(copy))));
                });
            }
            Record::KeptCopies { .. } => {}
            // The first no story has, the other says nothing of what is kept.
            Record::RetainedBy { .. } | Record::Snapshotted { .. } => {}
        }
    }

    fn publish(&mut self, published: &PublishRecord) {
        for copy in published.copies.iter().flat_map(|(_, copies)| copies) {
            let new = KeptCopy {
                qos: copy.qos,
                retain: copy.retain,
                subscription_ids: copy.subscription_ids.clone(),
                share: copy.share.clone(),
                ..new_copy(&published.body)
            };
            self.queue(copy.session, new);
        }
        self.mark(published.mark);
        if let Some(session) = published.will_of {
            self.with(session, |session| session.terms.will = None);
        }
        if let Some(number) = published.was_delayed {
            self.model.delayed.remove(&number);
        }
    }

    fn queue(&mut self, session: SessionNumber, copy: KeptCopy) {
        match self.model.sessions.get_mut(&session) {
            Some(session) => session.queue(copy),
            None => self.early.entry(session).or_default().push((self.position, copy)),
        }
    }

    /// A Session as a snapshot has it, unless it is known from its beginning.
    fn keep(&mut self, kept: &KeptSession) {
        let number = kept.terms.session;
        if self.model.sessions.contains_key(&number) {
            return;
        }
        let mut session = ModelSession::kept(kept);
        let early = self.early.remove(&number).unwrap_or_default();
        let early = early.into_iter().filter(|(position, _)| *position > kept.entered);
        early.for_each(|(_, copy)| session.queue(copy));
        self.model.sessions.insert(number, session);
        self.kept.insert(number);
    }

    /// The highest version counts.
    fn retain(&mut self, topic: &str, version: u64, body: Option<&Body>) {
        let kept = self.model.retained.get(topic).map(|(version, _)| *version);
        if kept.max(self.deleted.get(topic).copied()) > Some(version) {
            return;
        }
        match body {
            Some(body) => drop(self.model.retained.insert(topic.into(), (version, stored(body)))),
            None => {
                self.model.retained.remove(topic);
                self.deleted.insert(topic.into(), version);
            }
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
        if let Some(session) = self.model.sessions.get_mut(&session) {
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
    pub fn to_kept(&self, entered: Position) -> KeptSession {
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

//! The fold: shards from the records of a journal.
//!
//! It never decides again. Whatever depended on a connection, a limit, a clock or a choice is a record that names its
//! object, so the state after the last record is the state that was live at its commit.

mod early;
mod retained;
mod state;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{
    Batch, BatchNumber, Body, Damaged, DelayedNumber, DelayedRecord, KeptCopy, KeptSession, Message, Now,
    Ordinal, Position, PublishRecord, Record, SessionNumber, SessionRecord, Settled, ShardId, Stored,
    SubscribeRecord, WallTime,
};
use martlet_session::{CopyState, MessageCopy, Session, Subscription, Will};

use crate::outbox::Outbox;
use crate::publish::recorded_copy;
use crate::replay::replayed_copy;
use crate::snapshot::restored_copy;
use crate::subscribe::subscriber;
use crate::{Ledger, Node, Shard};

use early::Early;
use retained::RetainedFold;

type Hashed = BuildHasherDefault<DefaultHasher>;

/// Shards in the making.
#[derive(Debug)]
pub struct Recovery {
    node: Arc<Node>,
    shards: Vec<Shard>,
    places: HashMap<SessionNumber, (ShardId, u32), Hashed>,
    /// Sessions that a snapshot brought: their queues come in slices.
    kept: HashSet<SessionNumber, Hashed>,
    /// Sessions whose Clients are connected, as far as the log knows.
    connected: HashSet<SessionNumber, Hashed>,
    /// For how long others had been gone when they were written down last, in milliseconds.
    absent: HashMap<SessionNumber, u64, Hashed>,
    early: Early,
    /// Where records are missing: copies of these Sessions from these ordinals on are not those that later records mean.
    doubted: HashMap<SessionNumber, Ordinal, Hashed>,
    /// Copies chosen for a Shared Subscription whose Sessions ended, until another member has them.
    orphans: Vec<(SessionNumber, MessageCopy)>,
    retained: RetainedFold,
    delayed: BTreeMap<DelayedNumber, (WallTime, Body)>,
    /// Bodies of delayed Messages that were read.
    read: HashMap<Stored, Arc<Message>, Hashed>,
    position: Position,
}

impl Recovery {
    /// Nothing is known yet: the log is given from its beginning.
    pub fn new(node: Arc<Node>) -> Self {
        Self::begin(node, Early::none())
    }

    /// The log is given from the beginning of a checkpoint that was completed.
    pub fn from_checkpoint(node: Arc<Node>) -> Self {
        Self::begin(node, Early::until_all_are_through())
    }

    fn begin(node: Arc<Node>, early: Early) -> Self {
        Self {
            shards: ShardId::all().map(|id| Shard::new(id, Arc::clone(&node))).collect(),
            node,
            places: HashMap::default(),
            kept: HashSet::default(),
            connected: HashSet::default(),
            absent: HashMap::default(),
            early,
            doubted: HashMap::default(),
            orphans: Vec::new(),
            retained: RetainedFold::default(),
            delayed: BTreeMap::new(),
            read: HashMap::default(),
            position: Position(0),
        }
    }

    /// Takes the next batch of the log.
    pub fn fold(&mut self, batch: &Batch, position: Position) {
        self.position = position;
        let shard = &mut self.shards[batch.shard.index()];
        shard.batch = BatchNumber(shard.batch.0.max(batch.number.0 + 1));
        for record in &batch.records {
            self.apply(batch.shard, record);
        }
    }

    /// Records are missing here: a repair took them out. Copies may have gone with them, so that those behind have other
    /// ordinals than they had; what later records say of such copies is not believed. They are sent again rather than lost.
    pub fn gap(&mut self) {
        for (number, (home, slot)) in &self.places {
            if let Some(resident) = self.shards[home.index()].sessions.get(*slot) {
                let next = resident.session.outbound.next_ordinal();
                self.doubted.entry(*number).or_insert(next);
            }
        }
    }

    /// The shards as they are so far.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Messages that must be at hand and are in the log only, in its order: [`Recovery::read`] takes them.
    pub fn unread(&self) -> Vec<Stored> {
        let delayed = self.delayed.values().filter_map(|(_, body)| missing(body));
        let mut unread: Vec<_> = self.retained.unread().chain(delayed).collect();
        unread.sort_unstable();
        unread.dedup();
        unread
    }

    /// A Message that must be at hand was read; one that is damaged is left out, and whoever read it says so.
    pub fn read(&mut self, stored: Stored, message: Result<Arc<Message>, Damaged>) {
        if let Ok(message) = &message
            && self.delayed.values().any(|(_, body)| missing(body) == Some(stored))
        {
            self.read.insert(stored, Arc::clone(message));
        }
        self.retained.read(stored, message.ok(), &self.node.retained);
    }

    /// The shards, when the log is at its end. Whoever was connected is disconnected now: the clocks of expiry and
    /// Will start here. Those of others go on from where they were written down last, so that no jump of the other clock
    /// ever shortens them.
    pub fn finish(mut self, now: Now, out: &mut Outbox) -> Vec<Shard> {
        self.retained.finish(&self.node.retained);
        self.orphans.extend(self.early.take_orphans());
        let mut places: Vec<_> = self.places.iter().map(|(number, place)| (*place, *number)).collect();
        places.sort_unstable();
        for ((home, slot), number) in places {
            let shard = &mut self.shards[home.index()];
            let absent = self.absent.get(&number).copied().unwrap_or_default();
            shard.resume(slot, absent, self.connected.contains(&number), now);
        }
        for (number, (due, body)) in std::mem::take(&mut self.delayed) {
            let shard = &mut self.shards[number.shard().index()];
            let message = match &body {
                Body::Held(message) => Some(Arc::clone(message)),
                Body::Stored(stored) => self.read.get(stored).cloned(),
            };
            if let Some(message) = message {
                shard.delayed.insert(number, due, message, &self.node.delayed, now);
            }
        }
        for (from, copy) in std::mem::take(&mut self.orphans) {
            self.shards[from.shard().index()].pass_on(Some(from), &copy, out);
        }
        for shard in &mut self.shards {
            shard.entered = self.position;
            shard.tick(now, out);
        }
        self.shards
    }

    fn apply(&mut self, home: ShardId, record: &Record) {
        match record {
            Record::Opened(terms) => {
                self.open(home, terms);
                self.connected.insert(terms.session);
            }
            Record::Resumed(terms) => {
                self.connected.insert(terms.session);
                self.absent.remove(&terms.session);
                self.with(terms.session, |session| {
                    session.expiry = terms.expiry;
                    session.will = terms.will.as_ref().map(|will| Box::new(Will::from(will)));
                });
            }
            Record::Disconnected { session, expiry, will_discarded, .. } => {
                self.connected.remove(session);
                self.with(*session, |session| {
                    session.expiry = *expiry;
                    if *will_discarded {
                        session.will = None;
                    }
                });
            }
            Record::Ended { session, entered, .. } => self.end(*session, *entered),
            Record::Subscribed(made) => self.subscribe(made),
            Record::Unsubscribed { session, filter } => {
                self.with(*session, |session| {
                    session.subscriptions.remove(filter);
                });
                self.node.routes.remove(filter, *session);
            }
            Record::Published(published) => self.publish(published),
            Record::Retained { topic, version, body } => self.retained.change(topic, *version, body.as_ref()),
            Record::RetainedBy { topic, version, source } => {
                self.retained.published_by(topic, *version, source)
            }
            Record::Delayed(delayed) => self.delay(delayed),
            Record::Sent { session, up_to } => self.with_copy(*session, *up_to, |session| {
                session.outbound.start_up_to(*up_to);
            }),
            Record::Received { session, ordinal, .. } => self.with_copy(*session, *ordinal, |session| {
                session.outbound.start_up_to(*ordinal);
                session.outbound.received(*ordinal, CopyState::Released);
            }),
            Record::Settled { session, ordinal, how } => self.with_copy(*session, *ordinal, |session| {
                settle(session, *ordinal, *how);
            }),
            Record::Released { session, packet_id } => {
                self.with(*session, |session| {
                    session.inbound.remove(*packet_id);
                });
            }
            Record::Kept(kept) => self.keep(home, kept),
            Record::KeptCopies { session, copies } => self.keep_copies(*session, copies),
            Record::Snapshotted { opened, delayed, version, .. } => {
                self.node.retained.restore_version(*version);
                let shard = &mut self.shards[home.index()];
                shard.opened = shard.opened.max(*opened);
                shard.delayed.restore_count(*delayed);
                // A later checkpoint, which may not be complete, brings nothing that is not known.
                self.kept.retain(|session| session.shard() != home);
                self.orphans.extend(self.early.through(home));
            }
        }
    }

    fn open(&mut self, home: ShardId, terms: &SessionRecord) {
        let shard = &mut self.shards[home.index()];
        shard.opened = shard.opened.max(terms.session.count());
        let mut session = Session::new(terms.session, terms.client_id.clone(), terms.expiry);
        session.recorded = true;
        session.will = terms.will.as_ref().map(|will| Box::new(Will::from(will)));
        self.places.insert(terms.session, (home, shard.sessions.insert(session)));
    }

    fn end(&mut self, number: SessionNumber, entered: Position) {
        self.early.forget(number, entered);
        self.connected.remove(&number);
        self.absent.remove(&number);
        let Some((home, slot)) = self.places.remove(&number) else { return };
        let Some(session) = self.shards[home.index()].sessions.remove(slot) else { return };
        for (filter, _) in session.subscriptions.iter() {
            self.node.routes.remove(filter, number);
        }
        let shared = session.outbound.unfinished().filter(|(_, copy)| copy.share.is_some());
        self.orphans.extend(shared.map(|(_, copy)| (number, copy)));
    }

    fn subscribe(&mut self, made: &SubscribeRecord) {
        let id = made.subscription_id;
        if self.places.contains_key(&made.session) {
            self.route(made.session, &made.filter, Subscription { options: made.options, id });
        }
        for copy in made.queued_copies() {
            self.enqueue(made.session, replayed_copy(made, copy));
        }
    }

    fn route(
        &mut self,
        number: SessionNumber,
        filter: &martlet_topic::SubscriptionFilter,
        subscription: Subscription,
    ) {
        let Some((home, slot)) = self.places.get(&number).copied() else { return };
        let Some(resident) = self.shards[home.index()].sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        session.subscriptions.insert(filter.clone(), subscription);
        let route =
            subscriber(session, slot, home, subscription.options, subscription.id, &self.node.settings);
        self.node.routes.insert(filter, route);
    }

    fn publish(&mut self, published: &PublishRecord) {
        if let Some(from) = published.passed_from {
            let stored = published.body.stored();
            let is_it = |(ended, copy): &(SessionNumber, MessageCopy)| {
                *ended == from && copy.body.as_ref().is_some_and(|body| body.stored() == stored)
            };
            if let Some(place) = self.orphans.iter().position(is_it) {
                self.orphans.swap_remove(place);
            }
            self.early.pass(from, stored);
        }
        for copy in published.copies.iter().flat_map(|(_, copies)| copies) {
            self.enqueue(copy.session, recorded_copy(&published.body, copy));
        }
        self.mark(published.mark);
        if let Some(session) = published.will_of {
            self.with(session, |session| session.will = None);
        }
        if let Some(number) = published.was_delayed {
            self.delayed.remove(&number);
        }
    }

    /// A copy enters the queue of its Session. Of one that is over it is void, unless another member must get it; of one
    /// that no snapshot has brought yet it waits for that.
    fn enqueue(&mut self, number: SessionNumber, copy: MessageCopy) {
        if self.places.contains_key(&number) {
            self.with(number, |session| {
                session.outbound.enqueue(copy, true);
            });
        } else if self.early.is_open() {
            self.early.push(number, self.position, copy);
        } else if copy.share.is_some() {
            self.orphans.push((number, copy));
        }
    }

    fn mark(&mut self, mark: Option<(SessionNumber, martlet_packet::PacketId)>) {
        if let Some((session, packet_id)) = mark {
            self.with(session, |session| {
                session.inbound.insert(packet_id);
            });
        }
    }

    fn delay(&mut self, delayed: &DelayedRecord) {
        let shard = &mut self.shards[delayed.number.shard().index()];
        shard.delayed.restore_count(delayed.number.count());
        self.mark(delayed.mark);
        self.delayed.insert(delayed.number, (delayed.due, delayed.body.clone()));
    }

    /// A Session as a snapshot has it. One that is known already is known better.
    fn keep(&mut self, home: ShardId, kept: &KeptSession) {
        let number = kept.terms.session;
        if self.places.contains_key(&number) {
            return;
        }
        self.open(home, &kept.terms);
        self.kept.insert(number);
        match kept.absent {
            Some(millis) => drop(self.absent.insert(number, millis)),
            None => drop(self.connected.insert(number)),
        }
        self.with(number, |session| {
            for id in &kept.inbound {
                session.inbound.insert(*id);
            }
            session.outbound.restore_next(kept.next);
        });
        for (filter, options, id) in &kept.subscriptions {
            self.route(number, filter, Subscription { options: *options, id: *id });
        }
        for copy in self.early.take(number, kept.entered) {
            self.enqueue(number, copy);
        }
    }

    fn keep_copies(&mut self, number: SessionNumber, copies: &[KeptCopy]) {
        if self.kept.contains(&number) {
            self.with(number, |session| {
                copies.iter().for_each(|kept| session.outbound.restore(kept.ordinal, restored_copy(kept)));
            });
        }
    }

    /// As [`Recovery::with`], unless it is in doubt which copy is meant.
    fn with_copy(&mut self, number: SessionNumber, ordinal: Ordinal, change: impl FnOnce(&mut Session)) {
        if self.doubted.get(&number).is_none_or(|from| ordinal < *from) {
            self.with(number, change);
        }
    }

    /// Whatever names a Session that is over is void.
    fn with(&mut self, number: SessionNumber, change: impl FnOnce(&mut Session)) {
        let Some((home, slot)) = self.places.get(&number) else { return };
        if let Some(resident) = self.shards[home.index()].sessions.get_mut(*slot) {
            change(&mut resident.session);
        }
    }
}

impl Shard {
    /// A recovered Session begins to live: without its Client, who was gone for so many milliseconds, or is since now.
    fn resume(&mut self, slot: u32, absent: u64, was_connected: bool, now: Now) {
        let in_flight = self.settings.send.in_flight;
        let Some(resident) = self.sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        if was_connected {
            // The note of what was sent last may be lost.
            while let Some(ordinal) = session.outbound.take_at_most_once() {
                let (session, how) = (session.number, Settled::Delivered);
                self.records.push(Record::Settled { session, ordinal, how });
            }
            session.outbound.may_have_sent(in_flight);
            resident.is_sending = true;
            self.sent.push(slot);
            self.records.push(Record::Disconnected {
                session: session.number,
                expiry: session.expiry,
                will_discarded: session.will.is_none(),
                at: now.wall,
            });
        }
        session.detach(now.time.before_millis(absent));
        // Recovered copies are the opening balance of the books.
        let Ledger { in_flight, stored, .. } = resident.ledger();
        if in_flight + stored > 0 {
            self.counters.ledger.accepted += in_flight + stored;
            resident.tally.get_or_insert_default().accepted += in_flight + stored;
        }
        self.set_online(slot, false);
        self.watch_gate(slot);
        self.arm(slot);
    }
}

fn settle(session: &mut Session, ordinal: Ordinal, how: Settled) {
    match how {
        Settled::QueueFull | Settled::Expired | Settled::Replaced | Settled::Denied => {
            drop(session.outbound.remove_queued(ordinal));
        }
        Settled::Damaged => drop(session.outbound.remove_unreadable(ordinal)),
        // It never is in flight.
        _ if session.outbound.queued_qos(ordinal) == Some(QoS::AtMostOnce) => {
            drop(session.outbound.remove_queued(ordinal));
        }
        Settled::Delivered | Settled::Refused | Settled::TooLarge => {
            session.outbound.start_up_to(ordinal);
            session.outbound.finish(ordinal);
        }
    }
}

fn missing(body: &Body) -> Option<Stored> {
    match body {
        Body::Stored(stored) => Some(*stored),
        Body::Held(_) => None,
    }
}

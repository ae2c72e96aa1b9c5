//! The fold: shards from the records of a journal.
//!
//! It never decides again. Whatever depended on a connection, a limit, a clock or a choice is a record that names its
//! object, so the state after the last record is the state that was live at its commit.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use martlet_record::{
    Batch, Message, Now, PublishRecord, Record, SessionNumber, SessionRecord, Settled, ShardId,
    SubscribeRecord,
};
use martlet_session::{CopyState, Session, Subscription, Will};
use martlet_topic::{Limits, TopicName};

use crate::outbox::Outbox;
use crate::publish::recorded_copy;
use crate::replay::replayed_copy;
use crate::subscribe::subscriber;
use crate::{Node, Shard};

/// Shards in the making.
#[derive(Debug)]
pub struct Recovery {
    node: Arc<Node>,
    shards: Vec<Shard>,
    places: HashMap<SessionNumber, (ShardId, u32), BuildHasherDefault<DefaultHasher>>,
    /// Versions of deletions: an older change that comes later in the log must not bring the message back.
    deleted: HashMap<Box<str>, u64, BuildHasherDefault<DefaultHasher>>,
}

impl Recovery {
    /// Nothing is known yet.
    pub fn new(node: Arc<Node>) -> Self {
        let shards = ShardId::all().map(|id| Shard::new(id, Arc::clone(&node))).collect();
        Self { node, shards, places: HashMap::default(), deleted: HashMap::default() }
    }

    /// Takes the next batch of the log.
    pub fn fold(&mut self, batch: &Batch) {
        let shard = &mut self.shards[batch.shard.index()];
        shard.batch = martlet_record::BatchNumber(shard.batch.0.max(batch.number.0 + 1));
        for record in &batch.records {
            self.apply(batch.shard, record);
        }
    }

    /// The shards as they are so far.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The shards, when the log is at its end. Whoever was connected is disconnected now: the clocks of expiry and
    /// Will start here.
    pub fn finish(mut self, now: Now, out: &mut Outbox) -> Vec<Shard> {
        for (home, slot) in self.places.values() {
            let shard = &mut self.shards[home.index()];
            if let Some(resident) = shard.sessions.get_mut(*slot) {
                resident.session.detach(now.time);
                // Recovered copies are the opening balance of the books.
                shard.counters.ledger.accepted += resident.session.outbound.unfinished().count() as u64;
            }
            shard.set_online(*slot, false);
            shard.arm(*slot);
        }
        for shard in &mut self.shards {
            shard.tick(now, out);
        }
        self.shards
    }

    fn apply(&mut self, home: ShardId, record: &Record) {
        match record {
            Record::Opened(terms) => self.open(home, terms),
            Record::Resumed(terms) => self.with(terms.session, |session| {
                session.expiry = terms.expiry;
                session.will = terms.will.as_ref().map(|will| Box::new(Will::from(will)));
            }),
            Record::Disconnected { session, expiry, will_discarded, .. } => self.with(*session, |session| {
                session.expiry = *expiry;
                if *will_discarded {
                    session.will = None;
                }
            }),
            Record::Ended { session, .. } => self.end(*session),
            Record::Subscribed(made) => self.subscribe(made),
            Record::Unsubscribed { session, filter } => {
                self.with(*session, |session| {
                    session.subscriptions.remove(filter);
                });
                self.node.routes.remove(filter, *session);
            }
            Record::Published(published) => self.publish(published),
            Record::Retained { topic, version, message } => self.retain(topic, *version, message),
            Record::Received { session, ordinal, .. } => self.with(*session, |session| {
                session.outbound.start_up_to(*ordinal);
                session.outbound.received(*ordinal, CopyState::Released);
            }),
            Record::Settled { session, ordinal, how } => self.with(*session, |session| match how {
                Settled::QueueFull | Settled::Expired | Settled::Replaced => {
                    drop(session.outbound.remove_queued(*ordinal))
                }
                Settled::Delivered | Settled::Refused | Settled::TooLarge => {
                    session.outbound.start_up_to(*ordinal);
                    session.outbound.finish(*ordinal);
                }
            }),
            Record::Released { session, packet_id } => {
                self.with(*session, |session| {
                    session.inbound.remove(*packet_id);
                });
            }
        }
    }

    fn retain(&mut self, topic: &str, version: u64, message: &Option<Arc<Message>>) {
        if self.deleted.get(topic).is_some_and(|deleted| *deleted > version) {
            return;
        }
        if message.is_none() {
            self.deleted.insert(topic.into(), version);
        }
        let topic =
            TopicName::parse(topic, &Limits::UNLIMITED).expect("it was checked before it was recorded");
        self.node.retained.restore(topic, version, message.clone());
    }

    fn open(&mut self, home: ShardId, terms: &SessionRecord) {
        let shard = &mut self.shards[home.index()];
        shard.opened = shard.opened.max(terms.session.count());
        let mut session = Session::new(terms.session, terms.client_id.clone(), terms.expiry);
        session.recorded = true;
        session.will = terms.will.as_ref().map(|will| Box::new(Will::from(will)));
        self.places.insert(terms.session, (home, shard.sessions.insert(session)));
    }

    fn end(&mut self, number: SessionNumber) {
        let Some((home, slot)) = self.places.remove(&number) else { return };
        let Some(session) = self.shards[home.index()].sessions.remove(slot) else { return };
        for (filter, _) in session.subscriptions.iter() {
            self.node.routes.remove(filter, number);
        }
    }

    fn subscribe(&mut self, made: &SubscribeRecord) {
        let Some((home, slot)) = self.places.get(&made.session).copied() else { return };
        let Some(resident) = self.shards[home.index()].sessions.get_mut(slot) else { return };
        let session = &mut resident.session;
        let subscription = Subscription { options: made.options, id: made.subscription_id };
        session.subscriptions.insert(made.filter.clone(), subscription);
        let route = subscriber(session, slot, home, made.options, made.subscription_id);
        self.node.routes.insert(&made.filter, route);
        for copy in made.queued_copies() {
            session.outbound.enqueue(replayed_copy(made, copy));
        }
    }

    fn publish(&mut self, published: &PublishRecord) {
        for copy in published.copies.iter().flat_map(|(_, copies)| copies) {
            self.with(copy.session, |session| {
                session.outbound.enqueue(recorded_copy(&published.message, copy));
            });
        }
        if let Some((session, packet_id)) = published.mark {
            self.with(session, |session| {
                session.inbound.insert(packet_id);
            });
        }
        if let Some(session) = published.will_of {
            self.with(session, |session| session.will = None);
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
    /// All that must survive, in words, a line a Session: equal texts are equal states.
    pub fn durable_state(&self) -> Vec<String> {
        let sessions = self.sessions.iter().map(|(_, resident)| &resident.session);
        let kept = sessions.filter(|session| session.recorded);
        let mut lines: Vec<_> = kept.map(describe).collect();
        lines.sort();
        lines
    }
}

fn describe(session: &Session) -> String {
    let mut line = format!(
        "{} {} expiry={} next={} inbound={:?} will={:?}",
        session.number.0,
        session.client_id,
        session.expiry,
        session.outbound.next_ordinal().0,
        session.inbound,
        session.will.as_ref().map(|will| will.message.topic().to_owned()),
    );
    for (filter, subscription) in session.subscriptions.iter() {
        let _ = write!(line, " [{filter} {subscription:?}]");
    }
    for (ordinal, copy) in session.outbound.unfinished() {
        let message = copy.message.as_ref().map(|message| {
            let view = message.view();
            format!("{} {:?} {:?}", view.topic, view.payload, view.properties)
        });
        let (qos, retain, ids) = (copy.qos, copy.retain, &copy.subscription_ids);
        let _ = write!(line, " ({} {message:?} {qos:?} {retain} {ids:?})", ordinal.0);
    }
    line
}

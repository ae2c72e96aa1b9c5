//! From records to bytes.

use std::sync::Arc;

use martlet_packet::{PacketId, QoS, SubscriptionOptions};
use martlet_topic::SubscriptionFilter;

use super::last::{Last, difference};
use super::{END, flag, kind, run, values};
use crate::{
    Batch, Body, CopyRecord, DelayedRecord, KeptCopy, KeptSession, Message, Now, Ordinal, Place,
    PublishRecord, Record, ReplayedCopy, RetainedSource, SessionNumber, SessionRecord, Settled, Stored,
    SubscribeRecord, WallTime, WillRecord, varint,
};

impl Batch {
    /// Appends the batch; `base` is the place of `out[0]`.
    ///
    /// A Message that has no place yet is written here, and this becomes its place: whoever encodes a batch must go on
    /// to write it, or report that nothing was committed from there on. All others are written as a reference.
    /// `named` hears of both.
    pub fn encode(&self, base: Place, out: &mut Vec<u8>, named: &mut dyn FnMut(Stored)) {
        let last = Last::new(self.shard, base.plus(out.len()));
        let mut encoder = Encoder { out, base, named, at: self.at, last };
        encoder.byte(u8::try_from(self.shard.index()).expect("there are 64 shards"));
        encoder.number(self.number.0);
        encoder.number(self.at.wall.0);
        for alike in self.records.chunk_by(continues).flat_map(|alike| alike.chunks(run::MAX)) {
            encoder.record(&alike[0], alike.len());
        }
        encoder.byte(END);
    }
}

/// Is the second the next of a run?
fn continues(one: &Record, next: &Record) -> bool {
    let (
        Record::Settled { session, ordinal, how },
        Record::Settled { session: next_session, ordinal: next_ordinal, how: next_how },
    ) = (one, next)
    else {
        return false;
    };
    session == next_session && how == next_how && ordinal.0.checked_add(1) == Some(next_ordinal.0)
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    base: Place,
    named: &'a mut dyn FnMut(Stored),
    at: Now,
    last: Last,
}

impl Encoder<'_> {
    /// A record; only those that are alike come in numbers.
    fn record(&mut self, record: &Record, alike: usize) {
        match record {
            Record::Opened(terms) => self.of(kind::OPENED).terms(terms),
            Record::Resumed(terms) => self.of(kind::RESUMED).terms(terms),
            Record::Disconnected { session, expiry, will_discarded, at } => {
                self.disconnected(*session, *expiry, *will_discarded, *at);
            }
            Record::Ended { session, why, entered } => {
                self.of(kind::ENDED).session(*session);
                self.byte(values::ending(*why));
                self.number(entered.0);
            }
            Record::Subscribed(made) => self.of(kind::SUBSCRIBED).subscribed(made),
            Record::Unsubscribed { session, filter } => {
                self.of(kind::UNSUBSCRIBED).session(*session);
                self.filter(filter);
            }
            Record::Published(published) => self.of(kind::PUBLISHED).published(published),
            Record::Retained { topic, version, body } => self.retained(topic, *version, body.as_ref()),
            Record::RetainedBy { topic, version, source } => self.retained_by(topic, *version, source),
            Record::Delayed(delayed) => self.of(kind::DELAYED).delayed(delayed),
            Record::Sent { session, up_to } => self.of(kind::SENT).copy_of(*session, *up_to),
            Record::Received { session, slot: _, ordinal } => {
                self.of(kind::RECEIVED).copy_of(*session, *ordinal);
            }
            Record::Settled { session, ordinal, how } => self.settled(*session, *ordinal, *how, alike),
            Record::Released { session, packet_id } => {
                self.of(kind::RELEASED).session(*session);
                self.packet_id(*packet_id);
            }
            Record::Kept(kept) => self.of(kind::KEPT).kept(kept),
            Record::KeptCopies { session, copies } => self.kept_copies(*session, copies),
            Record::Snapshotted { checkpoint, opened, delayed, version } => {
                self.byte(kind::SNAPSHOTTED);
                [checkpoint.0, *opened, *delayed, *version]
                    .into_iter()
                    .for_each(|number| self.number(number));
            }
        }
    }

    fn of(&mut self, kind: u8) -> &mut Self {
        self.byte(kind);
        self
    }

    fn terms(&mut self, terms: &SessionRecord) {
        self.byte(if terms.will.is_some() { flag::WILL } else { 0 });
        self.session(terms.session);
        self.text(&terms.client_id);
        self.number(u64::from(terms.expiry));
        if let Some(will) = &terms.will {
            self.will(will);
        }
    }

    /// Always written here, for it is needed in memory.
    fn will(&mut self, will: &WillRecord) {
        self.byte(if will.expiry.is_some() { flag::EXPIRY } else { 0 });
        self.number(u64::from(will.delay));
        will.expiry.into_iter().for_each(|expiry| self.number(u64::from(expiry)));
        self.number(will.message.encoded_len() as u64);
        will.message.encode(self.at, self.out);
    }

    fn disconnected(&mut self, session: SessionNumber, expiry: u32, will_discarded: bool, at: WallTime) {
        self.byte(kind::DISCONNECTED);
        self.byte(if will_discarded { flag::WILL_DISCARDED } else { 0 });
        self.session(session);
        self.number(u64::from(expiry));
        self.wall(at);
    }

    fn subscribed(&mut self, made: &SubscribeRecord) {
        self.session(made.session);
        self.subscription(&made.filter, made.options, made.subscription_id);
        // Those of QoS 0 are sent at once, and promised to nobody.
        self.number(made.queued_copies().count() as u64);
        for ReplayedCopy { body, qos } in made.queued_copies() {
            self.byte(u8::from(*qos));
            self.body(body);
        }
    }

    fn published(&mut self, published: &PublishRecord) {
        let PublishRecord { body, copies, mark, will_of, was_delayed, passed_from } = published;
        let mut flags = 0;
        for (there, flag) in [
            (mark.is_some(), flag::MARK),
            (will_of.is_some(), flag::WILL_OF),
            (was_delayed.is_some(), flag::WAS_DELAYED),
            (passed_from.is_some(), flag::PASSED_FROM),
        ] {
            flags |= if there { flag } else { 0 };
        }
        self.byte(flags);
        self.body(body);
        mark.iter().for_each(|mark| self.mark(*mark));
        will_of.iter().for_each(|session| self.session(*session));
        was_delayed.iter().for_each(|number| self.number(number.0));
        passed_from.iter().for_each(|session| self.session(*session));
        self.number(copies.iter().map(|(_, copies)| copies.len() as u64).sum());
        copies.iter().flat_map(|(_, copies)| copies).for_each(|copy| self.copy(copy));
    }

    fn copy(&mut self, copy: &CopyRecord) {
        self.byte(copy_flags(copy.qos, copy.retain, &copy.subscription_ids, &copy.share));
        self.session(copy.session);
        self.subscription_ids(copy.subscription_ids.as_ref());
        self.share(copy.share.as_ref());
    }

    fn retained(&mut self, topic: &str, version: u64, body: Option<&Body>) {
        self.byte(kind::RETAINED);
        self.byte(if body.is_some() { flag::BODY } else { 0 });
        self.text(topic);
        self.number(version);
        body.into_iter().for_each(|body| self.body(body));
    }

    fn retained_by(&mut self, topic: &str, version: u64, source: &RetainedSource) {
        self.byte(kind::RETAINED_BY);
        self.byte(if source.username.is_some() { flag::USERNAME } else { 0 });
        self.text(topic);
        self.number(version);
        self.text(&source.client_id);
        self.number(u64::from(source.realm));
        source.username.iter().for_each(|username| self.text(username));
    }

    fn delayed(&mut self, delayed: &DelayedRecord) {
        self.byte(if delayed.mark.is_some() { flag::MARK } else { 0 });
        self.number(delayed.number.0);
        self.wall(delayed.due);
        self.body(&delayed.body);
        delayed.mark.into_iter().for_each(|mark| self.mark(mark));
    }

    fn settled(&mut self, session: SessionNumber, ordinal: Ordinal, how: Settled, alike: usize) {
        let more = u8::try_from(alike - 1).expect("runs are shorter than their limit");
        self.byte(kind::SETTLED);
        self.byte(values::settled(how) | more << run::SHIFT);
        self.copy_of(session, ordinal);
    }

    fn kept(&mut self, kept: &KeptSession) {
        self.terms(&kept.terms);
        self.number(kept.inbound.len() as u64);
        kept.inbound.iter().for_each(|packet_id| self.packet_id(*packet_id));
        self.number(kept.subscriptions.len() as u64);
        for (filter, options, id) in &kept.subscriptions {
            self.subscription(filter, *options, *id);
        }
        self.number(kept.next.0);
        self.number(kept.entered.0);
        self.number(kept.absent.map_or(0, |millis| millis.saturating_add(1)));
    }

    fn kept_copies(&mut self, session: SessionNumber, copies: &[KeptCopy]) {
        self.of(kind::KEPT_COPIES).session(session);
        self.number(copies.len() as u64);
        for copy in copies {
            let flags = copy_flags(copy.qos, copy.retain, &copy.subscription_ids, &copy.share);
            let body = if copy.body.is_some() { flag::COPY_BODY } else { 0 };
            self.byte(flags | body | values::progress(copy.progress) << flag::COPY_PROGRESS_SHIFT);
            self.ordinal(copy.ordinal);
            copy.body.iter().for_each(|body| self.body(body));
            self.subscription_ids(copy.subscription_ids.as_ref());
            self.share(copy.share.as_ref());
        }
    }

    fn copy_of(&mut self, session: SessionNumber, ordinal: Ordinal) {
        self.session(session);
        self.ordinal(ordinal);
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Held(message) if message.place().is_none() => self.message(message),
            Body::Held(message) => self.reference(message.stored().expect("it has a place")),
            Body::Stored(stored) => self.reference(*stored),
        }
    }

    fn message(&mut self, message: &Message) {
        self.number((message.encoded_len() as u64) << 1 | 1);
        message.set_place(self.base.plus(self.out.len()));
        message.encode(self.at, self.out);
        let stored = message.stored().expect("it has a place now");
        self.last.step_to_place(stored.place);
        (self.named)(stored);
    }

    fn reference(&mut self, stored: Stored) {
        self.number(u64::from(stored.len) << 1);
        let step = self.last.step_to_place(stored.place);
        self.number(step);
        (self.named)(stored);
    }

    /// One more than there are; zero for those that were named last.
    fn subscription_ids(&mut self, ids: Option<&Arc<[u32]>>) {
        let Some(ids) = ids else { return };
        if self.last.subscription_ids.as_ref() == Some(ids) {
            return self.number(0);
        }
        self.number(ids.len() as u64 + 1);
        ids.iter().for_each(|id| self.number(u64::from(*id)));
        self.last.subscription_ids = Some(Arc::clone(ids));
    }

    /// As text, which is never empty; nothing for the one that was named last.
    fn share(&mut self, share: Option<&Arc<SubscriptionFilter>>) {
        let Some(share) = share else { return };
        if self.last.share.as_ref() == Some(share) {
            return self.number(0);
        }
        self.filter(share);
        self.last.share = Some(Arc::clone(share));
    }

    fn subscription(&mut self, filter: &SubscriptionFilter, options: SubscriptionOptions, id: Option<u32>) {
        self.filter(filter);
        self.byte(values::options(options) | if id.is_some() { flag::OPTIONS_ID } else { 0 });
        id.into_iter().for_each(|id| self.number(u64::from(id)));
    }

    fn filter(&mut self, filter: &SubscriptionFilter) {
        self.text(&filter.to_string());
    }

    fn session(&mut self, session: SessionNumber) {
        let step = self.last.step_to_session(session);
        self.number(step.to_number());
        if let Some(shard) = step.shard {
            self.byte(u8::try_from(shard.index()).expect("there are 64 shards"));
        }
    }

    fn mark(&mut self, (session, packet_id): (SessionNumber, PacketId)) {
        self.session(session);
        self.packet_id(packet_id);
    }

    fn ordinal(&mut self, ordinal: Ordinal) {
        let step = self.last.step_to_ordinal(ordinal);
        self.number(step);
    }

    fn packet_id(&mut self, packet_id: PacketId) {
        self.number(u64::from(packet_id.get()));
    }

    /// Seen from the moment of the batch.
    fn wall(&mut self, at: WallTime) {
        self.number(difference(self.at.wall.0, at.0));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        varint::put(number, self.out);
    }

    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }
}

fn copy_flags(
    qos: QoS,
    retain: bool,
    ids: &Option<Arc<[u32]>>,
    share: &Option<Arc<SubscriptionFilter>>,
) -> u8 {
    let retain = if retain { flag::COPY_RETAIN } else { 0 };
    let ids = if ids.is_some() { flag::COPY_IDS } else { 0 };
    let share = if share.is_some() { flag::COPY_SHARE } else { 0 };
    u8::from(qos) | retain | ids | share
}

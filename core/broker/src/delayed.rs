//! `$delayed/SECONDS/TOPIC`: a Message that is published later.
//!
//! The home of its publisher keeps it, in memory and in the log; its end and its publication are one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use martlet_packet::{PacketId, Publish, ReasonCode};
use martlet_record::{
    Body, DelayedNumber, DelayedRecord, Message, MessageRef, Now, Record, Room, SessionNumber, Time, WallTime,
};
use martlet_topic::{Limits, TopicName};

use crate::outbox::Outbox;
use crate::publish::Origin;
use crate::{Settings, Shard};

const PREFIX: &str = "$delayed/";

/// The Messages of one shard that wait for their time.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    waiting: BTreeMap<DelayedNumber, Waiting>,
    order: BTreeSet<(Time, DelayedNumber)>,
    /// How many there ever were.
    count: u64,
}

#[derive(Debug)]
struct Waiting {
    at: Time,
    due: WallTime,
    message: Arc<Message>,
}

/// What all shards of a node delay together.
#[derive(Debug, Default)]
pub(crate) struct DelayedTotals {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A Topic Name that asks for a delay, taken apart.
pub(crate) enum Asked<'a> {
    /// It does not ask for one.
    Now(TopicName<'a>),
    /// It does.
    Later(u32, TopicName<'a>),
    /// It does, and is wrong.
    Wrong(String),
}

/// Takes a Topic Name apart.
pub(crate) fn asked<'a>(topic: TopicName<'a>, settings: &Settings) -> Asked<'a> {
    let Some(rest) = topic.as_str().strip_prefix(PREFIX).filter(|_| settings.dialect.delays) else {
        return Asked::Now(topic);
    };
    let wrong = || Asked::Wrong(format!("{topic} is not of the form $delayed/SECONDS/TOPIC"));
    let Some((seconds, name)) = rest.split_once('/') else { return wrong() };
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    match (seconds.parse(), TopicName::parse(name, &settings.topics)) {
        (Ok(seconds), Ok(name)) if is_number => Asked::Later(seconds, name),
        _ => wrong(),
    }
}

impl Delayed {
    /// How many there ever were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// No number up to this count is used again.
    pub(crate) fn restore_count(&mut self, count: u64) {
        self.count = self.count.max(count);
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Puts one in line.
    pub(crate) fn insert(
        &mut self,
        number: DelayedNumber,
        due: WallTime,
        message: Arc<Message>,
        totals: &DelayedTotals,
        now: Now,
    ) {
        let at = now.from_wall(due);
        totals.messages.fetch_add(1, Ordering::Relaxed);
        totals.bytes.fetch_add(message.size(), Ordering::Relaxed);
        self.order.insert((at, number));
        self.waiting.insert(number, Waiting { at, due, message });
    }

    fn pop_due(&mut self, now: Time, totals: &DelayedTotals) -> Option<(DelayedNumber, Arc<Message>)> {
        let (_, number) = *self.order.first().filter(|(at, _)| *at <= now)?;
        let Waiting { at, message, .. } = self.waiting.remove(&number)?;
        self.order.remove(&(at, number));
        totals.messages.fetch_sub(1, Ordering::Relaxed);
        totals.bytes.fetch_sub(message.size(), Ordering::Relaxed);
        Some((number, message))
    }
}

impl DelayedTotals {
    /// How many wait.
    pub(crate) fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }
}

impl Shard {
    /// Why one more of `size` bytes cannot be delayed.
    pub(crate) fn delay_refusal(&self, size: usize) -> Option<(ReasonCode, String)> {
        let (settings, totals) = (&self.settings, &self.node.delayed);
        let (messages, bytes) = (settings.delayed_messages_max, settings.delayed_bytes_max);
        let is_full = totals.messages() >= messages || totals.bytes.load(Ordering::Relaxed) + size > bytes;
        let text = || {
            format!("{messages} messages of {bytes} bytes in all are delayed and no more: raise the limit")
        };
        is_full.then(|| (ReasonCode::QuotaExceeded, text()))
    }

    /// May one more be delayed although nobody can be told when not?
    pub(crate) fn has_room_to_delay(&self, publish: &Publish<'_>) -> bool {
        self.node.room() < Room::DrainOnly && self.delay_refusal(publish.payload.len()).is_none()
    }

    /// Keeps a Message for `seconds`.
    pub(crate) fn delay(
        &mut self,
        message: &MessageRef<'_>,
        seconds: u32,
        mark: Option<(SessionNumber, PacketId)>,
        now: Now,
        out: &mut Outbox,
    ) {
        self.delayed.count += 1;
        let number = DelayedNumber::of(self.id, self.delayed.count);
        let due = now.to_wall(now.time.after_seconds(u64::from(seconds)));
        let message = Arc::new(message.to_message());
        self.delayed.insert(number, due, Arc::clone(&message), &self.node.delayed, now);
        self.records.push(Record::Delayed(DelayedRecord { number, due, body: Body::Held(message), mark }));
        self.journal(out);
    }

    /// Publishes those whose time has come.
    pub(crate) fn publish_due(&mut self, now: Now, out: &mut Outbox) {
        while let Some((number, message)) = self.delayed.pop_due(now.time, &self.node.delayed) {
            let topic =
                TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked on its way in");
            let origin = Origin { was_delayed: Some(number), ..Origin::default() };
            self.publish(topic, message.view(), origin, out);
        }
    }

    /// Writes down, for a checkpoint, those from this number on; where to go on, if there are more.
    pub(crate) fn write_delayed(&mut self, from: DelayedNumber, left: &mut usize) -> Option<DelayedNumber> {
        let mut waiting = self.delayed.waiting.range(from..);
        while *left > 0 {
            let (number, Waiting { due, message, .. }) = waiting.next()?;
            *left -= 1;
            let (number, due, body) = (*number, *due, Body::Held(Arc::clone(message)));
            self.records.push(Record::Delayed(DelayedRecord { number, due, body, mark: None }));
        }
        waiting.next().map(|(number, _)| *number)
    }
}

//! Records in words: a line each.

use std::collections::HashMap;
use std::fmt::Write;

use martlet_record::{
    Body, DelayedRecord, Ending, KeptCopy, KeptSession, Message, PublishRecord, Record, SessionNumber,
    SessionRecord, Settled, Stored, SubscribeRecord, WallTime,
};

/// Names that one line lists.
const NAMES_MAX: usize = 8;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A Session begins, goes on, is left, ends.
    Session,
    /// A Subscription is made or deleted.
    Subscription,
    /// A message is accepted, or is published later.
    Message,
    /// A retained message is replaced or deleted.
    Retained,
    /// A message is sent, received, finished.
    Progress,
    /// What a checkpoint writes down.
    Checkpoint,
    /// The log's own: parts of large messages, what was moved, what is damaged.
    Log,
}

/// What is known to put a record into words.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    /// Whose Sessions have these numbers.
    pub(crate) clients: HashMap<SessionNumber, Box<str>>,
    /// Messages that were read back.
    pub(crate) messages: HashMap<Stored, Message>,
}

impl Kind {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Opened(_) | Record::Resumed(_) | Record::Disconnected { .. } | Record::Ended { .. } => {
                Self::Session
            }
            Record::Subscribed(_) | Record::Unsubscribed { .. } => Self::Subscription,
            Record::Published(_) | Record::Delayed(_) => Self::Message,
            Record::Retained { .. } | Record::RetainedBy { .. } => Self::Retained,
            Record::Sent { .. }
            | Record::Received { .. }
            | Record::Settled { .. }
            | Record::Released { .. } => Self::Progress,
            Record::Kept(_) | Record::KeptCopies { .. } | Record::Snapshotted { .. } => Self::Checkpoint,
        }
    }
}

impl Lexicon {
    /// Learns from a record whose Session has which number.
    pub(crate) fn learn(&mut self, record: &Record) {
        let terms = match record {
            Record::Opened(terms) | Record::Resumed(terms) => terms,
            Record::Kept(kept) => &kept.terms,
            _ => return,
        };
        self.clients.entry(terms.session).or_insert_with(|| terms.client_id.clone());
    }

    /// A record in words, with the moment it was decided.
    pub(crate) fn words(&self, record: &Record, at: WallTime) -> String {
        match record {
            Record::Opened(terms) => {
                format!("session of {} begins{}", self.client(terms.session), terms_of(terms))
            }
            Record::Resumed(terms) => format!("{} is back{}", self.client(terms.session), terms_of(terms)),
            Record::Disconnected { session, expiry, .. } => {
                format!("{} is gone, {}", self.client(*session), expiry_of(*expiry))
            }
            Record::Ended { session, why, .. } => {
                let why = match why {
                    Ending::CleanStart => "clean start",
                    Ending::Expired => "expired",
                };
                format!("session of {} ends: {why}", self.client(*session))
            }
            Record::Subscribed(made) => self.subscribed(made),
            Record::Unsubscribed { session, filter } => {
                format!("{} unsubscribes from {}", self.client(*session), safe(filter))
            }
            Record::Published(published) => self.published(published),
            Record::Retained { topic, version, body } => match body {
                Some(body) => format!("retained {}, {} bytes, version {version}", safe(topic), body.len()),
                None => format!("retained {} is deleted, version {version}", safe(topic)),
            },
            Record::RetainedBy { topic, version, source } => {
                format!("retained {}, version {version}, is by {}", safe(topic), safe(&source.client_id))
            }
            Record::Delayed(delayed) => self.delayed(delayed, at),
            Record::Sent { session, up_to } => {
                format!("{} was sent up to #{}", self.client(*session), up_to.0)
            }
            Record::Received { session, ordinal, .. } => {
                format!("{} has received #{}", self.client(*session), ordinal.0)
            }
            Record::Settled { session, ordinal, how } => {
                format!("{} is through with #{}: {}", self.client(*session), ordinal.0, settled(*how))
            }
            Record::Released { session, packet_id } => {
                format!("{} released packet identifier {packet_id}", self.client(*session))
            }
            Record::Kept(kept) => self.kept(kept),
            Record::KeptCopies { session, copies } => self.kept_copies(*session, copies),
            Record::Snapshotted { checkpoint, .. } => {
                format!("shard is through with checkpoint {}", checkpoint.0)
            }
        }
    }

    fn subscribed(&self, made: &SubscribeRecord) -> String {
        let queued = made.queued_copies().count();
        let retained = if queued > 0 { format!(", retained messages: {queued}") } else { String::new() };
        let qos = u8::from(made.options.qos);
        format!("{} subscribes to {}, QoS {qos}{retained}", self.client(made.session), safe(&made.filter))
    }

    fn published(&self, published: &PublishRecord) -> String {
        let mut words = format!("message {}", self.message(&published.body));
        let receivers: Vec<_> =
            published.copies.iter().flat_map(|(_, copies)| copies).map(|copy| copy.session).collect();
        let _ = match receivers.as_slice() {
            [] => write!(words, " for nobody"),
            receivers => write!(words, " for {}", self.list(receivers)),
        };
        let from = published.mark.map(|(session, id)| format!(", from {} as {id}", self.client(session)));
        words.extend(from);
        words.extend(published.will_of.map(|session| format!(", will of {}", self.client(session))));
        words.extend(published.was_delayed.map(|number| format!(", was delayed as {}", number.0)));
        words.extend(
            published.passed_from.map(|session| format!(", passed on from {}", self.client(session))),
        );
        words
    }

    fn delayed(&self, delayed: &DelayedRecord, at: WallTime) -> String {
        let DelayedRecord { number, due, body, .. } = delayed;
        let seconds = due.0.saturating_sub(at.0).div_ceil(1000);
        format!("message {}, delayed as {} for {seconds} s", self.message(body), number.0)
    }

    fn kept(&self, kept: &KeptSession) -> String {
        let state = if kept.absent.is_none() { "connected" } else { "gone" };
        format!(
            "kept: session of {}, {state}, subscriptions: {}, next #{}",
            self.client(kept.terms.session),
            kept.subscriptions.len(),
            kept.next.0
        )
    }

    fn kept_copies(&self, session: SessionNumber, copies: &[KeptCopy]) -> String {
        let (first, last) = (copies.first(), copies.last());
        let range =
            first.zip(last).map(|(first, last)| format!(", #{} to #{}", first.ordinal.0, last.ordinal.0));
        format!("kept: queue of {}: {}{}", self.client(session), copies.len(), range.unwrap_or_default())
    }

    /// Topic Name, Quality of Service and length of a Message.
    fn message(&self, body: &Body) -> String {
        let found = body.stored().and_then(|stored| self.messages.get(&stored));
        match found {
            Some(message) => {
                let qos = u8::from(message.qos);
                format!("{}, QoS {qos}, {} bytes", safe(message.topic()), message.payload_len())
            }
            None => format!("of {} bytes, which cannot be read any more", body.len()),
        }
    }

    fn list(&self, sessions: &[SessionNumber]) -> String {
        let mut names: Vec<_> =
            sessions.iter().take(NAMES_MAX).map(|session| self.client(*session)).collect();
        if sessions.len() > NAMES_MAX {
            names.push(format!("{} others", sessions.len() - NAMES_MAX));
        }
        names.join(", ")
    }

    /// A Client, or the number of a Session that nobody named.
    fn client(&self, session: SessionNumber) -> String {
        match self.clients.get(&session) {
            Some(client_id) => format!("{client_id:?}"),
            None => format!("session {}", session.0),
        }
    }
}

fn terms_of(terms: &SessionRecord) -> String {
    let will = terms.will.as_ref().map(|will| format!(", will {}", safe(will.message.topic())));
    format!(", {}{}", expiry_of(terms.expiry), will.unwrap_or_default())
}

/// Strangers chose it: it must not write to a terminal what is no text.
fn safe(text: impl ToString) -> String {
    text.to_string().escape_debug().to_string()
}

fn expiry_of(seconds: u32) -> String {
    match seconds {
        u32::MAX => "kept for ever".to_owned(),
        seconds => format!("kept for {seconds} s"),
    }
}

fn settled(how: Settled) -> &'static str {
    match how {
        Settled::Delivered => "delivered",
        Settled::Refused => "refused",
        Settled::Expired => "expired",
        Settled::QueueFull => "dropped, the queue was full",
        Settled::TooLarge => "dropped, larger than its packets may be",
        Settled::Replaced => "replaced before it was queued",
        Settled::Damaged => "dropped, it could not be read",
        Settled::Denied => "dropped, its client may no longer receive it",
    }
}

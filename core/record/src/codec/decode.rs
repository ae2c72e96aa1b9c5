//! From bytes to records. Nothing is set aside for a count before its bytes are there.

use std::sync::Arc;

use martlet_packet::{PacketId, QoS, SubscriptionOptions};
use martlet_topic::{Limits, SubscriptionFilter};

use super::last::{Last, SessionStep, add};
use super::{END, flag, kind, run, values};
use crate::body::take;
use crate::{
    Batch, BatchNumber, Body, CheckpointNumber, CopyRecord, DelayedNumber, DelayedRecord, KeptCopy,
    KeptSession, Message, Need, Now, Ordinal, Place, Position, PublishRecord, Record, ReplayedCopy,
    RetainedSource, SessionNumber, SessionRecord, ShardId, Stored, SubscribeRecord, Time, WallTime,
    WillRecord, varint,
};

/// Why bytes are no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// A newer version of the program wrote it: only that can read it.
    Newer {
        /// The kind of record that is not known, or has parts that are not.
        kind: u8,
        /// Bytes from the start of the batch.
        offset: usize,
    },
    /// It is not what any version writes.
    Malformed {
        /// What was to be read.
        what: &'static str,
        /// Bytes from the start of the batch.
        offset: usize,
    },
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer { kind, offset } => {
                write!(
                    formatter,
                    "a record of kind {kind} as only a newer version writes it, at byte {offset}"
                )
            }
            Self::Malformed { what, offset } => write!(formatter, "no {what} at byte {offset}"),
        }
    }
}

impl std::error::Error for DecodeError {}

type Result<T> = std::result::Result<T, DecodeError>;

impl Batch {
    /// Takes a batch off the front of `bytes`, whose first byte lies at `base`; on an error `bytes` stays as it is.
    ///
    /// Messages come back as their places, of which `named` hears, but for Wills, whose deadlines are counted from
    /// the start of the node. How safe the batch was to be is not kept, nor are hints.
    pub fn decode(bytes: &mut &[u8], base: Place, named: &mut dyn FnMut(Stored)) -> Result<Self> {
        let start = ShardId::new(0);
        let mut decoder = Decoder {
            len: bytes.len(),
            rest: bytes,
            base,
            named,
            wall: WallTime(0),
            kind: END,
            last: Last::new(start, base),
        };
        let batch = decoder.batch()?;
        *bytes = decoder.rest;
        Ok(batch)
    }
}

struct Decoder<'a, 'n> {
    len: usize,
    rest: &'a [u8],
    base: Place,
    named: &'n mut dyn FnMut(Stored),
    wall: WallTime,
    /// Of the record that is read.
    kind: u8,
    last: Last,
}

impl<'a> Decoder<'a, '_> {
    fn batch(&mut self) -> Result<Batch> {
        let shard = self.shard()?;
        self.last = Last::new(shard, self.base);
        let number = BatchNumber(self.number("batch number")?);
        self.wall = WallTime(self.number("time")?);
        let mut records = Vec::new();
        loop {
            self.kind = self.byte("kind of record")?;
            if self.kind == END {
                break;
            }
            self.record(&mut records)?;
        }
        Ok(Batch {
            shard,
            number,
            records,
            need: Need::default(),
            at: Now { time: Time::START, wall: self.wall },
        })
    }

    fn record(&mut self, records: &mut Vec<Record>) -> Result<()> {
        let record = match self.kind {
            kind::OPENED => Record::Opened(self.terms()?),
            kind::RESUMED => Record::Resumed(self.terms()?),
            kind::DISCONNECTED => self.disconnected()?,
            kind::ENDED => {
                let session = self.session()?;
                let why = self.choice("ending", values::ending_from)?;
                Record::Ended { session, why, entered: Position(self.number("position")?) }
            }
            kind::SUBSCRIBED => Record::Subscribed(self.subscribed()?),
            kind::UNSUBSCRIBED => Record::Unsubscribed { session: self.session()?, filter: self.filter()? },
            kind::PUBLISHED => Record::Published(self.published()?),
            kind::RETAINED => self.retained()?,
            kind::RETAINED_BY => self.retained_by()?,
            kind::DELAYED => Record::Delayed(self.delayed()?),
            kind::SENT => Record::Sent { session: self.session()?, up_to: self.ordinal()? },
            kind::RECEIVED => {
                Record::Received { session: self.session()?, slot: 0, ordinal: self.ordinal()? }
            }
            kind::SETTLED => return self.settled(records),
            kind::RELEASED => Record::Released { session: self.session()?, packet_id: self.packet_id()? },
            kind::KEPT => Record::Kept(self.kept()?),
            kind::KEPT_COPIES => {
                Record::KeptCopies { session: self.session()?, copies: self.list(Self::kept_copy)? }
            }
            kind::SNAPSHOTTED => Record::Snapshotted {
                checkpoint: CheckpointNumber(self.number("checkpoint")?),
                opened: self.number("count of Sessions")?,
                delayed: self.number("count of delayed Messages")?,
                version: self.number("version")?,
            },
            unknown if unknown & kind::SKIPPABLE != 0 => return self.skip(),
            _ => return Err(self.newer()),
        };
        records.push(record);
        Ok(())
    }

    fn skip(&mut self) -> Result<()> {
        self.counted("record to pass over").map(drop)
    }

    fn terms(&mut self) -> Result<SessionRecord> {
        let flags = self.flags(flag::WILL)?;
        Ok(SessionRecord {
            session: self.session()?,
            client_id: self.text("Client Identifier")?.into(),
            expiry: self.u32("Session Expiry Interval")?,
            will: (flags & flag::WILL != 0).then(|| self.will()).transpose()?,
        })
    }

    fn will(&mut self) -> Result<WillRecord> {
        let flags = self.flags(flag::EXPIRY)?;
        let delay = self.u32("Will Delay Interval")?;
        let expires = flags & flag::EXPIRY != 0;
        let expiry = expires.then(|| self.u32("Message Expiry Interval")).transpose()?;
        let offset = self.offset();
        let body = self.counted("Will Message")?;
        let now = Now { time: Time::START, wall: self.wall };
        let message = Message::decode(body, None, now)
            .map_err(|_| DecodeError::Malformed { what: "Will Message", offset })?;
        Ok(WillRecord { message: Arc::new(message), expiry, delay })
    }

    fn disconnected(&mut self) -> Result<Record> {
        let flags = self.flags(flag::WILL_DISCARDED)?;
        Ok(Record::Disconnected {
            session: self.session()?,
            expiry: self.u32("Session Expiry Interval")?,
            will_discarded: flags & flag::WILL_DISCARDED != 0,
            at: self.wall()?,
        })
    }

    fn subscribed(&mut self) -> Result<SubscribeRecord> {
        let session = self.session()?;
        let (filter, options, subscription_id) = self.subscription()?;
        let replayed = self.list(|decoder| {
            let qos = decoder.choice("Quality of Service", |number| QoS::try_from(number).ok())?;
            Ok(ReplayedCopy { qos, body: decoder.body()? })
        })?;
        Ok(SubscribeRecord { session, slot: 0, filter, options, subscription_id, replayed })
    }

    fn published(&mut self) -> Result<PublishRecord> {
        let flags = self.flags(flag::MARK | flag::WILL_OF | flag::WAS_DELAYED | flag::PASSED_FROM)?;
        let is = |flag| flags & flag != 0;
        Ok(PublishRecord {
            body: self.body()?,
            mark: is(flag::MARK).then(|| self.mark()).transpose()?,
            will_of: is(flag::WILL_OF).then(|| self.session()).transpose()?,
            was_delayed: is(flag::WAS_DELAYED).then(|| self.delayed_number()).transpose()?,
            passed_from: is(flag::PASSED_FROM).then(|| self.session()).transpose()?,
            copies: self.copies()?,
        })
    }

    /// By home shard again: those of one shard were written together.
    fn copies(&mut self) -> Result<Vec<(ShardId, Vec<CopyRecord>)>> {
        let mut homes: Vec<(ShardId, Vec<CopyRecord>)> = Vec::new();
        for _ in 0..self.number("count of copies")? {
            let copy = self.copy()?;
            match homes.last_mut() {
                Some((home, copies)) if *home == copy.session.shard() => copies.push(copy),
                _ => homes.push((copy.session.shard(), vec![copy])),
            }
        }
        Ok(homes)
    }

    fn copy(&mut self) -> Result<CopyRecord> {
        let known = flag::COPY_QOS | flag::COPY_RETAIN | flag::COPY_IDS | flag::COPY_SHARE;
        let flags = self.flags(known)?;
        Ok(CopyRecord {
            qos: self.copy_qos(flags)?,
            retain: flags & flag::COPY_RETAIN != 0,
            session: self.session()?,
            slot: 0,
            subscription_ids: self.subscription_ids(flags)?,
            share: self.share(flags)?,
        })
    }

    fn retained(&mut self) -> Result<Record> {
        let flags = self.flags(flag::BODY)?;
        Ok(Record::Retained {
            topic: self.text("Topic Name")?.into(),
            version: self.number("version")?,
            body: (flags & flag::BODY != 0).then(|| self.body()).transpose()?,
        })
    }

    fn retained_by(&mut self) -> Result<Record> {
        let flags = self.flags(flag::USERNAME)?;
        let (topic, version) = (self.text("Topic Name")?.into(), self.number("version")?);
        let client_id = self.text("Client Identifier")?.into();
        let (offset, realm) = (self.offset(), self.number("realm")?);
        let realm = u16::try_from(realm).map_err(|_| DecodeError::Malformed { what: "realm", offset })?;
        let username = (flags & flag::USERNAME != 0).then(|| self.text("User Name")).transpose()?;
        let source = RetainedSource { client_id, username: username.map(Into::into), realm };
        Ok(Record::RetainedBy { topic, version, source })
    }

    fn delayed(&mut self) -> Result<DelayedRecord> {
        let flags = self.flags(flag::MARK)?;
        Ok(DelayedRecord {
            number: self.delayed_number()?,
            due: self.wall()?,
            body: self.body()?,
            mark: (flags & flag::MARK != 0).then(|| self.mark()).transpose()?,
        })
    }

    fn settled(&mut self, records: &mut Vec<Record>) -> Result<()> {
        let offset = self.offset();
        let byte = self.byte("end of a copy")?;
        let how = values::settled_from(byte & run::HOW).ok_or(self.newer())?;
        let (session, first) = (self.session()?, self.ordinal()?);
        for more in 0..=u64::from(byte >> run::SHIFT) {
            let ordinal = first.0.checked_add(more).map(Ordinal);
            let ordinal = ordinal.ok_or(DecodeError::Malformed { what: "end of a copy", offset })?;
            records.push(Record::Settled { session, ordinal, how });
        }
        Ok(())
    }

    fn kept(&mut self) -> Result<KeptSession> {
        Ok(KeptSession {
            terms: self.terms()?,
            inbound: self.list(Self::packet_id)?,
            subscriptions: self.list(Self::subscription)?,
            next: Ordinal(self.number("next ordinal")?),
            entered: Position(self.number("position")?),
            absent: self.number("time without a Network Connection")?.checked_sub(1),
        })
    }

    fn kept_copy(&mut self) -> Result<KeptCopy> {
        let offset = self.offset();
        let flags = self.byte("flags")?;
        let progress = values::progress_from(flags >> flag::COPY_PROGRESS_SHIFT);
        Ok(KeptCopy {
            progress: progress.ok_or(DecodeError::Malformed { what: "progress of a copy", offset })?,
            qos: self.copy_qos(flags)?,
            retain: flags & flag::COPY_RETAIN != 0,
            ordinal: self.ordinal()?,
            body: (flags & flag::COPY_BODY != 0).then(|| self.body()).transpose()?,
            subscription_ids: self.subscription_ids(flags)?,
            share: self.share(flags)?,
        })
    }

    fn copy_qos(&self, flags: u8) -> Result<QoS> {
        QoS::try_from(flags & flag::COPY_QOS).map_err(|_| self.malformed("Quality of Service"))
    }

    fn subscription_ids(&mut self, flags: u8) -> Result<Option<Arc<[u32]>>> {
        if flags & flag::COPY_IDS == 0 {
            return Ok(None);
        }
        const WHAT: &str = "Subscription Identifiers";
        let offset = self.offset();
        if let Some(count) = self.number(WHAT)?.checked_sub(1) {
            let ids: Result<Vec<u32>> = (0..count).map(|_| self.u32(WHAT)).collect();
            self.last.subscription_ids = Some(ids?.into());
        }
        let ids = self.last.subscription_ids.clone();
        ids.ok_or(DecodeError::Malformed { what: WHAT, offset }).map(Some)
    }

    fn share(&mut self, flags: u8) -> Result<Option<Arc<SubscriptionFilter>>> {
        if flags & flag::COPY_SHARE == 0 {
            return Ok(None);
        }
        if self.rest.first() != Some(&0) {
            self.last.share = Some(Arc::new(self.filter()?));
        } else {
            self.rest = &self.rest[1..];
        }
        let share = self.last.share.clone();
        share.ok_or(self.malformed("Shared Subscription")).map(Some)
    }

    fn body(&mut self) -> Result<Body> {
        const WHAT: &str = "Message";
        let offset = self.offset();
        let number = self.number(WHAT)?;
        let len = u32::try_from(number >> 1).map_err(|_| DecodeError::Malformed { what: WHAT, offset })?;
        let place = if number & 1 == 1 { self.body_here(len)? } else { self.place()? };
        let stored = Stored { place, len };
        (self.named)(stored);
        Ok(Body::Stored(stored))
    }

    /// The body is not looked at: it has its own checksum, for whoever reads it.
    fn body_here(&mut self, len: u32) -> Result<Place> {
        let place = self.base.plus(self.offset());
        take(&mut self.rest, len as usize).ok_or(self.malformed("Message"))?;
        self.last.step_to_place(place);
        Ok(place)
    }

    fn place(&mut self) -> Result<Place> {
        let offset = self.offset();
        let step = self.number("place")?;
        self.last.take_place_step(step).ok_or(DecodeError::Malformed { what: "place", offset })
    }

    fn subscription(&mut self) -> Result<(SubscriptionFilter, SubscriptionOptions, Option<u32>)> {
        let filter = self.filter()?;
        let offset = self.offset();
        let byte = self.byte("Subscription Options")?;
        let options = values::options_from(byte & !flag::OPTIONS_ID)
            .ok_or(DecodeError::Malformed { what: "Subscription Options", offset })?;
        let id = (byte & flag::OPTIONS_ID != 0).then(|| self.u32("Subscription Identifier")).transpose()?;
        Ok((filter, options, id))
    }

    fn filter(&mut self) -> Result<SubscriptionFilter> {
        const WHAT: &str = "Topic Filter";
        let offset = self.offset();
        SubscriptionFilter::parse(self.text(WHAT)?, &Limits::UNLIMITED)
            .map_err(|_| DecodeError::Malformed { what: WHAT, offset })
    }

    fn session(&mut self) -> Result<SessionNumber> {
        const WHAT: &str = "Session number";
        let offset = self.offset();
        let (mut step, shard_follows) = SessionStep::from_number(self.number(WHAT)?);
        if shard_follows {
            step.shard = Some(self.shard()?);
        }
        self.last.take_session_step(step).ok_or(DecodeError::Malformed { what: WHAT, offset })
    }

    fn shard(&mut self) -> Result<ShardId> {
        self.choice("shard", |index| (usize::from(index) < ShardId::COUNT).then(|| ShardId::new(index)))
    }

    fn mark(&mut self) -> Result<(SessionNumber, PacketId)> {
        Ok((self.session()?, self.packet_id()?))
    }

    fn ordinal(&mut self) -> Result<Ordinal> {
        let step = self.number("ordinal")?;
        Ok(self.last.take_ordinal_step(step))
    }

    fn delayed_number(&mut self) -> Result<DelayedNumber> {
        self.number("number of a delayed Message").map(DelayedNumber)
    }

    fn packet_id(&mut self) -> Result<PacketId> {
        const WHAT: &str = "Packet Identifier";
        let offset = self.offset();
        let number = u16::try_from(self.number(WHAT)?).ok();
        number.and_then(PacketId::new).ok_or(DecodeError::Malformed { what: WHAT, offset })
    }

    fn wall(&mut self) -> Result<WallTime> {
        let step = self.number("time")?;
        Ok(WallTime(add(self.wall.0, step)))
    }

    /// So many as are said to follow: the end of the bytes ends them as well.
    fn list<T>(&mut self, mut next: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.number("count")?;
        (0..count).map(|_| next(self)).collect()
    }

    fn text(&mut self, what: &'static str) -> Result<&'a str> {
        let offset = self.offset();
        std::str::from_utf8(self.counted(what)?).map_err(|_| DecodeError::Malformed { what, offset })
    }

    fn counted(&mut self, what: &'static str) -> Result<&'a [u8]> {
        let offset = self.offset();
        let len = usize::try_from(self.number(what)?).ok();
        len.and_then(|len| take(&mut self.rest, len)).ok_or(DecodeError::Malformed { what, offset })
    }

    /// A bit that has no meaning yet is a newer version's.
    fn flags(&mut self, known: u8) -> Result<u8> {
        let flags = self.byte("flags")?;
        if flags & !known == 0 { Ok(flags) } else { Err(self.newer()) }
    }

    fn choice<T>(&mut self, what: &'static str, of: impl FnOnce(u8) -> Option<T>) -> Result<T> {
        let offset = self.offset();
        of(self.byte(what)?).ok_or(DecodeError::Malformed { what, offset })
    }

    fn u32(&mut self, what: &'static str) -> Result<u32> {
        let offset = self.offset();
        u32::try_from(self.number(what)?).map_err(|_| DecodeError::Malformed { what, offset })
    }

    fn number(&mut self, what: &'static str) -> Result<u64> {
        varint::take(&mut self.rest).ok_or(self.malformed(what))
    }

    fn byte(&mut self, what: &'static str) -> Result<u8> {
        take(&mut self.rest, 1).map(|byte| byte[0]).ok_or(self.malformed(what))
    }

    fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { what, offset: self.offset() }
    }

    fn newer(&self) -> DecodeError {
        DecodeError::Newer { kind: self.kind, offset: self.offset() }
    }
}

//! The log as people read it: a line a record.

use std::ops::ControlFlow;

use martlet_disk::{Content, Frame, OpenError};
use martlet_record::{Batch, Body, Message, Now, Place, Position, Record, Stored, WallTime};
use martlet_topic::{Limits, TopicFilter, TopicName};

use super::words::{Kind, Lexicon};
use super::{Progress, Stage, Store};

/// Which records are wanted; by default all.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those about the Session of this Client.
    pub client: Option<String>,
    /// Those about a Topic Name that this matches.
    pub topic: Option<TopicFilter>,
    /// Those of these kinds, if there are any.
    pub kinds: Vec<Kind>,
    /// With what messages carry.
    pub payloads: bool,
}

/// A record in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where its frame begins.
    pub place: Place,
    /// Its frame in the order of the log.
    pub position: Position,
    /// When it was decided.
    pub wall: WallTime,
    /// Which shard wrote it; `None`: the log itself.
    pub shard: Option<usize>,
    /// What it is about.
    pub kind: Kind,
    /// What it says.
    pub words: String,
    /// What the Message carries, if that is wanted and can be read.
    pub payload: Option<Vec<u8>>,
}

/// Takes lines until it had enough.
type Each<'a> = &'a mut dyn FnMut(&Line) -> ControlFlow<()>;

impl Store {
    /// Puts the log into words, as far back as it goes, over whatever cannot be read, until `each` has had enough.
    pub fn dump(
        &self,
        wanted: &Wanted,
        each: &mut dyn FnMut(&Line) -> ControlFlow<()>,
        progress: Progress<'_>,
    ) -> Result<(), OpenError> {
        let mut dump = Dump { store: self, wanted, lexicon: Lexicon::default(), each, has_enough: false };
        // Who has which Session, and where Messages are that were moved.
        let learned = self.inspection.batches(
            &mut |batch, _| batch.records.iter().for_each(|record| dump.lexicon.learn(record)),
            &mut |done, total| progress(Stage::Log, done, total),
        );
        match learned {
            Ok(_) | Err(OpenError::Damaged(_) | OpenError::Records { .. }) => {}
            Err(error) => return Err(error),
        }
        self.inspection.frames(&mut |frame| dump.frame(&frame))
    }
}

struct Dump<'a> {
    store: &'a Store,
    wanted: &'a Wanted,
    lexicon: Lexicon,
    each: Each<'a>,
    has_enough: bool,
}

impl Dump<'_> {
    fn frame(&mut self, frame: &Frame) {
        if self.has_enough {
            return;
        }
        let (kind, words) = match &frame.content {
            Content::Batches(batches) => return self.batches(frame, batches),
            Content::Bytes(len) => (Kind::Log, format!("{len} bytes of messages")),
            Content::Whereabouts(count) => (Kind::Log, format!("where {count} messages are now")),
            Content::Began(number) => (Kind::Checkpoint, format!("checkpoint {} begins", number.0)),
            Content::Complete(number) => (Kind::Checkpoint, format!("checkpoint {} is complete", number.0)),
            Content::Mark => (Kind::Log, "everything before this is on the disk".to_owned()),
            Content::Lost(next) => (
                Kind::Log,
                format!("lost in a repair: everything up to position {}", next.0.saturating_sub(1)),
            ),
            Content::Damaged => (Kind::Log, format!("DAMAGED, {} bytes", frame.bytes)),
            Content::Unreadable(why) => (Kind::Log, format!("UNREADABLE: {why}")),
        };
        if self.wants_kind(kind) && self.wanted.client.is_none() && self.wanted.topic.is_none() {
            self.say(&Line { words, kind, ..line(frame) });
        }
    }

    fn batches(&mut self, frame: &Frame, batches: &[Batch]) {
        let records = || batches.iter().flat_map(|batch| &batch.records);
        records().for_each(|record| self.lexicon.learn(record));
        self.read_messages(records());
        for batch in batches {
            for record in &batch.records {
                if self.has_enough {
                    return;
                }
                if !self.wants(record) {
                    continue;
                }
                let message = self.message_of(record).filter(|_| self.wanted.payloads);
                let line = Line {
                    wall: batch.at.wall,
                    shard: Some(batch.shard.index()),
                    kind: Kind::of(record),
                    words: self.lexicon.words(record, batch.at.wall),
                    payload: message.map(|message| message.payload().to_vec()),
                    ..line(frame)
                };
                self.say(&line);
            }
        }
    }

    fn say(&mut self, line: &Line) {
        self.has_enough = (self.each)(line).is_break();
    }

    /// Reads back what must be known of the Messages of a frame.
    fn read_messages<'r>(&mut self, records: impl Iterator<Item = &'r Record>) {
        let needs_all = self.wanted.topic.is_some();
        let is_needed = |record: &&Record| needs_all || !matches!(record, Record::KeptCopies { .. });
        let mut stored: Vec<Stored> =
            records.filter(is_needed).flat_map(Record::bodies).filter_map(Body::stored).collect();
        stored.sort_unstable();
        stored.dedup();
        let read = self.store.inspection.read(&stored, Now::default());
        self.lexicon.messages.clear();
        self.lexicon
            .messages
            .extend(stored.into_iter().zip(read).filter_map(|(stored, read)| Some((stored, read.ok()?))));
    }

    fn wants(&self, record: &Record) -> bool {
        self.wants_kind(Kind::of(record)) && self.wants_client(record) && self.wants_topic(record)
    }

    fn wants_kind(&self, kind: Kind) -> bool {
        self.wanted.kinds.is_empty() || self.wanted.kinds.contains(&kind)
    }

    fn wants_client(&self, record: &Record) -> bool {
        let Some(wanted) = &self.wanted.client else { return true };
        let is_it = |session| self.lexicon.clients.get(&session).is_some_and(|client| **client == **wanted);
        record.sessions().into_iter().any(is_it)
    }

    fn wants_topic(&self, record: &Record) -> bool {
        let Some(filter) = &self.wanted.topic else { return true };
        let matches = |topic: &str| {
            TopicName::parse(topic, &Limits::UNLIMITED).is_ok_and(|topic| filter.matches(topic))
        };
        match record {
            Record::Retained { topic, .. } => matches(topic),
            record => {
                record.bodies().filter_map(|body| self.found(body)).any(|message| matches(message.topic()))
            }
        }
    }

    /// The one Message a record is about.
    fn message_of(&self, record: &Record) -> Option<&Message> {
        match record {
            Record::Published(_) | Record::Retained { .. } | Record::Delayed(_) => {
                record.bodies().next().and_then(|body| self.found(body))
            }
            _ => None,
        }
    }

    fn found(&self, body: &Body) -> Option<&Message> {
        self.lexicon.messages.get(&body.stored()?)
    }
}

/// What every line of a frame has in common.
fn line(frame: &Frame) -> Line {
    Line {
        place: frame.place,
        position: frame.position,
        wall: frame.wall,
        shard: None,
        kind: Kind::Log,
        words: String::new(),
        payload: None,
    }
}

//! Messages of one turn on their way to the shards of their receivers, packed.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use martlet_packet::QoS;
use martlet_record::{Message, MessageRef, SessionNumber, Time};

use crate::Destinations;

/// Above this a Message is put in a block of its own, so that its receivers can share it.
const INLINE_BYTES: usize = 2048;

/// Messages in the order they were published.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Topic Names, one behind the other: so none is looked through again.
    topics: String,
    /// Properties and payloads.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    to: Arc<Destinations>,
    body: Body,
    message: OnceCell<Arc<Message>>,
}

#[derive(Debug)]
enum Body {
    Inline(Inline),
    /// The Message lies in the cell beside.
    Shared,
}

#[derive(Debug)]
struct Inline {
    topic: usize,
    topic_len: usize,
    start: usize,
    properties_len: usize,
    payload_len: usize,
    qos: QoS,
    retain: bool,
    publisher: SessionNumber,
    expires: Option<Time>,
    version: u64,
}

/// Messages in a row with the same receivers.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    chunk: &'a Chunk,
    first: usize,
    end: usize,
}

/// One Message of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    chunk: &'a Chunk,
    entry: &'a Entry,
}

/// What decides how a Message may be sent.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Quality of Service it was published with.
    pub qos: QoS,
    /// It is small, is not retained and does not expire: all who get it with QoS 0 get the same bytes.
    pub is_plain: bool,
    /// Bytes of payload.
    pub payload_len: usize,
}

impl Chunk {
    /// Packs a Message.
    pub fn push(&mut self, message: &MessageRef<'_>, to: Arc<Destinations>) {
        let len = message.topic.len() + message.properties.len() + message.payload.len();
        if len > INLINE_BYTES {
            return self.push_shared(Arc::new(message.to_message()), to);
        }
        let (topic, start) = (self.topics.len(), self.bytes.len());
        self.topics.push_str(message.topic);
        self.bytes.extend_from_slice(message.properties);
        self.bytes.extend_from_slice(message.payload);
        let body = Body::Inline(Inline {
            topic,
            topic_len: message.topic.len(),
            start,
            properties_len: message.properties.len(),
            payload_len: message.payload.len(),
            qos: message.qos,
            retain: message.retain,
            publisher: message.publisher,
            expires: message.expires,
            version: message.version,
        });
        self.entries.push(Entry { to, body, message: OnceCell::new() });
    }

    /// Packs a Message that has a block of its own already.
    pub fn push_shared(&mut self, message: Arc<Message>, to: Arc<Destinations>) {
        self.entries.push(Entry { to, body: Body::Shared, message: OnceCell::from(message) });
    }

    /// Nothing is packed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes packed, blocks of their own counted too.
    pub fn len_bytes(&self) -> usize {
        let blocks = self.entries.iter().filter_map(|entry| entry.message.get());
        self.topics.len()
            + self.bytes.len()
            + self.entries.len() * size_of::<Entry>()
            + blocks.map(|block| block.size()).sum::<usize>()
    }

    /// Forgets all, keeps the space.
    pub fn clear(&mut self) {
        self.topics.clear();
        self.bytes.clear();
        self.entries.clear();
    }

    /// Messages in a row with the same receivers.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let to = &self.entries.get(first)?.to;
            let same = self.entries[first..].iter().take_while(|entry| Arc::ptr_eq(&entry.to, to)).count();
            let run = Run { chunk: self, first, end: first + same };
            first = run.end;
            Some(run)
        })
    }

    /// Packs a Message of another chunk, for another runner.
    pub fn push_packed(&mut self, packed: Packed<'_>) {
        let to = Arc::clone(&packed.entry.to);
        match (&packed.entry.body, packed.entry.message.get()) {
            (Body::Shared, Some(message)) => self.push_shared(Arc::clone(message), to),
            _ => self.push(&packed.message(), to),
        }
    }
}

impl<'a> Run<'a> {
    /// Who gets them.
    pub fn destinations(&self) -> &'a Destinations {
        &self.chunk.entries[self.first].to
    }

    /// Its Messages.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = Packed<'a>> + use<'a> {
        let chunk = self.chunk;
        chunk.entries[self.range()].iter().map(move |entry| Packed { chunk, entry })
    }

    fn range(&self) -> Range<usize> {
        self.first..self.end
    }
}

impl<'a> Packed<'a> {
    /// Borrowed.
    pub fn message(&self) -> MessageRef<'a> {
        match &self.entry.body {
            Body::Inline(inline) => inline.message(self.chunk),
            Body::Shared => self.entry.message.get().expect("a shared body has its message").view(),
        }
    }

    /// What decides how it may be sent, without its topic and payload.
    pub fn head(&self) -> Head {
        match &self.entry.body {
            Body::Inline(inline) => Head {
                qos: inline.qos,
                is_plain: !inline.retain && inline.expires.is_none(),
                payload_len: inline.payload_len,
            },
            Body::Shared => {
                let message = self.message();
                Head { qos: message.qos, is_plain: false, payload_len: message.payload.len() }
            }
        }
    }

    /// A copy that may wait; all receivers share one.
    pub fn shared(&self) -> &'a Arc<Message> {
        self.entry.message.get_or_init(|| Arc::new(self.message().to_message()))
    }

    /// Has it a block of its own, because it is large?
    pub fn is_large(&self) -> bool {
        matches!(self.entry.body, Body::Shared)
    }
}

impl Inline {
    fn message<'a>(&self, chunk: &'a Chunk) -> MessageRef<'a> {
        let (properties, rest) = chunk.bytes[self.start..].split_at(self.properties_len);
        MessageRef {
            topic: &chunk.topics[self.topic..self.topic + self.topic_len],
            properties,
            payload: &rest[..self.payload_len],
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher,
            expires: self.expires,
            version: self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &'static str, payload: &'static [u8]) -> MessageRef<'static> {
        MessageRef { properties: b"pp", publisher: SessionNumber(7), ..MessageRef::new(topic, payload) }
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_in_runs() {
        let (here, there) = (Arc::new(Destinations::default()), Arc::new(Destinations::default()));
        let mut chunk = Chunk::default();
        chunk.push(&message("a", b"1"), Arc::clone(&here));
        chunk.push(&message("b", b"2"), Arc::clone(&here));
        chunk.push(&message("c", &[3; INLINE_BYTES]), there);
        let runs: Vec<Vec<_>> = chunk
            .runs()
            .map(|run| {
                run.messages()
                    .map(|packed| (packed.message().topic, packed.message().payload.len()))
                    .collect()
            })
            .collect();
        assert_eq!(runs, [vec![("a", 1), ("b", 1)], vec![("c", INLINE_BYTES)]]);
        assert!(chunk.runs().nth(1).is_some_and(|run| run.messages().all(|packed| packed.is_large())));
    }
}

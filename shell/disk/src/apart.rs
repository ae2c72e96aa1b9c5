//! Messages that are written before the batch that names them: large ones, in parts with other batches between them,
//! and those of a batch that would be too long for one frame.

use std::io;
use std::sync::Arc;

use martlet_record::{Batch, Body, Message, Now, Place, Record};

use crate::files::Files;
use crate::frame::Kind;
use crate::log::Log;
use crate::shelf::{Span, Whereabouts, list};
use crate::waiting::weigh;
use crate::writer::body_of;

/// Below this it makes no difference.
const WORTH_BYTES: usize = 64;
/// Bytes of one part in the list of them, and of the list.
const SPAN_BYTES: usize = 12;
const LIST_BYTES: usize = 20;

/// A Message of which some is written.
#[derive(Debug)]
pub(crate) struct Part {
    message: Arc<Message>,
    /// Its name, if it was in the log before.
    name: Option<Place>,
    encoded: Vec<u8>,
    written: usize,
    spans: Vec<Span>,
}

impl<F: Files> Log<F> {
    /// Writes the next part, or lets the batch go whose Messages are all written.
    pub(crate) fn write_part(&mut self, now: Now) -> io::Result<()> {
        let Some(first) = self.queue.first_apart() else { return Ok(()) };
        if !self.has_begun_apart && self.wants_checkpoint(now.time) {
            return Ok(());
        }
        let Some(mut part) = self.part.take().or_else(|| self.next_part(&first.batch)) else {
            self.queue.release_apart();
            self.has_begun_apart = false;
            return Ok(());
        };
        self.has_begun_apart = true;
        let chunk = self.settings.part_bytes().min(part.encoded.len() - part.written);
        let body = if chunk > 0 { chunk } else { LIST_BYTES + part.spans.len() * SPAN_BYTES };
        if !self.make_room(body, now.time)? {
            self.part = Some(part);
            return Ok(());
        }
        if chunk > 0 {
            self.write_chunk(&mut part, chunk, now)?;
        } else {
            self.write_spans(&part, now)?;
        }
        let is_listed = chunk == 0 || (part.spans.len() == 1 && part.name.is_none());
        if part.written == part.encoded.len() && is_listed {
            part.finish();
        } else {
            self.part = Some(part);
        }
        Ok(())
    }

    fn write_chunk(&mut self, part: &mut Part, chunk: usize, now: Now) -> io::Result<()> {
        let bytes = &part.encoded[part.written..part.written + chunk];
        let frame = self.writer.append(Kind::Bytes, now.wall, |_, out| out.extend_from_slice(bytes))?;
        let len = u32::try_from(chunk).expect("parts are short");
        part.spans.push(Span { place: body_of(frame), len });
        part.written += chunk;
        self.wrote(now);
        Ok(())
    }

    /// Says where the parts are. The first of them gives the Message its name, unless it has one.
    fn write_spans(&mut self, part: &Part, now: Now) -> io::Result<()> {
        let name = part.name.unwrap_or(part.spans[0].place);
        let whereabouts = match part.spans.as_slice() {
            [only] => Whereabouts::One(only.place),
            spans => Whereabouts::Parts(spans.into()),
        };
        self.writer.append(Kind::Whereabouts, now.wall, |_, out| list::put(name, &whereabouts, out))?;
        self.shelf.moved(name, whereabouts);
        self.wrote(now);
        Ok(())
    }

    /// The next Message of a batch that is to be written apart.
    fn next_part(&self, batch: &Batch) -> Option<Part> {
        let held = || batch.records.iter().flat_map(Record::bodies).filter_map(Body::held);
        let lost = held().find(|message| message.stored().is_some_and(|stored| self.is_lost(stored)));
        let mut largest: Option<&Arc<Message>> = None;
        let weight = weigh(batch, |message| {
            let is_larger = largest.is_none_or(|largest| largest.encoded_len() < message.encoded_len());
            if is_larger && message.place().is_none() {
                largest = Some(message);
            }
        });
        let least =
            if weight > self.settings.group_bytes() { WORTH_BYTES } else { self.settings.part_bytes() };
        let large = largest.filter(|message| message.encoded_len() > least);
        let message = lost.or(large)?;
        let mut encoded = Vec::with_capacity(message.encoded_len());
        message.encode(batch.at, &mut encoded);
        Some(Part {
            message: Arc::clone(message),
            name: message.place(),
            encoded,
            written: 0,
            spans: Vec::new(),
        })
    }
}

impl Part {
    /// All of it is in the log: from now on it is named, not written.
    fn finish(self) {
        self.message.set_place(self.spans[0].place);
    }
}

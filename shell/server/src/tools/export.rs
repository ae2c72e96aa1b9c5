//! Retained, delayed and queued messages, for other programs.

use std::ops::ControlFlow;

use martlet_disk::{OpenError, ReadError};
use martlet_record::{KeptCopy, KeptProgress, Message, Now, Stored, Time, WallTime};

use super::contents::Contents;
use super::{Progress, Stage, Store};

/// Messages that are read at once, and their bytes.
const TOGETHER: usize = 4096;
const TOGETHER_BYTES: u64 = 8 << 20;
/// A clock on which every moment has the name it has on the wall.
const NOW: Now = Now { time: Time::START, wall: WallTime(0) };

/// A message that is kept.
#[derive(Debug, Clone)]
pub struct Exported<'a> {
    /// Why.
    pub why: Why<'a>,
    /// The Message as it was published.
    pub message: &'a Message,
    /// When it expires; `None`: never.
    pub expires: Option<WallTime>,
}

/// Why a message is kept.
#[derive(Debug, Clone, Copy)]
pub enum Why<'a> {
    /// It is retained.
    Retained,
    /// It is published then.
    Delayed(WallTime),
    /// It waits for this Client.
    Queued {
        /// The Client.
        client_id: &'a str,
        /// How it is sent.
        copy: &'a KeptCopy,
    },
}

impl Why<'_> {
    /// It was sent, and may have arrived.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Queued { copy, .. } if copy.progress != KeptProgress::Queued)
    }
}

/// A message that is kept, and cannot be read.
#[derive(Debug, Clone)]
pub struct Unreadable<'a> {
    /// Why it is kept.
    pub why: Why<'a>,
    /// Why it cannot be read.
    pub error: ReadError,
}

/// Takes messages until it had enough.
type Each<'a> = &'a mut dyn FnMut(Result<Exported<'_>, Unreadable<'_>>) -> ControlFlow<()>;

impl Store {
    /// Hands on everything that is kept, until `each` has had enough: retained messages, delayed ones, and queues in
    /// their order.
    pub fn export(
        &self,
        each: &mut dyn FnMut(Result<Exported<'_>, Unreadable<'_>>) -> ControlFlow<()>,
        progress: Progress<'_>,
    ) -> Result<(), OpenError> {
        let (contents, _) = self.contents(progress)?;
        let all: Vec<_> = kept(&contents).collect();
        let (mut rest, total) = (all.as_slice(), all.len() as u64);
        while !rest.is_empty() {
            let (these, others) = rest.split_at(together(rest));
            rest = others;
            if self.hand_on(these, each).is_break() {
                break;
            }
            progress(Stage::Messages, total - rest.len() as u64, total);
        }
        Ok(())
    }

    fn hand_on(&self, these: &[(Why<'_>, Stored)], each: Each<'_>) -> ControlFlow<()> {
        let stored: Vec<_> = these.iter().map(|(_, stored)| *stored).collect();
        for ((why, _), read) in these.iter().zip(self.inspection.read(&stored, NOW)) {
            match read {
                Ok(message) => {
                    let expires = message.expires().map(|at| NOW.to_wall(at));
                    each(Ok(Exported { why: *why, message: &message, expires }))?;
                }
                Err(error) => each(Err(Unreadable { why: *why, error }))?,
            }
        }
        ControlFlow::Continue(())
    }
}

/// All that is kept and has a body.
fn kept(contents: &Contents) -> impl Iterator<Item = (Why<'_>, Stored)> {
    let retained = contents.retained.iter().map(|(_, stored)| (Why::Retained, *stored));
    let delayed = contents.delayed.iter().map(|(due, stored)| (Why::Delayed(*due), *stored));
    let queued = contents.queues.iter().flat_map(|queue| {
        let client_id = queue.client_id();
        queue
            .copies
            .iter()
            .filter_map(move |copy| Some((Why::Queued { client_id, copy }, copy.body.as_ref()?.stored()?)))
    });
    retained.chain(delayed).chain(queued)
}

fn together(rest: &[(Why<'_>, Stored)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, stored): &&(Why<'_>, Stored)| {
        bytes += u64::from(stored.len);
        bytes <= TOGETHER_BYTES
    };
    rest.iter().take(TOGETHER).take_while(fits).count().max(1)
}

//! Retained messages in the fold: of each Topic Name the highest version counts, whatever order the log has them in.

use std::collections::HashMap;
use std::sync::Arc;

use martlet_record::{Body, Message, RetainedSource, Stored};
use martlet_topic::{Limits, TopicName};

use super::Hashed;
use crate::Retained;

#[derive(Debug, Default)]
pub(super) struct RetainedFold {
    /// The last change of each Topic Name; deletions too, for an older change may come later in the log.
    changes: HashMap<Box<str>, (u64, Option<Body>), Hashed>,
    /// Who published the newest of those of which that is known.
    sources: HashMap<Box<str>, (u64, RetainedSource), Hashed>,
}

impl RetainedFold {
    pub(super) fn change(&mut self, topic: &str, version: u64, body: Option<&Body>) {
        match self.changes.get_mut(topic) {
            Some((newest, _)) if *newest > version => {}
            Some(newest) => *newest = (version, body.cloned()),
            None => drop(self.changes.insert(topic.into(), (version, body.cloned()))),
        }
    }

    pub(super) fn published_by(&mut self, topic: &str, version: u64, source: &RetainedSource) {
        if self.sources.get(topic).is_none_or(|(newest, _)| *newest < version) {
            self.sources.insert(topic.into(), (version, source.clone()));
        }
    }

    /// What is in the log only.
    pub(super) fn unread(&self) -> impl Iterator<Item = Stored> {
        self.changes.values().filter_map(|(_, body)| super::missing(body.as_ref()?))
    }

    /// One of those was read.
    pub(super) fn read(&mut self, stored: Stored, message: Option<Arc<Message>>, retained: &Retained) {
        let Some(message) = message else { return };
        let is_it = |body: &Option<Body>| body.as_ref().and_then(super::missing) == Some(stored);
        let Some((version, _)) = self.changes.get(message.topic()).filter(|(_, body)| is_it(body)).cloned()
        else {
            return;
        };
        self.changes.remove(message.topic());
        restore(retained, version, &message);
    }

    /// All others are put where they belong.
    pub(super) fn finish(&mut self, retained: &Retained) {
        for (_, (version, body)) in self.changes.drain() {
            match body {
                Some(Body::Held(message)) => restore(retained, version, &message),
                // Deleted, or it could not be read; its version is not given again either way.
                None | Some(Body::Stored(_)) => retained.restore_version(version),
            }
        }
        for (topic, (version, source)) in self.sources.drain() {
            let topic = TopicName::parse(&topic, &Limits::UNLIMITED).expect("it was checked before");
            retained.restore_source(topic, version, &source);
        }
    }
}

fn restore(retained: &Retained, version: u64, message: &Arc<Message>) {
    let topic =
        TopicName::parse(message.topic(), &Limits::UNLIMITED).expect("it was checked before it was recorded");
    retained.restore(topic, version, Arc::clone(message));
}

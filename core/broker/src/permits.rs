//! Who may not do everything: for those who make copies, publish Wills and bring retained messages.
//!
//! The rule: only Sessions that are refused something stand here, so that as long as there are none it costs one load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use martlet_access::{Access, Permit};
use martlet_record::{RetainedSource, SessionNumber};
use martlet_session::Terms;
use martlet_topic::TopicName;

use crate::sync::RwLock;

/// A Session that may not do everything, connected or not.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) permit: Permit,
    pub(crate) username: Option<Box<str>>,
    pub(crate) terms: Arc<Terms>,
}

/// Who published a retained message, for the question whether it still may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its Client Identifier.
    pub client_id: &'a str,
    /// Its User Name.
    pub username: Option<&'a str>,
    /// Which rules hold for it.
    pub realm: u16,
}

impl Source<'_> {
    /// As a record keeps it.
    pub(crate) fn to_record(self) -> RetainedSource {
        let Self { client_id, username, realm } = self;
        RetainedSource { client_id: client_id.into(), username: username.map(Into::into), realm }
    }
}

impl<'a> From<&'a RetainedSource> for Source<'a> {
    fn from(source: &'a RetainedSource) -> Self {
        Self { client_id: &source.client_id, username: source.username.as_deref(), realm: source.realm }
    }
}

/// The permits of a node.
#[derive(Debug)]
pub(crate) struct Permits {
    holders: RwLock<HashMap<SessionNumber, Holder, FixedState>>,
    count: AtomicUsize,
    accesses: RwLock<Vec<Arc<Access>>>,
    has_access: AtomicUsize,
}

impl Permits {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            holders: RwLock::new(HashMap::with_hasher(FixedState::with_seed(seed))),
            count: AtomicUsize::new(0),
            accesses: RwLock::new(Vec::new()),
            has_access: AtomicUsize::new(0),
        }
    }

    /// From here a Session may do this and no more.
    pub(crate) fn set(&self, session: SessionNumber, holder: Holder) {
        if holder.permit.is_everything() {
            return self.remove(session);
        }
        let mut holders = self.holders.write();
        holders.insert(session, holder);
        self.count.store(holders.len(), Ordering::Relaxed);
    }

    /// A Session ended, or may do everything.
    pub(crate) fn remove(&self, session: SessionNumber) {
        if self.all_everything() {
            return;
        }
        let mut holders = self.holders.write();
        holders.remove(&session);
        self.count.store(holders.len(), Ordering::Relaxed);
    }

    /// Is nobody refused anything?
    #[inline]
    pub(crate) fn all_everything(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// What a Session may do.
    pub(crate) fn of(&self, session: SessionNumber) -> Option<Holder> {
        if self.all_everything() { None } else { self.holders.read().get(&session).cloned() }
    }

    /// Keeps of `sessions` those that may receive Messages of this Topic Name, and says how many went.
    pub(crate) fn retain_receivers<T>(
        &self,
        topic: TopicName<'_>,
        sessions: &mut Vec<T>,
        number: impl Fn(&T) -> SessionNumber,
    ) -> usize {
        if self.all_everything() {
            return 0;
        }
        let (before, holders) = (sessions.len(), self.holders.read());
        sessions.retain(|session| {
            holders.get(&number(session)).is_none_or(|holder| holder.permit.receive(topic).is_allowed())
        });
        before - sessions.len()
    }

    /// May this Session receive Messages of this Topic Name?
    pub(crate) fn may_receive(&self, session: SessionNumber, topic: TopicName<'_>) -> bool {
        self.all_everything()
            || self
                .holders
                .read()
                .get(&session)
                .is_none_or(|holder| holder.permit.receive(topic).is_allowed())
    }

    /// The rules that hold in each realm from here on.
    pub(crate) fn set_accesses(&self, accesses: Vec<Arc<Access>>) {
        self.has_access.store(usize::from(!accesses.is_empty()), Ordering::Relaxed);
        *self.accesses.write() = accesses;
    }

    /// Are there rules at all, so that it is worth while to remember who published?
    pub(crate) fn has_accesses(&self) -> bool {
        self.has_access.load(Ordering::Relaxed) != 0
    }

    /// What somebody may do by the rules of now, connected or not.
    pub(crate) fn now_of(&self, source: Source<'_>) -> Permit {
        let accesses = self.accesses.read();
        let access = accesses.get(usize::from(source.realm));
        access.map_or(Permit::everything(), |access| access.permit(source.client_id, source.username))
    }
}

//! Who may enter, as dynamic security has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::PasswordHash;

/// Who may enter: a snapshot that never changes.
#[derive(Debug, Default)]
pub struct Members(BTreeMap<Arc<str>, Member>);

/// What is to be checked when somebody claims to be this client.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) is_disabled: bool,
    /// The only Client Identifier it may use.
    pub(crate) client_id: Option<Arc<str>>,
    /// What is kept of its password. Without it others must vouch for it.
    pub(crate) hash: Option<PasswordHash>,
}

impl Members {
    pub(crate) fn new(members: impl IntoIterator<Item = (Arc<str>, Member)>) -> Self {
        Self(members.into_iter().collect())
    }

    pub(crate) fn find(&self, username: &str) -> Option<&Member> {
        self.0.get(username)
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = &PasswordHash> {
        self.0.values().filter_map(|member| member.hash.as_ref())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! Who holds which roles, and what is allowed where no role speaks: the decisions of dynamic security.
//!
//! The roles of a Client are asked before those of its groups. What they leave open the defaults decide, which never
//! open the `$CONTROL` topics: those a role must name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Role;
use crate::permit::Step;
use crate::rule_set::Action;

/// What is allowed where nothing else speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Publishing.
    pub publish: bool,
    /// Receiving Messages.
    pub receive: bool,
    /// Subscribing.
    pub subscribe: bool,
    /// Unsubscribing.
    pub unsubscribe: bool,
}

impl Defaults {
    pub(crate) fn allow(self, action: Action<'_>) -> bool {
        match action {
            Action::Publish(_) => self.publish,
            Action::Receive(_) => self.receive,
            Action::Subscribe(_) => self.subscribe,
            Action::Unsubscribe(_) => self.unsubscribe,
        }
    }
}

/// Who holds which roles.
#[derive(Debug, Default)]
pub struct Roles {
    defaults: Defaults,
    clients: BTreeMap<Arc<str>, Box<[Arc<Role>]>>,
    anonymous: Box<[Arc<Role>]>,
}

impl Roles {
    /// Nobody holds any role, and this is allowed.
    pub fn new(defaults: Defaults) -> Self {
        Self { defaults, ..Self::default() }
    }

    /// Clients of this username hold these roles, the first of which is asked first: their own, then those of their
    /// groups.
    pub fn insert(&mut self, username: Arc<str>, roles: impl IntoIterator<Item = Arc<Role>>) {
        self.clients.insert(username, roles.into_iter().collect());
    }

    /// Clients without a username hold these roles.
    pub fn set_anonymous(&mut self, roles: impl IntoIterator<Item = Arc<Role>>) {
        self.anonymous = roles.into_iter().collect();
    }

    /// Adds what a Client's permit goes through. A username that is not known here adds nothing: it is not for the
    /// defaults to let in those whom others vouch for.
    pub(crate) fn add_steps(&self, username: Option<&str>, steps: &mut Vec<Step>) {
        let roles = match username {
            None => &self.anonymous,
            Some(name) => match self.clients.get(name) {
                Some(roles) => roles,
                None => return,
            },
        };
        steps.extend(roles.iter().map(|role| Step::Rules(Arc::clone(role.rules()))));
        steps.push(Step::Allow { defaults: self.defaults, control: false });
    }
}

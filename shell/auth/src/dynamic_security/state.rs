//! Clients, groups and roles, and who is in what.
//!
//! The one rule: a role or a group that is named here exists, and a client is in a group exactly if the group lists it.
//!
//! A copy is cheap: what does not differ is shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_access::{Defaults, Ranked, Role, RoleAcl, Roles};

use super::members::{Member, Members};
use crate::PasswordHash;

/// Everything dynamic security knows.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) defaults: Defaults,
    pub(super) clients: BTreeMap<Arc<str>, Arc<Client>>,
    pub(super) groups: BTreeMap<Arc<str>, Arc<Group>>,
    pub(super) roles: BTreeMap<Arc<str>, Arc<RoleEntry>>,
    /// The group of those without a username.
    pub(super) anonymous: Option<Arc<str>>,
}

/// What people wrote about something, for people.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) name: Option<Arc<str>>,
    pub(super) description: Option<Arc<str>>,
}

/// Somebody with a username.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) texts: Texts,
    pub(super) client_id: Option<Arc<str>>,
    pub(super) is_disabled: bool,
    pub(super) password: Option<PasswordHash>,
    pub(super) roles: Ranked,
    pub(super) groups: Ranked,
}

/// Clients that hold roles together.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) texts: Texts,
    pub(super) roles: Ranked,
    /// Each with the priority that the group has for it.
    pub(super) clients: BTreeMap<Arc<str>, i32>,
}

/// A role and what people wrote about it.
#[derive(Debug, Clone)]
pub(super) struct RoleEntry {
    pub(super) texts: Texts,
    pub(super) role: Arc<Role>,
}

impl RoleEntry {
    pub(super) fn new(name: Arc<str>, acls: impl IntoIterator<Item = RoleAcl>) -> Self {
        Self { texts: Texts::default(), role: Arc::new(Role::new(name, acls)) }
    }
}

impl State {
    pub(super) fn client_mut(&mut self, username: &str) -> Option<&mut Client> {
        self.clients.get_mut(username).map(Arc::make_mut)
    }

    pub(super) fn group_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.get_mut(name).map(Arc::make_mut)
    }

    pub(super) fn role_mut(&mut self, name: &str) -> Option<&mut RoleEntry> {
        self.roles.get_mut(name).map(Arc::make_mut)
    }

    /// Puts a client into a group. False, and nothing changed, if it is in it, or if either does not exist.
    pub(super) fn join(&mut self, username: &str, group: &str, priority: i32) -> bool {
        let names = self.clients.get_key_value(username).zip(self.groups.get_key_value(group));
        let Some(((username, _), (group, _))) = names else { return false };
        let (username, group) = (Arc::clone(username), Arc::clone(group));
        let joins = self
            .client_mut(&username)
            .is_some_and(|client| client.groups.insert(Arc::clone(&group), priority));
        if joins && let Some(group) = self.group_mut(&group) {
            group.clients.insert(username, priority);
        }
        joins
    }

    /// Takes a client out of a group, if it is in it.
    pub(super) fn leave(&mut self, username: &str, group: &str) {
        if let Some(client) = self.client_mut(username) {
            client.groups.remove(group);
        }
        if let Some(group) = self.group_mut(group) {
            group.clients.remove(username);
        }
    }

    pub(super) fn leave_all(&mut self, username: &str) {
        let Some(client) = self.clients.get(username) else { return };
        let groups: Vec<_> = client.groups.iter().map(|(group, _)| Arc::clone(group)).collect();
        groups.iter().for_each(|group| self.leave(username, group));
    }

    /// Takes every client out of a group.
    pub(super) fn empty(&mut self, group: &str) {
        let Some(old) = self.group_mut(group).map(|group| std::mem::take(&mut group.clients)) else { return };
        for username in old.keys() {
            if let Some(client) = self.client_mut(username) {
                client.groups.remove(group);
            }
        }
    }

    /// What the access decisions need.
    pub(super) fn roles(&self) -> Roles {
        let mut roles = Roles::new(self.defaults);
        for (username, client) in &self.clients {
            let of_groups = client.groups.iter().filter_map(|(group, _)| self.groups.get(group));
            let held = std::iter::once(&client.roles).chain(of_groups.map(|group| &group.roles));
            roles.insert(Arc::clone(username), held.flat_map(|ranked| self.in_order(ranked)));
        }
        if let Some(group) = self.anonymous.as_ref().and_then(|name| self.groups.get(name)) {
            roles.set_anonymous(self.in_order(&group.roles));
        }
        roles
    }

    fn in_order(&self, ranked: &Ranked) -> impl Iterator<Item = Arc<Role>> {
        ranked.iter().filter_map(|(name, _)| self.roles.get(name)).map(|entry| Arc::clone(&entry.role))
    }

    /// What is needed to know who may enter.
    pub(super) fn members(&self) -> Members {
        Members::new(self.clients.iter().map(|(username, client)| {
            let Client { is_disabled, client_id, password, .. } = &**client;
            let member =
                Member { is_disabled: *is_disabled, client_id: client_id.clone(), hash: password.clone() };
            (Arc::clone(username), member)
        }))
    }
}

//! What the whole node allows, and the permits it makes of that.
//!
//! A snapshot: it never changes. New rules are a new one, with new permits for whom they concern.

use std::sync::Arc;

use crate::{Acl, Permit, Refusal, Roles};

/// What the whole node allows: everything, unless it was given an access control file, roles, or both. Roles are asked
/// first, and what they leave open the file decides.
#[derive(Debug, Clone, Default)]
pub struct Access {
    roles: Option<Arc<Roles>>,
    acl: Option<Arc<Acl>>,
}

impl Access {
    /// The same, and the lines of this access control file.
    #[must_use]
    pub fn with_acl(self, acl: impl Into<Arc<Acl>>) -> Self {
        Self { acl: Some(acl.into()), ..self }
    }

    /// The same, and these roles.
    #[must_use]
    pub fn with_roles(self, roles: impl Into<Arc<Roles>>) -> Self {
        Self { roles: Some(roles.into()), ..self }
    }

    /// What the Client of this name may do. An empty username is none.
    pub fn permit(&self, client_id: &str, username: Option<&str>) -> Permit {
        let username = username.filter(|name| !name.is_empty());
        if self.roles.is_none() && self.acl.is_none() {
            return Permit::everything();
        }
        let mut steps = Vec::new();
        if let Some(roles) = &self.roles {
            roles.add_steps(username, &mut steps);
        }
        let refusal = match &self.acl {
            Some(acl) => acl.add_steps(client_id, username, &mut steps),
            None => Refusal::Unlisted,
        };
        Permit::of(steps, refusal)
    }
}

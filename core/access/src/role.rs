//! A role: access control entries under a name.
//!
//! Among the entries of one kind the higher priority is asked first, and of two alike the older. An entry that names
//! one Topic Filter is asked before those that name many.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use martlet_topic::{Limits, TopicFilter};

use crate::Origin;
use crate::rule_set::{Reach, Rule, RuleSet};

/// What an entry is about, as the dynamic security plug-in of Mosquitto calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclType {
    /// Publishing to the topics that match.
    PublishClientSend,
    /// Receiving Messages of the topics that match.
    PublishClientReceive,
    /// Subscribing to this one Topic Filter.
    SubscribeLiteral,
    /// Subscribing to a Topic Filter that asks for no more than this one.
    SubscribePattern,
    /// Unsubscribing from this one Topic Filter.
    UnsubscribeLiteral,
    /// Unsubscribing from a Topic Filter that asks for no more than this one.
    UnsubscribePattern,
}

impl AclType {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::PublishClientSend,
        Self::PublishClientReceive,
        Self::SubscribeLiteral,
        Self::SubscribePattern,
        Self::UnsubscribeLiteral,
        Self::UnsubscribePattern,
    ];
}

/// One entry of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAcl {
    /// What it is about.
    pub acl_type: AclType,
    /// The topics. One that is no Topic Filter is kept and matches nothing.
    pub topic: Arc<str>,
    /// The higher is asked first.
    pub priority: i32,
    /// What it says.
    pub allow: bool,
}

/// Access control entries under a name. It never changes: another set of entries is another value.
#[derive(Debug)]
pub struct Role {
    name: Arc<str>,
    acls: Box<[RoleAcl]>,
    rules: Arc<RuleSet>,
}

impl Role {
    /// A role of these entries. Of two of the same type and topic the first counts.
    pub fn new(name: Arc<str>, acls: impl IntoIterator<Item = RoleAcl>) -> Self {
        let mut kept = Vec::new();
        let mut seen = BTreeSet::new();
        for acl in acls {
            if seen.insert((acl.acl_type, Arc::clone(&acl.topic))) {
                kept.push(acl);
            }
        }
        // A stable sort: of two alike the older stays before the younger.
        kept.sort_by_key(|acl| (acl.acl_type, Reverse(acl.priority)));
        let rules = Arc::new(rules(&name, &kept));
        Self { name, acls: kept.into(), rules }
    }

    /// What it is called.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its entries, by type, and by priority within a type.
    pub fn acls(&self) -> &[RoleAcl] {
        &self.acls
    }

    pub(crate) fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }
}

fn rules(name: &Arc<str>, acls: &[RoleAcl]) -> RuleSet {
    let mut rules = RuleSet::default();
    for acl in acls {
        let Ok(filter) = TopicFilter::parse(&acl.topic, &Limits::UNLIMITED) else { continue };
        // Literal types come before pattern types, so that what names one Topic Filter is asked first.
        let (list, reach) = match acl.acl_type {
            AclType::PublishClientSend => (&mut rules.publish, Reach::Matching),
            AclType::PublishClientReceive => (&mut rules.receive, Reach::Matching),
            AclType::SubscribeLiteral => (&mut rules.subscribe, Reach::Literal),
            AclType::SubscribePattern => (&mut rules.subscribe, Reach::Matching),
            AclType::UnsubscribeLiteral => (&mut rules.unsubscribe, Reach::Literal),
            AclType::UnsubscribePattern => (&mut rules.unsubscribe, Reach::Matching),
        };
        list.push(Rule { filter, reach, allow: acl.allow, origin: Origin::Role(Arc::clone(name)) });
    }
    rules
}

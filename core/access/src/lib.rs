//! May this Client publish, subscribe, receive here?
//!
//! An [`Access`] is what the whole node allows: the lines of an access control file ([`Acl`]), roles ([`Roles`]), or
//! both. It makes a [`Permit`] for each Client, with everything that is known about it filled in, and the permit
//! answers every question with a [`Decision`].
//!
//! The one rule: answers come at once, from what is held here; whatever must ask somebody else runs before a shard sees
//! the Packet.
//!
//! ```
//! use martlet_access::{Access, Acl, Decision, Entry, Grant, Who};
//! use martlet_topic::{Limits, TopicFilter, TopicName};
//!
//! let limits = Limits::default();
//! let filter = TopicFilter::parse("sensors/%c/#", &limits)?;
//! let acl = Acl::new([Entry { line: 1, who: Who::Pattern, grant: Grant::ReadWrite, filter }]);
//! let permit = Access::default().with_acl(acl).permit("kitchen", None);
//!
//! assert_eq!(permit.publish(TopicName::parse("sensors/kitchen/heat", &limits)?), Decision::Allow);
//! assert!(matches!(permit.publish(TopicName::parse("sensors/cellar/heat", &limits)?), Decision::Deny(_)));
//! # Ok::<(), martlet_topic::Error>(())
//! ```
#![forbid(unsafe_code)]

mod access;

mod acl;
mod roles;

mod ranked;
mod role;

mod permit;
mod rule_set;

mod decision;

mod rules;

pub use access::Access;
pub use acl::{Acl, Entry, Grant, Who};
pub use decision::{Decision, Origin, Refusal};
pub use permit::Permit;
pub use ranked::Ranked;
pub use role::{AclType, Role, RoleAcl};
pub use roles::{Defaults, Roles};
pub use rule_set::covers;
pub use rules::Rules;

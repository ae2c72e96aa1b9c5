//! Topic Names, Topic Filters, and the two maps that join them.
//!
//! A [`TopicName`] says what a Message is about, a [`TopicFilter`] which names a Subscription wants, and a
//! [`SubscriptionFilter`] is a filter as SUBSCRIBE spells it, with `$share/GROUP/` or `$queue/` before it. They are
//! parsed once; afterwards nobody asks again whether `#` is last. [`FilterMap`] finds the filters that match a name,
//! [`NameMap`] the names that match a filter.
//!
//! The one rule: both maps agree with [`TopicFilter::matches`], and neither recurses, so the number of levels a
//! stranger sends costs time and memory in proportion, and never the stack.
//!
//! ```
//! use martlet_topic::{FilterMap, Limits, TopicFilter, TopicName};
//!
//! let limits = Limits::default();
//! let mut wishes = FilterMap::new(42);
//! *wishes.entry_or_insert_with(&TopicFilter::parse("sport/+/player1", &limits)?, || "tennis fan") = "any sport";
//!
//! let name = TopicName::parse("sport/golf/player1", &limits)?;
//! let mut found = Vec::new();
//! wishes.for_each_match(name, |who| found.push(*who));
//! assert_eq!(found, ["any sport"]);
//! # Ok::<(), martlet_topic::Error>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod filter_map;
mod levels;
mod limits;
mod name_map;
mod slab;
mod subscription_filter;
mod topic_filter;
mod topic_name;
mod trie;

pub use error::Error;
pub use filter_map::FilterMap;
pub use limits::Limits;
pub use name_map::NameMap;
pub use subscription_filter::{ShareName, SubscriptionFilter};
pub use topic_filter::TopicFilter;
pub use topic_name::TopicName;

//! Topic Names, Topic Filters, and the two maps that join them.
//!
//! A [`TopicName`] says what a Message is about, a [`TopicFilter`] which names a Subscription wants, and a
//! [`SubscriptionFilter`] is a filter as SUBSCRIBE spells it, with `$share/GROUP/` or `$queue/` before it.
//! They are parsed once; afterwards nobody asks again whether `#` is last. [`FilterMap`] finds the filters
//! that match a name, [`NameMap`] the names that match a filter.
//!
//! The one rule: both maps agree with [`TopicFilter::matches`], and neither recurses, so the number of levels
//! a stranger sends costs time and memory in proportion, and never the stack.
//!
//! ```
//! use martlet_topic::{FilterMap, Limits, TopicFilter, TopicName};
//!
//! let limits = Limits::default();
//! let mut followers = FilterMap::new(42);
//! for (filter, follower) in [("sport/tennis/#", "Ada"), ("sport/+/score", "Bob"), ("news", "Cid")] {
//!     followers.entry_or_insert_with(&TopicFilter::parse(filter, &limits)?, || follower);
//! }
//!
//! let mut found = Vec::new();
//! followers.for_each_match(TopicName::parse("sport/golf/score", &limits)?, |who| found.push(*who));
//! assert_eq!(found, ["Bob"]);
//! # Ok::<(), martlet_topic::Error>(())
//! ```

#![forbid(unsafe_code)]

mod topic_name;

mod topic_filter;

mod subscription_filter;

mod filter_map;
mod name_map;

mod trie;

mod levels;
mod slab;

mod error;
mod limits;

pub use error::Error;
pub use filter_map::FilterMap;
pub use limits::Limits;
pub use name_map::NameMap;
pub use subscription_filter::{ShareName, SubscriptionFilter};
pub use topic_filter::TopicFilter;
pub use topic_name::TopicName;

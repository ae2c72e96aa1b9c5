//! The one place that knows everybody: runs shards, wires, drains.
//!
//! A node is a few runners. Each is a thread that steps the shards it was given in a plain readiness loop; its turn
//! (`Runner::turn`) is the table of contents of this crate. The rule: nothing here decides what a Client gets, it only
//! carries what the core decided to sockets, to the journal and to other runners.

mod config;
mod configure;
mod control;
mod server;
mod signals;

mod runner;

mod accept;
mod alarms;
mod close;
mod commit;
mod deliver;
mod doors;
mod entrance;
mod fetch;
mod flush;
mod receive;
mod reload;
mod requests;
mod stop;
mod sys;
mod unfinished;
mod verdict;

mod clock;
mod deadlines;
mod journal;
mod mailbox;
mod news;
mod shards;
mod shared;
mod store;
mod token;

pub mod log_target;
pub mod tools;

pub use config::{Config, Listen, StoreConfig, default_runners};
pub use configure::{Configured, Unusable, configure};
pub use control::Source;
pub use entrance::{Entrance, Identity};
pub use server::{Error, Handle, Server, Stopper};
pub use signals::serve_until_signalled;

// What a configuration is made of, so that programs need to name this crate alone.
pub use martlet_access::Rules;
pub use martlet_broker::{Dialect, Settings, SharedStrategy};
pub use martlet_net::{
    Address, Error as ListenError, KeepAliveProbes, ListenerOptions, TcpOptions, descriptor_limit,
    raise_descriptor_limit,
};
pub use martlet_record::Need;
pub use martlet_session::{Overflow, Terms};
pub use martlet_topic::{Limits, TopicFilter};

//! A real broker in the test process, and scripted clients over real sockets.
//!
//! A test reads as given, when, then:
//!
//! ```
//! use martlet_harness::{Broker, QoS};
//!
//! let broker = Broker::start();
//! let mut alice = broker.client("alice").connects().subscribes("a/+", QoS::AtLeastOnce);
//! broker.client("bob").connects().publishes("a/b", b"hello", QoS::ExactlyOnce);
//! assert_eq!(alice.receives("a/b"), b"hello");
//! ```
//!
//! The rule: whatever does not happen within [`PATIENCE`] fails the test, and nothing waits longer or sleeps.

mod broker;
mod client;
mod stream;

pub use broker::Broker;
pub use client::Client;
pub use martlet_packet::{QoS, Version};
pub use stream::{PATIENCE, Received, Stream};

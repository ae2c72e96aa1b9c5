//! A whole broker seen from outside: how it is started and killed, what the kernel says about it, and MQTT spoken to it
//! by bytes of our own.
//!
//! The rule: a broker is a program, a port and a process. Nothing here looks inside it or shares code with it.

mod broker;
pub mod cleanup;
mod client;
pub mod crowd;
mod measure;
mod program;
mod random;
pub mod report;
pub mod wire;

pub use broker::{Broker, Ending, STOP_MAX, free_port};
pub use client::Client;
pub use measure::{Process, percentile};
pub use program::{Program, raise_descriptor_limit};
pub use random::Random;

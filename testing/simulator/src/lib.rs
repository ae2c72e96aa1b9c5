//! A whole node in one thread, stepped by hand: packets in, packets out, time a number.
//!
//! A [`World`] does what a runner does, in the same order, but only when it is told to. Clients are handles; what a
//! Client hears comes out as short lines, so that a test can say what it expects.
//!
//! ```
//! use martlet_simulator::{World, connect, publish, subscribe};
//!
//! let mut world = World::new();
//! let alice = world.join(connect("alice"));
//! world.send(alice, subscribe(1, &[("news/#", 0)]));
//! let bob = world.join(connect("bob"));
//! world.send(bob, publish("news/today", b"rain"));
//! assert_eq!(world.hears(alice), ["CONNACK 00", "SUBACK 1 [00]", "PUBLISH news/today q0 'rain'"]);
//! ```

mod log;
mod packets;
mod peer;
mod telling;
mod world;

pub use log::MemoryLog;
pub use packets::{
    Connecting, auth, block, connect, disconnect, options, ping, puback, puback_of, pubcomp, publish,
    publish_qos, pubrec, pubrec_of, pubrel, raw, retain, subscribe, subscribe_with, two_homes, unsubscribe,
};
pub use telling::{tell, tell_in_full};
pub use world::{Client, ReadableJournal, World};

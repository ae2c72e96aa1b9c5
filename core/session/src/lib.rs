//! The two protocol state machines: Connection and Session.

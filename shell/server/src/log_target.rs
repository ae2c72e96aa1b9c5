//! Targets of log events whose kind is not told by their level alone. Everything else has the target of its module.

/// Something the operator may want to know.
pub const NOTICE: &str = "notice";
/// A Client came or went: a notice that can be turned off.
pub const CONNECTION: &str = "connection";
/// A Client subscribed.
pub const SUBSCRIBE: &str = "subscribe";
/// A Client unsubscribed.
pub const UNSUBSCRIBE: &str = "unsubscribe";
/// Of WebSocket connections.
pub const WEBSOCKETS: &str = "websockets";

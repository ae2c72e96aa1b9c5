//! The two protocol state machines: [`Connection`] and [`Session`].
//!
//! What lives as long as a Network Connection is in the one, what survives it in the other. Both decide at once from
//! what they hold: bytes they want sent lie in an [`Outgoing`], time is an argument, nothing waits.
#![forbid(unsafe_code)]

mod acknowledge;
mod alias;
mod auth;
mod connection;
mod decode;
mod explain;
mod handshake;
mod inbound;
mod keep_alive;
mod message_copy;
mod outbound;
mod outgoing;
mod publish;
mod rare;
mod retry;
mod secret;
mod send;
mod session;
mod spilled;
mod standing;
mod subscription;
mod terms;
mod violation;
mod will;

pub use acknowledge::{Acknowledged, Received};
pub use alias::{IncomingAliases, OutgoingAliases};
pub use auth::{AuthStep, Authenticator, Exchange, encode_auth};
pub use connection::{Connection, ConnectionId, PendingReply, Replaying};
pub use decode::decode_from_client;
pub use explain::encode_explained;
pub use handshake::{ConnectRequest, Handshake, HandshakePolicy, Progress};
pub use inbound::InboundIds;
pub use keep_alive::{KeepAlive, Silence};
pub use message_copy::{CopyState, MessageCopy};
pub use outbound::{Outbound, Overflow, QueueLimits, ReadAhead};
pub use outgoing::Outgoing;
pub use publish::{Inbound, PublishPolicy};
pub use rare::{Rare, Vacant};
pub use retry::Retries;
pub use secret::Secret;
pub use send::{Delivery, SendLimits, Sent, Traffic};
pub use session::Session;
pub use standing::{Authentication, Standing};
pub use subscription::{Subscription, Subscriptions};
pub use terms::Terms;
pub use violation::Violation;
pub use will::Will;

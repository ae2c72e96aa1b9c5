//! MQTT Control Packets and bytes, for MQTT 3.1, 3.1.1 and 5.0.
//!
//! [`frame()`] finds the next packet in what has arrived, [`decode`] checks and borrows it, [`Packet::encode`] writes
//! one. The [`Version`] is a value given to the same code. One rule is kept everywhere: what decodes is right as far as
//! a single packet can tell, so no later code asks again; what depends on the Connection (which side may send it, and
//! when) is the session's question.
#![forbid(unsafe_code)]

mod error;
mod version;

mod frame;
mod packet;

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

mod qos;
mod reason;
mod will;

mod place;
mod properties;
mod properties_buf;
mod property;

mod cursor;
mod put;
mod text;
mod varint;

#[cfg(test)]
mod written;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::Connect;
pub use disconnect::Disconnect;
pub use error::Error;
pub use frame::{Frame, PacketType, frame, needed};
pub use packet::{Packet, decode};
pub use properties::Properties;
pub use properties_buf::PropertiesBuf;
pub use property::Property;
pub use publish::{Publish, PublishQoS};
pub use qos::{PacketId, QoS};
pub use reason::ReasonCode;
pub use suback::SubAck;
pub use subscribe::{RetainHandling, Subscribe, SubscriptionOptions};
pub use unsuback::UnsubAck;
pub use unsubscribe::Unsubscribe;
pub use varint::MAXIMUM as MAXIMUM_REMAINING_LENGTH;
pub use version::Version;
pub use will::Will;

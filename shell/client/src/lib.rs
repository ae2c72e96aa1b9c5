//! An MQTT client for 3.1, 3.1.1 and 5.0: for the command line, for bridges and for tests.
//!
//! [`Protocol`] is the client without its socket: bytes in, events and bytes out, time an argument. [`Client`] puts it
//! on a connection to an [`Endpoint`] (TCP or a Unix socket, by a proxy or not, TLS or not) and blocks. One rule is kept everywhere: what the other side sends or fails to send ends in an
//! event or an [`Error`], and every store has a limit.
//!
//! ```no_run
//! use std::time::Duration;
//! use martlet_client::{Client, ConnectOptions, Message, QoS, SubscriptionOptions};
//!
//! let mut client = Client::connect("localhost", 1883, ConnectOptions::new("kitchen"))?;
//! client.subscribe(&[("lights/#", SubscriptionOptions::new(QoS::AtLeastOnce))])?;
//! client.publish(Message::new("lights/hall", "on").qos(QoS::AtLeastOnce))?;
//! while let Some(received) = client.receive(Duration::from_secs(1))? {
//!     println!("{}: {:?}", received.message.topic, received.message.payload);
//! }
//! client.disconnect()?;
//! # Ok::<(), martlet_client::Error>(())
//! ```

mod client;
mod endpoint;
pub mod service;

mod proxy;
mod socket;
mod stream;
mod tls;

mod protocol;

mod buffer;
mod connection;
mod incoming;
mod keep_alive;
mod outgoing;
mod packet_ids;
mod requests;

mod error;
mod event;
mod message;
mod options;

mod trace;

pub use client::Client;
pub use endpoint::{Address, Endpoint, Proxy};
pub use error::{Error, Refusal};
pub use event::{Connected, Event, Received};
pub use message::Message;
pub use options::{ConnectOptions, Will};
pub use protocol::Protocol;
pub use tls::{Identity, Psk, TlsOptions, TlsVersion};

pub use martlet_packet as packet;
pub use martlet_packet::{
    PacketId, Properties, PropertiesBuf, Property, QoS, ReasonCode, RetainHandling, SubscriptionOptions,
    Version,
};
pub use martlet_topic as topic;

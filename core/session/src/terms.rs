//! What one listener asks of its Clients and what it grants them.
//!
//! The rule: terms are settled before CONNECT is looked at and never change while the Network Connection lasts; where
//! they are silent, the node's own settings count.

use std::sync::{Arc, LazyLock};

use martlet_packet::QoS;
use martlet_record::Need;

/// The terms of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which listener it is.
    pub listener: u16,
    /// Which rules of access hold here: all listeners share number 0 unless each has its own.
    pub realm: u16,
    /// How safe what Clients are promised must be.
    pub need: Option<Need>,
    /// Maximum QoS: MQTT 5 Clients are told. A PUBLISH above it ends the Network Connection, a Subscription is lowered.
    pub maximum_qos: QoS,
    /// Our Topic Alias Maximum.
    pub topic_alias_maximum: Option<u16>,
    /// Stands before every Topic Name and Topic Filter of these Clients, who never see it.
    pub mount_point: Option<Box<str>>,
    /// The User Name is the Client Identifier; who has none is refused with 0x87.
    pub username_is_client_id: bool,
    /// The transport proves who the Client is, and [`crate::ConnectRequest::identify`] will be called.
    pub identity_is_username: bool,
    /// What generated Client Identifiers begin with.
    pub client_id_prefix: Option<Box<str>>,
    /// A Client may leave its Client Identifier to us, where its version allows that at all.
    pub allows_empty_client_id: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            listener: 0,
            realm: 0,
            need: None,
            maximum_qos: QoS::ExactlyOnce,
            topic_alias_maximum: None,
            mount_point: None,
            username_is_client_id: false,
            identity_is_username: false,
            client_id_prefix: None,
            allows_empty_client_id: true,
        }
    }
}

impl Terms {
    /// Terms that ask for nothing, shared by all that have no others.
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<Terms>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }
}

//! Who the Client of a Network Connection is here, and what it may do.
//!
//! The rule: most Clients have no name and may do everything; those have none of this, and pay for it with one word.

use martlet_access::Permit;

use crate::{ConnectRequest, Exchange, Retries};

/// What is known about a Client beyond its Client Identifier.
#[derive(Debug, Default)]
pub struct Standing {
    /// Its User Name.
    pub username: Option<Box<str>>,
    /// What it may do.
    pub permit: Permit,
    /// It says it is a bridge.
    pub is_bridge: bool,
    /// What it will get again.
    pub retries: Option<Retries>,
    /// The Authentication Method of its CONNECT and the exchange under way.
    pub authentication: Option<Authentication>,
}

/// Enhanced authentication on an open Network Connection.
#[derive(Debug)]
pub struct Authentication {
    /// The method of the CONNECT: no other is allowed later [MQTT-4.12.1-1].
    pub method: Box<str>,
    /// A re-authentication under way.
    pub exchange: Option<Box<dyn Exchange>>,
}

impl Standing {
    /// What a CONNECT came to, if there is anything to say.
    pub(crate) fn of(request: &ConnectRequest) -> Option<Box<Self>> {
        let method = request.authentication_method.clone();
        let is_somebody = request.username.is_some() || !request.permit.is_everything();
        (is_somebody || request.is_bridge || method.is_some()).then(|| {
            Box::new(Self {
                username: request.username.clone(),
                permit: request.permit.clone(),
                is_bridge: request.is_bridge,
                retries: None,
                authentication: method.map(|method| Authentication { method, exchange: None }),
            })
        })
    }
}

//! Enhanced authentication (§4.12): the flow of AUTH packets is ours, the exchange itself is plugged in.

use std::fmt::Debug;

use martlet_packet::{Auth, Packet, PropertiesBuf, Property, ReasonCode, Version};

/// An Authentication Method the node knows.
pub trait Authenticator: Debug + Send + Sync {
    /// Its name in the Authentication Method property.
    fn method(&self) -> &str;

    /// Begins an exchange for a Client.
    fn begin(&self, client_id: &str) -> Box<dyn Exchange>;
}

/// One exchange with one Client. It answers at once; a method that must ask somebody else answers through the shell.
pub trait Exchange: Debug + Send {
    /// The Client's next data; the first call has the data of CONNECT or of the AUTH that asked to re-authenticate.
    fn step(&mut self, data: &[u8]) -> AuthStep;
}

/// What an exchange answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStep {
    /// More is needed: AUTH with 0x18 and this data [MQTT-4.12.0-2].
    Continue(Vec<u8>),
    /// The Client is who it says; this data goes out with CONNACK or AUTH.
    Success(Vec<u8>),
    /// It is not [MQTT-4.12.0-4].
    Failure(ReasonCode),
}

/// An AUTH packet of ours: always with the method of the exchange [MQTT-4.12.0-5].
pub fn encode_auth(reason: ReasonCode, method: &str, data: &[u8], out: &mut Vec<u8>) {
    let mut properties = PropertiesBuf::default();
    properties.push(Property::AuthenticationMethod(method));
    if !data.is_empty() {
        properties.push(Property::AuthenticationData(data));
    }
    Packet::Auth(Auth { reason, properties: properties.as_properties() }).encode(Version::V5, out);
}

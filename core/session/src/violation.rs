//! Why a Network Connection must be closed.

use std::borrow::Cow;

use martlet_packet::{Disconnect, Packet, PropertiesBuf, Property, ReasonCode, Version};

/// A reason to close a Network Connection: the code for MQTT 5, and the words that name the rule and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What a DISCONNECT or CONNACK says.
    pub reason: ReasonCode,
    /// Reason String, log line and timeline say the same.
    pub text: Cow<'static, str>,
}

impl Violation {
    /// A violation with its code and words.
    pub fn new(reason: ReasonCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, text: text.into() }
    }

    /// "Protocol Error" with the rule that was broken.
    pub fn protocol(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReasonCode::ProtocolError, text)
    }

    /// The DISCONNECT that says it: MQTT 5 only [MQTT-4.13.1-1].
    pub fn encode(&self, version: Version, with_text: bool, out: &mut Vec<u8>) {
        if !version.is_v5() {
            return;
        }
        let mut properties = PropertiesBuf::default();
        if with_text && !self.text.is_empty() {
            properties.push(Property::ReasonString(&self.text));
        }
        let properties = properties.as_properties();
        Packet::Disconnect(Disconnect { reason: self.reason, properties }).encode(version, out);
    }
}

impl From<martlet_packet::Error> for Violation {
    fn from(error: martlet_packet::Error) -> Self {
        Self::new(error.reason_code(), error.to_string())
    }
}

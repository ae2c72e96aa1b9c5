//! Why a Network Connection must be closed.

use std::borrow::Cow;

use martlet_packet::{Disconnect, Packet, ReasonCode, Version};

use crate::encode_explained;

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
    pub fn encode(&self, version: Version, maximum: u32, with_text: bool, out: &mut Vec<u8>) {
        if !version.is_v5() {
            return;
        }
        let text = with_text.then_some(&*self.text);
        let reason = self.reason;
        encode_explained(
            version,
            maximum,
            text,
            |properties| Packet::Disconnect(Disconnect { reason, properties }),
            out,
        );
    }
}

impl From<martlet_packet::Error> for Violation {
    fn from(error: martlet_packet::Error) -> Self {
        Self::new(error.reason_code(), error.to_string())
    }
}

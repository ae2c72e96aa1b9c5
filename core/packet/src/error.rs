//! Why bytes are no packet. One variant per reaction; [`Error::reason_code`] is the only map to Reason Codes.

use crate::ReasonCode;

/// Why bytes are no packet. The text names the field and the rule, and is fit for a Reason String.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes cannot be parsed by the specification's layout.
    #[error("{field} {rule}")]
    Malformed {
        /// Where the fault lies.
        field: &'static str,
        /// What is wrong with it, and by which statement.
        rule: &'static str,
    },
    /// The bytes can be parsed and say what must not be said.
    #[error("{field} {rule}")]
    Protocol {
        /// Where the fault lies.
        field: &'static str,
        /// What is wrong with it, and by which statement.
        rule: &'static str,
    },
    /// Malformed where an answer helps nobody: the stream is no MQTT, or the peer said goodbye in a wrong way. The
    /// Connection is closed without a DISCONNECT, as Mosquitto does.
    #[error("{field} {rule}")]
    Unanswered {
        /// Where the fault lies.
        field: &'static str,
        /// What is wrong with it, and by which statement.
        rule: &'static str,
    },
    /// The packet is larger than the receiver takes. [MQTT-3.1.2-24], [MQTT-3.2.2-15]
    #[error("a packet of {size} bytes is larger than the Maximum Packet Size of {maximum}")]
    PacketTooLarge {
        /// Bytes the whole packet would have.
        size: u32,
        /// Bytes the receiver takes.
        maximum: u32,
    },
    /// A CONNECT with a Protocol Level nobody here speaks; nothing behind it was read. [MQTT-3.1.2-2]
    #[error(
        "Protocol Version {level} is not supported, only 3 (MQTT 3.1), 4 (MQTT 3.1.1) and 5 (MQTT 5.0) are"
    )]
    UnsupportedVersion {
        /// The level as sent.
        level: u8,
    },
}

impl Error {
    /// The Reason Code to answer with, in a CONNACK or a DISCONNECT.
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Malformed { .. } | Self::Unanswered { .. } => ReasonCode::MalformedPacket,
            Self::Protocol { .. } => ReasonCode::ProtocolError,
            Self::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::UnsupportedVersion { .. } => ReasonCode::UnsupportedProtocolVersion,
        }
    }
}

pub(crate) const fn malformed(field: &'static str, rule: &'static str) -> Error {
    Error::Malformed { field, rule }
}

pub(crate) const fn protocol(field: &'static str, rule: &'static str) -> Error {
    Error::Protocol { field, rule }
}

pub(crate) const fn unanswered(field: &'static str, rule: &'static str) -> Error {
    Error::Unanswered { field, rule }
}

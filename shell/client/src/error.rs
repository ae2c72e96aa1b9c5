//! What can go wrong. A variant for each thing a caller may do about it.

use std::io;
use std::time::Duration;

use martlet_packet::{PropertiesBuf, ReasonCode, Version};

/// Why something failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection came about.
    #[error("cannot reach {server}")]
    Unreachable {
        /// What was asked for: name and port, or the path of a socket.
        server: String,
        /// What the system said of the last address tried.
        source: io::Error,
    },
    /// The proxy does not lead there.
    #[error("the proxy refused: {0}")]
    Proxy(&'static str),
    /// TLS cannot be spoken as it was asked for: a file is missing or wrong, or this program cannot do it.
    #[error("TLS: {0}")]
    TlsOptions(String),
    /// The Server's certificate is not one to trust.
    #[error("the Server is not trusted: {0}")]
    Untrusted(String),
    /// The two sides did not come to terms: the Server does not trust us, speaks another TLS, or none.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The Server answered CONNECT with a refusal. The same CONNECT will be refused again.
    #[error("the Server refused the Connection: {0}")]
    Refused(Refusal),
    /// The Server sent DISCONNECT. Its Reason Code says whether to come back.
    #[error("the Server ended the Connection: {0}")]
    Disconnected(Refusal),
    /// The Connection broke. [`reconnect`](crate::Client::reconnect) may help.
    #[error("the Connection is lost")]
    Lost(#[source] io::Error),
    /// The Server was silent for so long that it must be taken for dead.
    #[error("no {awaited} came within {}", Span(.within))]
    Silent {
        /// What it should have sent.
        awaited: &'static str,
        /// How long it had.
        within: Duration,
    },
    /// The Server sent what is no MQTT packet.
    #[error("the Server sent what MQTT does not allow: {0}")]
    Malformed(#[from] martlet_packet::Error),
    /// The Server sent a packet where it must not.
    #[error("the Server sent what MQTT does not allow: {what}")]
    Violation {
        /// What it did.
        what: &'static str,
        /// The Reason Code of the DISCONNECT it was sent.
        reason: ReasonCode,
    },
    /// There is no Connection to do this with.
    #[error("not connected")]
    NotConnected,
    /// As much waits for the Server as may. Let it answer, then try again.
    #[error("too much waits for the Server to answer")]
    Full,
    /// More events wait for the application than may.
    #[error("{0} events wait to be taken: poll or receive more often")]
    Unread(usize),
    /// The request is against the specification.
    #[error("{field} {rule}")]
    Invalid {
        /// Where the fault lies.
        field: &'static str,
        /// What the specification demands.
        rule: String,
    },
    /// The Server announced that it would not take this.
    #[error("the Server does not take this Message: {0}")]
    NotTaken(ReasonCode),
}

impl Error {
    /// Whether connecting again may help without any change.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost(_) | Self::Silent { .. } => true,
            Self::Refused(refusal) | Self::Disconnected(refusal) => matches!(
                refusal.reason,
                ReasonCode::ServerUnavailable
                    | ReasonCode::ServerBusy
                    | ReasonCode::ServerShuttingDown
                    | ReasonCode::KeepAliveTimeout
                    | ReasonCode::AdministrativeAction
                    | ReasonCode::ConnectionRateExceeded
                    | ReasonCode::MaximumConnectTime
            ),
            _ => false,
        }
    }
}

/// A refusal in the Server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The Reason Code.
    pub reason: ReasonCode,
    /// The version of the Connection.
    pub version: Version,
    /// All properties, Reason String and Server Reference among them.
    pub properties: PropertiesBuf,
}

impl Refusal {
    /// The number in the CONNACK or DISCONNECT: MQTT 3.x has its own.
    pub const fn code(&self) -> u8 {
        if self.version.is_v5() { self.reason as u8 } else { self.reason.connect_return_code() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.reason.fmt(f)?;
        let properties = self.properties.as_properties();
        if let Some(words) = properties.reason_string() {
            write!(f, ": {words}")?;
        }
        if let Some(server) = properties.server_reference() {
            write!(f, " (it names another Server: {server})")?;
        }
        Ok(())
    }
}

/// A time as people say it.
struct Span<'a>(&'a Duration);

impl std::fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0.as_secs_f32())
    }
}

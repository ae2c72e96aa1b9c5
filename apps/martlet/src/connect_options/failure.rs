//! What a failure means for whoever called: the exit code of Mosquitto's tools, and what may cure it.

use std::fmt::Arguments;
use std::io::{self, Write};

use martlet_client::{Error, ReasonCode};

/// A failure as the caller sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) cure: Option<&'static str>,
}

/// Exit codes: the numbers of Mosquitto's library, which its tools exit with.
impl Failure {
    const GENERAL: u8 = 1;
    const PROTOCOL: u8 = 2;
    const INVALID: u8 = 3;
    const LOST: u8 = 7;
    const TLS: u8 = 8;
    const KEEP_ALIVE: u8 = 19;
    const QOS_NOT_SUPPORTED: u8 = 24;
    const TOO_LARGE: u8 = 25;
    /// What was waited for did not come in time.
    pub(crate) const TIMED_OUT: u8 = 27;
    const RETAIN_NOT_SUPPORTED: u8 = 28;
    const TOPIC_ALIAS_INVALID: u8 = 29;

    /// Finds out what failed.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let Some(error) = error.downcast_ref::<Error>() else { return Self::new(Self::GENERAL) };
        match error {
            Error::Unreachable { source, .. } => {
                Self { code: Self::GENERAL, cure: cure_of_unreachable(source) }
            }
            Error::Refused(refusal) => Self { code: refusal.code(), cure: cure_of_refusal(refusal.reason) },
            Error::Disconnected(refusal) => Self { code: Self::LOST, cure: cure_of_refusal(refusal.reason) },
            Error::Proxy(_) => Self { code: Self::GENERAL, cure: Some("Check the URL given with --proxy.") },
            Error::TlsOptions(_) => Self::new(Self::GENERAL),
            Error::Untrusted(_) => Self {
                code: Self::GENERAL,
                cure: Some(
                    "Is its certificate signed by what --cafile, --capath or --tls-use-os-certs names, and made for the name given with -h?",
                ),
            },
            Error::Tls(_) => Self {
                code: Self::TLS,
                cure: Some("Does TLS listen there, and does the broker know our certificate or key?"),
            },
            Error::Lost(_) | Error::NotConnected => Self::new(Self::LOST),
            Error::Silent { awaited: "PINGRESP", .. } => Self::new(Self::KEEP_ALIVE),
            Error::Silent { .. } => Self {
                code: Self::TIMED_OUT,
                cure: Some("Is it an MQTT broker that listens there, and one without TLS?"),
            },
            Error::Malformed(_) | Error::Violation { .. } => {
                Self { code: Self::PROTOCOL, cure: Some("Is it an MQTT broker that listens there?") }
            }
            Error::Invalid { .. } => Self::new(Self::INVALID),
            Error::NotTaken(reason) => Self::new(match reason {
                ReasonCode::QoSNotSupported => Self::QOS_NOT_SUPPORTED,
                ReasonCode::RetainNotSupported => Self::RETAIN_NOT_SUPPORTED,
                ReasonCode::TopicAliasInvalid => Self::TOPIC_ALIAS_INVALID,
                _ => Self::TOO_LARGE,
            }),
            Error::Full | Error::Unread(_) => Self::new(Self::GENERAL),
        }
    }

    const fn new(code: u8) -> Self {
        Self { code, cure: None }
    }
}

fn cure_of_unreachable(source: &io::Error) -> Option<&'static str> {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some("Is a broker running there? Start one with `martlet`, or name another with -h and -p.")
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some("Is the address right, and does no firewall stand between?")
        }
        _ => Some("Check the name given with -h."),
    }
}

const fn cure_of_refusal(reason: ReasonCode) -> Option<&'static str> {
    Some(match reason {
        ReasonCode::UnsupportedProtocolVersion => "Try another version: -V 5, -V 311 or -V 31.",
        ReasonCode::ClientIdentifierNotValid => "Give another Client Identifier with -i.",
        ReasonCode::BadUserNameOrPassword | ReasonCode::NotAuthorized => {
            "Give a user the broker knows with -u and -P, and let it be allowed what you ask."
        }
        ReasonCode::SessionTakenOver => {
            "Another client came with the same Client Identifier: give each its own with -i."
        }
        _ => return None,
    })
}

/// Writes a line to standard error. If even that fails there is nobody left to tell.
pub(crate) fn complain(line: Arguments<'_>) {
    let _nobody = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use martlet_client::{PropertiesBuf, Refusal, Version};

    use super::*;

    #[test]
    fn exit_codes_are_those_of_mosquitto() {
        let lost = Error::Lost(io::ErrorKind::BrokenPipe.into());
        let refused = io::ErrorKind::ConnectionRefused.into();
        let refusal = |version| Refusal {
            reason: ReasonCode::NotAuthorized,
            version,
            properties: PropertiesBuf::default(),
        };
        for (error, code) in [
            (Error::Refused(refusal(Version::V5)), 135),
            (Error::Refused(refusal(Version::V3_1_1)), 5),
            (Error::Unreachable { server: String::new(), source: refused }, 1),
            (lost, 7),
            (Error::NotTaken(ReasonCode::PacketTooLarge), 25),
            (Error::NotTaken(ReasonCode::QoSNotSupported), 24),
        ] {
            assert_eq!(Failure::of(&error.into()).code, code);
        }
    }
}

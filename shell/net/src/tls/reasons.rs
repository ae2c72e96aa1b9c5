//! Why a TLS handshake failed, in words that say whose fault it is and what to do.

use martlet_packet::ReasonCode;
use martlet_session::Violation;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// A handshake that failed, or a record that is none. `refused` is what the verifier said, who knows the certificate.
pub(super) fn violation(error: &Error, refused: Option<String>, first: Option<u8>) -> Violation {
    let reason = match error {
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => ReasonCode::NotAuthorized,
        _ => ReasonCode::ProtocolError,
    };
    let text = match error {
        Error::InvalidCertificate(why) => refused.unwrap_or_else(|| certificate(why, "of the Client")),
        Error::NoCertificatesPresented => {
            "the Client showed no certificate, which this listener requires".to_owned()
        }
        Error::AlertReceived(alert) => alert_received(*alert),
        Error::InvalidMessage(_) if first == Some(0x10) => {
            "this looks like plain MQTT, and this listener speaks TLS".to_owned()
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) if first != Some(0x16) => "the Client does not speak TLS, which this listener does".to_owned(),
        Error::PeerIncompatible(why) => incompatible(why),
        other => format!("the TLS handshake or connection failed: {other}"),
    };
    Violation::new(reason, text)
}

/// What is wrong with a certificate; `whose` names it.
pub(super) fn certificate(error: &CertificateError, whose: &str) -> String {
    use CertificateError as E;
    match error {
        E::Expired => format!("the certificate {whose} has expired"),
        E::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
            format!("the certificate {whose}, or one that leads to it, has expired {days} days ago")
        }
        E::NotValidYet => format!("the certificate {whose} is not valid yet"),
        E::NotValidYetContext { time, not_before } => {
            let minutes = not_before.as_secs().saturating_sub(time.as_secs()) / 60;
            format!(
                "the certificate {whose}, or one that leads to it, is not valid before {minutes} minutes from now"
            )
        }
        E::Revoked => format!("the certificate {whose} was revoked"),
        E::UnknownIssuer => {
            format!("the certificate {whose} was signed by none of the authorities of this listener")
        }
        E::UnknownRevocationStatus => {
            format!("no list says whether the certificate {whose} was revoked: its authority's is missing")
        }
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            format!("the list that says whether the certificate {whose} was revoked has expired")
        }
        E::BadSignature => format!("the certificate {whose} has a wrong signature"),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            format!("the certificate {whose} is not meant for Clients")
        }
        E::BadEncoding => format!("the certificate {whose} is malformed"),
        other => format!("the certificate {whose} cannot be used: {other}"),
    }
}

/// The Client told us why.
fn alert_received(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::UnknownCA => {
            "it does not know the authority that signed our certificate".to_owned()
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it does not accept our certificate: wrong host, or unknown authority".to_owned()
        }
        AlertDescription::CertificateExpired => "our certificate has expired".to_owned(),
        AlertDescription::UserCanceled => "its user ended it".to_owned(),
        other => format!("alert {other:?}"),
    };
    format!("the Client ended the TLS handshake: {why}")
}

fn incompatible(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::Tls13RequiredForQuic
        | PeerIncompatible::SupportedVersionsExtensionRequired => {
            "the Client offers no version of TLS that this listener speaks".to_owned()
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            "the Client offers no cipher suite that this listener has".to_owned()
        }
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoEcPointFormatsInCommon => {
            "the Client offers no key exchange that this listener has".to_owned()
        }
        PeerIncompatible::NoSignatureSchemesInCommon => {
            "the Client cannot check the signatures of our certificate's kind of key".to_owned()
        }
        other => format!("the Client's TLS and ours have nothing in common: {other:?}"),
    }
}

//! Is the Server who it claims to be? The rules are webpki's, and two of OpenSSL's that people's certificates rely on:
//! a certificate without alternative names is known by its common name, and a certificate of X.509 version 1, as
//! `openssl x509 -req` makes it, counts when a trusted certificate signed it.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore, SignatureScheme,
};
use std::sync::Arc;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate, X509Version};

/// The rules by which a Server is believed.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    trusted: Vec<CertificateDer<'static>>,
    accepts_any_name: bool,
}

impl Verifier {
    /// Believes what these certificates signed.
    pub(super) fn new(
        trusted: Vec<CertificateDer<'static>>,
        accepts_any_name: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, crate::Error> {
        let unusable = |why: String| crate::Error::TlsOptions(format!("the trusted certificates: {why}"));
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let webpki = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
        Ok(Self {
            webpki: webpki.map_err(|error| unusable(error.to_string()))?,
            algorithms: provider.signature_verification_algorithms,
            trusted,
            accepts_any_name,
        })
    }

    /// A certificate of version 1 has no extensions: it must come from a trusted certificate directly, within the time
    /// of both.
    fn verify_v1(&self, certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
        let now = i64::try_from(now.as_secs()).ok().and_then(|secs| ASN1Time::from_timestamp(secs).ok());
        let now = now.ok_or(CertificateError::BadEncoding)?;
        check_time(certificate, now)?;
        let mut reason = CertificateError::UnknownIssuer;
        for trusted in &self.trusted {
            let Ok((_, issuer)) = X509Certificate::from_der(trusted) else { continue };
            if issuer.subject().as_raw() != certificate.issuer().as_raw() || !may_sign(&issuer) {
                continue;
            }
            match check_time(&issuer, now) {
                Err(late) => reason = late,
                Ok(()) if certificate.verify_signature(Some(issuer.public_key())).is_ok() => return Ok(()),
                Ok(()) => reason = CertificateError::BadSignature,
            }
        }
        Err(reason)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = parse(end_entity)?;
        if certificate.version() == X509Version::V1 {
            self.verify_v1(&certificate, now)?;
            if !self.accepts_any_name && !has_common_name(&certificate, server_name) {
                return Err(CertificateError::NotValidForName.into());
            }
            return Ok(ServerCertVerified::assertion());
        }
        // webpki looks at the name last, when all else is proven.
        match self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.accepts_any_name || is_known_by_common_name(&certificate, server_name) => {
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parsed = parse(certificate)?;
        if parsed.version() != X509Version::V1 {
            return self.webpki.verify_tls12_signature(message, certificate, signed);
        }
        let algorithms = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, algorithms) = algorithms.ok_or(PeerIncompatible::NoSignatureSchemesInCommon)?;
        let key = &parsed.public_key().subject_public_key.data;
        let is_valid = algorithms
            .iter()
            .any(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok());
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parsed = parse(certificate)?;
        if parsed.version() != X509Version::V1 {
            return self.webpki.verify_tls13_signature(message, certificate, signed);
        }
        let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    Ok(parsed)
}

fn check_time(certificate: &X509Certificate<'_>, now: ASN1Time) -> Result<(), CertificateError> {
    let validity = certificate.validity();
    if now < validity.not_before {
        return Err(CertificateError::NotValidYet);
    }
    if now > validity.not_after {
        return Err(CertificateError::Expired);
    }
    Ok(())
}

/// Whether a trusted certificate may sign others. One of version 1 cannot say that it may not.
fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    certificate.version() == X509Version::V1
        || matches!(certificate.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca)
}

/// Whether the common name counts, for want of alternative names, and is the Server's.
fn is_known_by_common_name(certificate: &X509Certificate<'_>, server: &ServerName<'_>) -> bool {
    matches!(certificate.subject_alternative_name(), Ok(None)) && has_common_name(certificate, server)
}

fn has_common_name(certificate: &X509Certificate<'_>, server: &ServerName<'_>) -> bool {
    let server = server.to_str();
    let names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    names.into_iter().any(|name| matches_name(name, &server))
}

/// Compares names without regard to case. A `*` stands for the first label, and at least two must follow it.
fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => {
            rest.contains('.')
                && name
                    .split_once('.')
                    .is_some_and(|(first, other)| !first.is_empty() && other.eq_ignore_ascii_case(rest))
        }
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// Whether the certificate is about this public key.
pub(super) fn bears_key(certificate: &CertificateDer<'_>, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
    // What cannot be read the Server will refuse.
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.public_key().raw == key.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(matches_name("MQ.example.org", "mq.Example.org"));
        assert!(matches_name("*.example.org", "mq.example.org"));
        for (pattern, name) in [
            ("*.example.org", "example.org"),
            ("*.example.org", "a.b.example.org"),
            ("*.org", "example.org"),
            ("*", "example"),
            ("mq.example.org", "xmq.example.org"),
        ] {
            assert!(!matches_name(pattern, name), "{pattern} {name}");
        }
    }
}

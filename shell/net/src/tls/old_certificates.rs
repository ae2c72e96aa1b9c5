//! Certificates of X.509 version 1, verified by OpenSSL as it does for Mosquitto.
//!
//! The rule: OpenSSL says yes or no by itself; nothing here makes an exception for what it refuses.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId, X509StoreContext, X509VerifyResult};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;

use super::TlsError;

/// OpenSSL's verifier for Clients.
pub(super) struct OldCertificates(X509Store);

impl OldCertificates {
    pub(super) fn new(
        authorities: &[CertificateDer<'_>],
        revocation_file: Option<&Path>,
    ) -> Result<Self, TlsError> {
        store(authorities, revocation_file)
            .map(Self)
            .map_err(|error| TlsError::openssl("authorities", &error))
    }

    /// Is this certificate, of which `chain` may lead to an authority, to be trusted? If not: what, and in words.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
    ) -> Result<(), (CertificateError, String)> {
        let bad = |_| (CertificateError::BadEncoding, "is malformed".to_owned());
        let leaf = X509::from_der(leaf).map_err(bad)?;
        let mut others = Stack::new().map_err(bad)?;
        for certificate in chain {
            others.push(X509::from_der(certificate).map_err(bad)?).map_err(bad)?;
        }
        let mut context = X509StoreContext::new().map_err(bad)?;
        let verdict = context
            .init(&self.0, &leaf, &others, |context| {
                let is_trusted = context.verify_cert()?;
                Ok((is_trusted, context.error()))
            })
            .map_err(bad)?;
        match verdict {
            (true, X509VerifyResult::OK) => Ok(()),
            (_, why) => Err((kind(why), format!("cannot be trusted: {}", why.error_string()))),
        }
    }
}

pub(super) fn store(
    authorities: &[CertificateDer<'_>],
    revocation_file: Option<&Path>,
) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for authority in authorities {
        store.add_cert(X509::from_der(authority)?)?;
    }
    if let Some(path) = revocation_file {
        store.add_lookup(X509Lookup::file())?.load_crl_file(path, SslFiletype::PEM)?;
        store.set_flags(X509VerifyFlags::CRL_CHECK)?;
    }
    store.set_purpose(X509PurposeId::SSL_CLIENT)?;
    Ok(store.build())
}

/// The error with the alert that OpenSSL would send.
fn kind(why: X509VerifyResult) -> CertificateError {
    match why.as_raw() {
        openssl_sys::X509_V_ERR_CERT_HAS_EXPIRED => CertificateError::Expired,
        openssl_sys::X509_V_ERR_CERT_NOT_YET_VALID => CertificateError::NotValidYet,
        openssl_sys::X509_V_ERR_CERT_REVOKED => CertificateError::Revoked,
        openssl_sys::X509_V_ERR_CERT_SIGNATURE_FAILURE => CertificateError::BadSignature,
        openssl_sys::X509_V_ERR_INVALID_PURPOSE => CertificateError::InvalidPurpose,
        _ => CertificateError::UnknownIssuer,
    }
}

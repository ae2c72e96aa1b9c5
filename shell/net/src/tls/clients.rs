//! Whether a Client's certificate is one to trust: its chain, its time, and whether it was revoked.
//!
//! The rule: a refusal names the certificate and what is wrong with it; the Client is told the same by the right alert.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::{ClientCertificate, TlsError, TlsOptions, aside, certificate, files, reasons};

/// Verifies Clients.
pub(super) struct Clients {
    webpki: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
    /// Verifies certificates of version 1, which webpki does not read.
    #[cfg(feature = "openssl")]
    old: super::old_certificates::OldCertificates,
}

impl Clients {
    /// A verifier as the options ask for; `None` where Clients are not asked for certificates.
    pub(super) fn load(
        options: &TlsOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        if options.client_certificate == ClientCertificate::NotAsked {
            return Ok(None);
        }
        let authorities = files::authorities(options)?;
        if authorities.is_empty() {
            return Err(TlsError::NoAuthorities);
        }
        let revocations = files::revocations(options)?;
        #[cfg(feature = "openssl")]
        let old =
            super::old_certificates::OldCertificates::new(&authorities, options.revocation_file.as_deref())?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(authorities);
        if added == 0 {
            return Err(TlsError::NoAuthorities);
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        // As OpenSSL does for Mosquitto: the Client's own certificate is looked up, in a list that is still in force.
        let builder =
            builder.with_crls(revocations).only_check_end_entity_revocation().enforce_revocation_expiration();
        let builder = match options.client_certificate {
            ClientCertificate::Optional => builder.allow_unauthenticated(),
            _ => builder,
        };
        let webpki = builder.build().map_err(|error| TlsError::other(format!("authorities: {error}")))?;
        Ok(Some(Arc::new(Self {
            webpki,
            provider: provider.clone(),
            #[cfg(feature = "openssl")]
            old,
        })))
    }

    fn verify_old(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &str,
    ) -> Result<ClientCertVerified, Error> {
        #[cfg(feature = "openssl")]
        let verified = self.old.verify(leaf, chain);
        #[cfg(not(feature = "openssl"))]
        let verified = {
            let _ = (leaf, chain, &self.provider);
            Err((
                CertificateError::InvalidPurpose,
                "is of X.509 version 1, which only OpenSSL verifies: issue it with extensions, or build with the \
                 feature `openssl`"
                    .to_owned(),
            ))
        };
        verified.map(|()| ClientCertVerified::assertion()).map_err(|(error, why)| {
            aside::leave(|aside| aside.refused = Some(format!("the certificate {name} {why}")));
            Error::InvalidCertificate(error)
        })
    }

    /// Checks that the Client owns the key of its certificate of version 1.
    fn verify_old_signature(
        &self,
        message: &[u8],
        certificate: &X509Certificate<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = certificate.public_key();
        let algorithms = self.provider.signature_verification_algorithms.mapping;
        let of_scheme = algorithms.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let Some((_, algorithms)) = of_scheme else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        // What identifies an algorithm is written without the head of its sequence.
        let is_of_key =
            |id: &[u8]| key.raw.windows(id.len()).position(|window| window == id).is_some_and(|at| at < 8);
        let verifies = algorithms
            .iter()
            .filter(|algorithm| is_of_key(algorithm.public_key_alg_id().as_ref()))
            .any(|algorithm| {
                algorithm.verify_signature(&key.subject_public_key.data, message, signed.signature()).is_ok()
            });
        if verifies {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
        }
    }
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.webpki.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let name =
            certificate::subject(leaf).map_or_else(|| "of the Client".to_owned(), |name| format!("`{name}`"));
        if old_certificate(leaf).is_some() {
            return self.verify_old(leaf, chain, &name);
        }
        self.webpki.verify_client_cert(leaf, chain, now).inspect_err(|error| {
            if let Error::InvalidCertificate(why) = error {
                aside::leave(|aside| aside.refused = Some(reasons::certificate(why, &name)));
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match old_certificate(leaf) {
            Some(old) => self.verify_old_signature(message, &old, signed),
            None => self.webpki.verify_tls12_signature(message, leaf, signed),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match old_certificate(leaf) {
            Some(old) => self.verify_old_signature(message, &old, signed),
            None => self.webpki.verify_tls13_signature(message, leaf, signed),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

/// The certificate, if it is of version 1 or 2: the usual recipes for OpenSSL make such when no extension is asked for.
fn old_certificate<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    (certificate.version().0 < X509Version::V3.0).then_some(certificate)
}

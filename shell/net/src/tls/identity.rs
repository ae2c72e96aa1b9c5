//! Who this broker says it is: certificates with their keys, chosen by the host a Client asks for.
//!
//! The rule: a certificate is shown as it is, even one of version 1, which rustls would not take from a peer; whether the
//! key belongs to it is seen at start, not by the first Client.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{IdentityFiles, TlsError, TlsOptions, aside, files};

/// Certificates between ours and the root; more of them no Client follows.
const LINKS_MAX: usize = 8;

/// The identities of a listener.
#[derive(Debug)]
pub(super) struct Identities(Vec<Identity>);

#[derive(Debug)]
struct Identity {
    /// Hosts it is for, in lower case; one may begin with `*.`.
    hosts: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Identities {
    /// Reads all.
    pub(super) fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let authorities = files::authorities(options)?;
        let all = options.identities.iter().map(|files| load(files, &authorities));
        all.collect::<Result<_, _>>().map(Self)
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(host) = hello.server_name() {
            aside::leave(|aside| aside.server_name = Some(host.into()));
        }
        let can_sign =
            |identity: &&Identity| identity.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let is_meant = |identity: &&Identity| hello.server_name().is_some_and(|host| identity.is_for(host));
        let meant = self.0.iter().filter(is_meant).find(can_sign);
        let identity = meant.or_else(|| self.0.iter().find(can_sign)).or_else(|| self.0.first())?;
        Some(identity.key.clone())
    }
}

impl Identity {
    fn is_for(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => *name == host,
        })
    }
}

/// The certificates of an identity, and those of the authorities that lead from them to a root: Clients that know the root
/// alone need them, and OpenSSL sends them unasked.
pub(super) fn chain(
    files: &IdentityFiles,
    authorities: &[CertificateDer<'static>],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut chain = files::certificates(&files.certificate)?;
    while chain.len() <= LINKS_MAX
        && let Some(issuer) = chain.last().and_then(|last| issuer_of(last, authorities))
    {
        chain.push(issuer);
    }
    Ok(chain)
}

/// The authority that signed this certificate, unless it is a root: that is known to the Client or of no use to it.
fn issuer_of(der: &[u8], authorities: &[CertificateDer<'static>]) -> Option<CertificateDer<'static>> {
    let (_, last) = X509Certificate::from_der(der).ok()?;
    let has_signed = |authority: &&CertificateDer<'_>| {
        X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
            authority.subject() == last.issuer()
                && authority.subject() != authority.issuer()
                && last.verify_signature(Some(authority.public_key())).is_ok()
        })
    };
    authorities.iter().find(has_signed).cloned()
}

fn load(files: &IdentityFiles, authorities: &[CertificateDer<'static>]) -> Result<Identity, TlsError> {
    let chain = chain(files, authorities)?;
    let secret = files::key(files)?;
    let key = any_supported_type(&secret).map_err(|_| TlsError::NeedsOpenssl {
        why: format!("rustls cannot use the kind or length of the private key {}", files.key.display()),
    })?;
    let (_, certificate) = X509Certificate::from_der(&chain[0])
        .map_err(|error| TlsError::file(&files.certificate, format!("is malformed: {error}")))?;
    // Both are the same structure, the key of the certificate and that of the private key.
    if key.public_key().is_some_and(|public| public.as_ref() != certificate.public_key().raw) {
        let what = format!("does not belong to the certificate {}", files.certificate.display());
        return Err(TlsError::file(&files.key, what));
    }
    let hosts = hosts(&certificate);
    Ok(Identity { hosts, key: Arc::new(CertifiedKey::new(chain, key)) })
}

fn hosts(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(host) => Some(host.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

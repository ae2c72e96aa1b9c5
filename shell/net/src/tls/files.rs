//! Certificates, keys and lists of what was revoked, from files (PEM).
//!
//! The rule: a file that cannot be used is named with what is wrong with it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{IdentityFiles, TlsError, TlsOptions};

/// The certificates of a file, in order. There is at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::file(path, format!("is malformed: {error}")))?;
    if certificates.is_empty() {
        return Err(TlsError::file(path, "has no certificate (PEM) in it"));
    }
    Ok(certificates)
}

/// The private key of an identity, decrypted.
pub(super) fn key(files: &IdentityFiles) -> Result<PrivateKeyDer<'static>, TlsError> {
    let path = &files.key;
    let text = read(path)?;
    if is_encrypted(&text) {
        return decrypt(files, &text);
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::file(path, "has no private key (PEM) in it"),
        error => TlsError::file(path, format!("is malformed: {error}")),
    })
}

/// All certificates that may sign those of Clients.
pub(super) fn authorities(options: &TlsOptions) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = HashSet::new();
    let mut all = Vec::new();
    let mut add = |certificates: Vec<CertificateDer<'static>>| {
        all.extend(certificates.into_iter().filter(|certificate| found.insert(certificate.to_vec())));
    };
    if let Some(path) = &options.authority_file {
        add(certificates(path)?);
    }
    if let Some(folder) = &options.authority_folder {
        let entries = fs::read_dir(folder).map_err(|error| TlsError::read(folder, error))?;
        let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.sort_unstable();
        // Such folders hold other files as well, lists of what was revoked for example.
        paths
            .iter()
            .filter(|path| path.is_file())
            .for_each(|path| add(certificates(path).unwrap_or_default()));
    }
    if all.is_empty() && options.authority_folder.is_some() && options.authority_file.is_none() {
        let folder = options.authority_folder.clone().unwrap_or_default();
        return Err(TlsError::file(&folder, "has no file with a certificate (PEM) in it"));
    }
    Ok(all)
}

/// The lists of what was revoked.
pub(super) fn revocations(
    options: &TlsOptions,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let Some(path) = &options.revocation_file else { return Ok(Vec::new()) };
    let text = read(path)?;
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::file(path, format!("is malformed: {error}")))?;
    if lists.is_empty() {
        return Err(TlsError::file(path, "has no list of what was revoked (PEM, X509 CRL) in it"));
    }
    Ok(lists)
}

/// It may hold a private key.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path).map(Zeroizing::new).map_err(|error| TlsError::read(path, error))
}

fn is_encrypted(text: &[u8]) -> bool {
    let has = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

#[cfg(not(feature = "openssl"))]
fn decrypt(files: &IdentityFiles, _: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    Err(TlsError::NeedsOpenssl { why: format!("the private key {} is encrypted", files.key.display()) })
}

#[cfg(feature = "openssl")]
fn decrypt(files: &IdentityFiles, text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let path = &files.key;
    let Some(password) = &files.password else {
        return Err(TlsError::file(path, "is encrypted, and no password is given"));
    };
    let key = openssl::pkey::PKey::private_key_from_pem_passphrase(text, password.0.as_bytes())
        .and_then(|key| key.private_key_to_pkcs8())
        .map_err(|_| TlsError::file(path, "cannot be decrypted: is the password wrong?"))?;
    PrivateKeyDer::try_from(key).map_err(|error| TlsError::file(path, error))
}

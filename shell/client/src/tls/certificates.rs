//! Certificates and keys from files and from the system.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{Identity, TlsOptions};
use crate::Error;

/// The certificates to trust.
pub(super) fn trusted(options: &TlsOptions) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut trusted = Vec::new();
    if let Some(path) = &options.ca_file {
        trusted.extend(read_chain(path)?);
    }
    if let Some(folder) = &options.ca_path {
        trusted.extend(read_folder(folder)?);
    }
    if options.trusts_system || (options.ca_file.is_none() && options.ca_path.is_none()) {
        trusted.extend(rustls_native_certs::load_native_certs().certs);
    }
    if trusted.is_empty() {
        return Err(Error::TlsOptions("no certificate to trust was found".to_owned()));
    }
    Ok(trusted)
}

/// Every certificate of a file, of which there must be one.
fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| Error::TlsOptions(format!("{}: {why}", path.display()));
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| wrong(plain(&error)))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| wrong(plain(&error)))?;
    if chain.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(chain)
}

/// The certificates of a folder. OpenSSL looks for names that are hashes; whoever follows them finds the same files.
fn read_folder(folder: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let entries =
        fs::read_dir(folder).map_err(|error| Error::TlsOptions(format!("{}: {error}", folder.display())))?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    // What is no certificate is no reason to refuse those that are.
    Ok(files.filter_map(|path| read_chain(&path).ok()).flatten().collect())
}

/// Our certificate and its key. They must belong together.
pub(super) fn identity(files: &Identity, provider: &CryptoProvider) -> Result<Arc<SingleCertAndKey>, Error> {
    let chain = read_chain(&files.certificate)?;
    let wrong = |why: String| Error::TlsOptions(format!("{}: {why}", files.key.display()));
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(plain(&error)))?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| wrong(error.to_string()))?;
    if let Some(public) = key.public_key()
        && !super::verifier::bears_key(&chain[0], &public)
    {
        return Err(wrong(format!("this is not the key of {}", files.certificate.display())));
    }
    Ok(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
}

/// What is wrong with a file, in words for people.
fn plain(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "there is none in it (an encrypted key cannot be used)".to_owned(),
        other => other.to_string(),
    }
}

//! What TLS is asked for, in the words of those who configure it.
//!
//! The rule: a secret is shown to nobody, not even by `Debug`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::TlsVersion;

/// TLS of a listener.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Who this broker is: a Client that names a host gets the first certificate for that host, any other the first of all.
    /// May be empty only where a pre-shared key is used.
    pub identities: Vec<IdentityFiles>,
    /// A file of certificates (PEM) that may sign those of Clients.
    pub authority_file: Option<PathBuf>,
    /// A folder of such files, one certificate each, named as `openssl rehash` does or not.
    pub authority_folder: Option<PathBuf>,
    /// A file of lists (PEM) of what was revoked.
    pub revocation_file: Option<PathBuf>,
    /// Do Clients show a certificate?
    pub client_certificate: ClientCertificate,
    /// Versions that are spoken.
    pub versions: TlsVersions,
    /// Cipher suites up to TLS 1.2, as a list of OpenSSL. `None`: those that are safe.
    pub ciphers: Option<String>,
    /// Cipher suites of TLS 1.3, as a list of OpenSSL. `None`: all.
    pub ciphersuites: Option<String>,
    /// Parameters for finite-field Diffie-Hellman, which only OpenSSL does.
    pub dh_parameters: Option<PathBuf>,
    /// Clients may show that they know a secret instead.
    pub psk: Option<PskOptions>,
    /// Where the secrets of each connection are written, to decrypt captures. For finding faults only.
    pub key_log: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate (PEM), and behind it those that lead to one the Client knows.
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// What the key is encrypted with.
    pub password: Option<KeyPassword>,
}

/// The password of a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPassword(pub Zeroizing<String>);

/// Do Clients show a certificate?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    /// They are not asked for one.
    #[default]
    NotAsked,
    /// They may; a wrong one is refused.
    Optional,
    /// They must.
    Required,
}

/// Versions from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsVersions {
    /// The oldest.
    pub min: TlsVersion,
    /// The newest.
    pub max: TlsVersion,
}

/// Pre-shared keys.
#[derive(Clone)]
pub struct PskOptions {
    /// Told to Clients that have several identities.
    pub hint: String,
    /// Finds keys.
    pub keys: Arc<dyn PskKeys>,
}

/// Finds the key of an identity. Asked on the thread that serves the connection: it must answer at once.
pub trait PskKeys: Send + Sync {
    /// Writes the key to `key` and says how long it is; `None` when nobody has this identity or the key is too long.
    fn find(&self, identity: &[u8], key: &mut [u8]) -> Option<usize>;
}

impl Default for TlsVersions {
    fn default() -> Self {
        Self { min: TlsVersion::V1_2, max: TlsVersion::V1_3 }
    }
}

impl fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPassword")
    }
}

impl fmt::Debug for PskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PskOptions").field("hint", &self.hint).finish_non_exhaustive()
    }
}

//! TLS, as a [`Stream`] on a socket. rustls serves it; OpenSSL, behind the feature `openssl`, serves what rustls has no
//! word for: pre-shared keys, TLS 1.1, and lists of ciphers in OpenSSL's own language.
//!
//! The rule: nothing is ever trusted that was not asked for. Without the feature such options are errors that name it.

mod certificates;
mod ciphers;
mod rustls_stream;
mod verifier;

#[cfg(feature = "openssl")]
mod openssl_stream;

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::time::Instant;

use self::ciphers::Ciphers;
use crate::Error;
use crate::socket::Socket;
use crate::stream::Stream;

/// How TLS is spoken. The files are read anew for each connection, so that renewed certificates are found.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// A PEM file of certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// A folder of PEM files of certificates to trust.
    pub ca_path: Option<PathBuf>,
    /// Whether to trust what this machine trusts. Also so when nothing else is trusted.
    pub trusts_system: bool,
    /// Who we are, as files of a certificate and its key.
    pub identity: Option<Identity>,
    /// Accept a certificate that bears another name than the Server's. It must be trusted all the same.
    pub accepts_any_name: bool,
    /// The oldest version to accept; without one, TLS 1.2.
    pub oldest: Option<TlsVersion>,
    /// The ciphers to offer up to TLS 1.2, named as OpenSSL names them.
    pub ciphers: Option<String>,
    /// The application protocol to ask for (ALPN).
    pub alpn: Option<String>,
    /// A key both sides know, in place of certificates.
    pub psk: Option<Psk>,
}

/// A certificate of ours and its private key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, with those that lead to a trusted one behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.1, which only OpenSSL speaks.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// A pre-shared key.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    /// The name the Server knows the key by.
    pub identity: String,
    /// The key.
    pub key: Vec<u8>,
}

/// The key is a secret.
impl Debug for Psk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psk").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What is ready to shake hands: the files are read.
pub(crate) enum Prepared {
    Rustls(rustls_stream::Prepared),
    #[cfg(feature = "openssl")]
    Openssl(Box<openssl_stream::Prepared>),
}

/// Reads the files, and finds out who serves such options.
pub(crate) fn prepare(options: &TlsOptions) -> Result<Prepared, Error> {
    let ciphers = options.ciphers.as_deref().map_or(Ciphers::All, Ciphers::parse);
    match options.needs_openssl(&ciphers) {
        None => rustls_stream::prepare(options, &ciphers).map(Prepared::Rustls),
        #[cfg(feature = "openssl")]
        Some(_) => Ok(Prepared::Openssl(Box::new(openssl_stream::prepare(options)?))),
        #[cfg(not(feature = "openssl"))]
        Some(what) => Err(Error::TlsOptions(format!(
            "{what}: this needs OpenSSL, and this program was built without; build it with `--features openssl`"
        ))),
    }
}

impl Prepared {
    /// Shakes hands with the Server of this name, in time.
    pub(crate) fn connect(
        self,
        socket: Socket,
        host: &str,
        until: Instant,
    ) -> Result<Box<dyn Stream>, Error> {
        match self {
            Self::Rustls(prepared) => rustls_stream::connect(socket, prepared, host, until),
            #[cfg(feature = "openssl")]
            Self::Openssl(prepared) => openssl_stream::connect(socket, &prepared, host, until),
        }
    }
}

impl TlsOptions {
    /// What of these options only OpenSSL can do.
    fn needs_openssl(&self, ciphers: &Ciphers) -> Option<&'static str> {
        if self.psk.is_some() {
            Some("a pre-shared key is wanted")
        } else if self.oldest == Some(TlsVersion::V1_1) {
            Some("TLS 1.1 is wanted")
        } else if matches!(ciphers, Ciphers::OpenSsl) {
            Some("the list of ciphers has names that only OpenSSL knows")
        } else {
            None
        }
    }
}

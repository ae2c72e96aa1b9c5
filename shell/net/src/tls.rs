//! TLS of a listener, driven without a socket: by rustls, or by OpenSSL where rustls cannot do what is asked.
//!
//! The rule: what a listener uses is one immutable value. An exchange replaces it for handshakes to come, all of it or
//! nothing; whoever is connected stays as it is.

mod aside;
mod certificate;
mod ciphers;
mod clients;
mod files;
mod identity;
mod key_log;
#[cfg(feature = "openssl")]
mod old_certificates;
#[cfg(feature = "openssl")]
mod openssl_hint;
#[cfg(feature = "openssl")]
mod openssl_stream;
mod options;
mod reasons;
mod rustls_stream;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_session::Violation;
use parking_lot::RwLock;
use rustls::ServerConfig;

pub use options::{
    ClientCertificate, IdentityFiles, KeyPassword, PskKeys, PskOptions, TlsOptions, TlsVersions,
};

use crate::PeerInfo;
use crate::layers::Made;
use rustls_stream::RustlsStream;

/// Bytes in front of the records of a read, so that the payload of each can be put before its record.
pub(crate) const HEADROOM: usize = 16 * 1024 + 256;

/// TLS of one connection.
pub(crate) trait Tls: fmt::Debug + Send {
    /// Turns the records in `buffer` into payload at its front. `records` lie behind
    /// [`HEADROOM`] and keep what is not whole. What must be answered goes to `answer`, and what was learnt to `peer`.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        records: &mut Range<usize>,
        answer: &mut Vec<u8>,
        peer: &mut PeerInfo,
    ) -> Made;

    /// Encrypts. `partial` is what [`Tls::receive`] left of the records.
    fn send(&mut self, bytes: &[u8], partial: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Violation>;

    /// Says that nothing follows. `partial` as in [`Tls::send`].
    fn close(&mut self, partial: &mut Vec<u8>, out: &mut Vec<u8>);

    /// The peer said that nothing follows.
    fn has_ended(&self) -> bool;
}

/// Why TLS cannot be done as it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only OpenSSL can do it, and this build is without it.
    #[error("{why}; OpenSSL may: build with the feature `openssl`")]
    NeedsOpenssl {
        /// What rustls cannot do.
        why: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be used.
    #[error("the file {} {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is neither a certificate nor a pre-shared key.
    #[error("TLS needs a certificate and its key, or pre-shared keys")]
    NoIdentity,
    /// Clients must show certificates that nobody may have signed.
    #[error("certificates of Clients are asked for, and no authority is given that may sign them")]
    NoAuthorities,
    /// Something else is wrong.
    #[error("{0}")]
    Other(String),
}

/// The TLS of a listener, for whoever exchanges it.
#[derive(Clone)]
pub struct TlsHandle(Arc<RwLock<Backend>>);

/// What does TLS for a listener.
#[derive(Clone)]
enum Backend {
    Rustls(Arc<ServerConfig>),
    #[cfg(feature = "openssl")]
    Openssl(openssl::ssl::SslContext),
}

impl TlsHandle {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Backend::load(options)?))))
    }

    /// Reads all files anew. Handshakes to come see what they say; when something is wrong with them nothing changes.
    pub fn exchange(&self, options: &TlsOptions) -> Result<(), TlsError> {
        let loaded = Backend::load(options)?;
        *self.0.write() = loaded;
        Ok(())
    }

    /// TLS is done by OpenSSL, for what rustls cannot do.
    pub fn is_openssl(&self) -> bool {
        !matches!(*self.0.read(), Backend::Rustls(_))
    }

    /// TLS of a new connection.
    pub(crate) fn begin(&self) -> io::Result<Box<dyn Tls>> {
        let backend = self.0.read().clone();
        match backend {
            Backend::Rustls(config) => Ok(Box::new(RustlsStream::new(config).map_err(io::Error::other)?)),
            #[cfg(feature = "openssl")]
            Backend::Openssl(context) => Ok(Box::new(openssl_stream::OpensslStream::new(&context)?)),
        }
    }
}

impl Backend {
    /// rustls takes a quarter of OpenSSL's memory, so it does whatever it can.
    fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let TlsVersions { min, max } = options.versions;
        if min > max {
            return Err(TlsError::other(format!("there is no version of TLS from {min} to {max}")));
        }
        match rustls_stream::config(options) {
            #[cfg(feature = "openssl")]
            Err(TlsError::NeedsOpenssl { why }) => openssl_stream::context(options, &why).map(Self::Openssl),
            config => config.map(Self::Rustls),
        }
    }
}

impl TlsError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), what: what.into() }
    }

    #[cfg(feature = "openssl")]
    fn openssl(what: &str, error: &openssl::error::ErrorStack) -> Self {
        let reasons: Vec<_> = error.errors().iter().filter_map(|error| error.reason()).collect();
        Self::Other(format!("{what}: OpenSSL says: {}", reasons.join(", ")))
    }

    fn other(what: impl Into<String>) -> Self {
        Self::Other(what.into())
    }
}

impl fmt::Debug for TlsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsHandle")
    }
}

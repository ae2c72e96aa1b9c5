//! TLS of a listener, driven without a socket: by rustls, or by OpenSSL where rustls cannot do what is asked.
//!
//! The rule: what a listener uses is one immutable value. An exchange replaces it for handshakes to come, all of it or
//! nothing; whoever is connected stays as it is.

mod options;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use martlet_session::Violation;
use parking_lot::RwLock;

pub use options::{
    ClientCertificate, IdentityFiles, KeyPassword, PskKeys, PskOptions, TlsOptions, TlsVersions,
};

use crate::PeerInfo;

/// Bytes in front of the records of a read, so that the payload of each can be put before its record.
pub(crate) const HEADROOM: usize = 16 * 1024 + 256;

/// TLS of one connection.
pub(crate) trait Tls: fmt::Debug + Send {
    /// Turns the records in `buffer` into payload at its front, and says how many bytes that is. `records` lie behind
    /// [`HEADROOM`] and keep what is not whole. What must be answered goes to `answer`, and what was learnt to `peer`.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        records: &mut Range<usize>,
        answer: &mut Vec<u8>,
        peer: &mut PeerInfo,
    ) -> Result<usize, Violation>;

    /// Encrypts.
    fn send(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Violation>;

    /// Says that nothing follows.
    fn close(&mut self, out: &mut Vec<u8>);

    /// The peer said that nothing follows.
    fn has_ended(&self) -> bool;
}

/// Why TLS cannot be done as it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only OpenSSL can do it, and this build is without it.
    #[error("{why}; OpenSSL can do it: build with the feature `openssl`")]
    NeedsOpenssl {
        /// What rustls cannot do.
        why: String,
    },
}

/// The TLS of a listener, for whoever exchanges it.
#[derive(Clone)]
pub struct TlsHandle(Arc<RwLock<Arc<Backend>>>);

/// What does TLS for a listener.
#[derive(Debug)]
enum Backend {}

impl TlsHandle {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(Backend::load(options)?)))))
    }

    /// Reads all files anew. Handshakes to come see what they say; when something is wrong with them nothing changes.
    pub fn exchange(&self, options: &TlsOptions) -> Result<(), TlsError> {
        let loaded = Arc::new(Backend::load(options)?);
        *self.0.write() = loaded;
        Ok(())
    }

    /// TLS of a new connection.
    pub(crate) fn begin(&self) -> Box<dyn Tls> {
        let backend = self.0.read().clone();
        backend.begin()
    }
}

impl Backend {
    fn load(_: &TlsOptions) -> Result<Self, TlsError> {
        Err(TlsError::NeedsOpenssl { why: "TLS is not there yet".to_owned() })
    }

    fn begin(&self) -> Box<dyn Tls> {
        match *self {}
    }
}

impl fmt::Debug for TlsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsHandle")
    }
}

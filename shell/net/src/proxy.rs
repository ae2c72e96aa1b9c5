//! The PROXY protocol: a proxy in front says who the Client is, before the Client's first byte.
//!
//! The rule: only a trusted proxy is heard at all, nothing but a whole and valid header is taken for one, and a header is
//! short. Who writes it may be trusted, who is behind it is not: a Client never gets to be heard in its place.

mod options;
mod v1;
mod v2;

use std::net::SocketAddr;

use martlet_packet::ReasonCode;
use martlet_session::Violation;

pub use options::{ProxyOptions, ProxyVersions};

use crate::{PeerInfo, ProxiedInfo};

/// What a header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The Client's address; `None` when the proxy speaks for itself, to see whether we are well, or does not know.
    pub source: Option<SocketAddr>,
    /// What else it says of the Client.
    pub about: Option<Box<ProxiedInfo>>,
}

/// Why something is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It begins otherwise.
    #[error("the first bytes are no PROXY header: does the proxy send one?")]
    NoHeader,
    /// The line of version 1 does not end where it must.
    #[error("the line of the PROXY header is longer than 107 bytes")]
    TooLong,
    /// A header of version 2 that nobody needs so large.
    #[error("the PROXY header announces more than {} bytes", v2::BODY_BYTES_MAX)]
    TooLarge,
    /// It begins well, and is none.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    /// A version the listener was told not to take.
    #[error("this listener takes another version of the PROXY protocol")]
    Version,
}

/// Finds the header at the beginning of `bytes`, and says how long it is; `None` when more bytes must come. To be called
/// with all bytes from the first on.
pub fn parse(bytes: &[u8], versions: ProxyVersions) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    if begins_like(bytes, v2::SIGNATURE) {
        refuse_version(versions == ProxyVersions::V1)?;
        v2::parse(bytes)
    } else if begins_like(bytes, v1::SIGNATURE) {
        refuse_version(versions == ProxyVersions::V2)?;
        v1::parse(bytes)
    } else {
        Err(ProxyError::NoHeader)
    }
}

fn refuse_version(is_refused: bool) -> Result<(), ProxyError> {
    if is_refused { Err(ProxyError::Version) } else { Ok(()) }
}

/// As far as it came, this is the signature.
fn begins_like(bytes: &[u8], signature: &[u8]) -> bool {
    let len = bytes.len().min(signature.len());
    len > 0 && bytes[..len] == signature[..len]
}

/// Takes the header of a connection from `peer`, and says how long it was; `None` when more bytes must come.
pub(crate) fn receive(
    options: &ProxyOptions,
    bytes: &[u8],
    peer: &mut PeerInfo,
) -> Result<Option<usize>, Violation> {
    if !options.trusted.has(&peer.address) {
        let text = format!(
            "only trusted proxies may connect to this listener, and {} is none of them",
            peer.address
        );
        return Err(Violation::new(ReasonCode::NotAuthorized, text));
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    let parsed = parse(bytes, options.versions)
        .map_err(|error| Violation::new(ReasonCode::ProtocolError, error.to_string()))?;
    let Some((header, len)) = parsed else { return Ok(None) };
    let is_tls = header.about.as_ref().is_some_and(|about| about.is_tls);
    if options.requires_tls && header.source.is_some() && !is_tls {
        let text = "the Client reached the proxy without TLS, which this listener requires";
        return Err(Violation::new(ReasonCode::NotAuthorized, text));
    }
    peer.forwarded = header.source;
    peer.proxied = header.about;
    Ok(Some(len))
}

#[cfg(test)]
mod tests;

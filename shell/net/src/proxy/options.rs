//! What is asked of a proxy in front of a listener.

use crate::TrustedSources;

/// A proxy in front must say who the Client is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyOptions {
    /// Proxies that may connect; everybody else is refused.
    pub trusted: TrustedSources,
    /// Which versions of the PROXY protocol are taken.
    pub versions: ProxyVersions,
    /// Clients must have reached the proxy by TLS, which only version 2 can say.
    pub requires_tls: bool,
}

/// Versions of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyVersions {
    /// Whichever comes.
    #[default]
    Both,
    /// The line of text.
    V1,
    /// The binary header.
    V2,
}

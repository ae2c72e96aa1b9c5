//! What a WebSocket listener asks of a Client's handshake.

use crate::TrustedSources;

/// MQTT is carried by WebSocket frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Paths a Client may ask for, such as `/mqtt`. Empty: any.
    pub paths: Vec<String>,
    /// Sub-protocols that are spoken; the first of the Client's that is among them is taken.
    pub subprotocols: Vec<String>,
    /// A Client that offers no sub-protocol at all is let in, against [MQTT-6.0.0-3].
    pub allows_no_subprotocol: bool,
    /// Pages that may connect, such as `https://example.com`, as browsers name them. Empty: all.
    pub origins: Vec<String>,
    /// Bytes of the request, all its headers included.
    pub request_bytes_max: usize,
    /// Proxies whose X-Forwarded-For is believed.
    pub forwarders: TrustedSources,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            subprotocols: vec!["mqtt".to_owned(), "mqttv3.1".to_owned()],
            allows_no_subprotocol: false,
            origins: Vec::new(),
            request_bytes_max: 4096,
            forwarders: TrustedSources::default(),
        }
    }
}

//! The opening handshake of RFC 6455, §4.2, as far as MQTT needs it.
//!
//! The rule: a request that is refused is told why in the status and the text of an HTTP response, for people look at it
//! in a browser.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Header, Status};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::WebSocketOptions;
use crate::PeerInfo;

/// Headers of one request; browsers and proxies together send half of that.
const HEADERS_MAX: usize = 96;
/// What the key of a request is hashed with. §1.3
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that is well.
#[derive(Debug)]
pub(super) struct Request {
    /// How long it was.
    pub(super) len: usize,
    /// The Client's address, from trusted proxies.
    pub(super) forwarded: Option<SocketAddr>,
    subprotocol: Option<String>,
    accept: String,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: &'static str,
    pub(super) text: String,
}

impl Request {
    /// Reads the request at the beginning of `bytes`; `None` when more bytes must come.
    pub(super) fn read(
        options: &WebSocketOptions,
        bytes: &[u8],
        peer: &PeerInfo,
    ) -> Result<Option<Self>, Refusal> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let len = match request.parse(bytes) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) if bytes.len() < options.request_bytes_max => return Ok(None),
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Refusal::new("431 Request Header Fields Too Large", "the request is too large"));
            }
            Err(_) => return Err(Refusal::bad(not_http(bytes))),
        };
        let fields = Fields(request.headers);
        check_method(&request)?;
        check_path(options, request.path.unwrap_or_default())?;
        check_origin(options, &fields)?;
        let accept = accept(&fields)?;
        let subprotocol = choose_subprotocol(options, &fields)?;
        let forwarded = forwarded(options, &fields, peer);
        Ok(Some(Self { len, forwarded, subprotocol, accept }))
    }

    /// Says yes.
    pub(super) fn answer(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        );
        out.extend_from_slice(format!("Sec-WebSocket-Accept: {}\r\n", self.accept).as_bytes());
        if let Some(name) = &self.subprotocol {
            // The name is one of ours, so that it cannot break the line [MQTT-6.0.0-4].
            out.extend_from_slice(format!("Sec-WebSocket-Protocol: {name}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Refusal {
    fn new(status: &'static str, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self::new("400 Bad Request", text)
    }

    /// Says no.
    pub(super) fn answer(&self, out: &mut Vec<u8>) {
        let Self { status, text } = self;
        let version = if status.starts_with("426") {
            "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"
        } else {
            ""
        };
        let len = text.len() + 1;
        let answer = format!(
            "HTTP/1.1 {status}\r\n{version}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len}\r\n\
             Connection: close\r\n\r\n{text}\n"
        );
        out.extend_from_slice(answer.as_bytes());
    }
}

/// Headers of a request, looked up by name.
struct Fields<'a>(&'a [Header<'a>]);

impl<'a> Fields<'a> {
    /// All values of this name, in order.
    fn all(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a str> {
        let named = self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    }

    /// The elements of all lists of this name, in order.
    fn list(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|element| !element.is_empty())
    }

    fn has(&self, name: &'static str, wanted: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(wanted))
    }
}

fn not_http(bytes: &[u8]) -> &'static str {
    match bytes.first() {
        Some(0x10) => "this looks like plain MQTT, and this listener speaks MQTT over WebSocket",
        Some(0x16) => "this looks like TLS, and this listener has none",
        _ => "the request is no HTTP",
    }
}

fn check_method(request: &httparse::Request<'_, '_>) -> Result<(), Refusal> {
    match (request.method, request.version) {
        (Some("GET"), Some(1)) => Ok(()),
        (Some("GET"), _) => Err(Refusal::bad("a WebSocket needs HTTP/1.1")),
        _ => Err(Refusal::new("405 Method Not Allowed", "a WebSocket is asked for by GET")),
    }
}

fn check_path(options: &WebSocketOptions, target: &str) -> Result<(), Refusal> {
    let asked = target.split('?').next().unwrap_or_default();
    if options.paths.is_empty() || options.paths.iter().any(|path| path == asked) {
        return Ok(());
    }
    let text = format!("this listener serves the path {} only", options.paths.join(" or "));
    Err(Refusal::new("404 Not Found", text))
}

/// A browser tells which page asks; other Clients need not.
fn check_origin(options: &WebSocketOptions, fields: &Fields<'_>) -> Result<(), Refusal> {
    let Some(origin) = fields.all("origin").next().filter(|_| !options.origins.is_empty()) else {
        return Ok(());
    };
    if options.origins.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(Refusal::new("403 Forbidden", format!("pages of {} may not connect", origin.escape_debug())))
}

/// The proof that the request was understood. §4.2.2
fn accept(fields: &Fields<'_>) -> Result<String, Refusal> {
    if !fields.has("upgrade", "websocket") || !fields.has("connection", "upgrade") {
        return Err(Refusal::new("426 Upgrade Required", "this listener speaks MQTT over WebSocket"));
    }
    if fields.all("sec-websocket-version").next() != Some("13") {
        return Err(Refusal::new("426 Upgrade Required", "this listener speaks version 13 of WebSocket"));
    }
    let key = fields.all("sec-websocket-key").next().unwrap_or_default();
    if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(Refusal::bad("the Sec-WebSocket-Key is none"));
    }
    Ok(STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat())))
}

/// The Client offers `mqtt` among its sub-protocols [MQTT-6.0.0-3].
fn choose_subprotocol(options: &WebSocketOptions, fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let ours = |offered: &str| options.subprotocols.iter().find(|name| *name == offered).cloned();
    let chosen = fields.list("sec-websocket-protocol").find_map(ours);
    let offers_none = fields.list("sec-websocket-protocol").next().is_none();
    if chosen.is_some() || (offers_none && options.allows_no_subprotocol) {
        return Ok(chosen);
    }
    let names = options.subprotocols.join(", ");
    Err(Refusal::bad(format!(
        "the Client must offer one of the sub-protocols {names} (Sec-WebSocket-Protocol)"
    )))
}

/// The Client's address: the last one that a trusted proxy names and that is no trusted proxy itself. What stands before
/// it may be made up by the Client.
fn forwarded(options: &WebSocketOptions, fields: &Fields<'_>, peer: &PeerInfo) -> Option<SocketAddr> {
    if !options.forwarders.has(&peer.client_address()) {
        return None;
    }
    let mut client = None;
    for hop in fields.list("x-forwarded-for").rev() {
        let hop = parse_hop(hop)?;
        client = Some(hop);
        if !options.forwarders.has_ip(hop.ip()) {
            break;
        }
    }
    client
}

/// An address, with a port or without.
fn parse_hop(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse().ok().or_else(|| bare.parse::<IpAddr>().ok().map(|ip| (ip, 0).into()))
}

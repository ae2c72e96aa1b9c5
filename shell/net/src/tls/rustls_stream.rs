//! TLS by rustls, driven without buffers of its own: a record is decrypted from where it was read.
//!
//! The rule: between reads a connection keeps nothing but its keys and the beginning of a record. rustls remembers places
//! in that beginning, so it is shown it in every call, also where only something is to be sent.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use martlet_packet::ReasonCode;
use martlet_session::Violation;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};

use super::clients::Clients;
use super::identity::Identities;
use super::key_log::KeyLogFile;
use super::{Tls, TlsError, TlsOptions, TlsVersions, aside, certificate, ciphers, reasons};
use crate::layers::Made;
use crate::{PeerInfo, TlsInfo, TlsVersion};

/// What a record takes besides its payload, and how large that may be.
const RECORD_OVERHEAD: usize = 64;
const RECORD_PAYLOAD: usize = 16 * 1024;

/// TLS of a listener, as rustls wants it.
pub(super) fn config(options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    refuse_what_rustls_lacks(options)?;
    let cipher_suites = ciphers::choose(options.ciphers.as_deref(), options.ciphersuites.as_deref())?;
    let provider = Arc::new(CryptoProvider { cipher_suites, ..default_provider() });
    let identities = Identities::load(options)?;
    let clients = Clients::load(options, &provider)?;
    let knows_clients = clients.is_some();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(options.versions))
        .map_err(|error| TlsError::other(format!("versions and cipher suites do not fit: {error}")))?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(identities));
    config.ignore_client_order = options.ciphers.is_some() || options.ciphersuites.is_some();
    // A Session of TLS that is resumed shows no certificate, which may have been revoked meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if knows_clients {
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = Ticketer::new().map_err(|error| TlsError::other(error.to_string()))?;
        config.send_tls13_tickets = 1;
    }
    if let Some(path) = &options.key_log {
        config.key_log = Arc::new(KeyLogFile::open(path)?);
    }
    Ok(Arc::new(config))
}

fn refuse_what_rustls_lacks(options: &TlsOptions) -> Result<(), TlsError> {
    let lacks = if options.psk.is_some() {
        "rustls has no pre-shared keys"
    } else if options.versions.min < TlsVersion::V1_2 {
        "rustls has no version of TLS before 1.2"
    } else if options.dh_parameters.is_some() {
        "rustls has no finite-field Diffie-Hellman"
    } else if options.identities.is_empty() {
        return Err(TlsError::NoIdentity);
    } else {
        return Ok(());
    };
    Err(TlsError::NeedsOpenssl { why: lacks.to_owned() })
}

static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

fn versions(asked: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    match (asked.min, asked.max) {
        (TlsVersion::V1_3, _) => &BOTH[..1],
        (_, TlsVersion::V1_3) => &BOTH,
        _ => &BOTH[1..],
    }
}

/// One connection.
pub(super) struct RustlsStream {
    connection: UnbufferedServerConnection,
    is_established: bool,
    has_ended: bool,
    has_failed: bool,
}

impl RustlsStream {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self { connection, is_established: false, has_ended: false, has_failed: false })
    }

    /// What the handshake told, once it is over.
    fn tell(&mut self, peer: &mut PeerInfo) {
        if self.is_established || self.connection.is_handshaking() {
            return;
        }
        self.is_established = true;
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
            _ => TlsVersion::V1_3,
        };
        let suite = self.connection.negotiated_cipher_suite();
        let leaf = self.connection.peer_certificates().and_then(<[_]>::first);
        let server_name = peer.tls.take().and_then(|tls| tls.server_name);
        peer.tls = Some(Box::new(TlsInfo {
            version,
            cipher: suite.map_or_else(String::new, |suite| ciphers::name(suite.suite())).into(),
            server_name,
            certificate: leaf.and_then(|leaf| certificate::describe(leaf)).map(Box::new),
            psk_identity: None,
        }));
    }

    /// The alert that goes with an error. Nothing else is asked of rustls behind it: it would look at the records again.
    fn alert(&mut self, answer: &mut Vec<u8>) {
        self.has_failed = true;
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(&mut []).state
        {
            encode(answer, |out| data.encode(out));
        }
    }

    /// Has rustls do `act` once application data may be sent, behind what it has to say itself.
    fn write(
        &mut self,
        partial: &mut Vec<u8>,
        out: &mut Vec<u8>,
        mut act: impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), Violation> {
        let failed = |why: String| Violation::new(ReasonCode::UnspecifiedError, why);
        while !self.has_failed {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(partial);
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    return act(&mut traffic, out).map_err(failed);
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(out, |out| data.encode(out)),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.has_ended = true,
                Ok(_) => break,
                Err(error) => {
                    self.has_failed = true;
                    return Err(failed(format!("TLS failed: {error}")));
                }
            }
            partial.drain(..discard);
        }
        Err(failed("TLS carries nothing now".to_owned()))
    }
}

impl Tls for RustlsStream {
    fn receive(
        &mut self,
        buffer: &mut [u8],
        records: &mut Range<usize>,
        answer: &mut Vec<u8>,
        peer: &mut PeerInfo,
    ) -> Made {
        let mut count = 0;
        loop {
            let (front, incoming) = buffer.split_at_mut(records.start);
            let incoming = &mut incoming[..records.len()];
            let first = incoming.first().copied();
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(incoming);
            let mut goes_on = true;
            let mut failed = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                // It is shorter than the records before it and the room in front of them.
                                front[count..count + record.payload.len()].copy_from_slice(record.payload);
                                count += record.payload.len();
                            }
                            Err(error) => failed = Some(error),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(answer, |out| data.encode(out)),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    (self.has_ended, goes_on) = (true, false);
                }
                Ok(_) => goes_on = false,
                Err(error) => failed = Some(error),
            }
            let seen = aside::take();
            if let Some(name) = seen.server_name {
                note_server_name(peer, name);
            }
            if let Some(error) = failed {
                self.alert(answer);
                return Made { count, failed: Some(reasons::violation(&error, seen.refused, first)) };
            }
            records.start += discard;
            if !goes_on {
                self.tell(peer);
                return Made { count, failed: None };
            }
        }
    }

    fn send(&mut self, bytes: &[u8], partial: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Violation> {
        self.write(partial, out, |traffic, out| {
            let from = out.len();
            let records = bytes.len() / RECORD_PAYLOAD + 1;
            out.resize(from + bytes.len() + records * RECORD_OVERHEAD, 0);
            let written = match traffic.encrypt(bytes, &mut out[from..]) {
                Err(EncryptError::InsufficientSize(needed)) => {
                    out.resize(from + needed.required_size, 0);
                    traffic.encrypt(bytes, &mut out[from..])
                }
                written => written,
            };
            out.truncate(from + written.as_ref().copied().unwrap_or_default());
            written.map(drop).map_err(|error| error.to_string())
        })
    }

    fn close(&mut self, partial: &mut Vec<u8>, out: &mut Vec<u8>) {
        // A handshake that is not over has no word for it.
        let _ = self.write(partial, out, |traffic, out| {
            let from = out.len();
            out.resize(from + RECORD_OVERHEAD, 0);
            let written = traffic.queue_close_notify(&mut out[from..]).unwrap_or_default();
            out.truncate(from + written);
            Ok(())
        });
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// Appends what rustls encodes, which says how much room it needs.
fn encode(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    if let Err(EncodeError::InsufficientSize(needed)) = write(&mut []) {
        let from = out.len();
        out.resize(from + needed.required_size, 0);
        let written = write(&mut out[from..]).unwrap_or_default();
        out.truncate(from + written);
    }
}

/// The host is known before the rest is.
fn note_server_name(peer: &mut PeerInfo, name: Box<str>) {
    peer.tls = Some(Box::new(TlsInfo {
        version: TlsVersion::V1_2,
        cipher: "".into(),
        server_name: Some(name),
        certificate: None,
        psk_identity: None,
    }));
}

impl fmt::Debug for RustlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustlsStream").field("is_established", &self.is_established).finish_non_exhaustive()
    }
}

//! TLS by OpenSSL, for what rustls cannot do: it reads from and writes to memory, and never sees the socket.
//!
//! The rule: what a key is for, and whether a certificate is good, is OpenSSL's to decide; here is only why it said no.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use martlet_packet::ReasonCode;
use martlet_session::Violation;
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, NameType, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslRef, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509StoreContextRef};
use rustls::pki_types::PrivateKeyDer;

use super::key_log::KeyLogFile;
use super::old_certificates;
use super::{
    ClientCertificate, PskKeys, PskOptions, Tls, TlsError, TlsOptions, aside, certificate, files, identity,
    openssl_hint,
};
use crate::layers::Made;
use crate::{PeerInfo, TlsInfo, TlsVersion};

/// TLS of a listener, as OpenSSL wants it. `why` says what rustls lacked.
pub(super) fn context(options: &TlsOptions, why: &str) -> Result<SslContext, TlsError> {
    if options.identities.is_empty() && options.psk.is_none() {
        return Err(TlsError::NoIdentity);
    }
    let of = |error: ErrorStack| TlsError::openssl(why, &error);
    let mut context = SslContextBuilder::new(SslMethod::tls_server()).map_err(of)?;
    set_manners(&mut context, options).map_err(of)?;
    set_ciphers(&mut context, options)?;
    set_identity(&mut context, options)?;
    set_clients(&mut context, options)?;
    if let Some(psk) = &options.psk {
        set_psk(&mut context, psk)?;
    }
    if let Some(path) = &options.dh_parameters {
        set_dh_parameters(&mut context, path)?;
    }
    if let Some(path) = &options.key_log {
        let log = KeyLogFile::open(path)?;
        context.set_keylog_callback(move |_, line| log.write(line));
    }
    Ok(context.build())
}

fn set_manners(context: &mut SslContextBuilder, options: &TlsOptions) -> Result<(), ErrorStack> {
    // Buffers of an idle connection are given back.
    context.set_mode(SslMode::RELEASE_BUFFERS);
    context.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_TICKET
            | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    // Who comes again shows anew who it is.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_num_tickets(0)?;
    context.set_min_proto_version(Some(version(options.versions.min)))?;
    context.set_max_proto_version(Some(version(options.versions.max)))?;
    let names_level = options.ciphers.as_ref().is_some_and(|list| list.contains("@SECLEVEL"));
    if options.versions.min < TlsVersion::V1_2 && !names_level {
        // The old versions are asked for by name, and OpenSSL 3 has them on this level only.
        context.set_security_level(0);
    }
    Ok(())
}

fn version(version: TlsVersion) -> SslVersion {
    match version {
        TlsVersion::V1_0 => SslVersion::TLS1,
        TlsVersion::V1_1 => SslVersion::TLS1_1,
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }
}

/// OpenSSL passes over what it does not know, so each word is tried by itself.
fn set_ciphers(context: &mut SslContextBuilder, options: &TlsOptions) -> Result<(), TlsError> {
    if let Some(list) = &options.ciphers {
        let is_known = |word: &str| tries(|context| context.set_cipher_list(word));
        let asks = |word: &&str| !word.starts_with(['!', '-', '+', '@']);
        refuse_unknown(list, |word| !asks(&word) || is_known(word), "openssl ciphers -s -tls1_2")?;
        context.set_cipher_list(list).map_err(|error| TlsError::openssl("ciphers", &error))?;
    }
    if let Some(list) = &options.ciphersuites {
        let is_known = |word: &str| tries(|context| context.set_ciphersuites(word));
        refuse_unknown(list, is_known, "openssl ciphers -s -tls1_3")?;
        context.set_ciphersuites(list).map_err(|error| TlsError::openssl("ciphersuites", &error))?;
    }
    Ok(())
}

fn tries(set: impl FnOnce(&mut SslContextBuilder) -> Result<(), ErrorStack>) -> bool {
    SslContextBuilder::new(SslMethod::tls_server()).and_then(|mut context| set(&mut context)).is_ok()
}

fn refuse_unknown(list: &str, is_known: impl Fn(&str) -> bool, command: &str) -> Result<(), TlsError> {
    let words = list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty());
    let unknown: Vec<_> = words.filter(|word| !is_known(word)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let names = unknown.join(", ");
    Err(TlsError::other(format!(
        "OpenSSL has no cipher suite called {names}: `{command}` lists those it has"
    )))
}

/// OpenSSL shows one certificate for each kind of key.
fn set_identity(context: &mut SslContextBuilder, options: &TlsOptions) -> Result<(), TlsError> {
    let authorities = files::authorities(options)?;
    for files in &options.identities {
        let chain = identity::chain(files, &authorities)?;
        let secret = files::key(files)?;
        let mut set = || -> Result<(), ErrorStack> {
            context.set_certificate(&*X509::from_der(&chain[0])?)?;
            chain[1..].iter().try_for_each(|link| context.add_extra_chain_cert(X509::from_der(link)?))?;
            context.set_private_key(&*read_key(&secret)?)
        };
        set().map_err(|error| {
            TlsError::openssl(&format!("the certificate {}", files.certificate.display()), &error)
        })?;
        context.check_private_key().map_err(|_| {
            let what = format!("does not belong to the certificate {}", files.certificate.display());
            TlsError::file(&files.key, what)
        })?;
    }
    Ok(())
}

fn read_key(secret: &PrivateKeyDer<'_>) -> Result<PKey<openssl::pkey::Private>, ErrorStack> {
    PKey::private_key_from_der(secret.secret_der())
}

fn set_clients(context: &mut SslContextBuilder, options: &TlsOptions) -> Result<(), TlsError> {
    let mode = match options.client_certificate {
        ClientCertificate::NotAsked => return Ok(()),
        ClientCertificate::Optional => SslVerifyMode::PEER,
        ClientCertificate::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    let authorities = files::authorities(options)?;
    if authorities.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    let of = |error: ErrorStack| TlsError::openssl("authorities", &error);
    let store = old_certificates::store(&authorities, options.revocation_file.as_deref()).map_err(of)?;
    for authority in &authorities {
        let authority = X509::from_der(authority).map_err(of)?;
        context.add_client_ca(&authority).map_err(of)?;
    }
    context.set_cert_store(store);
    context.set_session_id_context(b"martlet").map_err(of)?;
    context.set_verify_callback(mode, |is_good, certificate| {
        if !is_good {
            note_refusal(certificate);
        }
        is_good
    });
    Ok(())
}

fn note_refusal(context: &X509StoreContextRef) {
    let subject = context.current_cert().and_then(|certificate| certificate.to_der().ok());
    let name = subject.and_then(|der| certificate::subject(&der)).unwrap_or_default();
    let why = context.error().error_string();
    aside::leave(|aside| aside.refused = Some(format!("the certificate `{name}` cannot be trusted: {why}")));
}

/// A key is looked up once for each handshake.
fn set_psk(context: &mut SslContextBuilder, psk: &PskOptions) -> Result<(), TlsError> {
    if !psk.hint.is_empty() {
        openssl_hint::set(context, &psk.hint)?;
    }
    let place = identity_place()?;
    let keys: Arc<dyn PskKeys> = psk.keys.clone();
    context.set_psk_server_callback(move |ssl, identity, key| {
        let Some(identity) = identity else { return Ok(0) };
        let shown = String::from_utf8_lossy(identity);
        match keys.find(identity, key).filter(|len| *len <= key.len()) {
            // TLS 1.3 does not tell it afterwards.
            Some(len) => {
                ssl.set_ex_data(place, Box::<str>::from(shown));
                Ok(len)
            }
            None => {
                let why = format!("nobody has the PSK identity `{}`", shown.escape_debug());
                aside::leave(|aside| aside.refused = Some(why));
                Ok(0)
            }
        }
    });
    Ok(())
}

/// Where a connection keeps the identity it was asked for.
fn identity_place() -> Result<Index<Ssl, Box<str>>, TlsError> {
    static PLACE: OnceLock<Index<Ssl, Box<str>>> = OnceLock::new();
    if let Some(place) = PLACE.get() {
        return Ok(*place);
    }
    let place = Ssl::new_ex_index().map_err(|error| TlsError::openssl("PSK", &error))?;
    Ok(*PLACE.get_or_init(|| place))
}

fn set_dh_parameters(context: &mut SslContextBuilder, path: &Path) -> Result<(), TlsError> {
    let text = std::fs::read(path).map_err(|error| TlsError::read(path, error))?;
    let parameters = Dh::params_from_pem(&text)
        .map_err(|_| TlsError::file(path, "has no Diffie-Hellman parameters (PEM) in it"))?;
    context.set_tmp_dh(&parameters).map_err(|error| TlsError::openssl("Diffie-Hellman parameters", &error))
}

/// One connection.
pub(super) struct OpensslStream {
    stream: SslStream<Pipe>,
    is_established: bool,
    has_ended: bool,
}

/// What OpenSSL takes for a socket.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
}

impl OpensslStream {
    pub(super) fn new(context: &SslContext) -> io::Result<Self> {
        let stream = Ssl::new(context).and_then(|ssl| SslStream::new(ssl, Pipe::default()))?;
        Ok(Self { stream, is_established: false, has_ended: false })
    }

    /// Goes on with the handshake; true once it is over.
    fn shake_hands(&mut self, peer: &mut PeerInfo) -> Result<bool, Violation> {
        if self.is_established {
            return Ok(true);
        }
        let seen = self.stream.accept();
        let refused = aside::take().refused;
        match seen {
            Ok(()) => {
                self.is_established = true;
                peer.tls = Some(Box::new(learn(self.stream.ssl())));
                Ok(true)
            }
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(false),
            Err(error) => Err(violation(&error, refused)),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Made {
        let mut count = 0;
        while count < buffer.len() {
            match self.stream.ssl_read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.code() == ErrorCode::WANT_READ => break,
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.has_ended = true;
                    break;
                }
                Err(error) => {
                    return Made { count, failed: Some(violation(&error, aside::take().refused)) };
                }
            }
        }
        Made { count, failed: None }
    }

    fn take_outgoing(&mut self, out: &mut Vec<u8>) {
        out.append(&mut std::mem::take(&mut self.stream.get_mut().outgoing));
    }
}

impl Tls for OpensslStream {
    fn receive(
        &mut self,
        buffer: &mut [u8],
        records: &mut Range<usize>,
        answer: &mut Vec<u8>,
        peer: &mut PeerInfo,
    ) -> Made {
        // OpenSSL keeps what is not whole, one record at most: so its payload has room in front of the others'.
        self.stream.get_mut().incoming.extend_from_slice(&buffer[records.clone()]);
        records.start = records.end;
        let made = match self.shake_hands(peer) {
            Ok(true) => self.read(buffer),
            Ok(false) => Made::default(),
            Err(why) => Made { count: 0, failed: Some(why) },
        };
        self.take_outgoing(answer);
        self.stream.get_mut().give_back();
        made
    }

    fn send(&mut self, bytes: &[u8], _: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Violation> {
        let written = self.stream.write_all(bytes);
        self.take_outgoing(out);
        written.map_err(|error| Violation::new(ReasonCode::UnspecifiedError, format!("TLS failed: {error}")))
    }

    fn close(&mut self, _: &mut Vec<u8>, out: &mut Vec<u8>) {
        if self.is_established && !self.stream.get_shutdown().contains(ShutdownState::SENT) {
            // Whether the peer has said the same is of no interest.
            let _ = self.stream.shutdown();
            self.take_outgoing(out);
        }
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

impl Pipe {
    /// What was read is not kept.
    fn give_back(&mut self) {
        self.incoming = self.incoming.split_off(self.taken);
        self.taken = 0;
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = &self.incoming[self.taken..];
        if left.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the handshake told.
fn learn(ssl: &SslRef) -> TlsInfo {
    let version = match ssl.version2() {
        Some(SslVersion::TLS1) => TlsVersion::V1_0,
        Some(SslVersion::TLS1_1) => TlsVersion::V1_1,
        Some(SslVersion::TLS1_2) => TlsVersion::V1_2,
        _ => TlsVersion::V1_3,
    };
    let leaf = ssl.peer_certificate().and_then(|leaf| leaf.to_der().ok());
    TlsInfo {
        version,
        cipher: ssl.current_cipher().map_or("", |cipher| cipher.name()).into(),
        server_name: ssl.servername(NameType::HOST_NAME).map(Into::into),
        certificate: leaf.and_then(|der| certificate::describe(&der)).map(Box::new),
        psk_identity: identity_place().ok().and_then(|place| ssl.ex_data(place)).cloned(),
    }
}

fn violation(error: &openssl::ssl::Error, refused: Option<String>) -> Violation {
    if let Some(why) = refused {
        return Violation::new(ReasonCode::NotAuthorized, why);
    }
    let reasons: Vec<_> = error
        .ssl_error()
        .map_or(&[][..], |stack| stack.errors())
        .iter()
        .filter_map(|error| error.reason())
        .collect();
    let text = match reasons.first().copied().unwrap_or("the connection broke") {
        "peer did not return a certificate" => {
            let text = "the Client showed no certificate, which this listener requires";
            return Violation::new(ReasonCode::NotAuthorized, text);
        }
        "wrong version number" | "http request" | "unknown protocol" => {
            "the Client does not speak TLS, which this listener does".to_owned()
        }
        "unsupported protocol" => "the Client offers no version of TLS that this listener speaks".to_owned(),
        "no shared cipher" | "no suitable signature algorithm" => {
            "the Client offers no cipher suite that this listener has".to_owned()
        }
        other => format!("the TLS handshake or connection failed: {other}"),
    };
    Violation::new(ReasonCode::ProtocolError, text)
}

impl fmt::Debug for OpensslStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpensslStream").field("is_established", &self.is_established).finish_non_exhaustive()
    }
}

//! TLS by OpenSSL, for what rustls has no word for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, HandshakeError, MidHandshakeSslStream, SslConnector, SslConnectorBuilder, SslFiletype,
    SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use rustls::pki_types::CertificateDer;

use super::{Psk, TlsOptions, TlsVersion, certificates};
use crate::Error;
use crate::socket::Socket;
use crate::stream::{Stream, end, wait};

/// A connection whose handshake is done.
#[derive(Debug)]
struct OpensslStream(SslStream<Socket>);

/// What every handshake needs.
pub(crate) struct Prepared {
    connector: SslConnector,
    accepts_any_name: bool,
}

/// Reads the files.
pub(super) fn prepare(options: &TlsOptions) -> Result<Prepared, Error> {
    // A key in place of certificates needs none.
    let trusted = if options.psk.is_some() { Vec::new() } else { certificates::trusted(options)? };
    let connector = configure(options, &trusted).map_err(unusable)?;
    Ok(Prepared { connector, accepts_any_name: options.accepts_any_name })
}

/// Shakes hands, in time.
pub(super) fn connect(
    socket: Socket,
    prepared: &Prepared,
    host: &str,
    until: Instant,
) -> Result<Box<dyn Stream>, Error> {
    let mut attempt = start(socket, prepared, host).map_err(unusable)?;
    loop {
        let half = match attempt {
            Ok(stream) => return Ok(Box::new(OpensslStream(stream))),
            Err(HandshakeError::WouldBlock(half)) => half,
            Err(HandshakeError::Failure(half)) => return Err(failure(&half)),
            Err(HandshakeError::SetupFailure(error)) => return Err(unusable(error)),
        };
        if Instant::now() >= until {
            return Err(Error::Tls("the Server did not finish the handshake in time".to_owned()));
        }
        let wants_write = half.error().code() == ErrorCode::WANT_WRITE;
        wait(half.get_ref().as_fd(), (!wants_write, wants_write), &[], Some(until))
            .map_err(|error| Error::Tls(error.to_string()))?;
        attempt = half.handshake();
    }
}

fn start(
    socket: Socket,
    prepared: &Prepared,
    host: &str,
) -> Result<Result<SslStream<Socket>, HandshakeError<Socket>>, ErrorStack> {
    let mut ssl = prepared.connector.configure()?;
    ssl.set_verify_hostname(!prepared.accepts_any_name);
    Ok(ssl.into_ssl(host)?.connect(socket))
}

fn configure(options: &TlsOptions, trusted: &[CertificateDer<'_>]) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    set_versions(&mut builder, options)?;
    if let Some(name) = &options.alpn {
        let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let wire: Vec<u8> = [len].into_iter().chain(name.bytes().take(len.into())).collect();
        builder.set_alpn_protos(&wire)?;
    }
    if let Some(list) = &options.ciphers {
        builder.set_cipher_list(list)?;
    }
    // Nothing is trusted that was not asked for: what the builder brings along is left behind.
    builder.set_cert_store(X509StoreBuilder::new()?.build());
    for certificate in trusted {
        // One that is unreadable is trusted by nobody.
        if let Ok(certificate) = X509::from_der(certificate) {
            builder.cert_store_mut().add_cert(certificate)?;
        }
    }
    if let Some(psk) = &options.psk {
        set_psk(&mut builder, psk, options.ciphers.is_none())?;
    }
    if let Some(files) = &options.identity {
        builder.set_certificate_chain_file(&files.certificate)?;
        builder.set_private_key_file(&files.key, SslFiletype::PEM)?;
    }
    Ok(builder.build())
}

fn set_versions(builder: &mut SslConnectorBuilder, options: &TlsOptions) -> Result<(), ErrorStack> {
    let oldest = match options.oldest {
        Some(TlsVersion::V1_1) => {
            // OpenSSL's level 1 takes no signature that TLS 1.1 can make.
            builder.set_security_level(0);
            SslVersion::TLS1_1
        }
        None | Some(TlsVersion::V1_2) => SslVersion::TLS1_2,
        Some(TlsVersion::V1_3) => SslVersion::TLS1_3,
    };
    builder.set_min_proto_version(Some(oldest))
}

/// A key in place of certificates, up to TLS 1.2 as Mosquitto has it.
fn set_psk(builder: &mut SslConnectorBuilder, psk: &Psk, chooses_ciphers: bool) -> Result<(), ErrorStack> {
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    if chooses_ciphers {
        builder.set_cipher_list("PSK")?;
    }
    let Psk { identity, key } = psk.clone();
    builder.set_psk_client_callback(move |_, _, identity_out, key_out| {
        // The identity ends with a zero; where it or the key has no room, no key is given.
        if identity.len() >= identity_out.len() || key.len() > key_out.len() {
            return Ok(0);
        }
        identity_out[..identity.len()].copy_from_slice(identity.as_bytes());
        identity_out[identity.len()] = 0;
        key_out[..key.len()].copy_from_slice(&key);
        Ok(key.len())
    });
    Ok(())
}

fn unusable(error: ErrorStack) -> Error {
    Error::TlsOptions(error.to_string())
}

/// Why a handshake failed: the certificate if it is to blame.
fn failure(half: &MidHandshakeSslStream<Socket>) -> Error {
    let verdict = half.ssl().verify_result();
    if verdict == openssl::x509::X509VerifyResult::OK {
        Error::Tls(half.error().to_string())
    } else {
        Error::Untrusted(verdict.error_string().to_owned())
    }
}

impl OpensslStream {
    /// None when the socket has to be waited for.
    fn unless_blocked(result: Result<usize, openssl::ssl::Error>) -> io::Result<Option<usize>> {
        match result {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => Ok(None),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Err(end()),
            Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
        }
    }
}

impl Stream for OpensslStream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }

    fn read(&mut self, chunk: &mut [u8]) -> io::Result<Option<usize>> {
        Self::unless_blocked(self.0.ssl_read(chunk))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        Self::unless_blocked(self.0.ssl_write(bytes))
    }

    fn has_unread(&self) -> bool {
        self.0.ssl().pending() > 0
    }

    fn close(&mut self) -> io::Result<()> {
        // A Server that is gone needs no goodbye.
        let _gone = self.0.shutdown();
        self.0.get_ref().shutdown(std::net::Shutdown::Write)
    }
}

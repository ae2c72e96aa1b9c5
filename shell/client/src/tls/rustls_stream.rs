//! TLS by rustls.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection};

use super::certificates;
use super::ciphers::Ciphers;
use super::verifier::Verifier;
use super::{TlsOptions, TlsVersion};
use crate::Error;
use crate::socket::Socket;
use crate::stream::{Stream, end, unless_blocked, wait};

/// A connection whose handshake is done, or under way.
#[derive(Debug)]
struct RustlsStream {
    socket: Socket,
    tls: ClientConnection,
    /// Whether the last read filled its chunk, so that there may be more.
    has_unread: bool,
}

/// What every handshake needs.
pub(crate) struct Prepared(Arc<ClientConfig>);

/// Reads the files.
pub(super) fn prepare(options: &TlsOptions, ciphers: &Ciphers) -> Result<Prepared, Error> {
    configure(options, ciphers).map(Arc::new).map(Prepared)
}

/// Shakes hands, in time.
pub(super) fn connect(
    socket: Socket,
    Prepared(config): Prepared,
    host: &str,
    until: Instant,
) -> Result<Box<dyn Stream>, Error> {
    let name = ServerName::try_from(host.to_owned());
    let name =
        name.map_err(|_| Error::TlsOptions(format!("{host:?} is no name a certificate could bear")))?;
    let tls = ClientConnection::new(config, name).map_err(|error| Error::Tls(error.to_string()))?;
    let mut stream = RustlsStream { socket, tls, has_unread: false };
    stream.shake_hands(until)?;
    Ok(Box::new(stream))
}

fn configure(options: &TlsOptions, ciphers: &Ciphers) -> Result<ClientConfig, Error> {
    let unusable = |error: rustls::Error| Error::TlsOptions(error.to_string());
    let versions = match options.oldest {
        Some(TlsVersion::V1_3) => &[&TLS13][..],
        _ => &[&TLS13, &TLS12],
    };
    let provider = Arc::new(ciphers.provider());
    let verifier = Verifier::new(certificates::trusted(options)?, options.accepts_any_name, &provider)?;
    let identity = options.identity.as_ref();
    let identity = identity.map(|files| certificates::identity(files, &provider)).transpose()?;
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(versions).map_err(unusable)?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        Some(identity) => config.with_client_cert_resolver(identity),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = options.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(config)
}

impl RustlsStream {
    fn shake_hands(&mut self, until: Instant) -> Result<(), Error> {
        while self.tls.is_handshaking() {
            self.flush().map_err(failed)?;
            if Instant::now() >= until {
                return Err(Error::Tls("the Server did not finish the handshake in time".to_owned()));
            }
            let wants = (self.tls.wants_read(), self.tls.wants_write());
            let ready = wait(self.socket.as_fd(), wants, &[], Some(until)).map_err(failed)?;
            if ready.read && !self.take_in().map_err(failed)?.unwrap_or(true) {
                return Err(Error::Tls(
                    "the Server closed the connection in the middle of the handshake".to_owned(),
                ));
            }
        }
        // What the Server said at once may have come with the end of its handshake.
        self.has_unread = true;
        self.flush().map_err(failed)
    }

    /// Reads from the socket once; none when nothing is there, false at the end.
    fn take_in(&mut self) -> io::Result<Option<bool>> {
        let Some(bytes) = unless_blocked(self.tls.read_tls(&mut self.socket))? else { return Ok(None) };
        if let Err(error) = self.tls.process_new_packets() {
            // The Server is told what is wrong with it, if it still listens.
            let _gone = self.flush();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.flush()?;
        Ok(Some(bytes > 0))
    }
}

/// What went wrong in the handshake, in the words of who found it.
fn failed(error: io::Error) -> Error {
    match error.downcast::<rustls::Error>() {
        Ok(rustls::Error::AlertReceived(alert)) => Error::Tls(format!("the Server refused: {alert:?}")),
        Ok(rustls::Error::InvalidCertificate(why)) => Error::Untrusted(why.to_string()),
        Ok(error) => Error::Tls(error.to_string()),
        Err(error) => Error::Tls(error.to_string()),
    }
}

impl Stream for RustlsStream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn read(&mut self, chunk: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match unless_blocked(self.tls.reader().read(chunk)) {
                Ok(None) => {}
                Ok(Some(0)) => return Err(end()),
                Ok(Some(bytes)) => {
                    self.has_unread = bytes == chunk.len();
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(end()),
                Err(error) => return Err(error),
            }
            self.has_unread = false;
            if self.take_in()?.is_none() {
                return Ok(None);
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let taken = self.tls.writer().write(bytes)?;
        self.flush()?;
        Ok((taken > 0).then_some(taken))
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if unless_blocked(self.tls.write_tls(&mut self.socket))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn has_unwritten(&self) -> bool {
        self.tls.wants_write()
    }

    fn has_unread(&self) -> bool {
        self.has_unread
    }

    fn close(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()?;
        self.socket.shutdown(std::net::Shutdown::Write)
    }
}

//! A node that answers every byte with the same byte, over whatever its listener lays between; and the certificates for it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use martlet_net::{
    Acceptor, Connection, Flushed, Listener, ListenerOptions, Opening, PeerInfo, Phase, READ_BYTES_MIN,
    Received, TlsHandle,
};
use martlet_record::Time;
use martlet_session::Outgoing;
use mio::{Events, Poll, Token};

const ACCEPT: Token = Token(usize::MAX);

/// What the node saw of a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The first bytes came from this peer.
    Peer(Box<PeerInfo>),
    /// A layer refused it.
    Refused(String),
    /// It ended.
    Ended,
}

/// A node that runs until it is dropped.
pub struct Node {
    pub address: SocketAddr,
    pub seen: Receiver<Seen>,
    pub tls: Option<TlsHandle>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub fn start(options: &ListenerOptions) -> Self {
        let listener = Listener::open(options).unwrap();
        let (address, tls) = (listener.address(), listener.tls());
        let (sender, seen) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = stop.clone();
        let thread =
            std::thread::spawn(move || run(Acceptor::new(vec![listener]).unwrap(), &sender, &is_stopped));
        Self { address, seen, tls, stop, thread: Some(thread) }
    }

    /// The next thing seen.
    pub fn next(&self) -> Seen {
        self.seen.recv_timeout(Duration::from_secs(60)).expect("the node saw nothing")
    }

    /// The peer of the next connection that gets through.
    pub fn peer(&self) -> PeerInfo {
        loop {
            match self.next() {
                Seen::Peer(peer) => return *peer,
                Seen::Refused(why) => panic!("refused: {why}"),
                Seen::Ended => {}
            }
        }
    }

    /// Why the next connection was refused.
    pub fn refusal(&self) -> String {
        loop {
            match self.next() {
                Seen::Refused(why) => return why,
                Seen::Peer(peer) => panic!("let in: {peer:?}"),
                Seen::Ended => {}
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the node panicked");
        }
    }
}

fn run(mut acceptor: Acceptor, seen: &Sender<Seen>, stop: &AtomicBool) {
    let mut poll = Poll::new().unwrap();
    acceptor.register(poll.registry(), ACCEPT).unwrap();
    let mut events = Events::with_capacity(64);
    let mut connections: HashMap<usize, (Connection, Outgoing, bool)> = HashMap::new();
    let mut next = 0;
    let mut buffer = vec![0; READ_BYTES_MIN];
    while !stop.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        for event in &events {
            if event.token() == ACCEPT {
                acceptor.wake();
                continue;
            }
            let Some((connection, _, _)) = connections.get_mut(&event.token().0) else { continue };
            connection.is_half_closed |= event.is_read_closed();
            if event.is_writable() {
                connection.unblock();
            }
        }
        while let Some(accepted) = acceptor.accept(Time::START) {
            let mut connection = Connection::new(accepted.socket, Opening::new(accepted.peer, Time::START));
            connection.register(poll.registry(), Token(next)).unwrap();
            connections.insert(next, (connection, Outgoing::default(), false));
            next += 1;
        }
        connections.retain(|token, (connection, outgoing, is_known)| {
            let goes_on = serve(connection, outgoing, is_known, &mut buffer, seen);
            if goes_on && (connection.wants_write() || connection.is_blocked()) {
                connection.watch_writable(poll.registry(), Token(*token)).unwrap();
            }
            if !goes_on {
                let _ = connection.close_our_side();
            }
            goes_on
        });
    }
}

/// Reads all there is and answers it; false when the connection is over.
fn serve(
    connection: &mut Connection,
    outgoing: &mut Outgoing,
    is_known: &mut bool,
    buffer: &mut [u8],
    seen: &Sender<Seen>,
) -> bool {
    loop {
        match connection.receive(buffer) {
            Ok(Received::Bytes { more, .. }) if matches!(connection.phase, Phase::Lingering { .. }) => {
                if !more {
                    return true;
                }
            }
            Ok(Received::Bytes { count, more }) => {
                if count > 0 && !*is_known {
                    *is_known = true;
                    let peer = connection.peer_info().unwrap().clone();
                    seen.send(Seen::Peer(Box::new(peer))).unwrap();
                }
                outgoing.append(&buffer[..count]);
                if !more {
                    break;
                }
            }
            Ok(Received::Nothing) => break,
            Ok(Received::End | Received::Failed(_)) => {
                let is_open = !matches!(connection.phase, Phase::Lingering { .. });
                if is_open {
                    let _ = seen.send(Seen::Ended);
                    flush(connection, outgoing);
                }
                return false;
            }
            Err(why) => {
                let _ = seen.send(Seen::Refused(why.text.into_owned()));
                let _ = connection.close_our_side();
                connection.phase = Phase::Lingering { heard: false, rounds: 0 };
            }
        }
    }
    flush(connection, outgoing)
}

fn flush(connection: &mut Connection, outgoing: &mut Outgoing) -> bool {
    let flushed =
        if outgoing.is_empty() { connection.flush_own() } else { connection.flush(outgoing, Time::START) };
    !matches!(flushed, Flushed::Failed(_))
}

/// The program `openssl`, where there is one.
pub fn openssl(arguments: &[&str], folder: &Path) -> Option<std::process::Output> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .ok()?;
    Some(output)
}

pub fn has_openssl() -> bool {
    Command::new("openssl").arg("version").output().is_ok()
}

/// Files of certificates that one test needs.
pub struct Certificates {
    folder: tempfile::TempDir,
    authority: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// How a certificate is to be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Good,
    Expired,
    NotYetValid,
}

impl Certificates {
    /// An authority of its own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, format!("Authority of {}", folder.path().display()));
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("ca.key"), key.serialize_pem()).unwrap();
        Self { folder, authority, issuer: rcgen::Issuer::new(params, key) }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `name.crt` and `name.key`, for Clients and servers alike.
    pub fn issue(&self, name: &str, hosts: &[&str], kind: Kind) {
        let key = rcgen::KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(hosts).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CountryName, "DE");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Martlet, Inc.");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        match kind {
            Kind::Good => {}
            Kind::Expired => params.not_after = rcgen::date_time_ymd(2020, 1, 1),
            Kind::NotYetValid => params.not_before = rcgen::date_time_ymd(2200, 1, 1),
        }
        params.serial_number = Some(rcgen::SerialNumber::from(name.as_bytes().to_vec()));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Makes `name.crt` and `name.key`, signed by an authority in between, whose certificate is in `between.crt` alone.
    pub fn issue_deeper(&self, name: &str, host: &str) {
        let between = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "In between");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let certificate = params.signed_by(&between, &self.issuer).unwrap();
        std::fs::write(self.path("between.crt"), certificate.pem()).unwrap();
        let issuer = rcgen::Issuer::new(params, between);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Makes `crl.pem`, with this name on it.
    pub fn revoke(&self, name: &str) {
        self.revoke_serial(name.as_bytes());
    }

    /// Makes `crl.pem`, with this serial number on it.
    pub fn revoke_serial(&self, serial: &[u8]) {
        let revoked = rcgen::RevokedCertParams {
            serial_number: rcgen::SerialNumber::from(serial.to_vec()),
            revocation_time: rcgen::date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(2200, 1, 1),
            crl_number: rcgen::SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap();
        std::fs::write(self.path("crl.pem"), list.pem().unwrap()).unwrap();
    }

    pub fn authority(&self) -> &rcgen::Certificate {
        &self.authority
    }
}

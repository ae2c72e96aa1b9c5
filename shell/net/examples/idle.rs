//! How much memory an idle connection takes, by what lies between its socket and MQTT.
//!
//! `cargo run --release -p martlet-net --example idle -- [CONNECTIONS]` holds that many connections of each kind (5,000
//! when left out), made by a process of its own, and prints what the process that serves them grew by.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made may fail")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use martlet_net::{
    Acceptor, Connection, Connections, Flushed, IdentityFiles, Listener, ListenerOptions, Opening,
    READ_BYTES_MIN, Received, TlsOptions, TlsVersion, WebSocketOptions, raise_descriptor_limit,
};
use martlet_record::Time;
use martlet_session::Outgoing;
use mio::{Events, Poll, Token};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};

/// What the broker uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCEPT: Token = Token(usize::MAX);
/// Connections made before the measured ones, so that what is made once for all is not counted.
const WARM: usize = 64;

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    tls: Option<TlsVersion>,
    has_websocket: bool,
    needs_openssl: bool,
}

const KINDS: [Kind; 7] = [
    Kind { name: "plain", tls: None, has_websocket: false, needs_openssl: false },
    Kind { name: "websocket", tls: None, has_websocket: true, needs_openssl: false },
    Kind { name: "tls1.3", tls: Some(TlsVersion::V1_3), has_websocket: false, needs_openssl: false },
    Kind { name: "tls1.2", tls: Some(TlsVersion::V1_2), has_websocket: false, needs_openssl: false },
    Kind { name: "websocket-tls1.3", tls: Some(TlsVersion::V1_3), has_websocket: true, needs_openssl: false },
    Kind { name: "openssl-tls1.3", tls: Some(TlsVersion::V1_3), has_websocket: false, needs_openssl: true },
    Kind { name: "openssl-tls1.2", tls: Some(TlsVersion::V1_2), has_websocket: false, needs_openssl: true },
];

fn main() {
    raise_descriptor_limit();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name, count, folder] => serve(kind(name), count.parse().unwrap(), Path::new(folder)),
        ["hold", name, count, address, folder] => {
            hold(kind(name), count.parse().unwrap(), address.parse().unwrap(), Path::new(folder));
        }
        ref rest => measure(rest.first().map_or(5_000, |count| count.parse().unwrap())),
    }
}

fn kind(name: &str) -> Kind {
    *KINDS.iter().find(|kind| kind.name == name).unwrap()
}

/// Measures each kind in a process of its own.
fn measure(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.path().join("key"), key.serialize_pem()).unwrap();
    let mut plain = None;
    println!(
        "{count} idle connections of each kind\n{:>18}  {:>12}  {:>12}",
        "", "bytes each", "above plain"
    );
    for kind in KINDS.iter().filter(|kind| !kind.needs_openssl || cfg!(feature = "openssl")) {
        let served = Command::new(std::env::current_exe().unwrap())
            .args(["serve", kind.name, &count.to_string()])
            .arg(folder.path())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let grown: f64 = String::from_utf8(served.stdout).unwrap().trim().parse().unwrap();
        let plain = *plain.get_or_insert(grown);
        println!("{:>18}  {grown:>12.0}  {:>12.0}", kind.name, grown - plain);
    }
}

/// Serves connections until all are there, then says by how much each of them made this process grow.
fn serve(kind: Kind, count: usize, folder: &Path) {
    let listener = Listener::open(&options(kind, folder)).unwrap();
    let address = listener.address();
    let mut acceptor = Acceptor::new(vec![listener]).unwrap();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["hold", kind.name, &(count + WARM).to_string(), &address.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut poll = Poll::new().unwrap();
    acceptor.register(poll.registry(), ACCEPT).unwrap();
    let mut events = Events::with_capacity(1024);
    let (mut connections, mut buffer) = (Connections::default(), vec![0; READ_BYTES_MIN]);
    let (mut answered, mut before) = (0, 0);
    while answered < count + WARM {
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "nothing happened for 20 s");
        let slots: Vec<usize> =
            events.iter().map(|event| event.token().0).filter(|at| *at != ACCEPT.0).collect();
        acceptor.wake();
        while let Some(accepted) = acceptor.accept(Time::START) {
            let id = connections
                .insert(Connection::new(accepted.socket, Opening::new(accepted.peer, Time::START)));
            let connection = connections.get(id).unwrap();
            connection.register(poll.registry(), Token(id.slot as usize)).unwrap();
        }
        for slot in slots {
            let Some((_, connection)) = connections.at(u32::try_from(slot).unwrap()) else { continue };
            answered += answer(connection, &mut buffer);
        }
        if before == 0 && answered >= WARM {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{}", grown as f64 / count as f64);
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

/// Answers a byte with a byte; how many connections got theirs.
fn answer(connection: &mut Connection, buffer: &mut [u8]) -> usize {
    let mut answered = 0;
    loop {
        match connection.receive(buffer).unwrap() {
            Received::Bytes { count, more } => {
                if count > 0 {
                    let mut outgoing = Outgoing::default();
                    outgoing.append(&buffer[..count]);
                    assert!(matches!(connection.flush(&mut outgoing, Time::START), Flushed::All));
                    // From now on it is as idle as one whose CONNECT was taken.
                    connection.phase = martlet_net::Phase::Open;
                    answered += 1;
                }
                if !more {
                    return answered;
                }
            }
            _ => return answered,
        }
    }
}

fn options(kind: Kind, folder: &Path) -> ListenerOptions {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.tls = kind.tls.map(|_| {
        let identity =
            IdentityFiles { certificate: folder.join("crt"), key: folder.join("key"), password: None };
        let mut tls = TlsOptions { identities: vec![identity], ..TlsOptions::default() };
        if kind.needs_openssl {
            tls.versions.min = TlsVersion::V1_1;
        }
        tls
    });
    options.websocket = kind.has_websocket.then(WebSocketOptions::default);
    options
}

/// Makes connections, has each answered once, and holds them until its input ends.
fn hold(kind: Kind, count: usize, address: SocketAddr, folder: &Path) {
    let config = config(kind, folder);
    let held: Vec<Box<dyn ReadWrite>> = (0..count).map(|_| connect(kind, address, &config)).collect();
    let _ended = BufReader::new(std::io::stdin()).read_line(&mut String::new());
    drop(held);
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn connect(kind: Kind, address: SocketAddr, config: &Arc<ClientConfig>) -> Box<dyn ReadWrite> {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut stream: Box<dyn ReadWrite> = match kind.tls {
        Some(_) => {
            let host = ServerName::try_from("localhost").unwrap();
            Box::new(StreamOwned::new(ClientConnection::new(config.clone(), host).unwrap(), socket))
        }
        None => Box::new(socket),
    };
    let mut expected = 1;
    if kind.has_websocket {
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        let started = Instant::now();
        while !head.ends_with(b"\r\n\r\n") && started.elapsed() < Duration::from_secs(20) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(&[0x82, 0x81, 0, 0, 0, 0, b'x']).unwrap();
        expected = 3;
    } else {
        stream.write_all(b"x").unwrap();
    }
    stream.read_exact(&mut [0; 3][..expected]).unwrap();
    stream
}

fn config(kind: Kind, folder: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("crt")).unwrap()).unwrap();
    let versions: &[_] = match kind.tls {
        Some(TlsVersion::V1_2) => &[&version::TLS12],
        _ => &[&version::TLS13],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// Bytes of this process that lie in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

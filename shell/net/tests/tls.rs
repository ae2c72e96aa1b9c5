//! TLS of a listener, seen from rustls' client: who gets in, who is refused with which alert and words, and what happens
//! to those who are connected while certificates are exchanged.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use common::{Certificates, Kind, Node};
use martlet_net::{
    ClientCertificate, IdentityFiles, ListenerOptions, TlsOptions, TlsVersion, TlsVersions, WebSocketOptions,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};

type Client = StreamOwned<ClientConnection, TcpStream>;

fn options(certificates: &Certificates, name: &str) -> TlsOptions {
    TlsOptions {
        identities: vec![IdentityFiles {
            certificate: certificates.path(&format!("{name}.crt")),
            key: certificates.path(&format!("{name}.key")),
            password: None,
        }],
        ..TlsOptions::default()
    }
}

fn mutual(certificates: &Certificates, client_certificate: ClientCertificate) -> TlsOptions {
    TlsOptions {
        authority_file: Some(certificates.path("ca.crt")),
        client_certificate,
        ..options(certificates, "server")
    }
}

fn start(tls: TlsOptions) -> Node {
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.tls = Some(tls);
    Node::start(&options)
}

fn authority() -> Certificates {
    let certificates = Certificates::new();
    certificates.issue("server", &["localhost"], Kind::Good);
    certificates
}

/// A client that trusts the authority, and shows the certificate of this name.
fn config(
    certificates: &Certificates,
    shows: Option<(&Certificates, &str)>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates.path("ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shows {
        Some((owner, name)) => {
            let chain = vec![CertificateDer::from_pem_file(owner.path(&format!("{name}.crt"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(owner.path(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

fn connect(node: &Node, config: Arc<ClientConfig>, host: &'static str) -> Client {
    let socket = TcpStream::connect(node.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let connection = ClientConnection::new(config, ServerName::try_from(host).unwrap()).unwrap();
    StreamOwned::new(connection, socket)
}

fn echo(client: &mut Client, bytes: &[u8]) {
    client.write_all(bytes).unwrap();
    let mut answer = vec![0; bytes.len()];
    client.read_exact(&mut answer).unwrap();
    assert!(answer == bytes, "the answer differs");
}

/// The alert that the client gets.
fn alert(mut client: Client) -> String {
    let mut byte = [0];
    let error = client
        .write_all(b"x")
        .and_then(|()| client.read_exact(&mut byte))
        .expect_err("a refusal was expected");
    error.to_string()
}

#[test]
fn both_versions_carry_bytes_in_both_directions() {
    let certificates = authority();
    let node = start(options(&certificates, "server"));
    for (version, expected) in [(&version::TLS12, TlsVersion::V1_2), (&version::TLS13, TlsVersion::V1_3)] {
        let mut client = connect(&node, config(&certificates, None, &[version]), "localhost");
        echo(&mut client, b"hello");
        let peer = node.peer();
        assert_eq!(peer.tls_version(), Some(expected));
        assert_eq!(peer.tls.unwrap().server_name.as_deref(), Some("localhost"));
        for size in [1, 16_383, 16_384, 16_385, 300_000] {
            echo(&mut client, &(0..size).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_handshake_in_single_bytes_comes_to_the_same() {
    let certificates = authority();
    let node = start(mutual(&certificates, ClientCertificate::Optional));
    certificates.issue("meter", &[], Kind::Good);
    let config = config(&certificates, Some((&certificates, "meter")), rustls::ALL_VERSIONS);
    let mut connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut socket = TcpStream::connect(node.address).unwrap();
    socket.set_nodelay(true).unwrap();
    connection.writer().write_all(b"slow").unwrap();
    let mut answer = Vec::new();
    while answer.len() < 4 {
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes.iter().for_each(|byte| socket.write_all(&[*byte]).unwrap());
        if connection.wants_read() && !connection.wants_write() {
            connection.read_tls(&mut socket).unwrap();
            connection.process_new_packets().unwrap();
            let mut chunk = [0; 16];
            if let Ok(count) = connection.reader().read(&mut chunk) {
                answer.extend_from_slice(&chunk[..count]);
            }
        }
    }
    assert_eq!(answer, b"slow");
    assert_eq!(node.peer().common_name(), Some("meter"));
}

#[test]
fn the_certificate_of_a_client_is_told_as_openssl_tells_it() {
    let certificates = authority();
    certificates.issue("meter", &[], Kind::Good);
    let node = start(mutual(&certificates, ClientCertificate::Required));
    let mut client = connect(
        &node,
        config(&certificates, Some((&certificates, "meter")), rustls::ALL_VERSIONS),
        "localhost",
    );
    echo(&mut client, b"x");
    let peer = node.peer();
    let certificate = peer.certificate().unwrap();
    assert_eq!(certificate.common_name.as_deref(), Some("meter"));
    assert_eq!(&*certificate.subject, "CN=meter,O=Martlet\\, Inc.,C=DE");
    if let Some(output) = common::openssl(
        &["x509", "-in", "meter.crt", "-noout", "-subject", "-nameopt", "RFC2253"],
        certificates.folder(),
    ) {
        let line = String::from_utf8(output.stdout).unwrap();
        assert_eq!(line.trim(), format!("subject={}", certificate.subject));
    }
}

#[test]
fn every_refusal_has_its_alert_and_says_which_and_why() {
    let certificates = authority();
    let strangers = Certificates::new();
    strangers.issue("stranger", &[], Kind::Good);
    certificates.issue("expired", &[], Kind::Expired);
    certificates.issue("early", &[], Kind::NotYetValid);
    certificates.issue("revoked", &[], Kind::Good);
    certificates.issue("good", &[], Kind::Good);
    certificates.revoke("revoked");
    let mut options = mutual(&certificates, ClientCertificate::Required);
    options.revocation_file = Some(certificates.path("crl.pem"));
    let node = start(options);
    for version in rustls::ALL_VERSIONS {
        let shown = |shows| connect(&node, config(&certificates, shows, &[*version]), "localhost");
        let mut good = shown(Some((&certificates, "good")));
        echo(&mut good, b"x");
        node.peer();
        let cases = [
            (
                Some((&strangers, "stranger")),
                "UnknownCA",
                "CN=stranger,O=Martlet\\, Inc.,C=DE` was signed by none",
            ),
            (
                Some((&certificates, "expired")),
                "CertificateExpired",
                "CN=expired,O=Martlet\\, Inc.,C=DE`, or one",
            ),
            (Some((&certificates, "early")), "CertificateExpired", "is not valid before"),
            (
                Some((&certificates, "revoked")),
                "CertificateRevoked",
                "CN=revoked,O=Martlet\\, Inc.,C=DE` was revoked",
            ),
            (None, "CertificateRequired", "showed no certificate"),
        ];
        for (shows, expected, words) in cases {
            let told = alert(shown(shows));
            let why = node.refusal();
            assert!(why.contains(words), "{words}: {why}");
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
}

#[test]
fn a_client_that_does_not_know_us_is_told_of_in_the_log() {
    let certificates = authority();
    let strangers = Certificates::new();
    let node = start(options(&certificates, "server"));
    let _ = alert(connect(&node, config(&strangers, None, rustls::ALL_VERSIONS), "localhost"));
    let why = node.refusal();
    assert!(why.contains("does not know the authority"), "{why}");
    let _ = alert(connect(&node, config(&certificates, None, rustls::ALL_VERSIONS), "elsewhere.example"));
    let why = node.refusal();
    assert!(why.contains("wrong host"), "{why}");
}

#[test]
fn an_optional_certificate_may_be_missing_but_not_be_wrong() {
    let certificates = authority();
    let strangers = Certificates::new();
    strangers.issue("stranger", &[], Kind::Good);
    let node = start(mutual(&certificates, ClientCertificate::Optional));
    echo(&mut connect(&node, config(&certificates, None, rustls::ALL_VERSIONS), "localhost"), b"x");
    assert!(node.peer().certificate().is_none());
    let shows = Some((&strangers, "stranger"));
    let told = alert(connect(&node, config(&certificates, shows, rustls::ALL_VERSIONS), "localhost"));
    assert!(told.contains("UnknownCA"), "{told}");
}

#[test]
fn whoever_does_not_speak_tls_is_told_apart() {
    let certificates = authority();
    let node = start(options(&certificates, "server"));
    for (bytes, words) in
        [(&b"\x10\x10\x00\x04MQTT\x05"[..], "plain MQTT"), (b"GET / HTTP/1.1\r\n\r\n", "does not speak TLS")]
    {
        TcpStream::connect(node.address).unwrap().write_all(bytes).unwrap();
        let why = node.refusal();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn versions_are_kept_to() {
    let certificates = authority();
    let mut options = options(&certificates, "server");
    options.versions = TlsVersions { min: TlsVersion::V1_3, max: TlsVersion::V1_3 };
    let node = start(options);
    let told = alert(connect(&node, config(&certificates, None, &[&version::TLS12]), "localhost"));
    assert!(told.contains("ProtocolVersion"), "{told}");
    assert!(node.refusal().contains("no version of TLS"));
}

#[test]
fn a_host_gets_its_own_certificate() {
    let certificates = authority();
    certificates.issue("other", &["other.example", "*.wild.example"], Kind::Good);
    let mut options = options(&certificates, "server");
    options.identities.extend(self::options(&certificates, "other").identities);
    let node = start(options);
    for host in ["localhost", "other.example", "a.wild.example"] {
        echo(&mut connect(&node, config(&certificates, None, rustls::ALL_VERSIONS), host), b"x");
    }
}

#[test]
fn an_exchange_of_certificates_drops_nobody_and_is_seen_at_once() {
    let first = authority();
    let second = authority();
    let node = start(options(&first, "server"));
    let handle = node.tls.clone().unwrap();
    let mut clients: Vec<_> =
        (0..200).map(|_| connect(&node, config(&first, None, rustls::ALL_VERSIONS), "localhost")).collect();
    clients.iter_mut().for_each(|client| echo(client, b"before"));
    for round in 0..20 {
        let now = if round % 2 == 0 { &second } else { &first };
        handle.exchange(&options(now, "server")).unwrap();
        echo(&mut connect(&node, config(now, None, rustls::ALL_VERSIONS), "localhost"), b"new");
        clients.iter_mut().for_each(|client| echo(client, b"still here"));
    }
    // What cannot be read changes nothing.
    let error = handle.exchange(&options(&first, "nobody")).unwrap_err();
    assert!(error.to_string().contains("nobody.crt"), "{error}");
    let mut mixed = options(&first, "server");
    mixed.identities[0].key = second.path("server.key");
    let error = handle.exchange(&mixed).unwrap_err();
    assert!(error.to_string().contains("does not belong to the certificate"), "{error}");
    echo(&mut connect(&node, config(&first, None, rustls::ALL_VERSIONS), "localhost"), b"as before");
}

#[test]
fn the_end_is_said_and_heard() {
    let certificates = authority();
    let node = start(options(&certificates, "server"));
    let mut client = connect(&node, config(&certificates, None, rustls::ALL_VERSIONS), "localhost");
    echo(&mut client, b"x");
    node.peer();
    client.conn.send_close_notify();
    client.flush().unwrap();
    assert_eq!(node.next(), common::Seen::Ended);
    // A connection cut off would be an error here.
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn what_needs_openssl_says_so() {
    if cfg!(feature = "openssl") {
        return;
    }
    let certificates = authority();
    let mut old = options(&certificates, "server");
    old.versions.min = TlsVersion::V1_1;
    let mut suites = options(&certificates, "server");
    suites.ciphers = Some("AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256".to_owned());
    for options in [old, suites] {
        let mut listener = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        listener.tls = Some(options);
        let error = martlet_net::Listener::open(&listener).unwrap_err().to_string();
        assert!(error.contains("feature `openssl`"), "{error}");
    }
}

#[test]
fn websocket_lies_upon_tls() {
    let certificates = authority();
    let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.tls = Some(self::options(&certificates, "server"));
    options.websocket = Some(WebSocketOptions::default());
    let node = Node::start(&options);
    let tls = connect(&node, config(&certificates, None, rustls::ALL_VERSIONS), "localhost");
    let request = tungstenite::ClientRequestBuilder::new("wss://localhost/mqtt".parse().unwrap())
        .with_sub_protocol("mqtt");
    let (mut socket, _) = tungstenite::client(request, tls).unwrap();
    socket.send(tungstenite::Message::binary(vec![7; 70_000])).unwrap();
    let mut answer = Vec::new();
    while answer.len() < 70_000 {
        answer.extend_from_slice(&socket.read().unwrap().into_data());
    }
    assert!(answer == vec![7; 70_000]);
    let peer = node.peer();
    assert!(peer.is_websocket && peer.tls.is_some());
}

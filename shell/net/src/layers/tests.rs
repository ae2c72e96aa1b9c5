//! Layers without a socket: however the stream is cut, and whatever is wrong in it.

use std::io::{Read, Write};
use std::net::SocketAddr;

use proptest::prelude::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::{ClientCertificate, IdentityFiles, ProxyVersions, READ_BYTES_MIN, TlsOptions, TrustedSources};

const PROXY: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 8883\r\n";
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Protocol: mqtt\r\n\r\n";

/// A certificate for both sides, in files and in memory.
struct Fixture {
    folder: tempfile::TempDir,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("crt"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key"), key.serialize_pem()).unwrap();
        let (certificate, key) = (certificate.der().clone(), key.serialize_der().try_into().unwrap());
        Self { folder, certificate, key }
    }

    fn layering(&self, has_proxy: bool, has_tls: bool, has_websocket: bool) -> Layering {
        let mut options = ListenerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let path = |name| self.folder.path().join(name);
        options.proxy = has_proxy.then(|| ProxyOptions {
            trusted: TrustedSources(vec!["127.0.0.1".parse().unwrap()]),
            versions: ProxyVersions::Both,
            requires_tls: false,
        });
        options.tls = has_tls.then(|| TlsOptions {
            identities: vec![IdentityFiles { certificate: path("crt"), key: path("key"), password: None }],
            authority_file: Some(path("crt")),
            client_certificate: ClientCertificate::Optional,
            ..TlsOptions::default()
        });
        options.websocket = has_websocket.then(WebSocketOptions::default);
        Layering::new(&options).unwrap().unwrap()
    }

    /// A client that cuts what it sends into records as small as they may be.
    fn client(&self, fragment: Option<usize>) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.max_fragment_size = fragment;
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }
}

/// A node's side of one connection.
struct Side {
    layers: Box<Layers>,
    buffer: Vec<u8>,
    peer: PeerInfo,
    payload: Vec<u8>,
}

impl Side {
    fn new(layering: &Layering) -> Self {
        let peer = PeerInfo::new(PeerAddress::Inet("127.0.0.1:1".parse().unwrap()));
        Self { layers: layering.begin().unwrap(), buffer: vec![0; READ_BYTES_MIN], peer, payload: Vec::new() }
    }

    /// Takes bytes as a read gives them; false when the peer is refused or at its end.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let room = self.layers.lay_out(&mut self.buffer);
        let end = room.start + bytes.len();
        self.buffer[room.start..end].copy_from_slice(bytes);
        let count = self.layers.receive(&mut self.buffer, end, Some(&mut self.peer));
        self.payload.extend_from_slice(&self.buffer[..count]);
        self.layers.fate().is_none()
    }

    fn said(&mut self) -> Vec<u8> {
        let said = self.layers.unsent().to_vec();
        self.layers.advance(said.len());
        said
    }
}

/// Everything that a client has to send now.
fn flight(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn hear(client: &mut ClientConnection, mut bytes: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets().unwrap();
    }
    let _nothing_more = client.reader().read_to_end(&mut heard);
    heard
}

#[test]
fn all_layers_lie_upon_each_other_in_pieces_of_any_size() {
    let fixture = Fixture::new();
    let layering = fixture.layering(true, true, true);
    for step in [1, 2, 7, 100, 5_000, READ_BYTES_MIN / 2] {
        let mut side = Side::new(&layering);
        let mut client = fixture.client(None);
        let mut message = UPGRADE.to_vec();
        message.extend([0x82, 0xFE, 0x4E, 0x20, 0, 0, 0, 0]);
        message.extend([b'm'; 20_000]);
        client.writer().write_all(&message).unwrap();
        PROXY.chunks(step).for_each(|piece| assert!(side.take(piece)));
        let mut heard = Vec::new();
        while side.payload.len() < 20_000 {
            let sent = flight(&mut client);
            sent.chunks(step).for_each(|piece| assert!(side.take(piece)));
            heard.extend(hear(&mut client, &side.said()));
        }
        assert!(side.payload == [b'm'; 20_000], "in pieces of {step}");
        assert!(heard.starts_with(b"HTTP/1.1 101 "));
        assert_eq!(side.peer.forwarded, Some("192.0.2.7:56324".parse().unwrap()));
        assert!(side.peer.certificate().is_some() && side.peer.is_websocket);
        assert!(
            side.layers.partial.is_empty() && side.layers.unsent.is_none(),
            "an idle connection keeps nothing"
        );
    }
}

/// rustls remembers places in the beginning of a handshake message; whoever sends meanwhile must not upset it.
#[test]
fn sending_amid_a_cut_handshake_message_harms_nothing() {
    let fixture = Fixture::new();
    let layering = fixture.layering(false, true, false);
    let mut side = Side::new(&layering);
    let mut client = fixture.client(Some(48));
    client.writer().write_all(b"through").unwrap();
    while side.payload.is_empty() {
        for byte in flight(&mut client) {
            assert!(side.take(&[byte]));
            let _too_early = side.layers.send_encrypted(b"");
        }
        hear(&mut client, &side.said());
    }
    side.layers.send_encrypted(b"and back").unwrap();
    assert_eq!(hear(&mut client, &side.said()), b"and back");
}

#[test]
fn no_byte_that_is_wrong_in_a_handshake_does_harm() {
    let fixture = Fixture::new();
    let layering = fixture.layering(false, true, false);
    let mut client = fixture.client(Some(200));
    let hello = flight(&mut client);
    for at in 0..hello.len() {
        let mut spoilt = hello.clone();
        spoilt[at] ^= 1 << (at % 8);
        let mut side = Side::new(&layering);
        side.take(&spoilt);
        side.layers.close();
    }
    for at in (0..1500).step_by(7) {
        let mut side = Side::new(&layering);
        let mut client = fixture.client(Some(200));
        client.writer().write_all(b"x").unwrap();
        assert!(side.take(&flight(&mut client)));
        hear(&mut client, &side.said());
        let mut second = flight(&mut client);
        let at = at % second.len();
        second[at] ^= 1 << (at % 8);
        let (first, rest) = second.split_at(second.len() / 2);
        if side.take(first) && side.take(rest) {
            side.layers.close();
        }
        assert!(side.payload.is_empty() || side.payload == b"x");
    }
}

#[test]
fn packets_before_a_wrong_frame_are_handed_on_first() {
    let fixture = Fixture::new();
    let mut side = Side::new(&fixture.layering(false, false, true));
    let stream = [UPGRADE, &[0x82, 0x82, 0, 0, 0, 0, 0xC0, 0, 0x81, 0x80, 0, 0, 0, 0]].concat();
    assert!(!side.take(&stream));
    assert_eq!(side.payload, [0xC0, 0]);
}

#[test]
fn what_goes_out_waits_until_all_of_it_is_taken() {
    let fixture = Fixture::new();
    let mut side = Side::new(&fixture.layering(false, false, true));
    assert!(side.take(UPGRADE));
    side.said();
    let mut outgoing = Outgoing::default();
    outgoing.append(&[1; 300]);
    side.layers.send(&outgoing).unwrap();
    let waiting = side.layers.unsent().len();
    assert_eq!(waiting, 304);
    assert_eq!(side.layers.advance(waiting - 1), 0);
    assert!(side.layers.covers());
    assert_eq!(side.layers.advance(1), 300);
    assert!(!side.layers.covers() && !side.layers.has_unsent());
}

proptest! {
    #[test]
    fn strange_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        has in any::<(bool, bool, bool)>(),
        step in 1..700_usize,
    ) {
        prop_assume!(has.0 || has.1 || has.2);
        let mut side = Side::new(&Fixture::new().layering(has.0, has.1, has.2));
        let _ = bytes.chunks(step).all(|piece| side.take(piece));
        side.layers.close();
    }
}

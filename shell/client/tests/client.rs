//! [`Client`] on a real socket against a Server that is a script.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use martlet_client::packet::{Ack, ConnAck, Packet, PublishQoS, decode, frame};
use martlet_client::{
    Client, ConnectOptions, Endpoint, Error, Event, Message, PacketId, Proxy, QoS, ReasonCode, Version,
};

/// One connection as the Server sees it.
struct Peer {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Self {
        let mut peer = Self { socket: listener.accept().unwrap().0, bytes: Vec::new() };
        peer.expect("CONNECT");
        peer
    }

    /// Accepts a Client and its CONNECT.
    fn welcome(listener: &TcpListener, session_present: bool) -> Self {
        let mut peer = Self::accept(listener);
        peer.send(&Packet::ConnAck(ConnAck { session_present, ..ConnAck::new(ReasonCode::Success) }));
        peer
    }

    /// Reads one packet, which must be of this type. Returns what distinguishes a PUBLISH.
    fn expect(&mut self, name: &str) -> Option<(u16, bool)> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(frame) = frame(&self.bytes, u32::MAX).unwrap() {
                let packet = decode(Version::V5, frame).unwrap();
                assert_eq!(packet.packet_type().name(), name);
                let seen = match packet {
                    Packet::Publish(publish) => {
                        Some((publish.qos.packet_id().map_or(0, PacketId::get), publish.dup))
                    }
                    _ => None,
                };
                let len = frame.len;
                self.bytes.drain(..len);
                return seen;
            }
            let read = self.socket.read(&mut chunk).unwrap();
            assert!(read > 0, "{name} is missing");
            self.bytes.extend_from_slice(&chunk[..read]);
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }
}

/// Runs the Server's script beside the test; returns its port.
fn server<F: FnOnce(&TcpListener) + Send + 'static>(script: F) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || script(&listener)))
}

fn connect(port: u16) -> Result<Client, Error> {
    Client::connect("127.0.0.1", port, ConnectOptions { session_expiry: 60, ..ConnectOptions::new("me") })
}

fn first() -> PacketId {
    PacketId::FIRST
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let (port, server) = server(|listener| {
        let mut peer = Peer::welcome(listener, false);
        assert_eq!(peer.expect("PUBLISH"), Some((1, false)));
        drop(peer);
        let mut peer = Peer::welcome(listener, true);
        assert_eq!(peer.expect("PUBLISH"), Some((1, true)));
        peer.send(&Packet::PubAck(Ack::new(first())));
        peer.expect("DISCONNECT");
    });
    let mut client = connect(port).unwrap();
    client.publish(Message::new("a", "x").qos(QoS::AtLeastOnce)).unwrap();
    assert!(matches!(client.finish(), Err(Error::Lost(_))));
    assert!(client.reconnect().unwrap().session_present);
    client.finish().unwrap();
    let event = client.poll(Some(Duration::ZERO)).unwrap();
    assert!(matches!(event, Some(Event::Published { packet_id, .. }) if packet_id == first()));
    client.disconnect().unwrap();
    server.join().unwrap();
}

/// Each side writes more than the sockets hold before it reads.
#[test]
fn two_sides_that_write_first_do_not_wait_for_each_other() {
    const LONG: usize = 20_000_000;
    let (port, server) = server(|listener| {
        let mut peer = Peer::welcome(listener, false);
        let payload = vec![7; LONG];
        let publish = Message::new("b", payload.clone());
        let packet = Packet::Publish(martlet_client::packet::Publish {
            qos: PublishQoS::AtLeastOnce(first()),
            ..martlet_client::packet::Publish::new(&publish.topic, &payload)
        });
        peer.send(&packet);
        peer.expect("PUBLISH");
        peer.expect("PUBACK");
    });
    let mut client = connect(port).unwrap();
    client.publish(Message::new("a", vec![1; LONG])).unwrap();
    let received = client.receive(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(received.message.payload.len(), LONG);
    client.finish().unwrap();
    server.join().unwrap();
}

#[test]
fn publishing_waits_for_room_and_no_longer() {
    const COUNT: usize = 100;
    let (port, server) = server(|listener| {
        let mut peer = Peer::welcome(listener, false);
        (0..COUNT).for_each(|_| assert!(peer.expect("PUBLISH").is_some()));
    });
    let mut client = connect(port).unwrap();
    for _ in 0..COUNT {
        client.publish(Message::new("a", vec![0; 100_000])).unwrap();
    }
    client.finish().unwrap();
    server.join().unwrap();
}

#[test]
fn a_refusal_is_heard_though_the_server_closed() {
    let (port, server) = server(|listener| {
        let mut peer = Peer::accept(listener);
        peer.send(&Packet::ConnAck(ConnAck::new(ReasonCode::NotAuthorized)));
    });
    assert!(
        matches!(connect(port), Err(Error::Refused(refusal)) if refusal.reason == ReasonCode::NotAuthorized)
    );
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (port, server) = server(|listener| {
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.socket.read(&mut [0; 1]).unwrap(), 0, "the Client closes");
    });
    let options = ConnectOptions { answer_timeout: Duration::from_millis(50), ..ConnectOptions::new("me") };
    let refused = Client::connect("127.0.0.1", port, options);
    assert!(matches!(refused, Err(Error::Silent { awaited: "CONNACK", .. })));
    server.join().unwrap();
}

#[test]
fn nobody_there_is_an_error_that_names_where() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let error = connect(free).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach 127.0.0.1:{free}"));
    assert!(error.is_passing());
}

/// The Server's side of CONNECT over anything.
fn accept_connect(mut socket: impl Read + Write) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while frame(&bytes, u32::MAX).unwrap().is_none() {
        let read = socket.read(&mut chunk).unwrap();
        assert!(read > 0, "CONNECT is missing");
        bytes.extend_from_slice(&chunk[..read]);
    }
    let mut answer = Vec::new();
    Packet::ConnAck(ConnAck::new(ReasonCode::Success)).encode(Version::V5, &mut answer);
    socket.write_all(&answer).unwrap();
}

#[test]
fn a_unix_socket_leads_to_a_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || accept_connect(listener.accept().unwrap().0));
    Client::connect_to(Endpoint::unix(&path), ConnectOptions::new("me")).unwrap();
    server.join().unwrap();
    let missing = Endpoint::unix(folder.path().join("missing.sock"));
    let error = Client::connect_to(missing, ConnectOptions::new("me")).unwrap_err();
    assert!(error.to_string().ends_with("missing.sock"), "{error}");
}

#[test]
fn we_connect_from_where_we_are_told() {
    let (port, server) = server(|listener| {
        let (socket, from) = listener.accept().unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.2");
        accept_connect(socket);
    });
    let bound = |bind: &str| Endpoint { bind: Some(bind.to_owned()), ..Endpoint::tcp("127.0.0.1", port) };
    Client::connect_to(bound("127.0.0.2"), ConnectOptions::new("me")).unwrap();
    server.join().unwrap();
    assert!(matches!(
        Client::connect_to(bound("::1"), ConnectOptions::new("me")),
        Err(Error::Unreachable { .. })
    ));
}

/// The proxy does what SOCKS5 asks of it; what goes through is MQTT.
#[test]
fn a_proxy_leads_to_the_server() {
    let (port, proxy) = server(|listener| {
        let mut socket = listener.accept().unwrap().0;
        let mut read = |bytes: usize| {
            let mut heard = vec![0; bytes];
            socket.read_exact(&mut heard).unwrap();
            heard
        };
        assert_eq!(read(3), [5, 1, 0]);
        socket.write_all(&[5, 0]).unwrap();
        let mut read = |bytes: usize| {
            let mut heard = vec![0; bytes];
            socket.read_exact(&mut heard).unwrap();
            heard
        };
        assert_eq!(read(5), [5, 1, 0, 3, 14]);
        assert_eq!(read(16), b"broker.example\x07\x5b");
        socket.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        accept_connect(socket);
    });
    let through = Proxy { host: "127.0.0.1".to_owned(), port, credentials: None };
    let endpoint = Endpoint { proxy: Some(through), ..Endpoint::tcp("broker.example", 1883) };
    Client::connect_to(endpoint, ConnectOptions::new("me")).unwrap();
    proxy.join().unwrap();
}

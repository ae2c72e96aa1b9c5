//! [`Client`] on a real socket against a Server that is a script.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use martlet_client::packet::{Ack, ConnAck, Packet, PublishQoS, decode, frame};
use martlet_client::{Client, ConnectOptions, Error, Event, Message, PacketId, QoS, ReasonCode, Version};

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

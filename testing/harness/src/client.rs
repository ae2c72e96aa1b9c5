//! A client that does what a test tells it, one packet after the other, and checks every answer.

use std::net::TcpStream;

use martlet_packet::{
    Ack, Connect, Disconnect, Packet, PacketId, Publish, PublishQoS, QoS, ReasonCode, Subscribe,
    SubscriptionOptions, Version,
};

use crate::stream::{Received, Stream};

/// A scripted client.
///
/// All its methods panic when the broker does anything else than what the test expects.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    version: Version,
    client_id: String,
    packet_id: u16,
}

impl Client {
    pub(crate) fn new(stream: Stream, version: Version, client_id: &str) -> Self {
        Self { stream, version, client_id: client_id.to_owned(), packet_id: 0 }
    }

    /// Connects with Clean Start and is admitted.
    #[must_use]
    pub fn connects(self) -> Self {
        self.connects_with(|_| {})
    }

    /// Connects and is admitted, with a CONNECT of the test's.
    #[must_use]
    pub fn connects_with(mut self, change: impl FnOnce(&mut Connect<'_>)) -> Self {
        self.sends_connect(change);
        self.is_admitted();
        self
    }

    /// Sends CONNECT and does not wait.
    pub fn sends_connect(&mut self, change: impl FnOnce(&mut Connect<'_>)) {
        let client_id = self.client_id.clone();
        let mut connect = Connect::new(self.version, &client_id);
        change(&mut connect);
        self.stream.send(&Packet::Connect(connect), self.version);
    }

    /// Gets a CONNACK of success; says whether a Session is present.
    pub fn is_admitted(&mut self) -> bool {
        let received = self.expects();
        let Packet::ConnAck(connack) = received.packet() else { panic!("no CONNACK: {received:?}") };
        assert_eq!(connack.reason, ReasonCode::Success);
        connack.session_present
    }

    /// Subscribes and is granted what it asks for.
    #[must_use]
    pub fn subscribes(mut self, filter: &str, qos: QoS) -> Self {
        let packet_id = self.next_packet_id();
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        let filters = vec![(filter, options)];
        let subscribe =
            Subscribe { packet_id, subscription_id: None, properties: Default::default(), filters };
        self.sends(&Packet::Subscribe(subscribe));
        let received = self.expects();
        let Packet::SubAck(suback) = received.packet() else { panic!("no SUBACK: {received:?}") };
        assert_eq!((suback.packet_id, &suback.reasons[..]), (packet_id, &[granted(qos)][..]));
        self
    }

    /// Publishes and is acknowledged.
    pub fn publishes(&mut self, topic: &str, payload: &[u8], qos: QoS) {
        let packet_id = self.next_packet_id();
        self.sends_publish(topic, payload, with_id(qos, packet_id));
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.is_acknowledged(
                |packet| matches!(packet, Packet::PubAck(ack) if ack.packet_id == packet_id),
            ),
            QoS::ExactlyOnce => {
                self.is_acknowledged(
                    |packet| matches!(packet, Packet::PubRec(ack) if ack.packet_id == packet_id),
                );
                self.sends(&Packet::PubRel(Ack::new(packet_id)));
                self.is_acknowledged(
                    |packet| matches!(packet, Packet::PubComp(ack) if ack.packet_id == packet_id),
                );
            }
        }
    }

    /// Sends PUBLISH and does not wait.
    pub fn sends_publish(&mut self, topic: &str, payload: &[u8], qos: PublishQoS) {
        self.sends(&Packet::Publish(Publish { qos, ..Publish::new(topic, payload) }));
    }

    /// Gets a Message of this topic, acknowledges it, and returns its payload.
    pub fn receives(&mut self, topic: &str) -> Vec<u8> {
        let received = self.expects();
        let Packet::Publish(publish) = received.packet() else { panic!("no PUBLISH: {received:?}") };
        assert_eq!(publish.topic, topic);
        let payload = publish.payload.to_vec();
        match publish.qos {
            PublishQoS::AtMostOnce => {}
            PublishQoS::AtLeastOnce(packet_id) => self.sends(&Packet::PubAck(Ack::new(packet_id))),
            PublishQoS::ExactlyOnce(packet_id) => {
                self.sends(&Packet::PubRec(Ack::new(packet_id)));
                self.is_acknowledged(
                    |packet| matches!(packet, Packet::PubRel(ack) if ack.packet_id == packet_id),
                );
                self.sends(&Packet::PubComp(Ack::new(packet_id)));
            }
        }
        payload
    }

    /// Asks whether the broker is there: its answer comes behind all it sent before.
    pub fn pings(&mut self) {
        self.sends(&Packet::PingReq);
        self.is_acknowledged(|packet| matches!(packet, Packet::PingResp));
    }

    /// Leaves, and waits until the broker closed the connection.
    pub fn disconnects(mut self) {
        self.sends(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        self.is_closed();
    }

    /// Is told, if it speaks MQTT 5, why it must go, and finds the connection closed.
    pub fn is_disconnected(mut self, reason: ReasonCode) {
        if self.version.is_v5() {
            let received = self.expects();
            let Packet::Disconnect(disconnect) = received.packet() else {
                panic!("no DISCONNECT: {received:?}")
            };
            assert_eq!(disconnect.reason, reason);
        }
        self.is_closed();
    }

    /// Finds the connection closed, with nothing said before.
    pub fn is_closed(&mut self) {
        assert_eq!(self.stream.receive(self.version), None);
    }

    /// Sends a packet.
    pub fn sends(&mut self, packet: &Packet<'_>) {
        self.stream.send(packet, self.version);
    }

    /// Sends bytes, whatever they are.
    pub fn sends_bytes(&mut self, bytes: &[u8]) {
        self.stream.send_bytes(bytes);
    }

    /// The next packet, whatever it is.
    pub fn expects(&mut self) -> Received {
        self.stream.receive(self.version).expect("the broker does not close the connection")
    }

    /// The socket itself.
    pub fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    fn is_acknowledged(&mut self, is_it: impl FnOnce(&Packet<'_>) -> bool) {
        let received = self.expects();
        assert!(is_it(&received.packet()), "another packet was expected: {:?}", received.packet());
    }

    fn next_packet_id(&mut self) -> PacketId {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.packet_id).expect("it is counted from one")
    }
}

fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}

fn with_id(qos: QoS, packet_id: PacketId) -> PublishQoS {
    match qos {
        QoS::AtMostOnce => PublishQoS::AtMostOnce,
        QoS::AtLeastOnce => PublishQoS::AtLeastOnce(packet_id),
        QoS::ExactlyOnce => PublishQoS::ExactlyOnce(packet_id),
    }
}

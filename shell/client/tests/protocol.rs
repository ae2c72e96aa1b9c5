//! [`Protocol`] stepped by hand against a Server that is a list of packets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use martlet_client::packet::{
    Ack, ConnAck, Connect, Disconnect, Packet, Publish, PublishQoS, SubAck, decode, frame,
};
use martlet_client::{
    ConnectOptions, Error, Event, Message, PacketId, Properties, PropertiesBuf, Property, Protocol, QoS,
    ReasonCode, SubscriptionOptions, Version,
};

/// A Client under test. Time stands still unless a test moves it.
struct Bench {
    client: Protocol,
    version: Version,
    now: Instant,
}

impl Bench {
    /// Connects with these options to a Server that announces these properties.
    fn connected(options: ConnectOptions, announced: &[Property<'_>]) -> Self {
        let (version, now) = (options.version, Instant::now());
        let mut bench = Self { client: Protocol::new(options, now).unwrap(), version, now };
        bench.reconnect(false, announced);
        bench
    }

    fn reconnect(&mut self, session_present: bool, announced: &[Property<'_>]) {
        self.client.connect(self.now);
        assert!(self.written().starts_with("CONNECT"));
        let properties: PropertiesBuf = announced.iter().copied().collect();
        let connack = ConnAck { session_present, ..ConnAck::new(ReasonCode::Success) };
        self.server(&Packet::ConnAck(ConnAck { properties: properties.as_properties(), ..connack }));
        assert!(matches!(self.event(), Some(Event::Connected(_))));
    }

    /// The Server sends a packet.
    fn server(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes);
        self.client.receive(&bytes, self.now);
    }

    fn event(&mut self) -> Option<Event> {
        self.client.next_event().unwrap()
    }

    /// What the Client has to write, as one line; the Server gets all of it.
    fn written(&mut self) -> String {
        let line = self.waiting();
        self.client.sent(self.client.outgoing().len(), self.now);
        line
    }

    /// What the Client has to write.
    fn waiting(&self) -> String {
        let mut rest = self.client.outgoing();
        let mut line = Vec::new();
        while let Some(frame) = frame(rest, u32::MAX).unwrap() {
            line.push(brief(&decode(self.version, frame).unwrap()));
            rest = &rest[frame.len..];
        }
        assert!(rest.is_empty(), "half a packet: {rest:?}");
        line.join(", ")
    }

    fn publish(&mut self, topic: &str, qos: QoS) -> PacketId {
        self.client.publish(&Message::new(topic, "x").qos(qos)).unwrap().unwrap()
    }
}

/// Type, identifier and what else tests ask for.
fn brief(packet: &Packet<'_>) -> String {
    let name = packet.packet_type().name();
    match packet {
        Packet::Publish(publish) => {
            let dup = if publish.dup { " dup" } else { "" };
            let alias = publish.topic_alias.map_or_else(String::new, |alias| format!("@{alias}"));
            let id = publish.qos.packet_id().map_or(0, PacketId::get);
            format!("{name} {id} {}{alias}{dup}", publish.topic)
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            let reason = if ack.reason == ReasonCode::Success { "" } else { " not found" };
            format!("{name} {}{reason}", ack.packet_id)
        }
        Packet::Subscribe(subscribe) => format!("{name} {}", subscribe.packet_id),
        Packet::Disconnect(disconnect) => format!("{name} {}", disconnect.reason),
        Packet::Connect(connect) => format!("{name} {}", connect.clean_start),
        _ => name.to_owned(),
    }
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn ack(number: u16) -> Ack<'static> {
    Ack::new(id(number))
}

fn incoming(topic: &str, qos: PublishQoS) -> Packet<'_> {
    Packet::Publish(Publish { qos, ..Publish::new(topic, b"x") })
}

fn published(number: u16) -> Option<Event> {
    Some(Event::Published { packet_id: id(number), reason: ReasonCode::Success, reason_string: None })
}

/// A Session that outlives its Connection.
fn lasting() -> ConnectOptions {
    ConnectOptions { session_expiry: 60, ..ConnectOptions::new("me") }
}

#[test]
fn qos_2_out_ends_with_pubcomp() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.publish("a", QoS::ExactlyOnce);
    assert_eq!(bench.written(), "PUBLISH 1 a");
    bench.server(&Packet::PubRec(ack(1)));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.written(), "PUBREL 1");
    assert_eq!(bench.client.in_flight(), 1);
    bench.server(&Packet::PubComp(ack(1)));
    assert_eq!(bench.event(), published(1));
    assert_eq!(bench.client.in_flight(), 0);
}

/// [MQTT-4.3.3-10], [MQTT-4.3.3-11]
#[test]
fn qos_2_in_is_handed_on_once_until_it_is_released() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(9))));
    bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(9))));
    assert!(matches!(bench.event(), Some(Event::Received(_))));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.written(), "PUBREC 9, PUBREC 9");

    bench.server(&Packet::PubRel(ack(9)));
    bench.server(&incoming("b", PublishQoS::ExactlyOnce(id(9))));
    assert!(matches!(bench.event(), Some(Event::Received(new)) if new.message.topic == "b"));
    assert_eq!(bench.written(), "PUBCOMP 9, PUBREC 9");
}

#[test]
fn qos_2_in_is_known_on_the_next_connection_of_the_session() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(9))));
    assert!(bench.event().is_some());
    bench.reconnect(true, &[]);
    bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(9))));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.written(), "PUBREC 9");

    bench.reconnect(false, &[]);
    bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(9))));
    assert!(matches!(bench.event(), Some(Event::Received(_))), "a new Session knows nothing");
}

#[test]
fn an_unknown_release_is_answered_all_the_same() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.server(&Packet::PubRel(ack(5)));
    bench.server(&Packet::PubRec(ack(6)));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.written(), "PUBCOMP 5 not found, PUBREL 6 not found");
}

/// [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1]
#[test]
fn a_kept_session_gets_all_that_is_unanswered_again_in_order() {
    let mut bench = Bench::connected(lasting(), &[]);
    for (topic, qos) in [("a", QoS::ExactlyOnce), ("b", QoS::AtLeastOnce), ("c", QoS::ExactlyOnce)] {
        bench.publish(topic, qos);
    }
    bench.server(&Packet::PubRec(ack(3)));
    assert_eq!(bench.event(), None);

    bench.client.connection_lost();
    bench.publish("d", QoS::AtLeastOnce);
    bench.reconnect(true, &[]);
    assert_eq!(bench.written(), "PUBREL 3, PUBLISH 1 a dup, PUBLISH 2 b dup, PUBLISH 4 d");
}

/// [MQTT-3.2.2-5]: nothing of an ended Session is sent again; what nobody answered is published anew.
#[test]
fn a_new_session_gets_what_is_unanswered_as_new() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.publish("a", QoS::AtLeastOnce);
    bench.publish("b", QoS::ExactlyOnce);
    bench.server(&Packet::PubRec(ack(2)));
    assert_eq!(bench.event(), None);

    bench.reconnect(true, &[]);
    assert_eq!(bench.written(), "PUBREL 2, PUBLISH 1 a dup");
    bench.reconnect(false, &[]);
    assert_eq!(bench.event(), published(2), "the Server had recorded it");
    assert_eq!(bench.written(), "PUBLISH 1 a");
}

/// MQTT 3.1 has no Session Present.
#[test]
fn mqtt_3_1_takes_a_session_that_was_asked_for_as_kept() {
    let options = ConnectOptions { version: Version::V3_1, clean_start: false, ..ConnectOptions::new("me") };
    let mut bench = Bench::connected(options, &[]);
    bench.publish("a", QoS::AtLeastOnce);
    bench.reconnect(false, &[]);
    assert_eq!(bench.written(), "PUBLISH 1 a dup");
}

#[test]
fn clean_start_is_asked_for_once_when_the_session_lives_on() {
    for (session_expiry, again) in [(60, "CONNECT false"), (0, "CONNECT true")] {
        let mut bench = Bench::connected(ConnectOptions { session_expiry, ..lasting() }, &[]);
        bench.client.connect(bench.now);
        assert_eq!(bench.waiting(), again);
    }
}

/// [MQTT-3.3.4-9]
#[test]
fn no_more_is_in_flight_than_the_receive_maximum() {
    let mut bench = Bench::connected(lasting(), &[Property::ReceiveMaximum(2)]);
    for qos in [QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtLeastOnce, QoS::AtLeastOnce] {
        bench.publish("a", qos);
    }
    assert_eq!(bench.written(), "PUBLISH 1 a, PUBLISH 2 a");

    bench.server(&Packet::PubRec(ack(1)));
    assert_eq!(bench.event(), None);
    assert_eq!(bench.written(), "PUBREL 1", "PUBREC without error returns no credit");
    bench.server(&Packet::PubComp(ack(1)));
    assert_eq!(bench.event(), published(1));
    assert_eq!(bench.written(), "PUBLISH 3 a");
    bench.server(&Packet::PubAck(ack(2)));
    assert_eq!(bench.event(), published(2));
    assert_eq!(bench.written(), "PUBLISH 4 a");
}

#[test]
fn a_smaller_receive_maximum_holds_for_what_is_sent_again() {
    let mut bench = Bench::connected(lasting(), &[]);
    for _ in 0..3 {
        bench.publish("a", QoS::AtLeastOnce);
    }
    bench.reconnect(true, &[Property::ReceiveMaximum(1)]);
    assert_eq!(bench.written(), "PUBLISH 1 a dup");
    bench.server(&Packet::PubAck(ack(1)));
    assert_eq!(bench.event(), published(1));
    assert_eq!(bench.written(), "PUBLISH 2 a dup");
}

/// Credit begins anew with each Connection, and the end of an older Message adds none. (§4.9)
#[test]
fn what_was_released_before_returns_no_credit() {
    let announced = [Property::ReceiveMaximum(1)];
    let mut bench = Bench::connected(lasting(), &announced);
    bench.publish("a", QoS::ExactlyOnce);
    bench.server(&Packet::PubRec(ack(1)));
    assert_eq!(bench.event(), None);
    bench.reconnect(true, &announced);
    bench.server(&Packet::PubComp(ack(1)));
    assert_eq!(bench.event(), published(1));
    bench.publish("b", QoS::AtLeastOnce);
    bench.publish("c", QoS::AtLeastOnce);
    assert_eq!(bench.written(), "PUBREL 1, PUBLISH 2 b");
}

/// [MQTT-2.2.1-3]
#[test]
fn identifiers_are_used_again_but_never_twice_at_a_time() {
    let mut bench = Bench::connected(lasting(), &[]);
    let held = bench.publish("held", QoS::AtLeastOnce);
    for _ in 0..70_000 {
        let packet_id = bench.publish("a", QoS::AtLeastOnce);
        assert_ne!(packet_id, held);
        bench.written();
        bench.server(&Packet::PubAck(Ack::new(packet_id)));
        assert_eq!(bench.event(), published(packet_id.get()));
    }
}

#[test]
fn a_refusing_pubrec_ends_the_message() {
    let mut bench = Bench::connected(lasting(), &[Property::ReceiveMaximum(1)]);
    bench.publish("a", QoS::ExactlyOnce);
    bench.publish("b", QoS::ExactlyOnce);
    bench.written();
    bench.server(&Packet::PubRec(Ack::with_reason(id(1), ReasonCode::NotAuthorized)));
    assert!(matches!(bench.event(), Some(Event::Published { reason: ReasonCode::NotAuthorized, .. })));
    assert_eq!(bench.written(), "PUBLISH 2 b");
}

#[test]
fn the_in_flight_store_is_bounded() {
    let mut bench = Bench::connected(ConnectOptions { in_flight_maximum: 2, ..lasting() }, &[]);
    bench.publish("a", QoS::AtLeastOnce);
    bench.publish("b", QoS::ExactlyOnce);
    let third = Message::new("c", "x").qos(QoS::AtLeastOnce);
    assert!(matches!(bench.client.publish(&third), Err(Error::Full)));
    bench.server(&Packet::PubAck(ack(1)));
    assert_eq!(bench.event(), published(1));
    assert_eq!(bench.client.publish(&third).unwrap(), Some(id(3)));
}

#[test]
fn the_out_buffer_is_bounded_and_drains() {
    let mut bench = Bench::connected(lasting(), &[]);
    let message = Message::new("a", vec![0; 100_000]);
    let taken = (0..100).take_while(|_| bench.client.publish(&message).is_ok()).count();
    assert!((2..=3).contains(&taken), "{taken} of 100,000 bytes");
    bench.written();
    assert!(bench.client.publish(&message).is_ok());
}

/// The other side may be waiting for us to read before it reads.
#[test]
fn a_long_publish_that_nobody_reads_does_not_stop_our_reading() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.client.publish(&Message::new("a", vec![0; 1_000_000])).unwrap();
    bench.server(&incoming("b", PublishQoS::AtMostOnce));
    assert!(bench.client.wants_bytes());
    assert!(matches!(bench.event(), Some(Event::Received(_))));
}

#[test]
fn answers_that_nobody_reads_stop_our_reading() {
    let mut bench = Bench::connected(lasting(), &[]);
    while bench.client.wants_bytes() {
        bench.server(&incoming("b", PublishQoS::AtLeastOnce(id(1))));
        bench.event();
        assert!(bench.client.outgoing().len() < 1_000_000);
    }
    bench.server(&incoming("c", PublishQoS::AtLeastOnce(id(1))));
    assert_eq!(bench.event(), None);
    bench.written();
    assert!(matches!(bench.event(), Some(Event::Received(last)) if last.message.topic == "c"));
}

/// [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15], [MQTT-3.3.2-9]
#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let announced = [
        Property::MaximumQoS(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(50),
    ];
    let mut bench = Bench::connected(lasting(), &announced);
    let plain = Message::new("a", "x");
    let with_alias = Message { topic_alias: Some(1), ..plain.clone() };
    for (message, expected) in [
        (plain.clone().qos(QoS::ExactlyOnce), ReasonCode::QoSNotSupported),
        (plain.retained(), ReasonCode::RetainNotSupported),
        (Message::new("a", vec![0; 50]), ReasonCode::PacketTooLarge),
        (with_alias, ReasonCode::TopicAliasInvalid),
    ] {
        assert!(matches!(bench.client.publish(&message), Err(Error::NotTaken(reason)) if reason == expected));
    }
    assert_eq!(bench.written(), "");
}

#[test]
fn what_a_later_server_does_not_take_ends_with_its_reason() {
    let mut bench = Bench::connected(lasting(), &[]);
    bench.publish("a", QoS::ExactlyOnce);
    bench.publish("b", QoS::AtLeastOnce);
    bench.reconnect(true, &[Property::MaximumQoS(QoS::AtLeastOnce)]);
    assert!(matches!(bench.event(), Some(Event::Published { reason: ReasonCode::QoSNotSupported, .. })));
    assert_eq!(bench.written(), "PUBLISH 2 b dup");
}

#[test]
fn an_alias_spares_the_topic_name_until_the_connection_ends() {
    let announced = [Property::TopicAliasMaximum(5)];
    let mut bench = Bench::connected(lasting(), &announced);
    let message = Message { topic_alias: Some(5), ..Message::new("long", "x").qos(QoS::AtLeastOnce) };
    bench.client.publish(&message).unwrap();
    bench.client.publish(&message).unwrap();
    assert_eq!(bench.written(), "PUBLISH 1 long@5, PUBLISH 2 @5");
    bench.reconnect(true, &announced);
    assert_eq!(bench.written(), "PUBLISH 1 long@5 dup, PUBLISH 2 @5 dup");
    bench.reconnect(true, &[]);
    assert_eq!(bench.written(), "PUBLISH 1 long dup, PUBLISH 2 long dup");
}

#[test]
fn a_received_alias_stands_for_its_topic_name() {
    let mut bench = Bench::connected(ConnectOptions { topic_alias_maximum: 1, ..lasting() }, &[]);
    for topic in ["long", ""] {
        bench.server(&Packet::Publish(Publish { topic_alias: Some(1), ..Publish::new(topic, b"x") }));
        assert!(matches!(bench.event(), Some(Event::Received(it)) if it.message.topic == "long"));
    }
}

/// What a Server must not send ends the Connection with a DISCONNECT that says why. [MQTT-4.13.1-1]
#[test]
fn violations_end_the_connection_with_their_reason() {
    let alias = Packet::Publish(Publish { topic_alias: Some(2), ..Publish::new("a", b"") });
    let unasked = Packet::SubAck(SubAck {
        packet_id: id(1),
        properties: Properties::default(),
        reasons: vec![ReasonCode::Success],
    });
    for (packet, expected) in [
        (alias, "DISCONNECT Topic Alias invalid"),
        (unasked, "DISCONNECT Protocol Error"),
        (Packet::PingReq, "DISCONNECT Protocol Error"),
        (Packet::Connect(Connect::new(Version::V5, "you")), "DISCONNECT Protocol Error"),
        (Packet::ConnAck(ConnAck::new(ReasonCode::Success)), "DISCONNECT Protocol Error"),
        (incoming("a", PublishQoS::ExactlyOnce(id(2))), "DISCONNECT Receive Maximum exceeded"),
    ] {
        let options = ConnectOptions { topic_alias_maximum: 1, receive_maximum: 1, ..lasting() };
        let mut bench = Bench::connected(options, &[]);
        bench.server(&incoming("a", PublishQoS::ExactlyOnce(id(1))));
        bench.event();
        bench.written();
        bench.server(&packet);
        assert!(bench.client.next_event().is_err(), "{packet:?}");
        assert_eq!(bench.written(), expected);
        assert!(!bench.client.is_open() && bench.event().is_none());
    }
}

/// [MQTT-3.8.4-6]
#[test]
fn an_answer_has_one_reason_for_each_filter() {
    for (reasons, is_right) in [(1, false), (2, true), (3, false)] {
        let mut bench = Bench::connected(lasting(), &[]);
        let filters = ["a", "b"].map(|filter| (filter, SubscriptionOptions::new(QoS::AtMostOnce)));
        let packet_id = bench.client.subscribe(&filters, None, Properties::default()).unwrap();
        let reasons = vec![ReasonCode::GrantedQoS0; reasons];
        bench.server(&Packet::SubAck(SubAck { packet_id, properties: Properties::default(), reasons }));
        assert_eq!(bench.client.next_event().is_ok(), is_right);
    }
}

/// [MQTT-3.2.2-2]
#[test]
fn a_session_after_clean_start_is_a_violation() {
    let now = Instant::now();
    let mut bench = Bench { client: Protocol::new(lasting(), now).unwrap(), version: Version::V5, now };
    bench.client.connect(now);
    bench.server(&Packet::ConnAck(ConnAck { session_present: true, ..ConnAck::new(ReasonCode::Success) }));
    assert!(matches!(bench.client.next_event(), Err(Error::Violation { .. })));
}

#[test]
fn bytes_that_are_no_packet_end_the_connection() {
    let mut bench = Bench::connected(ConnectOptions { maximum_packet_size: 100, ..lasting() }, &[]);
    bench.client.receive(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], bench.now);
    assert!(matches!(bench.client.next_event(), Err(Error::Malformed(_))), "before its bytes come");
    assert_eq!(bench.written(), "DISCONNECT Packet too large");
}

#[test]
fn refusals_and_goodbyes_of_the_server_are_errors_with_its_words() {
    let mut words = PropertiesBuf::default();
    words.push(Property::ReasonString("go away"));
    let properties = words.as_properties();

    let mut bench = Bench::connected(lasting(), &[]);
    bench.server(&Packet::Disconnect(Disconnect { reason: ReasonCode::ServerBusy, properties }));
    let error = bench.client.next_event().unwrap_err();
    assert!(error.is_passing());
    assert_eq!(error.to_string(), "the Server ended the Connection: Server busy: go away");

    bench.client.connect(bench.now);
    bench.written();
    bench.server(&Packet::ConnAck(ConnAck { properties, ..ConnAck::new(ReasonCode::Banned) }));
    let error = bench.client.next_event().unwrap_err();
    assert!(!error.is_passing());
    assert_eq!(error.to_string(), "the Server refused the Connection: Banned: go away");
}

/// [MQTT-3.1.2-20]
#[test]
fn keep_alive_pings_in_time_and_finds_the_dead() {
    let seconds = |number| Duration::from_secs(number);
    let mut bench = Bench::connected(ConnectOptions { keep_alive: 8, ..lasting() }, &[]);
    let start = bench.now;
    assert_eq!(bench.client.deadline(), Some(start + seconds(6)));
    bench.client.tick(start + seconds(5)).unwrap();
    assert_eq!(bench.waiting(), "");

    bench.now = start + seconds(6);
    bench.client.tick(bench.now).unwrap();
    assert_eq!(bench.written(), "PINGREQ");
    bench.server(&Packet::PingResp);
    assert_eq!(bench.event(), None);
    assert_eq!(bench.client.deadline(), Some(start + seconds(12)));

    bench.client.tick(start + seconds(12)).unwrap();
    bench.client.receive(&[0x30], start + seconds(15));
    assert!(bench.client.tick(start + seconds(22)).is_ok(), "PINGRESP may stand behind a long packet");
    assert!(matches!(bench.client.tick(start + seconds(23)), Err(Error::Silent { .. })));
}

/// [MQTT-3.1.2-21]
#[test]
fn the_servers_keep_alive_overrules_ours() {
    let options = ConnectOptions { keep_alive: 0, ..lasting() };
    let bench = Bench::connected(options.clone(), &[]);
    assert_eq!(bench.client.deadline(), None);
    let bench = Bench::connected(options, &[Property::ServerKeepAlive(4)]);
    assert_eq!(bench.client.deadline(), Some(bench.now + Duration::from_secs(3)));
}

#[test]
fn packets_may_come_byte_by_byte() {
    let mut bench = Bench::connected(lasting(), &[]);
    let mut bytes = Vec::new();
    incoming("a", PublishQoS::AtLeastOnce(id(1))).encode(bench.version, &mut bytes);
    for byte in &bytes[..bytes.len() - 1] {
        bench.client.receive(&[*byte], bench.now);
        assert_eq!(bench.event(), None);
    }
    bench.client.receive(&bytes[bytes.len() - 1..], bench.now);
    assert!(matches!(bench.event(), Some(Event::Received(_))));
    assert_eq!(bench.written(), "PUBACK 1");
}

#[test]
fn requests_are_checked_before_they_are_sent() {
    let mut bench = Bench::connected(lasting(), &[]);
    let at_most_once = SubscriptionOptions::new(QoS::AtMostOnce);
    let none = Properties::default();
    for topic in ["", "a/+", "a\0b"] {
        assert!(matches!(bench.client.publish(&Message::new(topic, "")), Err(Error::Invalid { .. })));
    }
    for filter in ["", "a#", "$share/g"] {
        let refused = bench.client.subscribe(&[(filter, at_most_once)], None, none);
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
    assert!(matches!(bench.client.subscribe(&[], None, none), Err(Error::Invalid { .. })));
    assert!(matches!(
        bench.client.subscribe(&[("a", at_most_once)], Some(0), none),
        Err(Error::Invalid { .. })
    ));
    assert_eq!(bench.written(), "");
}

/// [3.1.1 MQTT-3.14.4-3]
#[test]
fn mqtt_3_leaves_without_a_word_when_the_will_shall_be_published() {
    for (reason, expected) in
        [(ReasonCode::NormalDisconnection, "DISCONNECT Success"), (ReasonCode::DisconnectWithWillMessage, "")]
    {
        let options = ConnectOptions { version: Version::V3_1_1, ..ConnectOptions::new("me") };
        let mut bench = Bench::connected(options, &[]);
        bench.client.disconnect(reason, Properties::default());
        assert_eq!(bench.written(), expected);
    }
}

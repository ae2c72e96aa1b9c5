//! Maximum Packet Size of the Client: nothing larger is sent to it, and words give way before facts.

use std::sync::Arc;

use martlet_access::Rules;
use martlet_broker::{Dialect, Settings};
use martlet_packet::{Property, ReasonCode, frame};
use martlet_session::{AuthStep, Authenticator, Exchange};
use martlet_simulator::{Client, World, auth, block, connect, publish, publish_qos, subscribe};
use martlet_topic::{Limits, TopicFilter};

/// A node that lets nobody near "secret", and says so where there is room for it.
fn world() -> World {
    let secret = || vec![TopicFilter::parse("secret", &Limits::default()).expect("a filter")];
    let rules = Rules { deny_subscribe: secret(), deny_publish: secret() };
    World::with(Settings { rules, ..Settings::new(Dialect::NATIVE) })
}

/// Two Clients that heard CONNACK: one takes packets of any size, one of up to `bytes` only.
fn roomy_and_cramped(world: &mut World, bytes: u32) -> [Client; 2] {
    let cramped = connect("cramped").with(&Property::MaximumPacketSize(bytes));
    let clients = [world.join(connect("roomy")), world.join(cramped)];
    world.hush();
    clients
}

/// [MQTT-3.2.2-19]
#[test]
fn connack_leaves_its_reason_string_out() {
    let mut world = world();
    let method = Property::AuthenticationMethod("unknown");
    let roomy = world.join(connect("roomy").with(&method));
    let cramped = world.join(connect("cramped").with(&method).with(&Property::MaximumPacketSize(20)));
    let words = world.hears_in_full(roomy).concat();
    assert!(words.starts_with("CONNACK 8c {ReasonString("), "{words}");
    assert_eq!(world.hears_in_full(cramped), ["CONNACK 8c", "closed"]);
}

/// [MQTT-3.1.2-24]
#[test]
fn a_client_that_cannot_take_its_connack_is_closed_without() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let client = world.join(connect("client").kept(kept).with(&Property::MaximumPacketSize(10)));
        assert_eq!(world.hears(client), ["closed"]);
        assert_eq!((world.counters().connected, world.counters().connects), (0, 0));
    }
}

/// [MQTT-3.4.2-2] [MQTT-3.5.2-2]
#[test]
fn puback_and_pubrec_leave_their_reason_string_out() {
    let mut world = world();
    let [roomy, cramped] = roomy_and_cramped(&mut world, 20);
    for (qos, answer) in [(1, "PUBACK 7 87"), (2, "PUBREC 7 87")] {
        for client in [roomy, cramped] {
            world.send(client, publish_qos("secret", b"x", qos, 7));
        }
        let words = world.hears_in_full(roomy).concat();
        assert!(words.starts_with(&format!("{answer} {{ReasonString(")), "{words}");
        assert_eq!(world.hears_in_full(cramped), [answer]);
    }
}

/// [MQTT-3.9.2-1]
#[test]
fn suback_leaves_its_reason_string_out() {
    let mut world = world();
    let [roomy, cramped] = roomy_and_cramped(&mut world, 20);
    for client in [roomy, cramped] {
        world.send(client, subscribe(7, &[("secret", 0)]));
    }
    let words = world.hears_in_full(roomy).concat();
    assert!(words.starts_with("SUBACK 7 [87] {ReasonString("), "{words}");
    assert_eq!(world.hears_in_full(cramped), ["SUBACK 7 [87]"]);
}

/// [MQTT-3.14.2-3]
#[test]
fn disconnect_leaves_its_reason_string_out() {
    let mut world = world();
    let [roomy, cramped] = roomy_and_cramped(&mut world, 20);
    world.shut_down();
    let words = world.hears_in_full(roomy).concat();
    assert!(words.starts_with("DISCONNECT 8b {ReasonString("), "{words}");
    assert_eq!(world.hears_in_full(cramped), ["DISCONNECT 8b", "closed"]);
}

/// [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn a_publish_at_the_limit_is_sent_and_one_above_it_is_not() {
    // Two bytes of fixed header, three of Topic Name, two of Packet Identifier, one of Property Length.
    let with_payload = |bytes: u32| 2 + 3 + 2 + 1 + bytes;
    let mut world = World::new();
    let reader = world.join(connect("reader").with(&Property::MaximumPacketSize(with_payload(50))));
    world.send(reader, subscribe(1, &[("t", 1)]));
    let writer = world.join(connect("writer"));
    world.hush();
    world.send(writer, publish_qos("t", &[b'x'; 51], 1, 1));
    assert!(world.hears(reader).is_empty());
    world.send(writer, publish_qos("t", &[b'x'; 50], 1, 2));
    assert_eq!(world.hears(reader), [format!("PUBLISH t q1 #2 '{}'", "x".repeat(50))]);
}

/// [MQTT-3.1.2-24]
#[test]
fn a_topic_alias_counts_as_well() {
    for (payload, qos) in (0..40).flat_map(|payload| [(payload, 0), (payload, 1)]) {
        let mut world = World::new();
        let taking = [Property::MaximumPacketSize(40), Property::TopicAliasMaximum(10)];
        let reader = world.join(connect("reader").with(&taking[0]).with(&taking[1]));
        world.send(reader, subscribe(1, &[("t", 1)]));
        let writer = world.join(connect("writer"));
        world.hush();
        world.send(writer, publish_qos("t", &vec![b'x'; payload], qos, 1));
        let heard = world.hears_bytes(reader);
        let len = frame(&heard, u32::MAX).expect("a packet").map_or(0, |frame| frame.len);
        assert!(len <= 40, "{len} bytes with QoS {qos} and {payload} bytes of payload");
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn no_answer_exceeds_the_limit_either() {
    for kept in [0, 3600] {
        let mut world = World::new();
        let client = world.join(connect("client").kept(kept).with(&Property::MaximumPacketSize(40)));
        world.hush();
        let filters: Vec<_> = (0..50).map(|number| format!("t/{number}")).collect();
        let filters: Vec<_> = filters.iter().map(|filter| (&**filter, 0)).collect();
        world.send(client, subscribe(1, &filters));
        let heard = world.hears_bytes(client);
        let len = frame(&heard, u32::MAX).expect("a packet").map_or(0, |frame| frame.len);
        assert!(len <= 40, "{len} bytes");
        assert!(world.is_closed(client), "a Client that waits for an answer in vain is told");
    }
}

/// Says a lot.
#[derive(Debug)]
struct Talker;

impl Authenticator for Talker {
    fn method(&self) -> &str {
        "TALK"
    }

    fn begin(&self, _client_id: &str) -> Box<dyn Exchange> {
        Box::new(Self)
    }
}

impl Exchange for Talker {
    fn step(&mut self, data: &[u8]) -> AuthStep {
        match data {
            b"quiet" => AuthStep::Success(Vec::new()),
            _ => AuthStep::Continue(vec![b'x'; 100]),
        }
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn no_auth_exceeds_the_limit() {
    let authenticators: Arc<[Arc<dyn Authenticator>]> = Arc::new([Arc::new(Talker)]);
    let settings = Settings { authenticators, ..Settings::new(Dialect::NATIVE) };
    let talking = |data| [Property::AuthenticationMethod("TALK"), Property::AuthenticationData(data)];
    let connecting = |data: &'static [u8]| {
        let [method, data] = talking(data);
        connect("client").with(&method).with(&data).with(&Property::MaximumPacketSize(40))
    };
    let mut world = World::with(settings);
    let client = world.join(connecting(b"loud"));
    assert!(world.hears_bytes(client).len() <= 40);
    assert!(world.is_closed(client));
    let client = world.join(connecting(b"quiet"));
    world.hush();
    world.send(client, auth(ReasonCode::ReAuthenticate, &block(&talking(b"loud"))));
    assert!(world.hears_bytes(client).len() <= 40);
    assert!(world.is_closed(client));
}

/// [MQTT-3.2.2-15]
#[test]
fn a_packet_above_the_servers_maximum_ends_the_network_connection() {
    let settings = Settings { maximum_packet_size: 100, ..Settings::new(Dialect::NATIVE) };
    let mut world = World::with(settings);
    let client = world.join(connect("client"));
    let connack = world.hears_in_full(client).concat();
    assert!(connack.contains("MaximumPacketSize(100)"), "{connack}");
    world.send(client, subscribe(1, &[("t", 0)]));
    world.hush();
    // Two bytes of fixed header, three of Topic Name, one of Property Length.
    world.send(client, publish("t", &[b'x'; 94]));
    assert_eq!(world.hears(client).len(), 1);
    world.send(client, publish("t", &[b'x'; 95]));
    assert_eq!(world.hears(client), ["DISCONNECT 95", "closed"]);
}

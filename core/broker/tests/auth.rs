//! Enhanced authentication (§4.12): the flow of AUTH packets, with a method that asks for a word and its echo.

use std::sync::Arc;

use martlet_broker::{Dialect, Settings};
use martlet_packet::{PropertiesBuf, Property, QoS, ReasonCode, Version};
use martlet_session::{AuthStep, Authenticator, Exchange};
use martlet_simulator::{
    Client, Connecting, World, auth, block, connect, disconnect, ping, publish, subscribe,
};

/// Wants "knock", asks "who", wants "me", and says "welcome".
#[derive(Debug)]
struct Doorkeeper;

#[derive(Debug)]
struct Door {
    asked: bool,
}

impl Authenticator for Doorkeeper {
    fn method(&self) -> &str {
        "DOOR"
    }

    fn begin(&self, _client_id: &str) -> Box<dyn Exchange> {
        Box::new(Door { asked: false })
    }
}

impl Exchange for Door {
    fn step(&mut self, data: &[u8]) -> AuthStep {
        match (std::mem::replace(&mut self.asked, true), data) {
            (false, b"knock") => AuthStep::Continue(b"who".into()),
            (true, b"me") => AuthStep::Success(b"welcome".into()),
            _ => AuthStep::Failure(ReasonCode::NotAuthorized),
        }
    }
}

fn world() -> World {
    let authenticators: Arc<[Arc<dyn Authenticator>]> = Arc::new([Arc::new(Doorkeeper)]);
    World::with(Settings { authenticators, ..Settings::new(Dialect::NATIVE) })
}

fn knocking(id: &str, method: &str) -> Connecting {
    connect(id).with(&Property::AuthenticationMethod(method)).with(&Property::AuthenticationData(b"knock"))
}

fn saying(method: &str, data: &[u8]) -> PropertiesBuf {
    block(&[Property::AuthenticationMethod(method), Property::AuthenticationData(data)])
}

/// A Client that was let in, and heard out.
fn admitted(world: &mut World) -> Client {
    let client = world.join(knocking("client", "DOOR"));
    world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"me")));
    world.hush();
    client
}

const WHO: &str = r#"{AuthenticationMethod("DOOR"), AuthenticationData([119, 104, 111])}"#;
const WELCOME: &str =
    r#"{AuthenticationMethod("DOOR"), AuthenticationData([119, 101, 108, 99, 111, 109, 101])}"#;

/// [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.2.0-1]
#[test]
fn auth_goes_to_and_fro_until_connack() {
    let mut world = world();
    let client = world.join(knocking("client", "DOOR"));
    assert_eq!(world.hears(client), [format!("AUTH 18 {WHO}")]);
    world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"me")));
    assert_eq!(world.hears(client), [format!("CONNACK 00 {WELCOME}")]);
    world.send(client, ping());
    assert_eq!(world.hears(client), ["PINGRESP"]);
}

/// [MQTT-4.12.0-1] [MQTT-4.13.2-1] [MQTT-3.2.2-7]
#[test]
fn a_method_nobody_knows_is_refused() {
    let mut world = world();
    let client = world.join(knocking("client", "WINDOW"));
    assert_eq!(world.hears(client), ["CONNACK 8c", "closed"]);
}

/// [MQTT-4.12.0-4] [MQTT-3.1.4-2]
#[test]
fn whoever_fails_is_refused_and_has_no_session() {
    let mut world = world();
    let client = world.join(knocking("client", "DOOR").kept(3600));
    world.hush();
    world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"a thief")));
    assert_eq!(world.hears(client), ["CONNACK 87", "closed"]);
    assert_eq!(world.counters().sessions, 0);
}

/// [MQTT-4.12.0-3] [MQTT-4.12.0-5]
#[test]
fn an_auth_that_does_not_continue_the_exchange_is_a_protocol_error() {
    let wrong = [
        (ReasonCode::ReAuthenticate, saying("DOOR", b"me")),
        (ReasonCode::Success, saying("DOOR", b"me")),
        (ReasonCode::ContinueAuthentication, saying("WINDOW", b"me")),
        (ReasonCode::ContinueAuthentication, block(&[])),
    ];
    for (reason, properties) in wrong {
        let mut world = world();
        let client = world.join(knocking("client", "DOOR"));
        world.hush();
        world.send(client, auth(reason, &properties));
        assert_eq!(world.hears(client), ["CONNACK 82", "closed"], "{reason:?} {properties:?}");
    }
}

/// [MQTT-3.1.2-30]
#[test]
fn until_connack_a_client_with_a_method_sends_auth_or_disconnect_and_nothing_else() {
    for packet in [ping(), publish("t", b"x"), subscribe(1, &[("t", 0)])] {
        let mut world = world();
        let client = world.join(knocking("client", "DOOR"));
        world.hush();
        world.send(client, packet);
        assert_eq!(world.hears(client), ["CONNACK 82", "closed"]);
    }
    let mut world = world();
    let client = world.join(knocking("client", "DOOR"));
    world.hush();
    world.send(client, disconnect(ReasonCode::Success));
    assert_eq!(world.hears(client), ["closed"]);
}

/// [MQTT-4.12.0-6]
#[test]
fn a_client_without_a_method_hears_of_none() {
    let mut world = world();
    let client = world.join(connect("client"));
    let connack = world.hears_in_full(client).concat();
    assert!(connack.starts_with("CONNACK 00") && !connack.contains("Authentication"), "{connack}");
}

/// [MQTT-4.12.0-7]
#[test]
fn a_client_without_a_method_must_not_send_auth() {
    for reason in [ReasonCode::ReAuthenticate, ReasonCode::ContinueAuthentication] {
        let mut world = world();
        let client = world.join(connect("client"));
        world.hush();
        world.send(client, auth(reason, &saying("DOOR", b"knock")));
        assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
    }
}

/// [MQTT-4.12.0-5] [MQTT-4.12.1-1]
#[test]
fn who_is_in_can_authenticate_again_while_everything_goes_on() {
    let mut world = world();
    let client = admitted(&mut world);
    for _ in 0..2 {
        world.send(client, auth(ReasonCode::ReAuthenticate, &saying("DOOR", b"knock")));
        world.send(client, ping());
        assert_eq!(world.hears(client), [format!("AUTH 18 {WHO}"), "PINGRESP".into()]);
        world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"me")));
        assert_eq!(world.hears(client), [format!("AUTH 00 {WELCOME}")]);
    }
}

/// [MQTT-4.12.1-1]
#[test]
fn another_method_ends_the_network_connection() {
    let mut world = world();
    let client = admitted(&mut world);
    world.send(client, auth(ReasonCode::ReAuthenticate, &saying("WINDOW", b"knock")));
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
}

/// [MQTT-4.12.1-2]
#[test]
fn who_fails_the_second_time_is_sent_away_and_its_will_is_published() {
    let mut world = world();
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("will", 0)]));
    let client = world.join(knocking("client", "DOOR").will("will", b"gone", QoS::AtMostOnce, false, 0));
    world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"me")));
    world.hush();
    world.send(client, auth(ReasonCode::ReAuthenticate, &saying("DOOR", b"bang")));
    assert_eq!(world.hears(client), ["DISCONNECT 87", "closed"]);
    assert_eq!(world.hears(reader), ["PUBLISH will q0 'gone'"]);
}

/// §4.12.1: what nobody began cannot be continued, and what goes on cannot be begun again.
#[test]
fn an_auth_out_of_turn_ends_the_network_connection() {
    let mut world = world();
    let client = admitted(&mut world);
    world.send(client, auth(ReasonCode::ContinueAuthentication, &saying("DOOR", b"me")));
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
    let client = admitted(&mut world);
    world.send(client, auth(ReasonCode::ReAuthenticate, &saying("DOOR", b"knock")));
    world.hush();
    world.send(client, auth(ReasonCode::ReAuthenticate, &saying("DOOR", b"knock")));
    assert_eq!(world.hears(client), ["DISCONNECT 82", "closed"]);
}

/// [MQTT-3.15.1-1]
#[test]
fn reserved_flags_of_auth_end_the_network_connection() {
    let mut world = world();
    let client = admitted(&mut world);
    let properties = saying("DOOR", b"knock");
    let mut bytes = martlet_simulator::raw(Version::V5, &auth(ReasonCode::ReAuthenticate, &properties));
    bytes[0] |= 1;
    world.post_bytes(client, bytes);
    world.settle();
    let heard = world.hears(client);
    assert!(heard.last().is_some_and(|line| line == "closed"), "{heard:?}");
}

//! Who may enter and what they may do then, by the files Mosquitto's users have; and what changes when they change.

use std::path::Path;

use martlet_auth::{DynamicSecurity, Scheme, Secret, passwd};
use martlet_harness::{Broker, Client, QoS};
use martlet_packet::{Connect, Packet, ReasonCode};

const LOCAL: &str = "listener 1883 127.0.0.1\n";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// A password file with these users, whose passwords are their names and an `!`.
fn passwords(folder: &Path, users: &[&str]) -> String {
    let file = folder.join("passwords");
    std::fs::write(&file, "").expect("the folder can be written");
    for user in users {
        let scheme = Scheme::pbkdf2(101).expect("a number of rounds");
        passwd::set(&file, user, &Secret::from(format!("{user}!").as_str()), scheme)
            .expect("a user is added");
    }
    format!("password_file {}\n", file.display())
}

fn named(user: &'static str, password: &'static str) -> impl for<'a> Fn(&mut Connect<'a>) {
    move |connect| {
        connect.user_name = Some(user);
        connect.password = Some(password.as_bytes());
    }
}

/// How CONNACK refuses.
fn refusal(mut client: Client, change: impl for<'a> Fn(&mut Connect<'a>)) -> ReasonCode {
    client.sends_connect(|connect| change(connect));
    let received = client.expects();
    let Packet::ConnAck(connack) = received.packet() else { panic!("no CONNACK: {received:?}") };
    let reason = connack.reason;
    client.is_closed();
    reason
}

#[test]
fn whoever_knows_the_password_enters_and_nobody_else() {
    let folder = folder();
    let broker = Broker::start_written(&(LOCAL.to_owned() + &passwords(folder.path(), &["ada"])));
    broker.client("a").connects_with(named("ada", "ada!")).pings();
    broker.client_v5("b").connects_with(named("ada", "ada!")).pings();
    for (user, password) in [("ada", "wrong"), ("ada", ""), ("eve", "ada!")] {
        let wrong = || named(user, password);
        assert_eq!(refusal(broker.client("c"), wrong()), ReasonCode::NotAuthorized, "{user} {password}");
        assert_eq!(refusal(broker.client_v5("d"), wrong()), ReasonCode::NotAuthorized, "{user} {password}");
    }
    assert_eq!(refusal(broker.client("e"), |_| {}), ReasonCode::NotAuthorized, "anonymous");
}

#[test]
fn a_listener_alone_lets_nobody_in_without_a_name_and_says_who_may() {
    let closed = Broker::start_written(LOCAL);
    assert_eq!(refusal(closed.client("a"), |_| {}), ReasonCode::NotAuthorized);
    let named = |connect: &mut Connect<'_>| connect.user_name = Some("ada");
    assert_eq!(refusal(closed.client("a"), named), ReasonCode::NotAuthorized);
    let open = Broker::start_written(&format!("{LOCAL}allow_anonymous true\n"));
    open.client("a").connects().pings();
    open.client("b").connects_with(|connect| connect.user_name = Some("ada")).pings();
}

/// [3.1.1 MQTT-3.1.4-5]: a Client need not wait for CONNACK, nor for its password to be checked.
#[test]
fn what_comes_while_a_password_is_checked_is_answered_after_it() {
    let folder = folder();
    let broker = Broker::start_written(&(LOCAL.to_owned() + &passwords(folder.path(), &["ada"])));
    for number in 0..10 {
        let mut client = broker.client(&format!("hasty-{number}"));
        client.sends_connect(named("ada", "ada!"));
        client.sends(&Packet::PingReq);
        client.is_admitted();
        assert!(matches!(client.expects().packet(), Packet::PingResp));
        client.pings();
    }
}

#[test]
fn an_access_file_says_who_publishes_and_reads_what() {
    let folder = folder();
    let file = folder.path().join("acl");
    std::fs::write(&file, "topic read news/#\nuser ada\ntopic readwrite news/#\npattern write own/%c\n")
        .unwrap();
    let text = format!("{LOCAL}allow_anonymous true\nacl_file {}\n", file.display());
    let broker = Broker::start_written(&text);
    let mut reader = broker.client("reader").connects().subscribes("#", QoS::AtMostOnce);
    let mut ada = broker.client("ada").connects_with(|connect| connect.user_name = Some("ada"));
    reader.publishes("news/fake", b"not mine to say", QoS::AtLeastOnce);
    ada.publishes("secret", b"not mine either", QoS::AtLeastOnce);
    ada.publishes("news/true", b"mine", QoS::AtLeastOnce);
    assert_eq!(reader.receives("news/true"), b"mine");
}

#[test]
fn rules_that_are_read_again_hold_for_those_who_are_connected() {
    let folder = folder();
    let file = folder.path().join("acl");
    let text = format!("{LOCAL}allow_anonymous true\nacl_file {}\n", file.display());
    std::fs::write(&file, "topic readwrite a\n").unwrap();
    let broker = Broker::start_written(&text);
    let mut reader = broker.client("reader").connects().subscribes("#", QoS::AtMostOnce);
    let mut writer = broker.client("writer").connects();
    writer.publishes("a", b"before", QoS::AtLeastOnce);
    assert_eq!(reader.receives("a"), b"before");
    std::fs::write(&file, "topic readwrite b\n").unwrap();
    broker.reads_again(&text);
    // It is read on another thread: a publish is heard from some moment on.
    let mut told = 0_u64;
    while told < 100_000 {
        writer.publishes("b", &told.to_be_bytes(), QoS::AtLeastOnce);
        reader.sends(&Packet::PingReq);
        match reader.expects().packet() {
            Packet::Publish(publish) => {
                assert_eq!(publish.topic, "b");
                break;
            }
            _ => told += 1,
        }
    }
    assert!(told < 100_000, "the new rules hold");
    assert!(matches!(reader.expects().packet(), Packet::PingResp));
    writer.publishes("a", b"after", QoS::AtLeastOnce);
    writer.publishes("b", b"after", QoS::AtLeastOnce);
    assert_eq!(reader.receives("b"), b"after");
}

#[test]
fn whoever_is_taken_out_of_the_password_file_is_sent_away_and_the_others_stay() {
    let folder = folder();
    let text = LOCAL.to_owned() + &passwords(folder.path(), &["ada", "bob"]);
    let broker = Broker::start_written(&text);
    let mut ada = broker.client_v5("a").connects_with(named("ada", "ada!"));
    let bob = broker.client_v5("b").connects_with(named("bob", "bob!"));
    passwd::delete(&folder.path().join("passwords"), "bob").unwrap();
    broker.reads_again(&text);
    bob.is_disconnected(ReasonCode::AdministrativeAction);
    ada.pings();
}

#[test]
fn a_configuration_that_is_broken_leaves_the_one_in_force() {
    let folder = folder();
    let text = LOCAL.to_owned() + &passwords(folder.path(), &["ada"]);
    let broker = Broker::start_written(&text);
    let mut ada = broker.client("a").connects_with(named("ada", "ada!"));
    broker.reads_again("listener 1883 127.0.0.1\nallow_anonymus true\n");
    broker.reads_again(&format!("{LOCAL}password_file /nowhere/to/be/found\n"));
    // Orders are carried out one after the other: this one is behind those.
    broker.reads_again(&text);
    ada.pings();
    assert_eq!(refusal(broker.client("b"), |_| {}), ReasonCode::NotAuthorized);
    broker.client("c").connects_with(named("ada", "ada!")).pings();
}

#[test]
fn a_listener_has_as_many_connections_as_it_may_have() {
    let broker = Broker::start_written(&format!("{LOCAL}max_connections 2\nallow_anonymous true\n"));
    let mut first = broker.client("first").connects();
    let second = broker.client("second").connects();
    broker.stream().expect_close();
    first.pings();
    second.disconnects();
    broker.client("third").connects().pings();
}

#[test]
fn dynamic_security_is_told_by_clients_and_holds_at_once() {
    let folder = folder();
    let file = folder.path().join("dynamic-security.json");
    DynamicSecurity::init(&file, "admin", &Secret::from("admin!")).unwrap();
    let broker = Broker::start_written(&format!(
        "{LOCAL}plugin /usr/lib/mosquitto_dynamic_security.so\nplugin_opt_config_file {}\n",
        file.display()
    ));
    let admin = broker.client("admin").connects_with(named("admin", "admin!"));
    let mut admin = admin.subscribes("$CONTROL/dynamic-security/v1/response", QoS::AtMostOnce);
    let mut ask = |command: &str| -> String {
        let request = format!(r#"{{"commands":[{command}]}}"#);
        admin.publishes("$CONTROL/dynamic-security/v1", request.as_bytes(), QoS::AtMostOnce);
        String::from_utf8(admin.receives("$CONTROL/dynamic-security/v1/response")).unwrap()
    };
    let answer = ask(r#"{"command":"createClient","username":"ada","password":"ada!"}"#);
    assert!(!answer.contains("error"), "{answer}");
    let mut ada = broker.client_v5("a").connects_with(named("ada", "ada!"));
    ada.pings();
    let answer = ask(r#"{"command":"disableClient","username":"ada"}"#);
    assert!(!answer.contains("error"), "{answer}");
    ada.is_disconnected(ReasonCode::AdministrativeAction);
    assert_eq!(refusal(broker.client_v5("a"), named("ada", "ada!")), ReasonCode::NotAuthorized);
}

//! PUBACK, PUBREC, PUBREL, PUBCOMP: QoS 1 and QoS 2 from both ends, and what comes again over the next connection.

use martlet_access::Rules;
use martlet_broker::{Dialect, Settings};
use martlet_packet::{Packet, Property, Publish, ReasonCode, Version};
use martlet_simulator::{
    Client, World, connect, puback, puback_of, pubcomp, publish_qos, pubrec, pubrec_of, pubrel, subscribe,
};
use martlet_topic::{Limits, TopicFilter};

/// A world with a reader of "t" that is kept, and a writer; both were heard out.
fn reader_and_writer(world: &mut World, qos: u8) -> [Client; 2] {
    let reader = world.join(connect("reader").kept(3600));
    world.send(reader, subscribe(1, &[("t", qos)]));
    let writer = world.join(connect("writer"));
    world.hush();
    [reader, writer]
}

/// The reader's Network Connection breaks, and it comes back.
fn again(world: &mut World, reader: Client) -> (Client, Vec<String>) {
    world.cut(reader);
    let back = world.join(connect("reader").kept(3600));
    let mut heard = world.hears(back);
    assert_eq!(heard.remove(0), "CONNACK 00 present");
    (back, heard)
}

/// [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-2.2.1-5] [MQTT-2.2.1-2] [MQTT-4.3.1-1]
#[test]
fn a_publish_is_answered_as_its_qos_demands_with_its_own_identifier() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let client = world.join(connect("client").version(version));
        world.send(client, subscribe(1, &[("t", 0)]));
        world.hush();
        for (qos, answer) in [(0, None), (1, Some("PUBACK 513")), (2, Some("PUBREC 513"))] {
            world.send(client, publish_qos("t", b"x", qos, 513));
            let expected: Vec<_> = answer.into_iter().chain(["PUBLISH t q0 'x'"]).collect();
            assert_eq!(world.hears(client), expected, "{version:?}");
        }
        world.send(client, pubrel(513));
        assert_eq!(world.hears(client), ["PUBCOMP 513"]);
    }
}

/// [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-2.2.1-4]
#[test]
fn every_new_message_goes_out_with_an_identifier_not_in_use_and_without_dup() {
    for qos in [1, 2] {
        let mut world = World::new();
        let [reader, writer] = reader_and_writer(&mut world, qos);
        (0..3).for_each(|_| world.send(writer, publish_qos("t", b"x", qos, 1)));
        world.send(writer, pubrel(1));
        let expected: Vec<_> = if qos == 1 { vec![1, 2, 3] } else { vec![1] };
        let expected: Vec<_> = expected.iter().map(|id| format!("PUBLISH t q{qos} #{id} 'x'")).collect();
        assert_eq!(world.hears(reader), expected);
    }
}

/// [MQTT-3.3.1-3]
#[test]
fn dup_of_what_came_in_says_nothing_about_what_goes_out() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 1);
    let Packet::Publish(message) = publish_qos("t", b"x", 1, 1) else { unreachable!() };
    world.send(writer, Packet::Publish(Publish { dup: true, ..message }));
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'"]);
}

/// [MQTT-4.3.2-5]
#[test]
fn after_puback_the_same_identifier_is_a_new_message_even_with_dup() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 1);
    for dup in [false, false, true] {
        let Packet::Publish(message) = publish_qos("t", b"x", 1, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { dup, ..message }));
    }
    assert_eq!(world.hears(writer), ["PUBACK 1"; 3]);
    assert_eq!(world.hears(reader).len(), 3);
}

/// [MQTT-4.3.3-12]
#[test]
fn after_pubcomp_the_same_identifier_is_a_new_message_even_with_dup() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 1);
    for dup in [false, true] {
        let Packet::Publish(message) = publish_qos("t", b"x", 2, 1) else { unreachable!() };
        world.send(writer, Packet::Publish(Publish { dup, ..message }));
        world.send(writer, pubrel(1));
    }
    assert_eq!(world.hears(writer), ["PUBREC 1", "PUBCOMP 1", "PUBREC 1", "PUBCOMP 1"]);
    assert_eq!(world.hears(reader).len(), 2);
}

/// [MQTT-4.3.3-9] [3.1.1 MQTT-3.3.5-2]
#[test]
fn after_a_pubrec_that_refuses_the_same_identifier_is_a_new_message() {
    let deny_publish = vec![TopicFilter::parse("secret", &Limits::default()).expect("a filter")];
    let rules = Rules { deny_publish, ..Rules::default() };
    let mut world = World::with(Settings { rules, ..Settings::new(Dialect::NATIVE) });
    let [reader, writer] = reader_and_writer(&mut world, 1);
    world.send(writer, publish_qos("secret", b"x", 2, 1));
    world.send(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(world.hears(writer), ["PUBREC 1 87", "PUBREC 1"]);
    assert_eq!(world.hears(reader), ["PUBLISH t q1 #1 'x'"]);
}

/// [3.1.1 MQTT-3.3.5-2]
#[test]
fn mqtt_3_cannot_be_told_of_a_refusal_and_is_acknowledged() {
    let deny_publish = vec![TopicFilter::parse("secret", &Limits::default()).expect("a filter")];
    let rules = Rules { deny_publish, ..Rules::default() };
    let mut world = World::with(Settings { rules, ..Settings::new(Dialect::NATIVE) });
    let reader = world.join(connect("reader"));
    world.send(reader, subscribe(1, &[("secret", 1)]));
    let writer = world.join(connect("writer").version(Version::V3_1_1));
    world.hush();
    world.send(writer, publish_qos("secret", b"x", 1, 1));
    world.send(writer, publish_qos("secret", b"x", 2, 2));
    world.send(writer, pubrel(2));
    assert_eq!(world.hears(writer), ["PUBACK 1", "PUBREC 2", "PUBCOMP 2"]);
    assert!(world.hears(reader).is_empty());
}

/// [MQTT-4.3.3-13]
#[test]
fn the_acknowledgements_go_on_when_the_message_has_expired() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    world.cut(reader);
    let Packet::Publish(message) = publish_qos("t", b"x", 2, 1) else { unreachable!() };
    world.send(writer, Packet::Publish(Publish { message_expiry: Some(5), ..message.clone() }));
    world.pass(10);
    world.send(writer, Packet::Publish(Publish { dup: true, message_expiry: Some(5), ..message }));
    world.send(writer, pubrel(1));
    assert_eq!(world.hears(writer), ["PUBREC 1", "PUBREC 1", "PUBCOMP 1"]);
    let back = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(back), ["CONNACK 00 present"]);
}

/// [MQTT-4.3.3-4] [MQTT-4.3.3-11] [MQTT-2.2.1-5]
#[test]
fn pubrec_is_answered_by_pubrel_and_pubcomp_ends_it() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    world.send(writer, publish_qos("t", b"x", 2, 1));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 'x'"]);
    world.send(reader, pubrec(1));
    world.send(reader, pubrec(1));
    assert_eq!(world.hears(reader), ["PUBREL 1", "PUBREL 1"], "PUBREC that comes again is answered again");
    assert_eq!(world.counters().ledger.in_flight, 1);
    world.send(reader, pubcomp(1));
    assert_eq!(world.counters().ledger.delivered, 1);
    let (_, heard) = again(&mut world, reader);
    assert!(heard.is_empty(), "{heard:?}");
}

/// §3.6.2.1, §3.7.2.1: 0x92 is no error during recovery, it tells that both sides do not agree.
#[test]
fn an_identifier_nobody_knows_is_answered_and_told() {
    let mut world = World::new();
    let client = world.join(connect("client"));
    let older = world.join(connect("older").version(Version::V3_1_1));
    world.hush();
    for client in [client, older] {
        for packet in [puback(9), pubrec(9), pubcomp(9), pubrel(9), pubrec_of(9, ReasonCode::QuotaExceeded)] {
            world.send(client, packet);
        }
    }
    assert_eq!(world.hears(client), ["PUBREL 9 92", "PUBCOMP 9 92"]);
    // MQTT 3.1.1 has no Reason Codes: a refusing PUBREC is a PUBREC.
    assert_eq!(world.hears(older), ["PUBREL 9", "PUBCOMP 9", "PUBREL 9"]);
}

/// §4.3: an acknowledgement of another step, or of another QoS, ends the Network Connection and no delivery.
#[test]
fn an_acknowledgement_that_is_no_answer_is_a_protocol_error() {
    for (qos, wrong) in [(1, pubrec(1)), (1, pubcomp(1)), (2, puback(1)), (2, pubcomp(1))] {
        let mut world = World::new();
        let [reader, writer] = reader_and_writer(&mut world, 2);
        world.send(writer, publish_qos("t", b"x", qos, 1));
        world.hush();
        world.send(reader, wrong);
        assert_eq!(world.hears(reader), ["DISCONNECT 82", "closed"]);
        let back = world.join(connect("reader").kept(3600));
        assert_eq!(world.hears(back), ["CONNACK 00 present".into(), format!("PUBLISH t q{qos} #1 dup 'x'")]);
    }
}

/// [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.4.0-1]
#[test]
fn what_was_not_acknowledged_comes_again_in_its_order_with_its_identifier_and_dup() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    for (qos, payload) in [(1, b"a"), (2, b"b"), (1, b"c"), (2, b"d"), (1, b"e")] {
        world.send(writer, publish_qos("t", payload, qos, 9));
        world.send(writer, pubrel(9));
    }
    world.send(reader, puback(3));
    world.send(reader, pubrec(4));
    let (back, heard) = again(&mut world, reader);
    let expected =
        ["PUBLISH t q1 #1 dup 'a'", "PUBLISH t q2 #2 dup 'b'", "PUBREL 4", "PUBLISH t q1 #5 dup 'e'"];
    assert_eq!(heard, expected);
    let (_, heard) = again(&mut world, back);
    assert_eq!(heard, expected, "and again, as long as it is not acknowledged");
}

/// [MQTT-4.4.0-1]
#[test]
fn over_the_same_network_connection_nothing_comes_again() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    world.send(writer, publish_qos("t", b"x", 1, 9));
    world.hush();
    world.send(reader, subscribe(2, &[("t", 2)]));
    world.pass(80);
    assert_eq!(world.hears(reader), ["SUBACK 2 [02]"]);
}

/// [MQTT-4.3.3-5] [MQTT-4.3.3-6]
#[test]
fn after_pubrel_only_pubrel_comes_again_until_pubcomp() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    world.send(writer, publish_qos("t", b"x", 2, 1));
    world.send(reader, pubrec(1));
    let (reader, heard) = again(&mut world, reader);
    assert_eq!(heard, ["PUBREL 1"]);
    let (reader, heard) = again(&mut world, reader);
    assert_eq!(heard, ["PUBREL 1"]);
    world.send(reader, pubcomp(1));
    let (_, heard) = again(&mut world, reader);
    assert!(heard.is_empty(), "{heard:?}");
}

/// [MQTT-4.3.3-7]
#[test]
fn what_was_sent_once_does_not_expire() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    let Packet::Publish(message) = publish_qos("t", b"x", 2, 1) else { unreachable!() };
    world.send(writer, Packet::Publish(Publish { message_expiry: Some(5), ..message }));
    assert_eq!(world.hears(reader), ["PUBLISH t q2 #1 expiry=5 'x'"]);
    world.cut(reader);
    world.pass(100);
    let back = world.join(connect("reader").kept(3600));
    assert_eq!(world.hears(back), ["CONNACK 00 present", "PUBLISH t q2 #1 dup expiry=0 'x'"]);
    assert_eq!(world.counters().ledger.expired, 0);
}

/// [MQTT-4.4.0-2]
#[test]
fn an_acknowledgement_that_refuses_is_one() {
    let mut world = World::new();
    let [reader, writer] = reader_and_writer(&mut world, 2);
    world.send(writer, publish_qos("t", b"x", 1, 1));
    world.send(writer, publish_qos("t", b"x", 2, 2));
    world.hush();
    world.send(reader, puback_of(1, ReasonCode::QuotaExceeded));
    world.send(reader, pubrec_of(2, ReasonCode::QuotaExceeded));
    assert!(world.hears(reader).is_empty(), "no PUBREL follows a PUBREC that refuses");
    let (_, heard) = again(&mut world, reader);
    assert!(heard.is_empty(), "{heard:?}");
    assert_eq!(world.counters().ledger.dropped_refused, 2);
}

/// [MQTT-4.6.0-5] [MQTT-4.6.0-6]
#[test]
fn messages_of_one_client_reach_every_subscriber_in_the_order_they_came() {
    for qos in 0..=2 {
        let mut world = World::new();
        let [kept, writer] = reader_and_writer(&mut world, 2);
        let volatile = world.join(connect("volatile").with(&Property::ReceiveMaximum(3)));
        world.send(volatile, subscribe(1, &[("+", 2)]));
        world.hush();
        let payloads: Vec<_> = (10..60).map(|number| number.to_string()).collect();
        for (id, payload) in (1..).zip(&payloads) {
            world.post(writer, publish_qos("t", payload.as_bytes(), qos, id));
        }
        world.settle();
        for reader in [kept, volatile] {
            assert_eq!(read_all(&mut world, reader), payloads, "QoS {qos}");
        }
    }
}

/// Payloads in the order they come, while everything is acknowledged.
fn read_all(world: &mut World, reader: Client) -> Vec<String> {
    let mut payloads = Vec::new();
    loop {
        let heard = world.hears(reader);
        if heard.is_empty() {
            return payloads;
        }
        for line in heard {
            let id = line.split('#').nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            match (line.split(' ').next(), id) {
                (Some("PUBREL"), _) => {
                    let id = line.split(' ').nth(1).and_then(|id| id.parse().ok()).expect("an identifier");
                    world.send(reader, pubcomp(id));
                    continue;
                }
                (_, Some(id)) if line.contains(" q1 ") => world.send(reader, puback(id)),
                (_, Some(id)) => world.send(reader, pubrec(id)),
                _ => {}
            }
            payloads.push(line.split('\'').nth(1).expect("a payload").to_owned());
        }
    }
}

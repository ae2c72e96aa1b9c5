//! How connections and nodes end: refusals, take-over, shutdown.

use std::num::NonZeroUsize;
use std::time::Duration;

use martlet_harness::{Broker, QoS, Stream, Version};
use martlet_packet::{Connect, Packet, ReasonCode};

#[test]
fn whoever_is_connected_is_told_of_the_end_and_gets_what_waits() {
    for runners in [1, 3] {
        let broker = Broker::start_with(|config| config.runners = NonZeroUsize::new(runners).unwrap());
        let mut clients: Vec<_> = (0..6)
            .map(|number| broker.client_v5(&format!("client-{number}")).connects())
            .map(|client| client.subscribes("last", QoS::AtMostOnce))
            .collect();
        let old = broker.client("old").connects();
        let mut publisher = broker.client("publisher").connects();
        publisher.publishes("last", b"words", QoS::AtLeastOnce);
        broker.begins_to_stop();
        for client in &mut clients {
            assert_eq!(client.receives("last"), b"words");
        }
        clients.into_iter().for_each(|client| client.is_disconnected(ReasonCode::ServerShuttingDown));
        old.is_disconnected(ReasonCode::ServerShuttingDown);
        broker.stop();
    }
}

/// [MQTT-3.1.4-3]
#[test]
fn a_second_connection_takes_the_place_of_the_first() {
    for runners in [1, 3] {
        let broker = Broker::start_with(|config| config.runners = NonZeroUsize::new(runners).unwrap());
        let first = broker.client_v5("twin").connects();
        let mut second = broker.client_v5("twin").connects();
        first.is_disconnected(ReasonCode::SessionTakenOver);
        second.pings();
    }
}

#[test]
fn a_packet_that_is_none_ends_the_connection_with_a_reason_although_more_was_sent() {
    let broker = Broker::start();
    let mut client = broker.client_v5("rude").connects();
    // SUBSCRIBE with wrong flags, and a flood behind it that is never read.
    client.sends_bytes(&[0x80, 0]);
    client.sends_bytes(&vec![0xC0; 200_000]);
    client.is_disconnected(ReasonCode::MalformedPacket);
}

#[test]
fn a_packet_above_the_maximum_is_refused_at_its_length() {
    let broker = Broker::start_with(|config| config.settings.maximum_packet_size = 1000);
    let mut client = broker.client_v5("large").connects();
    client.sends_bytes(&[0x30, 0xE9, 0x07]);
    client.is_disconnected(ReasonCode::PacketTooLarge);
}

#[test]
fn silence_instead_of_a_connect_is_not_waited_for() {
    let broker = Broker::start_with(|config| config.connect_timeout = Duration::from_millis(50));
    let mut silent = broker.stream();
    let mut half = broker.stream();
    half.send_bytes(&[0x10, 20, 0, 4]);
    let mut open = broker.client("open").connects();
    silent.expect_close();
    half.expect_close();
    open.pings();
}

#[test]
fn strangers_together_fill_no_more_than_a_bounded_memory() {
    let broker = Broker::start();
    let mut honest = broker.client("honest").connects();
    // A CONNECT of 380,000 bytes but for its last one.
    let mut unfinished = vec![0x10, 0xE0, 0x98, 0x17];
    unfinished.resize(380_000, 0);
    let mut strangers: Vec<_> = (0..90).map(|_| broker.stream()).collect();
    for stranger in &mut strangers {
        stranger.send_bytes(&unfinished);
        // In each turn every connection is read once: after so many answers all that was sent is read.
        (0..8).for_each(|_| honest.pings());
    }
    strangers.pop().expect("the last of them").expect_close();
    honest.pings();
}

#[test]
fn one_connection_too_many_is_refused_in_words_and_the_others_are_served() {
    let broker = Broker::start_with(|config| config.connections_max = Some(2));
    let mut first = broker.client("first").connects();
    let second = broker.client("second").connects();
    assert_eq!(refusal(&broker, Version::V5), ReasonCode::ServerBusy);
    assert_eq!(refusal(&broker, Version::V3_1_1), ReasonCode::ServerUnavailable);
    first.pings();
    second.disconnects();
    // Its place is free as soon as the broker has closed it, which it had when `disconnects` returned.
    broker.client("third").connects().pings();
}

/// What CONNACK says to a Client for which there is no room.
fn refusal(broker: &Broker, version: Version) -> ReasonCode {
    let mut stream: Stream = broker.stream();
    stream.send(&Packet::Connect(Connect::new(version, "surplus")), version);
    let received = stream.receive(version).expect("a CONNACK before the end");
    let Packet::ConnAck(connack) = received.packet() else { panic!("{received:?}") };
    let reason = connack.reason;
    stream.expect_close();
    reason
}

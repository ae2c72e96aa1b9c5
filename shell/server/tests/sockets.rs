//! Messages over real sockets: with one runner and with several, in drops and in floods.

use martlet_harness::{Broker, QoS, Version};
use martlet_packet::{Connect, Packet, PublishQoS};

const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn broker(runners: usize) -> Broker {
    Broker::start_with(|config| config.runners = runners.try_into().expect("not zero"))
}

#[test]
fn messages_reach_clients_on_every_runner() {
    for runners in [1, 3] {
        let broker = broker(runners);
        // So many that their homes are spread over all runners.
        let mut subscribers: Vec<_> = (0..12)
            .map(|number| broker.client(&format!("subscriber-{number}")).connects())
            .map(|client| client.subscribes("news/+", QoS::ExactlyOnce))
            .collect();
        for publisher in 0..4 {
            let mut publisher = broker.client_v5(&format!("publisher-{publisher}")).connects();
            for qos in EVERY_QOS {
                let payload = [b'0' + u8::from(qos)];
                publisher.publishes("news/today", &payload, qos);
                for subscriber in &mut subscribers {
                    assert_eq!(subscriber.receives("news/today"), payload);
                }
            }
        }
    }
}

#[test]
fn a_persistent_session_gets_what_came_while_it_was_away() {
    for runners in [1, 3] {
        let broker = broker(runners);
        let keeps = |connect: &mut Connect<'_>| connect.clean_start = false;
        let sleeper = broker.client("sleeper").connects_with(keeps).subscribes("dream", QoS::AtLeastOnce);
        sleeper.disconnects();
        let mut publisher = broker.client("publisher").connects();
        for number in 0..20 {
            publisher.publishes("dream", &[number], QoS::AtLeastOnce);
        }
        let mut sleeper = broker.client("sleeper");
        sleeper.sends_connect(keeps);
        assert!(sleeper.is_admitted(), "its Session is present");
        for number in 0..20 {
            assert_eq!(sleeper.receives("dream"), [number]);
        }
    }
}

#[test]
fn a_flood_arrives_whole_and_in_order() {
    for runners in [1, 3] {
        let broker = broker(runners);
        let mut subscriber = broker.client("subscriber").connects().subscribes("flood", QoS::AtMostOnce);
        let mut publisher = broker.client("publisher").connects();
        const COUNT: u32 = 20_000;
        let sender = std::thread::spawn(move || {
            for number in 0..COUNT {
                publisher.sends_publish("flood", &number.to_be_bytes(), PublishQoS::AtMostOnce);
            }
            publisher.pings();
        });
        for number in 0..COUNT {
            assert_eq!(subscriber.receives("flood"), number.to_be_bytes());
        }
        sender.join().unwrap();
    }
}

#[test]
fn packets_may_come_in_drops() {
    let broker = broker(1);
    let mut subscriber = broker.client("subscriber").connects().subscribes("drop", QoS::AtMostOnce);
    let mut stream = broker.stream();
    let mut bytes = Vec::new();
    Packet::Connect(Connect::new(Version::V5, "drip")).encode(Version::V5, &mut bytes);
    bytes.extend_from_slice(b"\x30\x09\0\x04drop\0ab");
    for byte in bytes {
        stream.send_bytes(&[byte]);
    }
    assert!(
        stream.receive(Version::V5).is_some_and(|received| matches!(received.packet(), Packet::ConnAck(_)))
    );
    assert_eq!(subscriber.receives("drop"), b"ab");
}

/// [3.1.1 MQTT-3.1.4-5]: a Client need not wait for CONNACK.
#[test]
fn packets_may_come_before_connack_and_are_answered_after_it() {
    for runners in [1, 3] {
        let broker = broker(runners);
        for (clean_start, client_id) in [(true, "hasty-1"), (false, "hasty-2"), (false, "hasty-3")] {
            let mut client = broker.client(client_id);
            let mut bytes = Vec::new();
            let mut connect = Connect::new(Version::V3_1_1, client_id);
            connect.clean_start = clean_start;
            Packet::Connect(connect).encode(Version::V3_1_1, &mut bytes);
            bytes.extend_from_slice(b"\x82\x08\0\x07\0\x03own\x01");
            bytes.extend_from_slice(b"\x32\x09\0\x08\0\x03own");
            client.sends_bytes(&[&bytes[..bytes.len() - 9], b"\x32\x09\0\x03own\0\x09me"].concat());
            client.is_admitted();
            assert_eq!(client.expects().bytes(), [0x90, 3, 0, 7, 1]);
            let mut rest = [client.expects(), client.expects()].map(|received| received.bytes()[0] >> 4);
            rest.sort_unstable();
            assert_eq!(rest, [3, 4], "its own Message and the PUBACK");
        }
    }
}

#[test]
fn a_large_payload_comes_through_sockets_with_little_room() {
    let broker = broker(1);
    let payload: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut subscriber = broker.client("subscriber").connects().subscribes("large", QoS::AtLeastOnce);
    let mut publisher = broker.client("publisher").connects();
    for _ in 0..3 {
        publisher.publishes("large", &payload, QoS::AtLeastOnce);
        assert!(subscriber.receives("large") == payload);
    }
}

#[test]
fn a_slow_reader_gets_every_qos_1_message_once_it_reads() {
    let broker = broker(1);
    let mut slow = broker.client("slow").connects().subscribes("bulk", QoS::AtLeastOnce);
    let mut quick = broker.client("quick").connects().subscribes("bulk", QoS::AtLeastOnce);
    let mut publisher = broker.client("publisher").connects();
    // More than the kernel keeps for a connection, less than may wait for a Session.
    let payload = vec![b'x'; 50_000];
    for _ in 0..200 {
        publisher.publishes("bulk", &payload, QoS::AtLeastOnce);
        assert_eq!(quick.receives("bulk").len(), payload.len());
    }
    for _ in 0..200 {
        assert_eq!(slow.receives("bulk").len(), payload.len());
    }
    slow.pings();
}

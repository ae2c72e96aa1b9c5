//! Runners that flood each other: nobody waits for somebody who waits for him, and nothing is lost in part.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use martlet_harness::{Broker, Client, QoS};
use martlet_packet::{Ack, Packet, PacketId, PublishQoS, Will};

const MESSAGES: u16 = 2_000;

/// Acknowledges and collects until everybody's Messages are there; those of each publisher in its order.
fn collect(client: &mut Client, publishers: usize) -> BTreeMap<u8, Vec<u16>> {
    let mut heard: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
    let (mut messages, mut acknowledged) = (0, 0);
    while messages < publishers * usize::from(MESSAGES) || acknowledged < MESSAGES {
        let received = client.expects();
        match received.packet() {
            Packet::PubAck(_) => acknowledged += 1,
            Packet::Publish(publish) => {
                let PublishQoS::AtLeastOnce(id) = publish.qos else { panic!("not QoS 1: {publish:?}") };
                let number = u16::from_be_bytes([publish.payload[1], publish.payload[2]]);
                heard.entry(publish.payload[0]).or_default().push(number);
                messages += 1;
                client.sends(&Packet::PubAck(Ack::new(id)));
            }
            other => panic!("neither PUBLISH nor PUBACK: {other:?}"),
        }
    }
    heard
}

#[test]
fn clients_of_different_runners_flood_each_other_through_the_smallest_mailboxes() {
    let broker = Broker::start_with(|config| {
        config.runners = 3.try_into().expect("not zero");
        config.mailbox_bytes_max = 1;
        config.settings.queue.bytes = usize::MAX;
    });
    // Enough that several are at home with each runner.
    let names: Vec<String> = (0..6).map(|number| format!("flooder-{number}")).collect();
    let clients: Vec<Client> = names
        .iter()
        .map(|name| broker.client(name).connects().subscribes("flood", QoS::AtLeastOnce))
        .collect();
    let mut watcher = broker.client("watcher").connects().subscribes("gone/+", QoS::AtLeastOnce);
    let threads: Vec<_> = (0_u8..)
        .zip(clients)
        .map(|(publisher, mut client)| {
            std::thread::spawn(move || {
                let mut payload = [0; 500];
                payload[0] = publisher;
                for number in 0..MESSAGES {
                    payload[1..3].copy_from_slice(&number.to_be_bytes());
                    let id = NonZeroU16::new(number + 1).and_then(|id| PacketId::new(id.get()));
                    client.sends_publish("flood", &payload, PublishQoS::AtLeastOnce(id.expect("not zero")));
                }
                (collect(&mut client, 6), client)
            })
        })
        .collect();
    // Wills fire into the flood as well: they have a reserve that publishes cannot take.
    for topic in ["gone/0", "gone/1", "gone/2", "gone/3", "gone/4"] {
        let mut leaver = broker.client(topic);
        leaver.sends_connect(|connect| {
            connect.will = Some(Will { qos: QoS::AtLeastOnce, ..Will::new(topic, b"w") });
        });
        assert!(!leaver.is_admitted(), "its Session is new");
        drop(leaver);
        assert_eq!(watcher.receives(topic), b"w");
    }
    for thread in threads {
        let (heard, client) = thread.join().expect("no assertion failed");
        assert_eq!(heard.len(), 6);
        assert!(heard.values().all(|numbers| numbers.iter().copied().eq(0..MESSAGES)), "in order, once each");
        client.disconnects();
    }
    broker.stop();
}

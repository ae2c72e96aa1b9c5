//! The books of messages, checked in a running node.

use std::time::Duration;

use martlet_harness::{Broker, Client, QoS};
use martlet_packet::Packet;
use martlet_session::{Overflow, QueueLimits};

const UPTIME: &str = "$SYS/broker/uptime";
const DROPPED: &str = "$SYS/broker/ledger/dropped/queue_full";
const ALARM: &str = "$SYS/broker/alarms/ledger";

/// Bookings that are missing are noticed at the next look at the books: at the latest after a minute, here each second.
/// (`cargo xtask mutants` takes one away, and this hears the alarm.)
#[test]
fn no_alarm_is_raised_while_every_drop_is_booked() {
    let broker = Broker::start_with(|config| {
        config.sys_interval = Duration::from_secs(1);
        config.settings.queue = QueueLimits::new(1, usize::MAX, Overflow::DropNewest);
    });
    broker
        .client("away")
        .connects_with(|connect| connect.clean_start = false)
        .subscribes("full", QoS::AtLeastOnce)
        .disconnects();
    let mut publisher = broker.client("publisher").connects();
    (0..5).for_each(|_| publisher.publishes("full", b"one too many", QoS::AtLeastOnce));
    let mut watcher = broker.client("watcher").connects().subscribes("$SYS/broker/#", QoS::AtMostOnce);
    let (mut looks, mut dropped) = (0, String::new());
    while looks < 3 {
        let (topic, words) = publication(&mut watcher);
        assert_ne!(topic, ALARM, "{words}");
        looks += u32::from(topic == UPTIME);
        if topic == DROPPED {
            dropped = words;
        }
    }
    assert_eq!(dropped, "4");
}

fn publication(client: &mut Client) -> (String, String) {
    let received = client.expects();
    let Packet::Publish(publish) = received.packet() else { panic!("{:?}", received.packet()) };
    (publish.topic.to_string(), String::from_utf8_lossy(publish.payload).into_owned())
}

//! A process that has no descriptor left. A file of its own, because the limit holds for the whole process.

use std::fs::File;

use martlet_harness::{Broker, QoS};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than the broker and the clients of the test need.
const DESCRIPTORS: u64 = 256;

#[test]
fn without_a_descriptor_new_clients_are_closed_and_the_others_are_served() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum }).unwrap();
    let broker = Broker::start();
    let mut subscriber = broker.client("subscriber").connects().subscribes("still", QoS::AtMostOnce);
    let mut publisher = broker.client("publisher").connects();

    let mut fillers: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    for _ in 0..3 {
        // One for the client's own end; none is left for the broker's.
        fillers.pop();
        let mut stranger = broker.stream();
        stranger.expect_close();
        drop(stranger);
        fillers.extend(File::open("/dev/null"));
        publisher.publishes("still", b"here", QoS::AtLeastOnce);
        assert_eq!(subscriber.receives("still"), b"here");
    }
    drop(fillers);
    broker.client("late").connects().pings();
}

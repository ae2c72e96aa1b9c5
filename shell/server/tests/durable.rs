//! What was acknowledged is there after a restart, whatever number of runners there is.

use std::num::NonZeroUsize;
use std::path::Path;

use martlet_harness::{Broker, Client, QoS};
use martlet_packet::Connect;
use martlet_server::{Config, StoreConfig};
use tempfile::TempDir;

/// A broker on the store in a folder, with segments so small that they are changed often.
fn start(folder: &Path, runners: usize) -> Broker {
    start_with(folder, runners, |_| {})
}

fn start_with(folder: &Path, runners: usize, change: impl FnOnce(&mut Config)) -> Broker {
    Broker::start_with(|config| {
        let mut store = StoreConfig::new(folder.to_owned());
        store.log.segment_bytes = 256 * 1024;
        config.store = Some(store);
        config.runners = NonZeroUsize::new(runners).expect("a test has a runner");
        change(config);
    })
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for a test")
}

fn keeps(connect: &mut Connect<'_>) {
    connect.clean_start = false;
}

fn reader(broker: &Broker) -> Client {
    broker.client("reader").connects_with(keeps)
}

fn payload(number: usize) -> Vec<u8> {
    format!("message {number}").into_bytes()
}

#[test]
fn sessions_queues_and_retained_messages_outlast_the_broker_and_its_number_of_runners() {
    let folder = folder();
    let mut sent = 0;
    let broker = start(folder.path(), 2);
    reader(&broker).subscribes("t/#", QoS::AtLeastOnce).disconnects();
    broker.stop();
    for runners in [3, 1, 2] {
        let broker = start(folder.path(), runners);
        let mut writer = broker.client("writer").connects();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            writer.publishes("t/x", &payload(sent), qos);
            sent += 1;
        }
        broker.stop();
    }
    let broker = start(folder.path(), 1);
    let mut reader = reader(&broker);
    for number in 0..sent {
        assert_eq!(reader.receives("t/x"), payload(number));
    }
}

#[test]
fn a_queue_longer_than_memory_comes_back_in_order() {
    let folder = folder();
    let broker = start_with(folder.path(), 1, |config| config.settings.queue.memory_bytes = 10_000);
    reader(&broker).subscribes("t", QoS::AtLeastOnce).disconnects();
    let mut writer = broker.client("writer").connects();
    for number in 0..1000 {
        writer.publishes("t", &payload(number), QoS::AtLeastOnce);
    }
    let mut reader = reader(&broker);
    for number in 0..1000 {
        assert_eq!(reader.receives("t"), payload(number));
    }
}

#[test]
fn one_folder_serves_one_broker() {
    let folder = folder();
    let first = start(folder.path(), 1);
    let mut config = Config::new(martlet_server::Dialect::NATIVE);
    config.listen = vec![martlet_server::Listen::at(([127, 0, 0, 1], 0).into())];
    config.store = Some(StoreConfig::new(folder.path().to_owned()));
    let error = martlet_server::Server::start(&config).expect_err("the folder is taken").to_string();
    assert!(error.contains("in use"), "{error}");
    first.stop();
    start(folder.path(), 1).stop();
}

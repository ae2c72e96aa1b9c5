//! Whoever does not listen need not speak: what waits for a connection is bounded by not reading it.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use martlet_harness::Broker;

/// Far more answers than any socket buffers hold.
const PINGS: usize = 64 * 1024 * 1024;

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read_until_it_does() {
    let broker = Broker::start();
    let client = broker.client("deaf").connects();
    let mut socket = client.socket();
    socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let pings = [0xC0, 0].repeat(32 * 1024);
    let mut sent = 0;
    let refused = loop {
        match socket.write(&pings[sent % 2..]) {
            Ok(count) => sent += count,
            Err(error) => break error.kind(),
        }
        assert!(sent < PINGS, "the broker swallowed everything and keeps its answers in memory");
    };
    assert!(matches!(refused, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{refused:?}");

    // Now it listens: what was held back is read, and every ping that is whole has its answer.
    let mut answers = 0;
    let mut buffer = vec![0; 64 * 1024];
    while answers < sent / 2 * 2 {
        let count = socket.read(&mut buffer).expect("more answers");
        assert!(count > 0, "the broker closed the connection");
        answers += count;
    }
    assert_eq!(answers, sent / 2 * 2);
}

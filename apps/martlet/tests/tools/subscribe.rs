//! `mosquitto_sub`: what it prints, and when it ends.

use martlet_harness::Broker;
use martlet_packet::PropertiesBuf;

use crate::support::{Tools, retain};

/// A broker with two retained messages.
fn broker() -> Broker {
    let broker = Broker::start();
    for (topic, payload) in [("a", "one"), ("b", "two")] {
        retain(&broker, topic, payload.as_bytes(), &PropertiesBuf::default());
    }
    broker
}

#[test]
fn it_ends_when_it_has_what_it_wants() {
    let (broker, tools) = (broker(), Tools::new());
    for (line, output) in [
        ("-t a -C 1", "one\n"),
        ("-t a -C 1 -v", "a one\n"),
        ("-t a -C 1 -N", "one"),
        ("-t # -T a -C 1", "two\n"),
        ("-t a -E", ""),
        ("-t a -t b -T + -E -q 2", ""),
        ("-t a -C 1 --retain-as-published -V 5 -F %r", "1\n"),
        ("-t a -C 1 --random-filter 100", "one\n"),
        ("-t a -C 1 -W 30", "one\n"),
    ] {
        let done = tools.run("mosquitto_sub", &broker, line);
        assert_eq!((done.code, done.output.as_str(), done.words.as_str()), (Some(0), output, ""), "{line}");
    }
}

#[test]
fn it_gives_up_in_time() {
    let (broker, tools) = (broker(), Tools::new());
    for line in ["-t nothing -W 1", "-t a -R -W 1", "-t a -V 5 --retain-handling never -W 1"] {
        let done = tools.run("mosquitto_sub", &broker, line);
        let expected = (Some(27), "", "Timed out\n");
        assert_eq!((done.code, done.output.as_str(), done.words.as_str()), expected, "{line}");
    }
    assert_eq!(tools.run("mosquitto_sub", &broker, "-t nothing -W 1 --quiet").words, "");
}

#[test]
fn retained_messages_are_removed_as_they_are_printed() {
    let (broker, tools) = (broker(), Tools::new());
    assert_eq!(tools.run("mosquitto_sub", &broker, "-t a --remove-retained -C 1").output, "one\n");
    assert_eq!(tools.run("mosquitto_sub", &broker, "-t a -W 1").code, Some(27));
    assert_eq!(tools.run("mosquitto_sub", &broker, "-t b -C 1").output, "two\n");
}

#[test]
fn a_session_that_is_kept_misses_nothing() {
    let (broker, tools) = (broker(), Tools::new());
    let kept = "-i logger -c -q 1 -t log/#";
    assert_eq!(tools.run("mosquitto_sub", &broker, &format!("{kept} -E")).code, Some(0));
    assert_eq!(tools.run("mosquitto_pub", &broker, "-t log/x -m while-away -q 1").code, Some(0));
    assert_eq!(tools.run("mosquitto_sub", &broker, &format!("{kept} -C 1")).output, "while-away\n");
}

#[test]
fn the_rate_is_a_number_each_second() {
    let (broker, tools) = (broker(), Tools::new());
    let done = tools.run("mosquitto_sub", &broker, "-t a -t b --message-rate -W 1.5");
    assert_eq!((done.code, done.output.as_str()), (Some(27), "2\n"));
}

//! `mosquitto_pub`: where its messages come from.

use martlet_harness::Broker;

use crate::support::{Tools, listener};

#[test]
fn a_message_comes_from_a_flag_a_file_or_standard_input() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let mut listener = listener(&broker);
    let file = tools.file("file", "of a file\n");
    for (line, input, expected) in [
        ("-t a -m text", "", &["text"][..]),
        ("-t a -m text -q 2", "", &["text"]),
        ("-t a -m -q -q 1", "", &["-q"]),
        (&format!("-t a -f {} -q 1", file.display()), "", &["of a file\n"]),
        ("-t a -s", "all\nof it", &["all\nof it"]),
        ("-t a -l", "one\ntwo\n\nlast", &["one", "two", "", "last"]),
        ("-t a -l -q 2", "one\r\ntwo\n", &["one\r", "two"]),
        ("-t a -n", "", &[""]),
        ("-t a -m again --repeat 3 --repeat-delay 0.01", "", &["again", "again", "again"]),
    ] {
        let done = tools.feed("mosquitto_pub", &broker, line, input.as_bytes());
        assert_eq!((done.code, done.words.as_str()), (Some(0), ""), "{line}");
        for payload in expected {
            assert_eq!(String::from_utf8(listener.receives("a")).unwrap(), *payload, "{line}");
        }
    }
}

#[test]
fn empty_input_sends_nothing() {
    let (broker, tools) = (Broker::start(), Tools::new());
    assert_eq!(tools.feed("mosquitto_pub", &broker, "-t a -s", b"").code, Some(1));
    assert_eq!(tools.feed("mosquitto_pub", &broker, "-t a -l", b"").code, Some(0));
}

#[test]
fn a_url_says_it_all() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let mut listener = listener(&broker);
    let url = format!("mqtt://{}/lights/hall", broker.address());
    let done = tools.tool("mosquitto_pub").args(["-L", &url, "-m", "on"]).output().unwrap();
    assert!(done.status.success());
    assert_eq!(listener.receives("lights/hall"), b"on");
}

#[test]
fn packets_are_told_as_mosquitto_tells_them() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let done = tools.run("mosquitto_pub", &broker, "-i me -t a -m b -q 1 -d");
    let expected = "\
Client me sending CONNECT
Client me received CONNACK (0)
Client me sending PUBLISH (d0, q1, r0, m1, 'a', ... (1 bytes))
Client me received PUBACK (Mid: 1, RC:0)
Client me sending DISCONNECT
";
    assert_eq!(done.output, expected);
}

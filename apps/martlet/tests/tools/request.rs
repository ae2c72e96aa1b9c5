//! `mosquitto_rr`: a request and its response.

use std::process::{Child, Stdio};

use martlet_harness::{Broker, QoS};
use martlet_packet::Packet;

use crate::support::{Done, Tools, at, done};

/// Asks, and answers as a responder would: to the topic the request names.
fn ask(line: &str) -> (Done, String) {
    let (broker, tools) = (Broker::start(), Tools::new());
    let mut responder = broker.client_v5("responder").connects().subscribes("ask", QoS::AtLeastOnce);
    let mut command = tools.tool("mosquitto_rr");
    command.args(at(&broker)).args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child: Child = command.spawn().unwrap();
    let request = responder.expects();
    let Packet::Publish(publish) = request.packet() else { panic!("{request:?}") };
    let named = publish.properties.response_topic().unwrap_or("answer").to_owned();
    let said = format!("{} to {named}", String::from_utf8_lossy(publish.payload));
    responder.publishes(&named, b"an answer", QoS::AtMostOnce);
    (done(child.wait_with_output().unwrap()), said)
}

#[test]
fn the_response_is_printed() {
    for (line, request, output) in [
        ("-t ask -e answer -m question", "question to answer", "an answer\n"),
        ("-t ask -e answer/7 -n -v", " to answer/7", "answer/7 an answer\n"),
        ("-t ask -e answer -m q -F %l -N", "q to answer", "9"),
        ("-t ask -e answer -m q -V 311", "q to answer", "an answer\n"),
    ] {
        let (done, said) = ask(line);
        assert_eq!((done.code, done.output.as_str(), said.as_str()), (Some(0), output, request), "{line}");
    }
}

#[test]
fn the_latency_is_seconds() {
    let (done, _) = ask("-t ask -e answer -n --latency");
    let seconds: f64 = done.output.trim_end().parse().unwrap();
    assert!(seconds > 0.0 && seconds < 10.0, "{seconds}");
}

#[test]
fn nobody_answers() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let done = tools.run("mosquitto_rr", &broker, "-t ask -e answer -n -W 1");
    assert_eq!((done.code, done.words.as_str()), (Some(27), "Timed out\n"));
}

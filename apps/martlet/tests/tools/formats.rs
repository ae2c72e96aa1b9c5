//! `mosquitto_sub -F` and its kin, beside Debian's: the same message, shown by both.

use martlet_harness::Broker;
use martlet_packet::{PropertiesBuf, Property};

use crate::support::{Tools, at, done, retain};

/// Flags that show a message. What is left out is known to differ: a width with `%x`, for which Mosquitto 2.0 prints half
/// of the payload; a precision that cuts a character in two, which we do not do; `%J` of what is no JSON, for which
/// Mosquitto prints an empty line.
const FLAGS: &[&[&str]] = &[
    &[],
    &["-v"],
    &["-N"],
    &["-v", "-N"],
    &["-F", "%A|%C|%D|%F|%P|%R|%S"],
    &["-F", "%t %p %q %r %l"],
    &["-F", "%x|%X"],
    &["-F", "%10t|%-10t|%.1t|%10.1t|%-10.1t|%010t|%-010t"],
    &["-F", "%8l|%08l|%-8l|%8m|%08m|%-8m"],
    &["-F", "%8p|%-8p|%08p|%2p|%-2p"],
    &["-F", "%12C|%-12C|%.2C|%12.2C"],
    &["-F", "%5A|%05A|%-5A|%5F|%05F|%5S|%05S|%-5S"],
    &["-F", "%12R|%-12R|%.1R"],
    &["-F", r"\\\a\0\e\n\r\t\v"],
    &["-F", "100%% @@ @Y-@m-@d"],
    &["-F", "%j"],
    &["-F", "%j", "--pretty"],
    &["-F", "%J"],
    &["-F", "%J", "--pretty"],
];

/// Payloads that are JSON, so that every flag shows them.
const PAYLOADS: &[&str] =
    &["7", "\"text\"", r#"{"a": [1, 2, {"b": null}], "c":"x \"y\" \\", "e":{}, "f":[]}"#, ""];

#[test]
fn every_format_shows_what_debians_program_shows() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let properties = PropertiesBuf::from_iter([
        Property::ContentType("text/plain"),
        Property::UserProperty("a", "b"),
        Property::UserProperty("c", "d"),
        Property::ResponseTopic("r/t"),
        Property::CorrelationData(b"data"),
        Property::PayloadFormatIndicator(true),
    ]);
    for properties in [&properties, &PropertiesBuf::default()] {
        for (at_topic, payload) in PAYLOADS.iter().filter(|payload| !payload.is_empty()).enumerate() {
            retain(&broker, &format!("x/三/{at_topic}"), payload.as_bytes(), properties);
        }
        for (flags, at_topic) in
            FLAGS.iter().flat_map(|flags| (0..PAYLOADS.len() - 1).map(move |at| (flags, at)))
        {
            let show = |mut command: std::process::Command| {
                command.args(at(&broker)).args(["-V", "5", "-C", "1", "-W", "20"]);
                command.args(["-D", "subscribe", "subscription-identifier", "7"]);
                let done =
                    done(command.args(["-t", &format!("x/三/{at_topic}")]).args(*flags).output().unwrap());
                (done.code, without_time(&done.output), done.words)
            };
            let Some(theirs) = tools.debians("mosquitto_sub") else { return };
            assert_eq!(show(tools.tool("mosquitto_sub")), show(theirs), "{flags:?} {}", PAYLOADS[at_topic]);
        }
    }
}

/// The output but for the time of JSON, which passes between the two.
fn without_time(output: &str) -> String {
    let Some((before, rest)) = output.split_once("\"tst\":") else { return output.to_owned() };
    let mut parts = rest.splitn(3, '"');
    let (space, time, after) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    // Debian's program has a Z too many in it.
    assert!(time.replace('Z', "").len() == "2026-05-06T21:48:00.123456+0200".len(), "{time}");
    format!("{before}\"tst\":{space}\"\"{after}")
}

//! Every scenario, in the order of the table. To add a client, add its program under `clients/` and a row here.

use crate::broker::{Brand, Settings};
use crate::outcome::{Check, Verdict};
use crate::scenario::{Known, Libraries, Program, Scenario, Work};
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const SLOW_LIMIT: Duration = Duration::from_secs(150);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = everyday();
    all.extend(situations());
    all
}

/// What applications do every day, by each library and protocol version.
fn everyday() -> Vec<Scenario> {
    use Libraries::{Current, None, Paho1};
    let python = |name, client, script, libraries, words| {
        scenario(name, "everyday use", client, Program::Python { script, libraries }, words)
    };
    let paho = "paho_everyday.py";
    let asyncio = "asyncio_everyday.py";
    let tools = "mosquitto_tools.py";
    let node = Program::Node { script: "everyday.js" };
    vec![
        python("everyday-paho1-v311", "paho-mqtt 1.6, MQTT 3.1.1", paho, Paho1, &["311"]),
        python("everyday-paho1-v5", "paho-mqtt 1.6, MQTT 5.0", paho, Paho1, &["5"]),
        python("everyday-paho2-v31", "paho-mqtt 2, MQTT 3.1", paho, Current, &["31"]),
        python("everyday-paho2-v311", "paho-mqtt 2, MQTT 3.1.1", paho, Current, &["311"]),
        python("everyday-paho2-v5", "paho-mqtt 2, MQTT 5.0", paho, Current, &["5"]),
        python("everyday-aiomqtt-v311", "aiomqtt, MQTT 3.1.1", asyncio, Current, &["aiomqtt", "311"]),
        python("everyday-aiomqtt-v5", "aiomqtt, MQTT 5.0", asyncio, Current, &["aiomqtt", "5"]),
        Scenario {
            known: &[Known {
                brand: Brand::Mosquitto,
                check: "echo QoS 2",
                why: "acknowledges and drops what comes while 20 QoS 2 messages are in flight",
            }],
            ..python("everyday-gmqtt-v311", "gmqtt, MQTT 3.1.1", asyncio, Current, &["gmqtt", "311"])
        },
        python("everyday-gmqtt-v5", "gmqtt, MQTT 5.0", asyncio, Current, &["gmqtt", "5"]),
        python("everyday-amqtt-v311", "amqtt, MQTT 3.1.1", asyncio, Current, &["amqtt", "311"]),
        Scenario {
            known: &[Known {
                brand: Brand::Mosquitto,
                check: "pipelined QoS 2",
                why: "acknowledges and drops what comes while 20 QoS 2 messages are in flight",
            }],
            ..scenario("everyday-mqttjs-v311", "everyday use", "MQTT.js, MQTT 3.1.1", node, &["311"])
        },
        scenario("everyday-mqttjs-v5", "everyday use", "MQTT.js, MQTT 5.0", node, &["5"]),
        scenario("everyday-rumqttc-v311", "everyday use", "rumqttc, MQTT 3.1.1", Program::Rust, &["4"]),
        scenario("everyday-rumqttc-v5", "everyday use", "rumqttc, MQTT 5.0", Program::Rust, &["5"]),
        scenario("everyday-autopaho-v5", "everyday use", "autopaho, MQTT 5.0", Program::Go, &["everyday"]),
        python("everyday-mosquitto-v31", "mosquitto_pub/sub, MQTT 3.1", tools, None, &["31"]),
        python("everyday-mosquitto-v311", "mosquitto_pub/sub, MQTT 3.1.1", tools, None, &["311"]),
        python("everyday-mosquitto-v5", "mosquitto_pub/sub, MQTT 5.0", tools, None, &["5"]),
    ]
}

/// Situations in which people met the limits of a broker.
fn situations() -> Vec<Scenario> {
    use Libraries::{Current, Paho1};
    let python = |name, title, client, script, libraries, words| {
        scenario(name, title, client, Program::Python { script, libraries }, words)
    };
    let echo = |name, client, libraries, words| {
        python(name, "200,000 bytes, small buffer", client, "paho_echo.py", libraries, words)
    };
    let collide = |name, client, libraries, words| Scenario {
        log_checks: Some(one_warning_for_each_id),
        ..python(name, "colliding client ids", client, "paho_collide.py", libraries, words)
    };
    let slow = |name, title, words, queue_messages_max| Scenario {
        settings: Settings { queue_messages_max: Some(queue_messages_max), quiet: false },
        limit: SLOW_LIMIT,
        ..python(name, title, "paho-mqtt 2, MQTT 3.1.1", "paho_slow.py", Current, words)
    };
    vec![
        echo("echo-paho1-threads", "paho-mqtt 1.6, threads", Paho1, &["threads"]),
        echo("echo-paho1-asyncio", "paho-mqtt 1.6, asyncio", Paho1, &["asyncio"]),
        echo("echo-paho2-threads", "paho-mqtt 2, threads", Current, &["threads"]),
        echo("echo-paho2-asyncio", "paho-mqtt 2, asyncio", Current, &["asyncio"]),
        python(
            "login-paho1",
            "user admin on topic fifa",
            "paho-mqtt 1.6, MQTT 3.1.1",
            "paho_login.py",
            Paho1,
            &[],
        ),
        python(
            "login-paho2",
            "user admin on topic fifa",
            "paho-mqtt 2, MQTT 3.1.1",
            "paho_login.py",
            Current,
            &[],
        ),
        collide("collide-paho1-v311", "paho-mqtt 1.6, MQTT 3.1.1", Paho1, &["311"]),
        Scenario {
            known: &[Known {
                brand: Brand::Mosquitto,
                check: "the reason of a take-over",
                why: "Debian's 2.0.11 closes without the DISCONNECT that says Session taken over",
            }],
            ..collide("collide-paho2-v5", "paho-mqtt 2, MQTT 5.0", Current, &["5"])
        },
        Scenario {
            known: &[Known {
                brand: Brand::Mosquitto,
                check: "nothing lost",
                why: "a session without a Session Expiry Interval ends with its connection",
            }],
            ..scenario(
                "reconnect-autopaho-v5",
                "cut 20 times",
                "autopaho, MQTT 5.0",
                Program::Go,
                &["reconnect"],
            )
        },
        slow("slow-reader-whole", "sleeps, limits hold", &["whole"], 20_000),
        slow("slow-reader-limited", "sleeps, limit of 100", &["limited"], 100),
        Scenario {
            work: Work::Storm,
            // All may wait for the one subscriber, for every message is counted.
            settings: Settings { queue_messages_max: Some(20_000), quiet: true },
            ..scenario("storm", "10,000 short connections", "own load, MQTT 3.1.1", Program::Rust, &[])
        },
    ]
}

fn scenario(
    name: &'static str,
    title: &'static str,
    client: &'static str,
    program: Program,
    words: &'static [&'static str],
) -> Scenario {
    let work = Work::Client { program, words };
    let settings = Settings::default();
    Scenario { name, title, client, work, settings, limit: LIMIT, known: &[], log_checks: None }
}

/// A fight over a Client Identifier is told, but not with every blow: the scenario lasts less than a minute, so each
/// identifier may appear in one warning only.
fn one_warning_for_each_id(log: &str) -> Vec<Check> {
    let mut warnings: BTreeMap<&str, usize> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("take-over")) {
        for id in ids_in(line) {
            *warnings.entry(id).or_default() += 1;
        }
    }
    let told = if warnings.is_empty() {
        Verdict::Failed("the broker's log has no line with \"take-over\"".into())
    } else {
        Verdict::Passed
    };
    let repeated: Vec<String> = warnings
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(id, count)| format!("{count} warnings about {id}"))
        .collect();
    let once = if repeated.is_empty() { Verdict::Passed } else { Verdict::Failed(repeated.join(", ")) };
    vec![Check::of("the log tells of take-overs", told), Check::of("one warning per id and minute", once)]
}

/// The identifiers of the clients of `paho_collide.py` in a line.
fn ids_in(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .filter(|word| word.starts_with("python-mqtt-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let all = scenarios();
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_warning_repeated_for_one_id_fails() {
        let once = "WARN take-over of \"python-mqtt-1\"\nWARN take-over of \"python-mqtt-12\"\n";
        assert!(one_warning_for_each_id(once).iter().all(Check::passed));
        let twice = format!("{once}WARN take-over of python-mqtt-12, again\n");
        let failed: Vec<Check> =
            one_warning_for_each_id(&twice).into_iter().filter(|check| !check.passed()).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].verdict, Verdict::Failed("2 warnings about python-mqtt-12".into()));
    }

    #[test]
    fn a_log_that_tells_nothing_fails() {
        assert!(!one_warning_for_each_id("INFO listening\n").iter().all(Check::passed));
    }
}

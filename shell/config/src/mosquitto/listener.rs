//! `listener`, and the keys of listeners with rules of their own.

use martlet_topic::{Limits, TopicName};

use super::line::Line;
use super::{Block, DEFAULT_LISTENER, Reader, value};
use crate::config::{AcceptedVersion, Dialect, Listener};
use crate::key::{Key, Kind, Unit};
use crate::names::name_of;
use crate::report::Severity;
use crate::slot::Value;

impl Reader<'_> {
    /// `listener PORT [ADDRESS]`, or `listener 0 PATH`.
    pub(super) fn read_listener(&mut self, line: &Line<'_>, block: &mut Block) {
        self.config.local_only = false;
        let mut words = line.words();
        let Some(word) = words.next() else {
            let why = "it begins a listener on a port";
            return self.error(
                line,
                "listener has no port",
                why,
                "write one behind it, such as listener 1883",
            );
        };
        // What follows is about this listener even when its port is wrong.
        let mut listener = Listener::new(self.config.dialect, 0);
        let place = words.next().filter(|word| !word.text.starts_with('#')).map(|word| word.text.to_owned());
        let number = self.number(line, word);
        match (u16::try_from(number), place) {
            (Err(_), _) => {
                let report = line.about(word, Severity::Error, "there is no such port".to_owned());
                self.reports
                    .push(report.because("ports go from 1 to 65535").fix("MQTT has 1883, and 8883 with TLS"));
            }
            (Ok(0), None) => self.error(
                line,
                "a listener on port 0 needs a path",
                "0 stands for a Unix socket",
                "write listener 0 /run/martlet/mqtt.sock, or the port that is meant",
            ),
            (Ok(0), Some(path)) => listener.unix_socket = Some(path.into()),
            (Ok(port), host) => {
                listener.port = port;
                listener.host = host;
            }
        }
        let index = self.config.listeners.len();
        self.config.listeners.push(listener);
        *block = Block { listener: Some(index), ..*block };
        let new = &self.config.listeners[index];
        let written = [
            (new.port > 0, "port"),
            (new.host.is_some(), "host"),
            (new.unix_socket.is_some(), "unix_socket"),
        ];
        for (_, field) in written.into_iter().filter(|(written, _)| *written) {
            self.origins.put(format!("listener[{index}].{field}"), line.origin());
        }
    }

    /// `port` and `bind_address` are about the default listener wherever they stand.
    pub(super) fn read_default_listener(&mut self, key: &'static Key, line: &Line<'_>) {
        self.config.local_only = false;
        if let Some(value) = self.parse(key, line) {
            self.put(key, line, Block::default(), value);
        }
    }

    pub(super) fn read_per_listener_settings(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let Some(value) = self.parse(key, line) else { return };
        if let (Some(first), Value::Bool(true)) = (&self.first_security, &value) {
            let why = format!("a security setting stands above it in {first}");
            let fix =
                "put it before all other settings: from there on they are about the listener above them";
            self.error(line, "per_listener_settings comes too late", &why, fix);
        }
        self.put(key, line, block, value);
    }

    pub(super) fn read_mount_point(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        if block.listener.is_none() && self.config.listeners.is_empty() {
            let title = "mount_point needs a listener".to_owned();
            self.reports.push(
                line.about_key(Severity::Error, title)
                    .because("no line `listener PORT` stands above it")
                    .fix("put it below the `listener` it is for"),
            );
            return;
        }
        let Some(value) = self.parse(key, line) else { return };
        if TopicName::parse(line.value(), &Limits::default()).is_err() {
            let why = "topics are put under it, so that it cannot have + or # in it";
            return self.error(
                line,
                "this is no mount_point",
                why,
                "write something like mount_point site/7/",
            );
        }
        self.put(key, line, block, value);
    }

    /// Mosquitto takes certificates and keys of TLS-PSK together, but in one order only.
    pub(super) fn read_certificate(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        if self.listener(block.listener).tls.psk_hint.is_some() {
            let title = "this listener has certificates and TLS-PSK".to_owned();
            let report = line.about_key(Severity::Error, title).because("psk_hint stands above it");
            return self.reports.push(report.fix("give each a listener of its own"));
        }
        self.read_value(key, line, block);
    }

    /// `accept_protocol_versions 3,4,5`: the numbers that stand in CONNECT.
    pub(super) fn read_versions(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let written = line.value().split([',', ' ', '\t']).filter(|it| !it.is_empty());
        let mut versions = Vec::new();
        for number in written {
            let version = match number {
                "3" => AcceptedVersion::V3_1,
                "4" => AcceptedVersion::V3_1_1,
                "5" => AcceptedVersion::V5,
                _ => {
                    let why = "versions are 3 for MQTT 3.1, 4 for 3.1.1 and 5 for 5.0";
                    return self.error(
                        line,
                        "there is no such version of MQTT",
                        why,
                        "write something like 4,5",
                    );
                }
            };
            versions.push(name_of(version).to_owned());
        }
        if versions.is_empty() {
            self.reports.push(value::empty(key, line));
            return;
        }
        self.put(key, line, block, Value::List(versions));
    }

    pub(super) fn read_proxy_protocol(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let Some(word) = line.word() else { return self.reports.push(value::empty(key, line)) };
        let name = match word.text {
            "1" => "v1",
            "2" => "v2",
            _ => {
                let why = "the PROXY protocol has the versions 1 and 2";
                return self.error(
                    line,
                    "there is no such PROXY protocol",
                    why,
                    "write 2, which HAProxy calls send-proxy-v2",
                );
            }
        };
        self.put(key, line, block, Value::Text(name.to_owned()));
    }

    /// `websockets_origin` may stand there several times.
    pub(super) fn read_origin(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let Some(Value::Text(origin)) = self.parse(key, line) else { return };
        let mut origins = self.listener(block.listener).websocket.origins.clone();
        origins.push(origin);
        match self.slot(key, line, block) {
            Ok((slot, path)) => {
                slot.set(Value::List(origins)).expect("any text is an origin");
                self.origins.put(path, line.origin());
            }
            Err(report) => self.reports.push(*report),
        }
    }

    pub(super) fn read_keyform(&mut self, line: &Line<'_>) {
        if line.value() == "pem" {
            return;
        }
        let why = "Martlet reads keys from files of PEM only";
        let fix = "put the key into a PEM file and name it with keyfile, readable by the broker only";
        self.error(line, "this tls_keyform is not supported", why, fix);
    }

    pub(super) fn read_retry_interval(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        if self.config.dialect == Dialect::Mosquitto1 {
            return self.read_value(key, line, block);
        }
        let title = "retry_interval does nothing any more".to_owned();
        self.reports.push(
            line.about_key(Severity::Warning, title)
                .because(
                    "MQTT lets nobody send again while the connection stands; Mosquitto gave it up in 1.5",
                )
                .fix("take the line out; --dialect mosquitto1 brings it back for old devices"),
        );
    }

    /// `persistent_client_expiration 14d`: a number with a unit.
    pub(super) fn read_expiration(&mut self, key: &'static Key, line: &Line<'_>, block: Block) {
        let Some(word) = line.word() else {
            let report = value::empty(key, line);
            return self.reports.push(report);
        };
        let seconds = duration(word.text);
        let Kind::Time(bounds) = key.kind else { return };
        match seconds.filter(|it| (1..=bounds.max).contains(it)) {
            Some(seconds) => {
                self.put(key, line, block, Value::Number(seconds * Unit::Seconds.milliseconds()));
            }
            None => self.error(
                line,
                "this is no time",
                "it must be a number from 1 and h, d, w, m or y: hours, days, weeks, months of 30 days, years",
                "write something like persistent_client_expiration 14d",
            ),
        }
    }

    /// Gives what stood above the first listener the number that its listener has now.
    pub(super) fn number_default_listener(&mut self, index: usize) {
        self.origins.rename(DEFAULT_LISTENER, &format!("listener[{index}]"));
    }
}

/// Seconds of a number with one letter behind it.
fn duration(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        'm' => 2_592_000,
        'y' => 31_536_000,
        _ => return None,
    };
    number.checked_mul(seconds)
}

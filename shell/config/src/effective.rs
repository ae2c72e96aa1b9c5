//! What is in force, value by value, and where it was written.
//!
//! The one rule: no secret is in a row.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::config::{Config, Dialect, Listener, Security};
use crate::key::{Key, Kind, Scope, keys};
use crate::native::{HIDDEN, quoted, toml_of};
use crate::origin::{Origin, Origins};
use crate::slot::{Slot, Value};
use crate::source::may_be_secret;

/// A value that is in force.
#[derive(Clone)]
pub struct Row {
    /// Its path, with listeners by their addresses and bridges by their names: `listener[8883].tls.certfile`.
    pub path: String,
    /// Its key; `None` for what has none of its own, such as an option of a plug-in.
    pub key: Option<&'static Key>,
    /// The value as TOML writes it; empty: not set.
    pub value: String,
    /// Where it was written; `None`: it is a default.
    pub origin: Option<Origin>,
    /// Is it what would count if nothing were written?
    pub is_default: bool,
}

/// A difference of two configurations.
#[derive(Clone)]
pub struct Difference {
    /// The path of the value.
    pub path: String,
    /// Its key.
    pub key: Option<&'static Key>,
    /// The value in the first one; `None`: there is no such thing.
    pub before: Option<String>,
    /// The value in the second one; `None`: there is no such thing.
    pub after: Option<String>,
}

/// All values that are in force.
pub fn rows(config: &Config, origins: &Origins) -> Vec<Row> {
    rows_of(config, origins, false)
}

fn rows_of(config: &Config, origins: &Origins, with_secrets: bool) -> Vec<Row> {
    let mut rows = Rows { origins, rows: Vec::new(), with_secrets, dialect: config.dialect };
    let mut config = config.clone();
    for key in keys() {
        rows.add(key, "", "", key.global(&mut config));
    }
    rows.security("security", "security", &mut config.security);
    for (index, mut listener) in std::mem::take(&mut config.listeners).into_iter().enumerate() {
        rows.listener(index, &mut listener, config.per_listener_settings);
    }
    for (index, bridge) in config.bridges.iter_mut().enumerate() {
        let (table, label) = (format!("bridge[{index}]"), format!("bridge[{}]", bridge.name));
        rows.text(format!("{label}.addresses"), format!("{table}.addresses"), bridge.addresses.join(" "));
        for key in keys() {
            rows.add(key, &table, &label, key.of_bridge(bridge));
        }
        for (number, topic) in bridge.topics.iter().enumerate() {
            let value = format!(
                "{:?} {} {} {:?} {:?}",
                topic.pattern,
                crate::names::name_of(topic.direction),
                topic.qos,
                topic.local_prefix,
                topic.remote_prefix
            );
            let path = format!("{table}.topic[{number}].pattern");
            rows.text(format!("{label}.topic[{number}]"), path, value);
        }
    }
    rows.rows
}

/// What is in force in one configuration and not in the other.
pub fn differences(before: &Config, after: &Config) -> Vec<Difference> {
    let (before, after) = (compared(before), compared(after));
    let places = |all: &[(Row, String)]| -> HashMap<String, usize> {
        all.iter().enumerate().map(|(at, (row, _))| (row.path.clone(), at)).collect()
    };
    let (in_before, in_after) = (places(&before), places(&after));
    let only_after = after.iter().filter(|(row, _)| !in_before.contains_key(&row.path));
    let mut differences = Vec::new();
    for (row, _) in before.iter().chain(only_after) {
        let before = in_before.get(&row.path).map(|at| &before[*at]);
        let after = in_after.get(&row.path).map(|at| &after[*at]);
        // Of a listener that comes or goes, only what makes it unlike others.
        let is_on_one_side = before.is_none() || after.is_none();
        let says_nothing = is_on_one_side && row.is_default && !row.path.ends_with("].port");
        if !says_nothing && before.map(|(_, real)| real) != after.map(|(_, real)| real) {
            let shown = |it: Option<&(Row, String)>| it.map(|(row, _)| row.value.clone());
            let (before, after) = (shown(before), shown(after));
            differences.push(Difference { path: row.path.clone(), key: row.key, before, after });
        }
    }
    differences
}

/// Rows, each with its real value, which may be a secret and is only compared.
fn compared(config: &Config) -> Vec<(Row, String)> {
    let origins = Origins::default();
    let real = rows_of(config, &origins, true).into_iter().map(|row| row.value);
    rows_of(config, &origins, false).into_iter().zip(real).collect()
}

impl Config {
    /// The files that a node reads because this configuration names them, each with the path of its key: users, access
    /// rules, keys, certificates. A change of one of them is a change of what is in force.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        let mut files = Vec::new();
        let mut add = |table: &str, key: &Key, slot: Option<Slot<'_>>| {
            if let Some(Value::Text(file)) = slot.map(|slot| slot.value()) {
                files.push((format!("{table}.{}", key.path), PathBuf::from(file)));
            }
        };
        let mut config = self.clone();
        for key in keys().filter(|key| key.kind == Kind::Path) {
            match key.scope {
                Scope::Security => {
                    add("security", key, key.of_security(&mut config.security));
                    for (index, listener) in config.listeners.iter_mut().enumerate() {
                        let table = format!("listener[{index}].security");
                        add(&table, key, key.of_security(&mut listener.security));
                    }
                }
                Scope::Listener if key.path.starts_with("tls.") => {
                    for (index, listener) in config.listeners.iter_mut().enumerate() {
                        add(&format!("listener[{index}]"), key, key.of_listener(listener));
                    }
                }
                Scope::Bridge => {
                    for (index, bridge) in config.bridges.iter_mut().enumerate() {
                        add(&format!("bridge[{index}]"), key, key.of_bridge(bridge));
                    }
                }
                Scope::Listener | Scope::Global | Scope::Plugin => (),
            }
        }
        files
    }
}

impl Listener {
    /// Where it listens, as people say it: `8883`, `127.0.0.1:1883` or the path of a Unix socket.
    pub fn label(&self) -> String {
        match (&self.unix_socket, &self.host) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(host)) if host.contains(':') => format!("[{host}]:{}", self.port),
            (None, Some(host)) => format!("{host}:{}", self.port),
            (None, None) => self.port.to_string(),
        }
    }
}

struct Rows<'a> {
    origins: &'a Origins,
    rows: Vec<Row>,
    with_secrets: bool,
    dialect: Dialect,
}

impl Rows<'_> {
    fn listener(&mut self, index: usize, listener: &mut Listener, has_security: bool) {
        let (table, label) = (format!("listener[{index}]"), format!("listener[{}]", listener.label()));
        for key in keys() {
            self.add(key, &table, &label, key.of_listener(listener));
        }
        if has_security {
            let (table, label) = (format!("{table}.security"), format!("{label}.security"));
            self.security(&table, &label, &mut listener.security);
        }
    }

    fn security(&mut self, table: &str, label: &str, security: &mut Security) {
        for key in keys() {
            self.add(key, table, label, key.of_security(security));
        }
        for (index, plugin) in security.plugins.iter().enumerate() {
            let (table, label) = (format!("{table}.plugin[{index}]"), format!("{label}.plugin[{index}]"));
            let path = plugin.path.display().to_string();
            self.text(format!("{label}.path"), format!("{table}.path"), quoted(&path));
            let deny = plugin.deny_special_chars.to_string();
            self.text(format!("{label}.deny_special_chars"), format!("{table}.deny_special_chars"), deny);
            for (name, value) in &plugin.options {
                let hidden = may_be_secret(name) && !self.with_secrets;
                let value = if hidden { HIDDEN } else { value.reveal() };
                let name = format!(".options.{name}");
                self.text(format!("{label}{name}"), format!("{table}{name}"), quoted(value));
            }
        }
    }

    fn add(&mut self, key: &'static Key, table: &str, label: &str, slot: Option<Slot<'_>>) {
        let Some(value) = slot.map(|slot| slot.value()) else { return };
        let is_default = value == key.default(self.dialect);
        let value = match value {
            Value::Unset => String::new(),
            _ if key.kind == Kind::Secret && !self.with_secrets => HIDDEN.to_owned(),
            value => toml_of(key, &value),
        };
        let path = |table: &str| {
            if table.is_empty() { key.path.to_owned() } else { format!("{table}.{}", key.path) }
        };
        let origin = self.origins.of(&path(table)).cloned();
        self.rows.push(Row { path: path(label), key: Some(key), value, origin, is_default });
    }

    fn text(&mut self, path: String, origin: String, value: String) {
        let origin = self.origins.of(&origin).cloned();
        self.rows.push(Row { path, key: None, value, origin, is_default: false });
    }
}

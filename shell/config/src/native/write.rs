//! A configuration written as `martlet.toml`.
//!
//! The one rule: what is written reads back as the same configuration. Defaults are left out.

use std::fmt::Write as _;

use crate::config::{Bridge, Config, Listener, Plugin, Security};
use crate::key::{Bounds, Key, Kind, Scope, keys};
use crate::names::name_of;
use crate::slot::{Slot, Value};

/// What stands for a secret that is not shown.
pub(crate) const HIDDEN: &str = "***";

/// A configuration as `martlet.toml`, with what each key means; secrets only if they are asked for.
pub fn to_toml(config: &Config, with_secrets: bool) -> String {
    let mut writer = Writer { text: String::new(), with_secrets };
    writer.config(config.clone());
    writer.text
}

struct Writer {
    text: String,
    with_secrets: bool,
}

/// Lines of one table.
#[derive(Default)]
struct Table {
    lines: Vec<String>,
}

impl Writer {
    fn config(&mut self, mut config: Config) {
        let mut defaults = Config::new(config.dialect);
        let dialect = name_of(config.dialect);
        self.text.push_str("# Configuration of martlet; `martlet config keys` explains every key.\n\n");
        let _ = writeln!(self.text, "dialect = \"{dialect}\"");
        for table in ["security", "limits", "behaviour", "persistence", "log", "sys", "tcp", "process"] {
            let mut lines = Table::default();
            for key in keys().filter(|key| key.scope == Scope::Global && is_in(key.path, table)) {
                lines.add(key, key.global(&mut config), key.global(&mut defaults), self.with_secrets);
            }
            if table == "security" {
                self.security_lines(&mut lines, &mut config.security);
            }
            self.table(&format!("[{table}]"), lines);
            if table == "security" {
                self.plugins("security", &config.security);
            }
        }
        if !config.local_only {
            for listener in std::mem::take(&mut config.listeners) {
                self.listener(listener, &config);
            }
        }
        for bridge in std::mem::take(&mut config.bridges) {
            self.bridge(bridge);
        }
    }

    fn listener(&mut self, mut listener: Listener, config: &Config) {
        let mut defaults = Listener::new(config.dialect, listener.port);
        let mut tables = [
            ("", Table::default()),
            ("tls", Table::default()),
            ("websocket", Table::default()),
            ("proxy", Table::default()),
        ];
        if listener.unix_socket.is_none() {
            tables[0].1.lines.push(format!("port = {}", listener.port));
        }
        for key in
            keys().filter(|key| key.scope == Scope::Listener && key.path != "port" && !key.path.is_empty())
        {
            let table = key.path.split_once('.').map_or("", |(table, _)| table);
            let lines = tables.iter_mut().find(|(name, _)| *name == table).map(|(_, lines)| lines);
            let lines = lines.expect("listeners have no other tables");
            lines.add(key, key.of_listener(&mut listener), key.of_listener(&mut defaults), self.with_secrets);
        }
        for (name, lines) in tables {
            match name {
                // An empty table is a listener as well.
                "" => self.head("[[listener]]", lines),
                name => self.table(&format!("[listener.{name}]"), lines),
            }
        }
        let mut lines = Table::default();
        self.security_lines(&mut lines, &mut listener.security);
        self.table("[listener.security]", lines);
        self.plugins("listener.security", &listener.security);
    }

    fn security_lines(&self, lines: &mut Table, security: &mut Security) {
        let mut defaults = Security::default();
        for key in keys().filter(|key| key.scope == Scope::Security) {
            lines.add(key, key.of_security(security), key.of_security(&mut defaults), self.with_secrets);
        }
    }

    fn plugins(&mut self, table: &str, security: &Security) {
        for Plugin { path, options, deny_special_chars } in &security.plugins {
            let mut lines = Table::default();
            lines.lines.push(format!("path = {}", quoted(&path.to_string_lossy())));
            if !deny_special_chars {
                lines.lines.push("deny_special_chars = false".to_owned());
            }
            for (name, value) in options {
                let shown = self.with_secrets || !crate::source::may_be_secret(name);
                let value = if shown { value.reveal() } else { HIDDEN };
                lines.lines.push(format!("options.{} = {}", key_text(name), quoted(value)));
            }
            self.head(&format!("[[{table}.plugin]]"), lines);
        }
    }

    fn bridge(&mut self, mut bridge: Bridge) {
        let mut defaults = Bridge::new(String::new());
        let mut lines = Table::default();
        lines.lines.push(format!("name = {}", quoted(&bridge.name)));
        lines.lines.push(format!("addresses = {}", list(&bridge.addresses)));
        for key in keys().filter(|key| key.scope == Scope::Bridge && !key.path.is_empty()) {
            lines.add(key, key.of_bridge(&mut bridge), key.of_bridge(&mut defaults), self.with_secrets);
        }
        self.head("[[bridge]]", lines);
        for topic in &bridge.topics {
            let mut lines = Table::default();
            lines.lines.push(format!("pattern = {}", quoted(&topic.pattern)));
            lines.lines.push(format!("direction = \"{}\"", name_of(topic.direction)));
            lines.lines.push(format!("qos = {}", topic.qos));
            for (name, prefix) in
                [("local_prefix", &topic.local_prefix), ("remote_prefix", &topic.remote_prefix)]
            {
                if !prefix.is_empty() {
                    lines.lines.push(format!("{name} = {}", quoted(prefix)));
                }
            }
            self.head("[[bridge.topic]]", lines);
        }
    }

    fn table(&mut self, head: &str, lines: Table) {
        if !lines.lines.is_empty() {
            self.head(head, lines);
        }
    }

    fn head(&mut self, head: &str, lines: Table) {
        let _ = writeln!(self.text, "\n{head}");
        for line in lines.lines {
            let _ = writeln!(self.text, "{line}");
        }
    }
}

impl Table {
    /// A line for a value that is not the default, with what it means above it.
    fn add(&mut self, key: &Key, value: Option<Slot<'_>>, default: Option<Slot<'_>>, with_secrets: bool) {
        let (Some(value), Some(default)) = (value, default) else { return };
        let value = value.value();
        if value == default.value() {
            return;
        }
        let name = key.path.rsplit('.').next().unwrap_or(key.path);
        let hidden = key.kind == Kind::Secret && !with_secrets;
        let written = if hidden { quoted(HIDDEN) } else { toml_of(key, &value) };
        self.lines.push(format!("# {}", key.doc));
        self.lines.push(format!("{name} = {written}"));
    }
}

/// Does this path lie directly in the table?
fn is_in(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// A value as TOML writes it, in the unit of the key.
pub(crate) fn toml_of(key: &Key, value: &Value) -> String {
    match (key.kind, value) {
        (_, Value::Bool(value)) => value.to_string(),
        (Kind::Time(bounds), Value::Number(milliseconds)) => {
            (milliseconds / bounds.unit.milliseconds()).to_string()
        }
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Text(text)) => quoted(text),
        (_, Value::List(entries)) => list(entries),
        (Kind::Number(Bounds { none, .. }) | Kind::Time(Bounds { none, .. }), Value::Unset) => {
            none.unwrap_or_default().to_string()
        }
        (_, Value::Unset) => "\"\"".to_owned(),
    }
}

pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(entries: &[String]) -> String {
    let entries: Vec<_> = entries.iter().map(|entry| quoted(entry)).collect();
    format!("[{}]", entries.join(", "))
}

/// A key, in quotes if it needs them.
fn key_text(name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
    if is_bare { name.to_owned() } else { quoted(name) }
}

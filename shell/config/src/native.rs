//! The reader of `martlet.toml`.
//!
//! The one rule: a key that is not understood is an error, for somebody relies on it.

mod table;
mod value;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check;
use crate::config::{Bridge, BridgeTopic, Config, Dialect, Listener, Plugin, Secret};
use crate::mosquitto::address;
use crate::names::named;
use crate::origin::{Origin, Origins};
use crate::read::Read;
use crate::report::{Report, Severity, is_enough};
use crate::source::{Source, Sources};

use table::Target;
pub use write::to_toml;
pub(crate) use write::{HIDDEN, quoted, toml_of};

/// Reads the text of a file.
pub(crate) fn read(path: &Path, source: Source, dialect: Option<Dialect>) -> Read {
    let text = source.text().clone();
    let (document, errors) = DeTable::parse_recoverable(&text);
    let document = document.into_inner();
    let dialect = dialect.unwrap_or_else(|| dialect_of(&document));
    let mut reader = Reader {
        source: &source,
        config: Config::new(dialect),
        origins: Origins::default(),
        reports: Vec::new(),
    };
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        reader.syntax(error);
    }
    // What the parser recovered may be far from what was meant.
    if reader.reports.is_empty() {
        reader.read_document(&document, dialect);
    }
    let Reader { config, origins, mut reports, .. } = reader;
    let mut sources = Sources::default();
    sources.add(source);
    if reports.is_empty() {
        reports = check::check(&config, &origins, &sources);
    }
    reports.sort_by_key(Report::line);
    Read { config, origins, reports, files: vec![path.to_owned()] }
}

/// The dialect a document names, which decides about the defaults of everything else.
fn dialect_of(document: &DeTable<'_>) -> Dialect {
    let name = document.get("dialect").and_then(|value| value.get_ref().as_str());
    name.and_then(named).unwrap_or_default()
}

/// The parser finds its way again, but not for long.
const SYNTAX_ERRORS_MAX: usize = 5;

struct Reader<'s> {
    source: &'s Source,
    config: Config,
    origins: Origins,
    reports: Vec<Report>,
}

/// A key and its value, with their places.
type Entry<'a, 'i> = (&'a str, Range<usize>, &'a Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let report = Report::new(Severity::Error, self.source, span, "this is no TOML".to_owned());
        let fix =
            "text stands in \"quotes\", tables begin with [name], and a key with = between it and its value";
        self.report(report.because(error.message()).fix(fix));
    }

    fn read_document(&mut self, document: &DeTable<'_>, dialect: Dialect) {
        let mut config = self.config.clone();
        self.read_table(document, "", "", &mut Target::Config(&mut config));
        self.config = config;
        if let Some(plugins) = self.plugins(document, "") {
            self.config.security.plugins = plugins;
        }
        if let Some(listeners) = self.tables(document, "listener") {
            let listeners: Vec<_> = listeners
                .into_iter()
                .enumerate()
                .map(|(index, table)| self.listener(index, table, dialect))
                .collect();
            if !listeners.is_empty() {
                self.config.listeners = listeners;
                self.config.local_only = false;
            }
        }
        if let Some(bridges) = self.tables(document, "bridge") {
            let bridges = bridges.into_iter().enumerate();
            self.config.bridges = bridges.map(|(index, table)| self.bridge(index, table)).collect();
        }
        // Whoever was chosen from outside is in force, whatever the file says.
        self.config.dialect = dialect;
    }

    fn listener(&mut self, index: usize, table: &DeTable<'_>, dialect: Dialect) -> Listener {
        let mut listener = Listener::new(dialect, 1883);
        if table.contains_key("unix_socket") {
            listener.port = 0;
        }
        let path = format!("listener[{index}]");
        self.read_table(table, "", &path, &mut Target::Listener(&mut listener));
        if let Some(plugins) = self.plugins(table, &path) {
            listener.security.plugins = plugins;
        }
        listener
    }

    /// What stands in `[[security.plugin]]`, for the node or for a listener.
    fn plugins(&mut self, table: &DeTable<'_>, path: &str) -> Option<Vec<Plugin>> {
        let security = table.get("security")?.get_ref().as_table()?;
        let plugins = self.tables(security, "plugin")?.into_iter().enumerate();
        let dot = if path.is_empty() { "" } else { "." };
        let name = |index| format!("{path}{dot}security.plugin[{index}]");
        Some(plugins.map(|(index, table)| self.plugin(&name(index), table)).collect())
    }

    fn plugin(&mut self, path: &str, table: &DeTable<'_>) -> Plugin {
        let mut plugin = Plugin::new(String::new().into());
        let known = ["path", "options", "deny_special_chars"];
        for (key, span, value) in entries(table) {
            match (key, value.get_ref()) {
                ("path", DeValue::String(file)) => plugin.path = file.as_ref().into(),
                ("deny_special_chars", DeValue::Boolean(deny)) => plugin.deny_special_chars = *deny,
                ("options", DeValue::Table(options)) => plugin.options = self.plugin_options(options, path),
                ("path", _) => self.wrong_type(value.span(), key, "text"),
                ("deny_special_chars", _) => self.wrong_type(value.span(), key, "true or false"),
                ("options", _) => self.wrong_type(value.span(), key, "a table of texts"),
                _ => self.unknown_of(key, span.clone(), &known),
            }
            self.note(format!("{path}.{key}"), &span);
        }
        if !plugin.is_dynamic_security() {
            let title = "this plug-in is not supported".to_owned();
            let span = table.get("path").map_or(0..0, Spanned::span);
            let report = Report::new(Severity::Error, self.source, span, title);
            self.report(
                report
                    .because("Martlet loads no plug-ins made of C")
                    .fix("mosquitto_dynamic_security.so is built in"),
            );
        }
        plugin
    }

    fn plugin_options(&mut self, options: &DeTable<'_>, path: &str) -> Vec<(String, Secret)> {
        let mut read = BTreeMap::new();
        for (key, span, value) in entries(options) {
            match value.get_ref().as_str() {
                Some(text) => {
                    read.insert(span.start, (key.to_owned(), Secret::new(text.to_owned())));
                }
                None => self.wrong_type(value.span(), key, "text"),
            }
            self.note(format!("{path}.options.{key}"), &span);
        }
        // In the order in which they were written.
        read.into_values().collect()
    }

    fn bridge(&mut self, index: usize, table: &DeTable<'_>) -> Bridge {
        let path = format!("bridge[{index}]");
        let mut bridge = Bridge::new(String::new());
        self.read_table(table, "", &path, &mut Target::Bridge(&mut bridge));
        match table.get("name").map(Spanned::get_ref) {
            Some(DeValue::String(name)) if !name.is_empty() => {
                bridge.name = name.clone().into_owned();
                let span = table.get("name").map_or(0..0, Spanned::span);
                self.note(format!("{path}.name"), &span);
            }
            _ => {
                let span =
                    table.get("name").map(Spanned::span).or_else(|| entries(table).map(|it| it.1).next());
                let title = "this bridge has no name".to_owned();
                let report = Report::new(Severity::Error, self.source, span.unwrap_or(0..0), title);
                self.report(
                    report.because("its state and its log lines need one").fix("set name = \"office\""),
                );
            }
        }
        if let Some(addresses) = table.get("addresses") {
            bridge.addresses = self.addresses(addresses, &path);
        }
        if let Some(topics) = self.tables(table, "topic") {
            let topics = topics.into_iter().enumerate();
            bridge.topics = topics
                .map(|(index, table)| self.bridge_topic(&format!("{path}.topic[{index}]"), table))
                .collect();
        }
        bridge
    }

    fn addresses(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Vec<String> {
        self.note(format!("{path}.addresses"), &value.span());
        let DeValue::Array(values) = value.get_ref() else {
            self.wrong_type(value.span(), "addresses", "a list such as [\"broker.example:1883\"]");
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for value in values.iter() {
            let written = value.get_ref().as_str().unwrap_or_default();
            match address::normal(written) {
                Ok(address) => addresses.push(address),
                Err(why) => {
                    let title = "this is no address".to_owned();
                    let report = Report::new(Severity::Error, self.source, value.span(), title);
                    self.report(report.because(why).fix("write \"HOST:PORT\""));
                }
            }
        }
        addresses
    }

    fn bridge_topic(&mut self, path: &str, table: &DeTable<'_>) -> BridgeTopic {
        let mut topic = BridgeTopic {
            pattern: String::new(),
            direction: Default::default(),
            qos: 0,
            local_prefix: String::new(),
            remote_prefix: String::new(),
        };
        let known = ["pattern", "direction", "qos", "local_prefix", "remote_prefix"];
        for (key, span, value) in entries(table) {
            let text = value.get_ref().as_str();
            match (key, text) {
                ("pattern", Some(text)) => topic.pattern = text.to_owned(),
                ("local_prefix", Some(text)) => topic.local_prefix = text.to_owned(),
                ("remote_prefix", Some(text)) => topic.remote_prefix = text.to_owned(),
                ("direction", text) => match text.and_then(named) {
                    Some(direction) => topic.direction = direction,
                    None => self.wrong_type(value.span(), key, "\"out\", \"in\" or \"both\""),
                },
                ("qos", _) => match value::integer(value.get_ref()).and_then(|it| u8::try_from(it).ok()) {
                    Some(qos) if qos <= 2 => topic.qos = qos,
                    _ => self.wrong_type(value.span(), key, "0, 1 or 2"),
                },
                (key, None) if known.contains(&key) => self.wrong_type(value.span(), key, "text"),
                _ => self.unknown_of(key, span.clone(), &known),
            }
            self.note(format!("{path}.{key}"), &span);
        }
        topic
    }

    /// The tables of an array such as `[[listener]]`.
    fn tables<'a, 'i>(&mut self, table: &'a DeTable<'i>, key: &str) -> Option<Vec<&'a DeTable<'i>>> {
        let value = table.get(key)?;
        let tables: Option<Vec<_>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| value.get_ref().as_table()).collect(),
            _ => None,
        };
        if tables.is_none() {
            let title = format!("{key} is a list of tables");
            let report = Report::new(Severity::Error, self.source, value.span(), title);
            let fix = format!("begin each with [[{key}]], in two pairs of brackets");
            self.report(report.because("there may be several of them").fix(fix));
        }
        tables
    }

    fn wrong_type(&mut self, span: Range<usize>, key: &str, expected: &str) {
        let report = Report::new(Severity::Error, self.source, span, format!("{key} wants {expected}"));
        self.report(report.because("this is something else").fix(format!("write {expected}")));
    }

    fn report(&mut self, report: Report) {
        if !is_enough(&self.reports) {
            self.reports.push(report);
        }
    }

    fn note(&mut self, path: String, span: &Range<usize>) {
        let origin = Origin { file: self.source.name().clone(), line: self.source.line_of(span.start) };
        self.origins.put(path, origin);
    }
}

fn entries<'a, 'i>(table: &'a DeTable<'i>) -> impl Iterator<Item = Entry<'a, 'i>> {
    table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
}

//! The reader of `mosquitto.conf`.
//!
//! The one rule: a file that starts Mosquitto starts Martlet with the same meaning; where Mosquitto stops without a
//! reason or goes on without a word, this reader says what it saw.

pub(crate) mod address;
pub(crate) mod bridge;
mod finish;
mod include;
mod line;
mod listener;
mod log;
mod misplaced;
mod plugin;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{Bridge, Config, Dialect, Listener, Security};
use crate::files::Files;
use crate::key::{Key, Kind, Scope, Status, keys};
use crate::nearest::nearest;
use crate::origin::{Origin, Origins};
use crate::read::Read;
use crate::report::{Report, Severity, is_enough};
use crate::slot::Slot;
use crate::source::{Source, Sources};
use line::Line;

/// Reads a file and what it includes.
pub(crate) fn read(path: &Path, text: Source, dialect: Dialect, files: &dyn Files) -> Read {
    let mut reader = Reader::new(dialect, files);
    reader.files_read.push(path.to_owned());
    reader.read_file(text, 0);
    reader.finish();
    Read { config: reader.config, origins: reader.origins, reports: reader.reports, files: reader.files_read }
}

struct Reader<'a> {
    files: &'a dyn Files,
    config: Config,
    /// What stands above the first `listener`.
    default_listener: Listener,
    origins: Origins,
    reports: Vec<Report>,
    sources: Sources,
    files_read: Vec<PathBuf>,
    /// The first security setting, after which `per_listener_settings` comes too late.
    first_security: Option<Origin>,
    /// Where each bridge begins, by its name.
    bridge_names: BTreeMap<String, Origin>,
    names_destinations: bool,
    names_types: bool,
}

/// What the lines of one file are about: Mosquitto begins each file anew.
#[derive(Clone, Copy, Default)]
struct Block {
    level: u32,
    /// `None`: the default listener.
    listener: Option<usize>,
    bridge: Option<usize>,
    plugin: Option<PluginPlace>,
}

/// Where a plug-in stands.
#[derive(Clone, Copy)]
struct PluginPlace {
    /// `None`: in the global security settings.
    listener: Option<Option<usize>>,
    index: usize,
}

/// The name of the default listener among the origins, until it has a number.
const DEFAULT_LISTENER: &str = "listener[default]";

impl<'a> Reader<'a> {
    fn new(dialect: Dialect, files: &'a dyn Files) -> Self {
        let mut config = Config::new(dialect);
        config.listeners.clear();
        config.local_only = true;
        Self {
            files,
            config,
            default_listener: Listener::new(dialect, 1883),
            origins: Origins::default(),
            reports: Vec::new(),
            sources: Sources::default(),
            files_read: Vec::new(),
            first_security: None,
            bridge_names: BTreeMap::new(),
            names_destinations: false,
            names_types: false,
        }
    }

    fn read_file(&mut self, source: Source, level: u32) {
        let mut block = Block { level, ..Block::default() };
        for line in line::lines(&source) {
            if is_enough(&self.reports) {
                self.reports.push(Report::of_more(&source));
                break;
            }
            self.read_line(&line, &mut block);
        }
        self.sources.add(source);
    }

    fn read_line(&mut self, line: &Line<'_>, block: &mut Block) {
        if line.has_tab {
            let report = line.about_key(Severity::Warning, "a tab stands behind the key".to_owned());
            self.reports.push(
                report.because("Mosquitto takes the tab for a part of the key").fix("use a space instead"),
            );
        }
        if line.value().contains(|it: char| it.is_control() && it != '\t') {
            self.error(
                line,
                "an invisible character stands in this line",
                "Mosquitto refuses it as well",
                "write the line again",
            );
            return;
        }
        let Some(key) = key_of(line.key) else {
            self.reports.push(unknown(line));
            return;
        };
        match key.status {
            Status::Current => (),
            Status::Deprecated(instead) => self.reports.push(deprecated(line, instead)),
            Status::Obsolete(why) => return self.reports.push(obsolete(line, why)),
            Status::Refused(substitute) => return self.reports.push(refused(line, substitute)),
        }
        if key.kind == Kind::Words || is_of_other_rules(key) {
            self.read_words(key, line, block);
        } else {
            self.read_value(key, line, *block);
        }
    }

    /// Keys that open a block or have rules of their own.
    fn read_words(&mut self, key: &'static Key, line: &Line<'_>, block: &mut Block) {
        match key.name {
            "listener" => self.read_listener(line, block),
            "connection" => self.read_connection(line, block),
            "include_dir" => self.include(line, *block),
            "log_dest" => self.read_log_destination(line),
            "log_type" => self.read_log_type(line),
            "plugin" => self.read_plugin(line, block),
            "plugin_opt_" => self.read_plugin_option(line, *block),
            "auth_plugin_deny_special_chars" => self.read_deny_special_chars(line, *block),
            "per_listener_settings" => self.read_per_listener_settings(key, line, *block),
            "port" | "bind_address" => self.read_default_listener(key, line),
            "mount_point" => self.read_mount_point(key, line, *block),
            "accept_protocol_versions" => self.read_versions(key, line, *block),
            "enable_proxy_protocol" => self.read_proxy_protocol(key, line, *block),
            "websockets_origin" => self.read_origin(key, line, *block),
            "cafile" | "certfile" => self.read_certificate(key, line, *block),
            "tls_keyform" => self.read_keyform(line),
            "retry_interval" => self.read_retry_interval(key, line, *block),
            "persistent_client_expiration" => self.read_expiration(key, line, *block),
            "address" => self.read_addresses(line, *block),
            "topic" => self.read_topic(line, *block),
            "restart_timeout" => self.read_restart_timeout(line, *block),
            "bridge_tcp_keepalive" => self.read_tcp_keepalive(key, line, *block),
            name => unreachable!("{name} has no rules of its own"),
        }
    }

    /// The field a key means here, and its path among the origins; a report when there is none.
    fn slot<'s>(
        &'s mut self,
        key: &'static Key,
        line: &Line<'_>,
        block: Block,
    ) -> Result<(Slot<'s>, String), Box<Report>> {
        let slot = match key.scope {
            Scope::Global => {
                if key.name == "check_retain_source" {
                    self.first_security.get_or_insert_with(|| line.origin());
                }
                key.global(&mut self.config).map(|slot| (slot, key.path.to_owned()))
            }
            Scope::Listener => {
                if block.listener.is_none() && key.since.is_some() {
                    return Err(Box::new(misplaced::above_all_listeners(line)));
                }
                let path = format!("{}.{}", listener_path(block.listener), key.path);
                key.of_listener(self.listener(block.listener)).map(|slot| (slot, path))
            }
            Scope::Security => {
                self.first_security.get_or_insert_with(|| line.origin());
                let global = !self.config.per_listener_settings;
                let path = format!("{}.{}", self.security_path(global, block.listener), key.path);
                key.of_security(self.security(global, block.listener)).map(|slot| (slot, path))
            }
            Scope::Bridge => {
                let Some(index) = block.bridge else {
                    return Err(Box::new(misplaced::outside_connection(line)));
                };
                let path = format!("bridge[{index}].{}", key.path);
                key.of_bridge(&mut self.config.bridges[index]).map(|slot| (slot, path))
            }
            Scope::Plugin => None,
        };
        Ok(slot.expect("a key with a value has a field in its scope"))
    }

    fn listener(&mut self, index: Option<usize>) -> &mut Listener {
        match index {
            Some(index) => &mut self.config.listeners[index],
            None => &mut self.default_listener,
        }
    }

    fn security(&mut self, global: bool, listener: Option<usize>) -> &mut Security {
        if global { &mut self.config.security } else { &mut self.listener(listener).security }
    }

    fn security_path(&self, global: bool, listener: Option<usize>) -> String {
        if global { "security".to_owned() } else { format!("{}.security", listener_path(listener)) }
    }

    /// The bridge a line is about; a report when it stands outside.
    fn bridge(&mut self, line: &Line<'_>, block: Block) -> Option<&mut Bridge> {
        if block.bridge.is_none() {
            self.reports.push(misplaced::outside_connection(line));
        }
        block.bridge.map(|index| &mut self.config.bridges[index])
    }

    fn error(&mut self, line: &Line<'_>, title: &str, why: &str, fix: &str) {
        self.reports.push(
            line.about_value(Severity::Error, title.to_owned()).because(why.to_owned()).fix(fix.to_owned()),
        );
    }

    fn warn(&mut self, line: &Line<'_>, title: &str, why: &str, fix: &str) {
        self.reports.push(
            line.about_value(Severity::Warning, title.to_owned()).because(why.to_owned()).fix(fix.to_owned()),
        );
    }
}

fn listener_path(listener: Option<usize>) -> String {
    listener.map_or(DEFAULT_LISTENER.to_owned(), |index| format!("listener[{index}]"))
}

/// Options of plug-ins carry their names in the key.
fn key_of(written: &str) -> Option<&'static Key> {
    let is_option = |prefix: &str| written.len() > prefix.len() && written.starts_with(prefix);
    if is_option("plugin_opt_") || is_option("auth_opt_") {
        return Key::named("plugin_opt_");
    }
    Key::named(written).filter(|key| key.name != "plugin_opt_")
}

/// Keys with a plain value that count in some places only, or are written in a way of their own.
fn is_of_other_rules(key: &Key) -> bool {
    let names = [
        "per_listener_settings",
        "port",
        "bind_address",
        "mount_point",
        "cafile",
        "certfile",
        "websockets_origin",
        "retry_interval",
        "persistent_client_expiration",
        "bridge_tcp_keepalive",
    ];
    names.contains(&key.name)
}

fn unknown(line: &Line<'_>) -> Report {
    let shown: String = line.key.chars().take(40).collect();
    let report = line.about_key(Severity::Error, format!("\"{shown}\" is no key of mosquitto.conf"));
    if line.key.starts_with('[') || line.value().starts_with('=') {
        return report.because("this looks like TOML").fix(
            "a native configuration has a name that ends in .toml; `martlet config convert` writes one",
        );
    }
    let last_of_path = |key: &&Key| key.path.rsplit('.').next() == Some(line.key);
    if let Some(key) = keys().find(|key| last_of_path(key) && !key.name.is_empty()) {
        return report
            .because("this is its name in martlet.toml")
            .fix(format!("here it is called {}", key.name));
    }
    if let Some(key) = keys().find(last_of_path) {
        return report
            .because(format!("martlet.toml knows it as {}, mosquitto.conf does not", key.full_path()))
            .fix("`martlet config convert` writes a martlet.toml from this file");
    }
    let names = keys().flat_map(|key| key.aliases.iter().copied().chain([key.name]));
    let report = report.because("no version of Mosquitto knows it");
    match nearest(line.key, names) {
        Some(name) => report.fix(format!("did you mean {name}?")),
        None => report.fix("take the line out, or put # before it; `martlet config keys` lists all keys"),
    }
}

fn deprecated(line: &Line<'_>, instead: &str) -> Report {
    line.about_key(Severity::Warning, format!("{} is deprecated", line.key))
        .because("it still works, but Mosquitto will give it up")
        .fix(format!("instead: {instead}"))
}

fn obsolete(line: &Line<'_>, why: &str) -> Report {
    line.about_key(Severity::Warning, format!("{} does nothing any more", line.key))
        .because(why)
        .fix("take the line out")
}

fn refused(line: &Line<'_>, substitute: &str) -> Report {
    line.about_key(Severity::Error, format!("{} is not supported", line.key))
        .because("Martlet cannot do what it asks for")
        .fix(substitute)
}

//! The table of keys: what can be written, where, of what type, and what it means.
//!
//! The one rule: whoever reads, writes, shows or documents a configuration walks this table; a key that is not here
//! does not exist.

mod behaviour;
mod bridge;
mod limits;
mod listener;
mod node;
mod persistence;
mod security;
mod words;

use crate::config::{Bridge, Config, Dialect, Listener, Security};
use crate::slot::{Slot, Value};

/// A key of `mosquitto.conf`, of `martlet.toml`, or of both.
pub struct Key {
    /// Its name in `mosquitto.conf`; empty: it is not known there.
    pub name: &'static str,
    /// Other names of it there.
    pub aliases: &'static [&'static str],
    /// Its path in `martlet.toml`, within the table of its scope; empty: it is not known there.
    pub path: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// What it takes.
    pub kind: Kind,
    /// When a change of it counts.
    pub reload: Reload,
    /// Whether it is of today.
    pub status: Status,
    /// The version of Mosquitto that brought it, if that is later than 2.0.
    pub since: Option<&'static str>,
    /// What it means, in one line.
    pub doc: &'static str,
    pub(crate) field: Field,
}

/// Where a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It is about the whole node.
    Global,
    /// It is about the listener above it, or the default listener.
    Listener,
    /// It is about the whole node, or with `per_listener_settings` about the listener above it.
    Security,
    /// It is about the plug-in above it.
    Plugin,
    /// It is about the `connection` above it.
    Bridge,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number(Bounds),
    /// A span of time.
    Time(Bounds),
    /// Text.
    Text,
    /// A file or a folder.
    Path,
    /// Text that is never shown.
    Secret,
    /// One of some names.
    Choice,
    /// Several texts or names.
    List,
    /// Words with rules of their own, which the doc line says.
    Words,
}

/// Which numbers a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// The number that stands for no limit.
    pub none: Option<u64>,
    /// What is counted.
    pub unit: Unit,
    /// What `mosquitto.conf` takes a smaller number for; `None`: it is an error.
    pub(crate) lower_is: Option<u64>,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// What the doc line says.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
}

/// When a change of a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// At once, for everybody.
    Live,
    /// For whoever connects afterwards.
    NewConnections,
    /// When the node starts again.
    Restart,
}

/// Whether a key is of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Current,
    /// It works; the text names what to write today.
    Deprecated(&'static str),
    /// It does nothing any more; the text says why.
    Obsolete(&'static str),
    /// It is refused; the text names the substitute.
    Refused(&'static str),
}

#[derive(Clone, Copy)]
pub(crate) enum Field {
    None,
    Global(fn(&mut Config) -> Slot<'_>),
    Listener(fn(&mut Listener) -> Slot<'_>),
    Security(fn(&mut Security) -> Slot<'_>),
    Bridge(fn(&mut Bridge) -> Slot<'_>),
}

/// All keys, in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    let tables = [
        node::NODE,
        listener::LISTENER,
        listener::PROXY_AND_WEBSOCKET,
        listener::TLS,
        security::SECURITY,
        limits::LIMITS,
        behaviour::BEHAVIOUR,
        persistence::PERSISTENCE,
        node::LOG,
        node::PROCESS,
        bridge::BRIDGE,
        bridge::BRIDGE_TLS,
        words::WORDS,
        words::OBSOLETE,
    ];
    tables.into_iter().flatten()
}

impl Key {
    /// The key that `mosquitto.conf` calls so.
    pub fn named(name: &str) -> Option<&'static Self> {
        keys().find(|key| !key.name.is_empty() && (key.name == name || key.aliases.contains(&name)))
    }

    /// Its path in `martlet.toml` from the top, such as `listener.tls.certfile`; empty: it is not known there.
    pub fn full_path(&self) -> String {
        let table = match self.scope {
            _ if self.path.is_empty() => return String::new(),
            Scope::Global => return self.path.to_owned(),
            Scope::Listener => "listener",
            Scope::Security => "security",
            Scope::Plugin => "security.plugin",
            Scope::Bridge => "bridge",
        };
        format!("{table}.{}", self.path)
    }

    /// What counts when nothing is written.
    pub fn default(&self, dialect: Dialect) -> Value {
        self.of_defaults(dialect, |slot| slot.value())
    }

    /// The names it takes, if it takes names only.
    pub fn choices(&self) -> Vec<&'static str> {
        self.of_defaults(Dialect::Native, |slot| slot.choices())
    }

    /// Its field in the whole node's part of a configuration.
    pub(crate) fn global<'a>(&self, config: &'a mut Config) -> Option<Slot<'a>> {
        match self.field {
            Field::Global(field) => Some(field(config)),
            _ => None,
        }
    }

    pub(crate) fn of_listener<'a>(&self, listener: &'a mut Listener) -> Option<Slot<'a>> {
        match self.field {
            Field::Listener(field) => Some(field(listener)),
            _ => None,
        }
    }

    pub(crate) fn of_security<'a>(&self, security: &'a mut Security) -> Option<Slot<'a>> {
        match self.field {
            Field::Security(field) => Some(field(security)),
            _ => None,
        }
    }

    pub(crate) fn of_bridge<'a>(&self, bridge: &'a mut Bridge) -> Option<Slot<'a>> {
        match self.field {
            Field::Bridge(field) => Some(field(bridge)),
            _ => None,
        }
    }

    fn of_defaults<T: Empty>(&self, dialect: Dialect, look: impl Fn(Slot<'_>) -> T) -> T {
        match self.field {
            Field::None => T::empty(),
            Field::Global(field) => look(field(&mut Config::new(dialect))),
            Field::Listener(field) => look(field(&mut Listener::new(dialect, 1883))),
            Field::Security(field) => look(field(&mut Security::default())),
            Field::Bridge(field) => look(field(&mut Bridge::new(String::new()))),
        }
    }

    const fn new(
        name: &'static str,
        path: &'static str,
        scope: Scope,
        kind: Kind,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            path,
            scope,
            kind,
            reload: Reload::Live,
            status: Status::Current,
            since: None,
            doc,
            field: Field::None,
        }
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn since_2_1(mut self) -> Self {
        self.since = Some("2.1");
        self
    }

    const fn reload(mut self, reload: Reload) -> Self {
        self.reload = reload;
        self
    }

    const fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }
}

/// What is there when a key has no field.
trait Empty {
    fn empty() -> Self;
}

impl Empty for Value {
    fn empty() -> Self {
        Self::Unset
    }
}

impl<T> Empty for Vec<T> {
    fn empty() -> Self {
        Self::new()
    }
}

const fn global(
    name: &'static str,
    path: &'static str,
    kind: Kind,
    field: fn(&mut Config) -> Slot<'_>,
    doc: &'static str,
) -> Key {
    let mut key = Key::new(name, path, Scope::Global, kind, doc);
    key.field = Field::Global(field);
    key
}

const fn listener(
    name: &'static str,
    path: &'static str,
    kind: Kind,
    field: fn(&mut Listener) -> Slot<'_>,
    doc: &'static str,
) -> Key {
    let mut key = Key::new(name, path, Scope::Listener, kind, doc);
    key.field = Field::Listener(field);
    key.reload(Reload::NewConnections)
}

const fn security(
    name: &'static str,
    path: &'static str,
    kind: Kind,
    field: fn(&mut Security) -> Slot<'_>,
    doc: &'static str,
) -> Key {
    let mut key = Key::new(name, path, Scope::Security, kind, doc);
    key.field = Field::Security(field);
    key
}

const fn bridge(
    name: &'static str,
    path: &'static str,
    kind: Kind,
    field: fn(&mut Bridge) -> Slot<'_>,
    doc: &'static str,
) -> Key {
    let mut key = Key::new(name, path, Scope::Bridge, kind, doc);
    key.field = Field::Bridge(field);
    key.reload(Reload::Restart)
}

/// Numbers from `min` to `max`.
const fn from_to(min: u64, max: u64) -> Bounds {
    Bounds { min, max, none: None, unit: Unit::Count, lower_is: None }
}

/// Numbers from 0, which means no limit, as smaller ones do in `mosquitto.conf`.
const fn limit(max: u64) -> Bounds {
    Bounds { none: Some(0), lower_is: Some(0), ..from_to(0, max) }
}

impl Bounds {
    const fn none_at(mut self, none: u64) -> Self {
        self.none = Some(none);
        self
    }

    const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    const fn lower_is(mut self, number: u64) -> Self {
        self.lower_is = Some(number);
        self
    }
}

impl Unit {
    /// What it is called; empty for a count.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
        }
    }

    /// How many milliseconds one of it is, for a unit of time.
    pub(crate) const fn milliseconds(self) -> u64 {
        match self {
            Self::Seconds => 1000,
            Self::Minutes => 60_000,
            Self::Count | Self::Bytes | Self::Milliseconds => 1,
        }
    }
}

impl Reload {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::NewConnections => "new connections",
            Self::Restart => "restart",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_and_no_path_stands_twice() {
        let mut names = BTreeSet::new();
        let mut paths = BTreeSet::new();
        for key in keys() {
            for name in key.aliases.iter().chain([&key.name]).filter(|name| !name.is_empty()) {
                assert!(names.insert(*name), "{name}");
            }
            if !key.path.is_empty() {
                assert!(paths.insert(key.full_path()), "{}", key.full_path());
            }
        }
    }

    #[test]
    fn every_key_says_what_it_means() {
        for key in keys() {
            let called = format!("{}{}", key.name, key.path);
            assert!(key.doc.ends_with('.') && key.doc.len() > 15, "{called}: {}", key.doc);
            assert!(!key.path.is_empty() || !key.name.is_empty());
            let has_field = !matches!(key.field, Field::None);
            assert!(
                has_field || key.kind == Kind::Words,
                "{called} has neither a field nor rules of its own"
            );
        }
    }

    #[test]
    fn kinds_fit_the_fields() {
        for key in keys().filter(|key| !matches!(key.field, Field::None)) {
            key.of_defaults(Dialect::Native, |slot| {
                let fits = matches!(
                    (key.kind, &slot),
                    (Kind::Bool, Slot::Bool(_) | Slot::MaybeBool(_))
                        | (Kind::Number(_), Slot::Number(_))
                        | (Kind::Time(_), Slot::Time(_))
                        | (Kind::Text | Kind::Path | Kind::Secret, Slot::Text(_))
                        | (Kind::Choice, Slot::Choice(_))
                        | (Kind::List, Slot::List(_))
                ) || key.kind == Kind::Words;
                assert!(fits, "{}{}", key.name, key.path);
                Value::Unset
            });
        }
    }

    #[test]
    fn every_number_within_the_bounds_finds_room() {
        for key in keys() {
            let (Kind::Number(bounds) | Kind::Time(bounds)) = key.kind else { continue };
            let per_unit = if matches!(key.kind, Kind::Time(_)) { bounds.unit.milliseconds() } else { 1 };
            for number in [bounds.min, bounds.max] {
                let set = |slot: Slot<'_>| match slot.set(Value::Number(number.saturating_mul(per_unit))) {
                    Ok(()) => Vec::new(),
                    Err(_) => vec!["no room"],
                };
                assert_eq!(
                    key.of_defaults(Dialect::Native, set),
                    [""; 0],
                    "{}{} {number}",
                    key.name,
                    key.path
                );
            }
            let set_none = |slot: Slot<'_>| {
                if slot.set(Value::Unset).is_ok() { Vec::new() } else { vec!["no room for none"] }
            };
            if bounds.none.is_some() {
                assert!(key.of_defaults(Dialect::Native, set_none).is_empty(), "{}{}", key.name, key.path);
            }
        }
    }

    #[test]
    fn defaults_lie_within_their_bounds() {
        for key in keys() {
            for dialect in [Dialect::Native, Dialect::Mosquitto, Dialect::Mosquitto1] {
                let (Kind::Number(bounds), Value::Number(number)) = (key.kind, key.default(dialect)) else {
                    continue;
                };
                assert!((bounds.min..=bounds.max).contains(&number), "{}{}", key.name, key.path);
            }
        }
    }
}

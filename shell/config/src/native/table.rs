//! The entries of a TOML table, each looked up in the table of keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, entries, value};
use crate::config::{Bridge, Config, Listener};
use crate::key::{Key, Scope, keys};
use crate::nearest::nearest;
use crate::report::{Report, Severity, is_enough};
use crate::slot::Slot;

/// What the entries of a table are about.
pub(super) enum Target<'a> {
    Config(&'a mut Config),
    Listener(&'a mut Listener),
    Bridge(&'a mut Bridge),
}

impl Target<'_> {
    /// The key with this path.
    fn find(&self, path: &str) -> Option<&'static Key> {
        let in_security = path.strip_prefix("security.");
        // Few keys end so, and only of those is the whole path made.
        let may_be = |key: &&Key| !key.path.is_empty() && (key.path == path || in_security == Some(key.path));
        keys().filter(may_be).find(|key| self.path_of(key).is_some_and(|it| it == path))
    }

    /// The path of a key in such a table, if it may stand there. Security settings stand in a table of their own,
    /// for the node and for each listener.
    fn path_of(&self, key: &Key) -> Option<String> {
        let own = match self {
            Self::Config(_) => Scope::Global,
            Self::Listener(_) => Scope::Listener,
            Self::Bridge(_) => Scope::Bridge,
        };
        match key.scope {
            _ if key.path.is_empty() => None,
            scope if scope == own => Some(key.path.to_owned()),
            Scope::Security if !matches!(self, Self::Bridge(_)) => Some(format!("security.{}", key.path)),
            _ => None,
        }
    }

    fn slot(&mut self, key: &Key) -> Option<Slot<'_>> {
        match (self, key.scope) {
            (Self::Config(config), Scope::Security) => key.of_security(&mut config.security),
            (Self::Config(config), _) => key.global(config),
            (Self::Listener(listener), Scope::Security) => key.of_security(&mut listener.security),
            (Self::Listener(listener), _) => key.of_listener(listener),
            (Self::Bridge(bridge), _) => key.of_bridge(bridge),
        }
    }

    /// Entries that are read by themselves.
    fn is_apart(&self, path: &str) -> bool {
        match self {
            Self::Config(_) => ["listener", "bridge", "security.plugin"].contains(&path),
            Self::Listener(_) => path == "security.plugin",
            Self::Bridge(_) => ["name", "addresses", "topic"].contains(&path),
        }
    }
}

impl Reader<'_> {
    /// Reads a table below `prefix` of what stands at `place`, such as `tls` of `listener[0]`.
    pub(super) fn read_table(
        &mut self,
        table: &DeTable<'_>,
        prefix: &str,
        place: &str,
        target: &mut Target<'_>,
    ) {
        for (name, span, value) in entries(table) {
            let path = join(prefix, name);
            if target.is_apart(&path) {
                continue;
            }
            if let Some(key) = target.find(&path) {
                self.read_entry(key, &span, value, &join(place, &path), target);
                continue;
            }
            let below = format!("{path}.");
            let is_table = keys().filter_map(|key| target.path_of(key)).any(|it| it.starts_with(&below));
            match value.get_ref() {
                DeValue::Table(inner) if is_table => self.read_table(inner, &path, place, target),
                _ if is_table => self.wrong_type(value.span(), name, &format!("a table: [{path}]")),
                _ => self.unknown(name, span, prefix, target),
            }
        }
    }

    fn read_entry(
        &mut self,
        key: &'static Key,
        span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
        path: &str,
        target: &mut Target<'_>,
    ) {
        let slot = target.slot(key).expect("a key with a path has a field in its scope");
        match value::read(key, value.get_ref(), slot) {
            Ok(()) => self.note(path.to_owned(), span),
            Err(wrong) => {
                let report = Report::new(Severity::Error, self.source, value.span(), wrong.title);
                self.report(report.because(wrong.why).fix(wrong.fix));
            }
        }
    }

    /// An entry that means nothing here, and what was probably meant.
    fn unknown(&mut self, name: &str, span: Range<usize>, prefix: &str, target: &Target<'_>) {
        // Looking for what was meant takes time.
        if is_enough(&self.reports) {
            return;
        }
        let here = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        let paths: Vec<_> = keys().filter_map(|key| target.path_of(key)).collect();
        let siblings = paths.iter().filter_map(|path| path.strip_prefix(&here)).map(first_part);
        let siblings: Vec<_> = siblings.chain(["listener", "bridge"]).collect();
        let near = nearest(name, siblings.iter().copied()).map(|it| format!("did you mean {it}?"));
        let mosquitto = Key::named(name).filter(|key| !key.path.is_empty());
        let elsewhere = keys().find(|key| !key.path.is_empty() && key.path.rsplit('.').next() == Some(name));
        let place = |key: &Key| format!("here it is called {}", written(&key.full_path()));
        let fix = mosquitto.map(place).or(near).or_else(|| elsewhere.map(place));
        let fix = fix.unwrap_or_else(|| "take it out; `martlet config keys` lists all keys".to_owned());
        self.report_unknown(name, span, fix);
    }

    /// The same among a few names.
    pub(super) fn unknown_of(&mut self, name: &str, span: Range<usize>, known: &[&str]) {
        let fix = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.report_unknown(name, span, fix);
    }

    fn report_unknown(&mut self, name: &str, span: Range<usize>, fix: String) {
        let shown: String = name.chars().take(40).collect();
        let report = Report::new(Severity::Error, self.source, span, format!("{shown:?} is no key"));
        self.report(report.because("nothing has this name here").fix(fix));
    }
}

fn join(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

fn first_part(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// A path as it is written: the key, and the table it stands in.
fn written(path: &str) -> String {
    match path.rsplit_once('.') {
        None => path.to_owned(),
        Some((table, key)) if table == "listener" || table == "bridge" => format!("{key}, in [[{table}]]"),
        Some((table, key)) => format!("{key}, in [{table}]"),
    }
}

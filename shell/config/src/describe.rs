//! Keys in words, for help and documentation.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::config::Dialect;
use crate::key::{Key, Kind, Scope, Status, keys};
use crate::native::toml_of;
use crate::origin::Origins;
use crate::report::{Report, Severity};
use crate::slot::Value;

impl Key {
    /// What it takes, in words.
    pub fn takes(&self) -> String {
        let choices = self.choices();
        match self.kind {
            Kind::Bool => "true or false".to_owned(),
            Kind::Number(bounds) | Kind::Time(bounds) => {
                let unit = bounds.unit.name();
                let what = if unit.is_empty() { "a number" } else { unit };
                let none = bounds.none.filter(|none| *none < bounds.min);
                let none = none.map(|none| format!(", or {none}")).unwrap_or_default();
                if bounds.max == u64::MAX {
                    format!("{what}, {} or more{none}", bounds.min)
                } else {
                    format!("{what}, {} to {}{none}", bounds.min, bounds.max)
                }
            }
            Kind::Text => "text".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Secret => "text that is never shown".to_owned(),
            Kind::Choice => format!("one of {}", choices.join(", ")),
            Kind::List | Kind::Words if !choices.is_empty() => format!("of {}", choices.join(", ")),
            Kind::List => "a list".to_owned(),
            Kind::Words => String::new(),
        }
    }

    /// What counts when nothing is written, as TOML writes it; empty: nothing.
    pub fn default_text(&self, dialect: Dialect) -> String {
        match self.default(dialect) {
            Value::Unset => String::new(),
            value => toml_of(self, &value),
        }
    }
}

impl Report {
    /// A file that a key names and nobody can read.
    pub fn of_missing_file(origins: &Origins, path: &str, file: &Path, error: &io::Error) -> Self {
        let origin = origins.of(path).map(ToString::to_string).unwrap_or_default();
        let key = path.rsplit('.').next().unwrap_or(path);
        let title = format!("{key} names {}, which cannot be read", file.display());
        Self::about_file(Severity::Error, origin, title)
            .because(error.to_string())
            .fix("look whether it is there, and whether the user of the broker may read it")
    }
}

/// The page about all keys, in Markdown: `docs/configuration.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for (title, begins, scope) in [
        ("The node", "", Scope::Global),
        ("Security", "[security], and [listener.security] with security.per_listener", Scope::Security),
        ("Listeners", "[[listener]]", Scope::Listener),
        ("Bridges", "[[bridge]]", Scope::Bridge),
        ("Plug-ins", "[[security.plugin]]: path, options, deny_special_chars", Scope::Plugin),
    ] {
        let _ = write!(page, "\n## {title}\n\n");
        if !begins.is_empty() {
            let _ = write!(page, "In `martlet.toml` below `{begins}`.\n\n");
        }
        page.push_str("| `martlet.toml` | `mosquitto.conf` | default (mosquitto) | takes | counts | |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        for key in keys().filter(|key| key.scope == scope) {
            page.push_str(&row(key));
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration: every key

<!-- Written by `UPDATE_DOCS=1 cargo test -p martlet-config --test documentation`: change the table of keys instead. -->

A node reads one file: `martlet.toml`, or a `mosquitto.conf` as it is. Both mean the same; `martlet config convert`
writes the one from the other, `martlet config check` says what is wrong with either, and `martlet config show` what is
in force and which line says so.

A default in brackets is that of the dialect `mosquitto` where it differs. *Counts* says when a change counts after a
reload: *live* for everybody, *new connections* for whoever connects afterwards, or *restart*. Times are numbers in the
unit named, or text such as `\"90s\"`, `\"2h\"`; bytes are numbers, or text such as `\"16 MiB\"`.
";

fn row(key: &Key) -> String {
    let (native, mosquitto) = (key.default_text(Dialect::Native), key.default_text(Dialect::Mosquitto));
    let default = match (native.is_empty(), native == mosquitto) {
        (true, true) => String::new(),
        (false, true) => code(&native),
        (true, false) => format!("({})", code(&mosquitto)),
        (false, false) if mosquitto.is_empty() => format!("{} (none)", code(&native)),
        (false, false) => format!("{} ({})", code(&native), code(&mosquitto)),
    };
    let names: Vec<_> =
        [key.name].iter().chain(key.aliases).filter(|it| !it.is_empty()).map(|it| code(it)).collect();
    let mut doc = key.doc.to_owned();
    if let Some(version) = key.since {
        let _ = write!(doc, " Since Mosquitto {version}.");
    }
    let remark = match key.status {
        Status::Current => None,
        Status::Deprecated(instead) => Some(format!(" Deprecated: {instead}.")),
        Status::Obsolete(why) => Some(format!(" Does nothing: {why}.")),
        Status::Refused(substitute) => Some(format!(" Not supported: {substitute}.")),
    };
    doc.push_str(&remark.unwrap_or_default());
    let path = if key.path.is_empty() { String::new() } else { code(key.path) };
    let cells = [path, names.join(", "), default, key.takes(), key.reload.name().to_owned(), doc];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

//! The list of statements, `docs/spec/statements.toml`. The rule kept here: the list is refused
//! when it contradicts itself, so the rest of the tool can trust it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

const LIST: &str = "docs/spec/statements.toml";

/// A statement's name, as a comment cites it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    /// `5.0` or `3.1.1`.
    pub(super) version: String,
    /// `MQTT-3.3.1-5`
    pub(super) name: String,
}

/// One line of the list.
#[derive(Debug)]
pub(super) struct Statement {
    /// The statement in our own words.
    pub(super) says: String,
    pub(super) standing: Standing,
}

/// What the list asks for a statement.
#[derive(Debug)]
pub(super) enum Standing {
    /// A test.
    Wanted,
    /// Nothing, for this reason.
    Reasoned(String),
    /// Nothing: it binds the Client alone.
    Client,
    /// A test of its own or of the same statement in 5.0.
    SameAs(Id),
}

/// All statements, in the order of the list.
#[derive(Debug)]
pub(super) struct Statements {
    order: Vec<Id>,
    by_id: BTreeMap<Id, Statement>,
}

impl Statements {
    /// Reads the list below `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
        Self::parse(&text).with_context(|| format!("{LIST} is wrong"))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let tables: BTreeMap<String, BTreeMap<String, Line>> = toml::from_str(text)?;
        let mut statements = Self { order: Vec::new(), by_id: BTreeMap::new() };
        for (version, lines) in tables {
            for (name, line) in lines {
                let id = Id::new(&version, &name)
                    .with_context(|| format!("{version} {name} is no statement's name"))?;
                let statement = line.check().with_context(|| id.to_string())?;
                statements.order.push(id.clone());
                statements.by_id.insert(id, statement);
            }
        }
        statements.order.sort_by_key(Id::place_in_the_standard);
        statements.check_equivalents()?;
        Ok(statements)
    }

    /// Every statement, 5.0 first, in the order of the standard.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Id> {
        self.order.iter()
    }

    /// The versions, newest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = &str> {
        ["5.0", "3.1.1"].into_iter()
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.by_id.contains_key(id)
    }

    /// The statement of an id that stands in the list.
    pub(super) fn get(&self, id: &Id) -> &Statement {
        &self.by_id[id]
    }

    fn check_equivalents(&self) -> Result<()> {
        for (id, statement) in &self.by_id {
            let Standing::SameAs(other) = &statement.standing else {
                continue;
            };
            match self.by_id.get(other).map(|other| &other.standing) {
                None => bail!("{id} is the same as {other}, which is not in the list"),
                Some(Standing::SameAs(_)) => {
                    bail!("{id} is the same as {other}, which is the same as another")
                }
                Some(_) if id.version == other.version => {
                    bail!("{id} is the same as {other} of its own version")
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl Id {
    /// The id of a version and `MQTT-x.y.z-n`, if it is one.
    pub(super) fn new(version: &str, name: &str) -> Option<Self> {
        let known = matches!(version, "5.0" | "3.1.1");
        let (section, number) = name.strip_prefix("MQTT-")?.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = section.split('.').collect();
        let well_formed = parts.len() == 3 && parts.iter().all(|part| digits(part)) && digits(number);
        (known && well_formed).then(|| Self { version: version.to_owned(), name: name.to_owned() })
    }

    /// 5.0 before 3.1.1, then by numbers: 3.2 comes before 3.10.
    fn place_in_the_standard(&self) -> (bool, Vec<u32>) {
        let numbers = self.name.split(['-', '.']).filter_map(|part| part.parse().ok()).collect();
        (self.version != "5.0", numbers)
    }
}

impl fmt::Display for Id {
    /// As a comment cites it: the version stands there only when it is not 5.0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version.as_str() {
            "5.0" => write!(f, "[{}]", self.name),
            version => write!(f, "[{version} {}]", self.name),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    says: String,
    role: Option<Role>,
    reason: Option<String>,
    same_as: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Client,
}

impl Line {
    fn check(self) -> Result<Statement> {
        let standing = match (self.role, self.reason, self.same_as) {
            (None, None, None) => Standing::Wanted,
            (Some(Role::Client), None, None) => Standing::Client,
            (None, Some(reason), None) if !reason.trim().is_empty() => Standing::Reasoned(reason),
            (None, None, Some(name)) => Standing::SameAs(
                Id::new("5.0", &name).with_context(|| format!("{name} is no statement's name"))?,
            ),
            _ => bail!("at most one of role, reason (not empty) and same_as"),
        };
        Ok(Statement { says: self.says, standing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_project_is_complete() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let statements = Statements::read(&root).unwrap();
        let count = |version: &str, chapter: &str| {
            statements.ids().filter(|id| id.version == version && id.name.starts_with(chapter)).count()
        };
        let of_5_0 = ["MQTT-1", "MQTT-2", "MQTT-3", "MQTT-4", "MQTT-6"].map(|c| count("5.0", c));
        assert_eq!(of_5_0, [5, 7, 175, 60, 4]);
        assert_eq!(count("3.1.1", "MQTT-"), 141);
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        for wrong in [
            r#"["5.0"]
               "MQTT-1.0.0-1" = { says = "a", role = "client", reason = "b" }"#,
            r#"["3.1.1"]
               "MQTT-1.0.0-1" = { says = "a", same_as = "MQTT-1.0.0-9" }"#,
            r#"["5.0"]
               "MQTT-1.0.0-1" = { says = "a", same_as = "MQTT-1.0.0-2" }
               "MQTT-1.0.0-2" = { says = "b" }"#,
            r#"["5.0"]
               "MQTT-1.0-1" = { says = "a" }"#,
            r#"["4.0"]
               "MQTT-1.0.0-1" = { says = "a" }"#,
        ] {
            assert!(Statements::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn statements_stand_in_the_order_of_the_standard() {
        let list = r#"
            ["3.1.1"]
            "MQTT-1.0.0-1" = { says = "last" }
            ["5.0"]
            "MQTT-3.10.0-1" = { says = "third" }
            "MQTT-3.2.0-10" = { says = "second" }
            "MQTT-3.2.0-9" = { says = "first" }"#;
        let statements = Statements::parse(list).unwrap();
        let order: Vec<String> = statements.ids().map(Id::to_string).collect();
        assert_eq!(order, ["[MQTT-3.2.0-9]", "[MQTT-3.2.0-10]", "[MQTT-3.10.0-1]", "[3.1.1 MQTT-1.0.0-1]"]);
    }
}

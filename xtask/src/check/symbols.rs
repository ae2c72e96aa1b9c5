//! What the code defines: types, functions, variants, fields, by owner. Good enough to tell a
//! name that exists from one that was renamed away.
//!
//! The rule kept here: it leans on rustfmt (the `format` step comes first). An item opens at some
//! indentation and its `}` closes it at the same one, so no parser is needed.

use std::collections::BTreeSet;

use crate::tree::File;

/// Every name the Rust files of the project define.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Types, traits, functions, constants, variants, fields, modules, whatever their owner.
    names: BTreeSet<String>,
    /// `Session` and `receive_publish`; for items of a module, its name and the item.
    members: BTreeSet<(String, String)>,
}

impl Symbols {
    /// Reads all Rust files.
    pub(super) fn of(files: &[File]) -> Self {
        let mut symbols = Self::default();
        for file in files.iter().filter(|file| file.is_rust()) {
            symbols.read(file);
        }
        symbols
    }

    /// Whether a name as it stands in a document, `Session::send_publish` or `Outbox`, is defined.
    pub(super) fn defines(&self, name: &str) -> bool {
        let path = name.trim_end_matches("()");
        match path.rsplit_once("::") {
            None => self.names.contains(path),
            Some((owner, member)) => {
                let owner = owner.rsplit("::").next().unwrap_or(owner);
                self.members.contains(&(owner.to_owned(), member.to_owned()))
            }
        }
    }

    fn read(&mut self, file: &File) {
        let modules = modules_of(&file.path);
        let mut open: Vec<(usize, Item)> = Vec::new();
        for line in file.text.lines() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim();
            if code.starts_with('}') {
                open.retain(|(opened, _)| *opened < indent);
                continue;
            }
            let inside = open.last().filter(|(opened, _)| indent == opened + 4);
            if let Some(item) = Item::opened_by(code) {
                self.define(&item, inside.map(|(_, owner)| owner), &modules);
                if code.ends_with('{') || !code.ends_with([';', '}', ',']) {
                    open.push((indent, item));
                }
            } else if let Some((_, owner)) = inside
                && let Some(part) = part_of(owner, code)
            {
                self.names.insert(part.to_owned());
                self.members.insert((owner.name.clone(), part.to_owned()));
            }
        }
    }

    fn define(&mut self, item: &Item, inside: Option<&Item>, modules: &[String]) {
        if item.kind == Kind::Impl {
            return;
        }
        self.names.insert(item.name.clone());
        match inside {
            Some(owner) => {
                self.members.insert((owner.name.clone(), item.name.clone()));
            }
            None => {
                for module in modules {
                    self.members.insert((module.clone(), item.name.clone()));
                }
            }
        }
    }
}

#[derive(Debug)]
struct Item {
    kind: Kind,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Struct,
    Enum,
    Impl,
    Other,
}

impl Item {
    /// The item that a line of code opens, if it opens one.
    fn opened_by(code: &str) -> Option<Self> {
        let code = without_qualifiers(code);
        if let Some(rest) = code.strip_prefix("impl")
            && rest.starts_with([' ', '<'])
        {
            return Some(Self { kind: Kind::Impl, name: implementor(rest)? });
        }
        let (keyword, rest) = code.split_once(' ')?;
        let kind = match keyword {
            "fn" => Kind::Function,
            "struct" | "union" => Kind::Struct,
            "enum" => Kind::Enum,
            "trait" | "type" | "mod" | "const" | "static" | "macro_rules!" => Kind::Other,
            _ => return None,
        };
        let name = leading_identifier(rest);
        (!name.is_empty()).then(|| Self { kind, name: name.to_owned() })
    }
}

/// A variant of an enum or a field of a struct.
fn part_of<'code>(owner: &Item, code: &'code str) -> Option<&'code str> {
    let code = without_qualifiers(code);
    let name = leading_identifier(code);
    let after = &code[name.len()..];
    let is_part = match owner.kind {
        Kind::Enum => name.starts_with(char::is_uppercase),
        Kind::Struct => after.starts_with(':'),
        Kind::Function | Kind::Impl | Kind::Other => false,
    };
    (is_part && !name.is_empty()).then_some(name)
}

fn without_qualifiers(mut code: &str) -> &str {
    loop {
        let before = code;
        if let Some(rest) = code.strip_prefix("pub(") {
            code = rest.split_once(") ").map_or(code, |(_, rest)| rest);
        }
        for word in ["pub ", "async ", "unsafe ", "default ", "extern \"C\" "] {
            code = code.strip_prefix(word).unwrap_or(code);
        }
        if code.starts_with("const fn") || code.starts_with("const unsafe fn") {
            code = &code["const ".len()..];
        }
        if code == before {
            return code;
        }
    }
}

/// The type in `<T> Trait for Type<T> {` and in ` Type {`.
fn implementor(rest: &str) -> Option<String> {
    let rest = skip_generics(rest).trim_start();
    let subject = rest.split_once(" for ").map_or(rest, |(_, after)| after);
    let subject = subject.trim_start_matches(['&', '(']);
    let path: &str = subject.split(['<', ' ', '{']).next()?;
    let name = path.rsplit("::").next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn skip_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            // `->` inside a bound closes nothing.
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    text
}

fn leading_identifier(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// The names under which an item of this file may be told: its folders and its own stem.
fn modules_of(path: &str) -> Vec<String> {
    path.trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "src" | "lib" | "main" | "mod"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(path: &str, text: &str) -> Symbols {
        Symbols::of(&[File { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn finds_members_by_their_owner() {
        let symbols = symbols(
            "core/session/src/session.rs",
            "
pub struct Session<J: Journal> {
    pub(crate) in_flight: InFlight,
}

impl<J: Fn() -> Time> Session<J> {
    pub fn receive_publish(&mut self, publish: Publish) -> Option<Message> {
        let queued = 1;
    }

    pub const fn id(&self) -> u64 {
        self.id
    }
}

impl fmt::Display for Session<()> {
    fn fmt(&self) {}
}

pub enum Phase {
    AwaitingConnect(Deadline),
    Open {
        session: u64,
    },
}
",
        );
        for name in [
            "Session",
            "Session::receive_publish",
            "Session::receive_publish()",
            "session::Session",
            "martlet::session::Session::id",
            "Session::in_flight",
            "Session::fmt",
            "Phase::AwaitingConnect",
            "Phase::Open",
        ] {
            assert!(symbols.defines(name), "{name} is defined");
        }
        for name in [
            "Sessions",
            "Session::send_publish",
            "Phase::receive_publish",
            "Phase::Closed",
            "Session::queued",
            "packet::Session",
        ] {
            assert!(!symbols.defines(name), "{name} is not defined");
        }
    }

    #[test]
    fn what_follows_an_impl_has_no_owner() {
        let symbols = symbols(
            "core/topic/src/lib.rs",
            "impl Level {\n    fn a() {\n    }\n}\n\npub fn valid(text: &str) -> bool {\n    true\n}\n",
        );
        assert!(symbols.defines("topic::valid"));
        assert!(!symbols.defines("Level::valid"));
    }
}

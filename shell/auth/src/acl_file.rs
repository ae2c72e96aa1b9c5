//! Access control files, by the rules of Mosquitto 2.0.
//!
//! `user NAME` says whom the `topic` lines below it are about; those above the first are about Clients without a
//! username. `pattern` lines are about everybody. A file counts as a whole: one line that is malformed and none of it is
//! taken.

use std::fs;
use std::path::Path;

use martlet_access::{Acl, Entry, Grant, Who};
use martlet_topic::{Limits, TopicFilter};

use crate::password_file::trim;
use crate::problem::lines;
use crate::{Error, Problem, acl_lint};

/// What Mosquitto takes for a topic, here and everywhere.
const LIMITS: Limits = Limits { bytes: 65_535, levels: 201 };

/// What an access control file says.
#[derive(Debug, Clone, Default)]
pub struct AclFile {
    /// Its lines.
    pub entries: Vec<Entry>,
    /// What may not do what was meant.
    pub warnings: Vec<Problem>,
}

impl AclFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| Error::read(path, source))?;
        Self::parse(&bytes).map_err(|problems| Error::content(path, problems))
    }

    /// What a file says, or everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut who = Who::Anonymous;
        for (number, line) in lines(bytes) {
            if line.starts_with(b"#") {
                continue;
            }
            match parse_line(line, &who) {
                Ok(Line::Blank) => {}
                Ok(Line::User(name)) => who = Who::User(name.into()),
                Ok(Line::Entry(who, grant, filter)) => {
                    entries.push(Entry { line: number, who, grant, filter });
                }
                Err(text) => problems.push(Problem::error(number, text)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let warnings = acl_lint::warnings(&entries);
        Ok(Self { entries, warnings })
    }

    /// The rules, to make permits of.
    pub fn rules(&self) -> Acl {
        Acl::new(self.entries.iter().cloned())
    }
}

enum Line<'a> {
    Blank,
    User(&'a str),
    Entry(Who, Grant, TopicFilter),
}

fn parse_line<'a>(line: &'a [u8], user: &Who) -> Result<Line<'a>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8, as all topics and usernames are")?;
    let (word, rest) = first_word(text.trim_end_matches(is_blank));
    match word {
        "" => Ok(Line::Blank),
        "user" if rest.is_empty() => Err("the username is missing: it must read `user NAME`".to_owned()),
        "user" => Ok(Line::User(rest)),
        "topic" => entry(user.clone(), word, rest),
        "pattern" => entry(Who::Pattern, word, rest),
        _ if text.contains('\t') => Err(format!(
            "`{word}` is not known: a line starts with `user`, `topic` or `pattern`, and blanks, not tabs, follow"
        )),
        _ => Err(format!("`{word}` is not known: a line starts with `user`, `topic`, `pattern` or `#`")),
    }
}

fn entry<'a>(who: Who, keyword: &str, rest: &str) -> Result<Line<'a>, String> {
    let (word, topic) = first_word(rest);
    // With one word after it, that is the topic, whatever it says.
    let (grant, topic) = match word {
        "" => {
            return Err(format!(
                "the topic is missing: it must read `{keyword} [read|write|readwrite|deny] TOPIC`"
            ));
        }
        _ if topic.is_empty() => (Grant::ReadWrite, word),
        "read" => (Grant::Read, topic),
        "write" => (Grant::Write, topic),
        "readwrite" => (Grant::ReadWrite, topic),
        "deny" => (Grant::Deny, topic),
        _ => return Err(format!("`{word}` is no kind of access: it must be read, write, readwrite or deny")),
    };
    let filter =
        TopicFilter::parse(topic, &LIMITS).map_err(|why| format!("`{topic}` is no topic filter: {why}"))?;
    Ok(Line::Entry(who, grant, filter))
}

/// The first word, and what follows it without the blanks around it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, trim(rest))
}

/// What C takes for a blank.
fn is_blank(character: char) -> bool {
    trim(character.encode_utf8(&mut [0; 4])).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(u32, Who, Grant, String)> {
        let file = AclFile::parse(text.as_bytes()).expect("a legal file");
        file.entries
            .into_iter()
            .map(|entry| (entry.line, entry.who, entry.grant, entry.filter.to_string()))
            .collect()
    }

    fn problems(text: &str) -> Vec<String> {
        let problems = AclFile::parse(text.as_bytes()).expect_err(text);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn users_topics_and_patterns() {
        let text = "# ours\ntopic read lobby\n\nuser ada lovelace \r\ntopic  write  a b \npattern deny %c/#\ntopic x\n user bob\ntopic deny y";
        let ada = || Who::User("ada lovelace".into());
        assert_eq!(
            entries(text),
            [
                (2, Who::Anonymous, Grant::Read, "lobby".to_owned()),
                (5, ada(), Grant::Write, "a b".to_owned()),
                (6, Who::Pattern, Grant::Deny, "%c/#".to_owned()),
                (7, ada(), Grant::ReadWrite, "x".to_owned()),
                (9, Who::User("bob".into()), Grant::Deny, "y".to_owned()),
            ]
        );
    }

    #[test]
    fn one_word_is_the_topic_whatever_it_says() {
        assert_eq!(entries("topic deny"), [(1, Who::Anonymous, Grant::ReadWrite, "deny".to_owned())]);
    }

    #[test]
    fn a_comment_may_be_in_any_encoding() {
        assert!(AclFile::parse(b"# caf\xe9\ntopic a").is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_its_line() {
        let found =
            problems("topic\nuser\n\nuse ada\ntopic reed a/b\ntopic a/#/b\ntopic\tread a\n # comment");
        let expected = [
            "line 1: the topic is missing: it must read `topic [read|write|readwrite|deny] TOPIC`",
            "line 2: the username is missing: it must read `user NAME`",
            "line 4: `use` is not known: a line starts with `user`, `topic`, `pattern` or `#`",
            "line 5: `reed` is no kind of access: it must be read, write, readwrite or deny",
            "line 6: `a/#/b` is no topic filter",
            "line 7: `topic\tread` is not known: a line starts with `user`, `topic` or `pattern`, and blanks, not tabs",
            "line 8: `#` is not known",
        ];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(AclFile::parse(b"topic \xff").expect_err("no UTF-8").len(), 1);
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("acl");
        fs::write(&path, "use ada\nuse bob").expect("written");
        let text = AclFile::read(&path).expect_err("two errors").to_string();
        let path = path.display();
        assert!(text.starts_with(&format!("{path}, line 1: `use`")), "{text}");
        assert!(text.contains(&format!("\n{path}, line 2: `use`")), "{text}");
    }
}

//! Password files: a line `username:hash` for each user.
//!
//! A line that is malformed keeps its user out, and nobody else.

use std::collections::BTreeMap;
use std::path::Path;

use crate::problem::lines;
use crate::{Error, PasswordHash, Problem, secret_file};

/// Who has which password.
#[derive(Debug, Clone, Default)]
pub struct PasswordFile {
    users: BTreeMap<Box<str>, PasswordHash>,
}

impl PasswordFile {
    /// Reads a file, and says what is wrong with its lines.
    pub fn read(path: &Path) -> Result<(Self, Vec<Problem>), Error> {
        let (bytes, exposed) = secret_file::read(path)?;
        let (file, mut problems) = Self::parse(&bytes);
        problems.extend(exposed);
        Ok((file, problems))
    }

    /// What a file says, and what is wrong with its lines. Of two lines for one user the later counts.
    pub fn parse(bytes: &[u8]) -> (Self, Vec<Problem>) {
        let (mut users, mut problems) = (BTreeMap::new(), Vec::new());
        for (number, line) in lines(bytes) {
            let (user, value) = match split(line) {
                Line::Nothing => continue,
                Line::Odd(text) => {
                    problems.push(Problem::warning(number, text));
                    continue;
                }
                Line::User(user, value) => (user, value),
            };
            match PasswordHash::parse(value) {
                Ok(hash) => {
                    if users.insert(user.into(), hash).is_some() {
                        let text = format!("user {user} was there before: this line counts");
                        problems.push(Problem::warning(number, text));
                    }
                }
                Err(why) => {
                    let text = format!("user {user} cannot log in, for {why}");
                    problems.push(Problem::error(number, text));
                }
            }
        }
        (Self { users }, problems)
    }

    /// What is kept of this user's password.
    pub fn hash_of(&self, username: &str) -> Option<&PasswordHash> {
        self.users.get(username)
    }

    /// The hashes of all users.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = &PasswordHash> {
        self.users.values()
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// What stands in a line of a password file or a PSK file.
pub(crate) enum Line<'a> {
    Nothing,
    Odd(&'static str),
    User(&'a str, &'a str),
}

/// A line by the rules of Mosquitto: what starts with `#` is a comment, colons at the start are skipped, and what
/// follows a second colon is not looked at.
pub(crate) fn split(line: &[u8]) -> Line<'_> {
    if line.starts_with(b"#") || line.trim_ascii().is_empty() {
        return Line::Nothing;
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Line::Odd("it is not UTF-8, so it does not count");
    };
    let mut parts = text.split(':').filter(|part| !part.is_empty()).map(trim);
    match (parts.next(), parts.next()) {
        (Some(user), Some(value)) if !user.is_empty() => Line::User(user, value),
        (Some(user), None) if !user.is_empty() && text.contains(':') && !text.starts_with(':') => {
            Line::User(user, "")
        }
        _ => Line::Odd("it is not of the form username:hash, so it does not count"),
    }
}

/// Without the blanks C knows at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r'])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::Severity;

    fn hash() -> String {
        PasswordHash::new(&"secret".into(), crate::Scheme::Sha512).expect("random numbers").to_string()
    }

    fn parse(text: &str) -> (PasswordFile, Vec<Problem>) {
        PasswordFile::parse(text.as_bytes())
    }

    #[test]
    fn whoever_else_may_read_it_is_a_problem() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passwd");
        crate::passwd::create(&path, "ada", &"pw".into(), crate::Scheme::Sha512).expect("made");
        let problems = || PasswordFile::read(&path).expect("read").1;
        assert_eq!(problems(), []);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).expect("set");
        let [problem] = &problems()[..] else { panic!("{:?}", problems()) };
        assert!(problem.to_string().starts_with("every user of this machine"), "{problem}");
    }

    #[test]
    fn users_comments_and_blanks() {
        let text = format!("# comment\n\n ada : {} \r\nbob:{}:rest\n", hash(), hash());
        let (file, problems) = parse(&text);
        assert_eq!((file.len(), problems.len()), (2, 0));
        for user in ["ada", "bob"] {
            assert!(file.hash_of(user).expect(user).is_of(&"secret".into()));
        }
    }

    #[test]
    fn a_malformed_line_keeps_its_user_out_and_nobody_else() {
        for bad in ["bad:", "bad:bad", "bad:$", "bad:$6", "bad:$6$", "bad:$6$AAECAwQFBgcICQoL$", "bad: "] {
            let (file, problems) = parse(&format!("{bad}\nada:{}\n", hash()));
            assert!(file.hash_of("ada").is_some() && file.hash_of("bad").is_none(), "{bad}");
            let [problem] = &problems[..] else { panic!("{bad}: {problems:?}") };
            assert_eq!((problem.line, problem.severity), (1, Severity::Error));
            assert!(problem.text.contains("user bad cannot log in"), "{problem}");
        }
    }

    #[test]
    fn lines_without_a_user_are_named_and_do_not_count() {
        for bad in ["nothing".to_owned(), format!(":{}", hash()), " :x".to_owned(), ":".to_owned()] {
            let (file, problems) = parse(&bad);
            assert!(file.is_empty());
            assert_eq!(problems.len(), 1, "{bad}");
        }
        assert_eq!(PasswordFile::parse(b"a\xff:b").1.len(), 1);
    }

    #[test]
    fn of_two_lines_the_later_counts() {
        let other = PasswordHash::new(&"other".into(), crate::Scheme::Sha512).expect("random numbers");
        let (file, problems) = parse(&format!("ada:{}\nada:{other}", hash()));
        assert!(file.hash_of("ada").expect("ada").is_of(&"other".into()));
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn no_problem_tells_a_secret() {
        let (_, problems) = parse("ada:hunter2\nhunter3\n");
        assert!(problems.iter().all(|problem| !problem.to_string().contains("hunter")), "{problems:?}");
    }
}

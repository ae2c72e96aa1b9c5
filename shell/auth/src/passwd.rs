//! Changing password files, for `martlet passwd`.
//!
//! A file is replaced as a whole or not at all. Comments, blank lines and the lines of others stay as they are.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::password_file::{Line, split, trim};
use crate::{Error, PasswordHash, Scheme, Secret, atomic_file};

/// As MQTT has it.
const BYTES_MAX: usize = 65_535;

/// Makes a file with this one user in it, in place of what was there.
pub fn create(path: &Path, username: &str, password: &Secret, scheme: Scheme) -> Result<(), Error> {
    check(username, password)?;
    write(path, &line_of(username, password, scheme)?)
}

/// Gives a user a password, and says whether there was such a user before.
pub fn set(path: &Path, username: &str, password: &Secret, scheme: Scheme) -> Result<bool, Error> {
    check(username, password)?;
    let old = read(path)?;
    let new = line_of(username, password, scheme)?;
    let mut is_known = false;
    let mut text = Zeroizing::new(String::with_capacity(old.len() + new.len() + 1));
    for line in old.split_inclusive('\n') {
        if user_of(line) != Some(username) {
            text.push_str(line);
        } else if !is_known {
            is_known = true;
            text.push_str(&new);
        }
    }
    if !is_known {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&new);
    }
    write(path, &text)?;
    Ok(is_known)
}

/// Removes a user, and says whether there was one. If not, the file stays untouched.
pub fn delete(path: &Path, username: &str) -> Result<bool, Error> {
    let old = read(path)?;
    let kept = || old.split_inclusive('\n').filter(|line| user_of(line) != Some(username));
    if kept().count() == old.split_inclusive('\n').count() {
        return Ok(false);
    }
    write(path, &Zeroizing::new(kept().collect::<String>()))?;
    Ok(true)
}

/// Hashes the passwords that stand in a file as they are, and returns how many there were. What is hashed already stays.
pub fn hash_all(path: &Path, scheme: Scheme) -> Result<usize, Error> {
    let old = read(path)?;
    let (mut text, mut hashed) = (Zeroizing::new(String::new()), 0);
    for line in old.split_inclusive('\n') {
        let plain = line.split_once(':').filter(|_| user_of(line).is_some());
        match plain.map(|(user, password)| (trim(user), trim(password))) {
            Some((user, password)) if PasswordHash::parse(password).is_err() => {
                text.push_str(&line_of(user, &password.into(), scheme)?);
                hashed += 1;
            }
            _ => text.push_str(line),
        }
    }
    write(path, &text)?;
    Ok(hashed)
}

/// Whether a username may stand in a password file; if not, why.
pub fn check_username(username: &str) -> Result<(), Error> {
    let refused = |why: &str| Err(Error::Refused(why.to_owned()));
    if username.is_empty() {
        refused("the username must not be empty")
    } else if username.len() > BYTES_MAX {
        refused("the username must be less than 65536 characters long")
    } else if username.contains(char::is_control) {
        refused("the username must not contain control characters")
    } else if username.contains(':') {
        refused("the username must not contain the ':' character")
    } else if username.starts_with('#') || username.trim() != username {
        refused(
            "the username must not start with '#', nor start or end with a blank: a line of it would not be read",
        )
    } else {
        Ok(())
    }
}

fn check(username: &str, password: &Secret) -> Result<(), Error> {
    check_username(username)?;
    if password.is_empty() {
        return Err(Error::Refused("the password must not be empty: nobody could log in with it".to_owned()));
    }
    if password.as_bytes().len() > BYTES_MAX {
        return Err(Error::Refused("the password must be less than 65536 characters long".to_owned()));
    }
    Ok(())
}

fn line_of(username: &str, password: &Secret, scheme: Scheme) -> Result<String, Error> {
    Ok(format!("{username}:{}\n", PasswordHash::new(password, scheme)?))
}

fn user_of(line: &str) -> Option<&str> {
    match split(line.as_bytes()) {
        Line::User(user, _) => Some(user),
        Line::Nothing | Line::Odd(_) => None,
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| Error::read(path, source))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    atomic_file::replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PasswordFile;

    const CHEAP: Scheme = Scheme::Sha512;

    struct Fixture {
        _folder: tempfile::TempDir,
        path: std::path::PathBuf,
    }

    fn file_of(text: &str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        atomic_file::replace(&path, text.as_bytes()).unwrap();
        Fixture { _folder: folder, path }
    }

    impl Fixture {
        fn text(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }

        #[track_caller]
        fn assert_logs_in(&self, username: &str, password: &str) {
            let (file, problems) = PasswordFile::read(&self.path).unwrap();
            assert!(problems.is_empty(), "{problems:?}");
            assert!(file.hash_of(username).expect(username).is_of(&password.into()));
        }
    }

    #[test]
    fn created_set_and_deleted() {
        let file = file_of("whatever was here");
        create(&file.path, "ada", &"one".into(), CHEAP).unwrap();
        assert!(!set(&file.path, "bob", &"two".into(), CHEAP).unwrap());
        assert!(set(&file.path, "ada", &"three".into(), CHEAP).unwrap());
        file.assert_logs_in("ada", "three");
        file.assert_logs_in("bob", "two");
        assert!(delete(&file.path, "ada").unwrap());
        assert!(!delete(&file.path, "ada").unwrap());
        assert_eq!(file.text().lines().count(), 1);
    }

    #[test]
    fn what_belongs_to_others_stays_as_it_is() {
        let file = file_of("# ours\n\nodd line\nada:$6$broken\nbob:x");
        set(&file.path, "cid", &"pw".into(), CHEAP).unwrap();
        assert!(file.text().starts_with("# ours\n\nodd line\nada:$6$broken\nbob:x\ncid:$6$"));
    }

    #[test]
    fn plain_passwords_are_hashed_once() {
        let file = file_of("# plain\nada: pass word \nbob:with:colon\n");
        assert_eq!(hash_all(&file.path, CHEAP).unwrap(), 2);
        file.assert_logs_in("ada", "pass word");
        file.assert_logs_in("bob", "with:colon");
        let before = file.text();
        assert_eq!(hash_all(&file.path, CHEAP).unwrap(), 0);
        assert_eq!(file.text(), before);
    }

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        let file = file_of("");
        for name in ["", "a:b", "a\nb", "#a", " a", &"a".repeat(65_536)] {
            assert!(set(&file.path, name, &"pw".into(), CHEAP).is_err(), "{name:?}");
        }
        assert!(set(&file.path, "ada", &"".into(), CHEAP).is_err());
        assert!(set(&file.path, "ada", &"a".repeat(65_536).as_str().into(), CHEAP).is_err());
        assert_eq!(file.text(), "");
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = set(Path::new("no/such/file"), "ada", &"pw".into(), CHEAP).unwrap_err();
        assert!(error.to_string().starts_with("no/such/file cannot be read"), "{error}");
    }
}

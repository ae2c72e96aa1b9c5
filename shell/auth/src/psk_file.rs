//! PSK files: a line `identity:key` for each identity, the key in hexadecimal digits.
//!
//! A file counts as a whole: one line that is malformed and none of it is taken, as Mosquitto has it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::password_file::{Line, split};
use crate::problem::lines;
use crate::{Error, Problem, Secret, secret_file};

/// Who has which pre-shared key.
#[derive(Clone, Default)]
pub struct PskFile {
    keys: BTreeMap<Box<str>, Secret>,
}

impl PskFile {
    /// Reads a file, and says what is odd about its lines.
    pub fn read(path: &Path) -> Result<(Self, Vec<Problem>), Error> {
        let (bytes, exposed) = secret_file::read(path)?;
        let (file, mut problems) =
            Self::parse(&bytes).map_err(|problem| Error::content(path, vec![problem]))?;
        problems.extend(exposed);
        Ok((file, problems))
    }

    /// What a file says, and what is odd about its lines.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Problem>), Problem> {
        let (mut keys, mut problems) = (BTreeMap::new(), Vec::new());
        for (number, line) in lines(bytes) {
            match split(line) {
                Line::Nothing => {}
                Line::Odd(_) => {
                    let text = "it is not of the form identity:key, so it does not count";
                    problems.push(Problem::warning(number, text));
                }
                Line::User(identity, digits) => {
                    let key = key(digits).map_err(|why| {
                        Problem::error(number, format!("the key of identity {identity} {why}"))
                    })?;
                    if keys.insert(identity.into(), key).is_some() {
                        let text = format!("identity {identity} was there before: this line counts");
                        problems.push(Problem::warning(number, text));
                    }
                }
            }
        }
        Ok((Self { keys }, problems))
    }

    /// The key of this identity.
    pub fn key_of(&self, identity: &str) -> Option<&Secret> {
        self.keys.get(identity)
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for PskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

/// The digits as one number, the highest byte first. So Mosquitto and its tools read them: zeros at the start are no
/// part of the key, and an odd number of digits is as good as an even one.
fn key(digits: &str) -> Result<Secret, &'static str> {
    if digits.is_empty() {
        return Err("is empty");
    }
    let nibbles: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let nibbles = nibbles.ok_or("has characters that are not hexadecimal digits")?;
    let first = nibbles.iter().position(|nibble| *nibble > 0).ok_or("is zero")?;
    let key: Vec<u8> = nibbles[first..]
        .rchunks(2)
        .rev()
        .map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | u8::try_from(*nibble).expect("below 16")))
        .collect();
    Ok(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(text: &str) -> Vec<u8> {
        let (file, _) = PskFile::parse(text.as_bytes()).expect("a legal file");
        file.key_of("ada").expect("ada").as_bytes().to_vec()
    }

    #[test]
    fn keys_are_numbers_in_hexadecimal_digits() {
        assert_eq!(key_of("# keys\n\nada:DEADbeef\n"), [0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(key_of("ada:123"), [0x01, 0x23]);
        assert_eq!(key_of("ada:000a00"), [0x0a, 0x00]);
        assert_eq!(key_of("ada:1\nada:2"), [2]);
    }

    #[test]
    fn one_key_that_is_wrong_and_no_line_counts() {
        for (line, expected) in [
            ("ada:", "line 2: the key of identity ada is empty"),
            ("ada:12g4", "line 2: the key of identity ada has characters that are not hexadecimal digits"),
            ("ada:00", "line 2: the key of identity ada is zero"),
        ] {
            let error = PskFile::parse(format!("bob:12\n{line}").as_bytes()).expect_err(line);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let (file, _) = PskFile::parse(b"ada:2a").expect("a legal file");
        assert_eq!(format!("{file:?}"), "{\"ada\"}");
    }
}

//! What is kept of a password: a salt, and what hashing the password with it gave.
//!
//! Three ways, as Mosquitto writes them: `$6$` is SHA-512, `$7$` PBKDF2 of it, `$argon2id$` the memory-hard one of
//! version 2.1. Comparing takes the same time wherever two hashes differ.

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::{digest, pbkdf2};

use crate::{Error, Secret};

/// As many bytes as SHA-512 gives.
const SHA512_BYTES: usize = 64;
/// As many bytes of salt as Mosquitto 2.0 writes; 2.1 writes [`SALT_BYTES_MAX`].
const SALT_BYTES: usize = 12;
const SALT_BYTES_MAX: usize = 64;
/// What one password may cost: more would keep a thread busy for seconds, as nobody means to.
const ITERATIONS_MAX: u32 = 10_000_000;
/// 1 GiB, for the same reason.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 1_000;
const LANES_MAX: u32 = 255;

/// How a password is hashed, and how dear that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// SHA-512 of password and salt: what Mosquitto 1.6 wrote, too cheap for today.
    Sha512,
    /// PBKDF2 of SHA-512, so many rounds.
    Pbkdf2 {
        /// The rounds.
        iterations: NonZeroU32,
    },
    /// Argon2id.
    Argon2id {
        /// Memory, in KiB.
        memory: u32,
        /// How often it is gone through.
        passes: u32,
        /// How many lanes it has.
        lanes: u32,
    },
}

impl Scheme {
    /// What Mosquitto 2.0 uses where it is told nothing.
    pub const DEFAULT: Self = match NonZeroU32::new(101) {
        Some(iterations) => Self::Pbkdf2 { iterations },
        None => Self::Sha512,
    };

    /// Argon2id at the cost that OWASP names first.
    pub const ARGON2ID: Self = Self::Argon2id { memory: 19 * 1024, passes: 2, lanes: 1 };

    /// PBKDF2 with so many rounds, or nothing if that is none or more than anybody means.
    pub fn pbkdf2(iterations: u32) -> Option<Self> {
        let iterations = NonZeroU32::new(iterations).filter(|count| count.get() <= ITERATIONS_MAX)?;
        Some(Self::Pbkdf2 { iterations })
    }

    /// What one password costs, in rounds of what the scheme goes through.
    pub(crate) fn cost(self) -> u64 {
        match self {
            Self::Sha512 => 1,
            Self::Pbkdf2 { iterations } => iterations.get().into(),
            Self::Argon2id { memory, passes, .. } => u64::from(memory) * u64::from(passes),
        }
    }

    fn argon2id(memory: u32, passes: u32, lanes: u32) -> Option<Self> {
        // Bounds first: what they let through can be multiplied.
        let is_bearable = memory <= MEMORY_KIB_MAX && passes <= PASSES_MAX && lanes <= LANES_MAX;
        let is_legal = is_bearable && Params::new(memory, passes, lanes, None).is_ok();
        is_legal.then_some(Self::Argon2id { memory, passes, lanes })
    }

    fn hash(self, password: &[u8], salt: &[u8], hash: &mut [u8]) {
        match self {
            Self::Sha512 => {
                let mut context = digest::Context::new(&digest::SHA512);
                context.update(password);
                context.update(salt);
                hash.copy_from_slice(context.finish().as_ref());
            }
            Self::Pbkdf2 { iterations } => {
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, iterations, salt, password, hash);
            }
            Self::Argon2id { memory, passes, lanes } => {
                let params =
                    Params::new(memory, passes, lanes, Some(hash.len())).expect("checked when it was made");
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(password, salt, hash)
                    .expect("salt and hash are as long as they must be");
            }
        }
    }
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    scheme: Scheme,
    salt: Box<[u8]>,
    hash: Box<[u8]>,
}

impl PasswordHash {
    /// Hashes `password` with a salt of its own.
    pub fn new(password: &Secret, scheme: Scheme) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        Ok(Self::with_salt(password, scheme, &salt))
    }

    pub(crate) fn with_salt(password: &Secret, scheme: Scheme, salt: &[u8]) -> Self {
        let mut hash = [0; SHA512_BYTES];
        let hash: &mut [u8] = match scheme {
            Scheme::Argon2id { .. } => &mut hash[..32],
            Scheme::Sha512 | Scheme::Pbkdf2 { .. } => &mut hash,
        };
        scheme.hash(password.as_bytes(), salt, hash);
        Self { scheme, salt: salt.into(), hash: (&*hash).into() }
    }

    /// One that no password fits, as dear to find that out as `scheme`.
    pub(crate) fn of_nobody(scheme: Scheme) -> Self {
        // Nothing that is hashed is ever empty, and no comparison with it succeeds.
        Self { scheme, salt: [0; SALT_BYTES].into(), hash: [].into() }
    }

    /// The hash as a password file has it after the username. An error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("$argon2") {
            return Self::parse_argon2(text);
        }
        let mut parts = text.split('$').filter(|part| !part.is_empty());
        let scheme = match parts.next() {
            Some("6") => Scheme::Sha512,
            Some("7") => {
                let iterations = parts.next().ok_or("the number of iterations is missing")?;
                let iterations = iterations.parse().map_err(|_| "the number of iterations is no number")?;
                Scheme::pbkdf2(iterations).ok_or("the number of iterations must be 1 to 10,000,000")?
            }
            Some(_) if text.starts_with('$') => {
                return Err("the kind of hash is unknown: it must be $6$, $7$ or $argon2id$");
            }
            _ => return Err("the password is not hashed: `martlet passwd -U` hashes those of a whole file"),
        };
        let salt = parts.next().ok_or("the salt is missing")?;
        let hash = parts.next().ok_or("the hash is missing")?;
        Self::from_base64(scheme, salt, hash)
    }

    pub(crate) fn from_base64(scheme: Scheme, salt: &str, hash: &str) -> Result<Self, &'static str> {
        let salt = STANDARD.decode(salt).map_err(|_| "the salt is not base64")?;
        if ![SALT_BYTES, SALT_BYTES_MAX].contains(&salt.len()) {
            return Err("the salt is neither 12 nor 64 bytes long");
        }
        let hash = STANDARD.decode(hash).map_err(|_| "the hash is not base64")?;
        if hash.len() != SHA512_BYTES {
            return Err("the hash is not 64 bytes long");
        }
        Ok(Self { scheme, salt: salt.into(), hash: hash.into() })
    }

    /// `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`
    fn parse_argon2(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split('$').skip(1);
        if parts.next() != Some("argon2id") || parts.next() != Some("v=19") {
            return Err("of argon2 only argon2id in version 19 is known");
        }
        let costs = parts.next().unwrap_or_default();
        let mut costs = ["m=", "t=", "p="].into_iter().zip(costs.split(',')).map(|(name, cost)| {
            let number = cost.strip_prefix(name)?;
            number.parse::<u32>().ok()
        });
        let mut cost = || costs.next().flatten().ok_or("the costs of argon2 must read m=…,t=…,p=…");
        let (memory, passes, lanes) = (cost()?, cost()?, cost()?);
        let scheme =
            Scheme::argon2id(memory, passes, lanes).ok_or("the costs of argon2 are out of bounds")?;
        let mut bytes = |least: usize| {
            let text = parts.next().ok_or("salt or hash is missing")?;
            let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| "salt or hash is not base64")?;
            let is_right = (least..=SALT_BYTES_MAX).contains(&bytes.len());
            is_right.then_some(bytes).ok_or("salt or hash is too short or too long")
        };
        let (salt, hash) = (bytes(8)?, bytes(16)?);
        Ok(Self { scheme, salt: salt.into(), hash: hash.into() })
    }

    /// Whether this is the password. It costs one hash, whatever the answer.
    pub fn is_of(&self, password: &Secret) -> bool {
        let mut found = [0; SHA512_BYTES];
        let found = match self.hash.len() {
            0 => &mut found[..],
            len => &mut found[..len],
        };
        self.scheme.hash(password.as_bytes(), &self.salt, found);
        is_equal(found, &self.hash)
    }

    /// How it is made.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The rounds of PBKDF2; the other schemes have none.
    pub(crate) fn iterations(&self) -> u32 {
        match self.scheme {
            Scheme::Pbkdf2 { iterations } => iterations.get(),
            Scheme::Sha512 | Scheme::Argon2id { .. } => 0,
        }
    }

    pub(crate) fn salt_base64(&self) -> String {
        STANDARD.encode(&self.salt)
    }

    pub(crate) fn hash_base64(&self) -> String {
        STANDARD.encode(&self.hash)
    }
}

/// Compares every byte, so that the time says nothing of where two hashes differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

/// The hash as a password file has it after the username.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Sha512 => write!(f, "$6$")?,
            Scheme::Pbkdf2 { iterations } => write!(f, "$7${iterations}$")?,
            Scheme::Argon2id { memory, passes, lanes } => {
                let [salt, hash] = [&self.salt, &self.hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
                return write!(f, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}");
            }
        }
        write!(f, "{}${}", self.salt_base64(), self.hash_base64())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?}, ***)", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`, with the salt 00 01 … 0b, by Python's hashlib.
    const SHA512: &str = "$6$AAECAwQFBgcICQoL$JqsxEv/ucyxjA5DKsQ+Y8CDWaQDNQI9FpAkmfwAqWfwZLk/JEGgM0EpylrJHAZKKyFQjJeZ3nFaHjPzOzPPmPw==";
    const PBKDF2: &str = "$7$101$AAECAwQFBgcICQoL$Xr99N9ym9ys8TWxis5ajETJq6EVYzmc6nb8t3pUYnPBbCAbICS4xejTltonXWCtJNBvA+By+TXUqU6qCblO00w==";
    /// Of `password` with the salt `somesalt`, from the tests of the reference implementation.
    const ARGON2ID: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    fn is_of(hash: &str, password: &str) -> bool {
        PasswordHash::parse(hash).expect("a legal hash").is_of(&password.into())
    }

    #[test]
    fn known_answers() {
        for (hash, password) in [(SHA512, "secret"), (PBKDF2, "secret"), (ARGON2ID, "password")] {
            assert!(is_of(hash, password), "{hash}");
            assert!(!is_of(hash, "Secret"), "{hash}");
            assert!(!is_of(hash, ""), "{hash}");
            assert_eq!(PasswordHash::parse(hash).expect("a legal hash").to_string(), hash);
        }
    }

    #[test]
    fn what_is_made_is_read_and_salted_afresh() {
        let cheap = Scheme::Argon2id { memory: 8, passes: 1, lanes: 1 };
        for scheme in [Scheme::Sha512, Scheme::DEFAULT, cheap] {
            let [one, other] = [(); 2]
                .map(|()| PasswordHash::new(&"pw".into(), scheme).expect("random numbers").to_string());
            assert_ne!(one, other);
            assert!(is_of(&one, "pw") && !is_of(&one, "wp"));
        }
        let made = PasswordHash::new(&"pw".into(), Scheme::DEFAULT).expect("random numbers").to_string();
        assert!(made.starts_with("$7$101$"), "{made}");
    }

    #[test]
    fn nobodys_hash_fits_nothing() {
        for scheme in [Scheme::Sha512, Scheme::DEFAULT, Scheme::Argon2id { memory: 8, passes: 1, lanes: 1 }] {
            assert!(!PasswordHash::of_nobody(scheme).is_of(&"".into()));
        }
    }

    #[test]
    fn what_is_broken_is_named() {
        let salt_64 = SHA512.replace("AAECAwQFBgcICQoL", &STANDARD.encode([7; 64]));
        assert!(PasswordHash::parse(&salt_64).is_ok());
        for (text, expected) in [
            ("", "not hashed"),
            ("secret", "not hashed"),
            ("$5$x$y", "kind of hash"),
            ("$6$", "salt is missing"),
            ("$6$AAECAwQFBgcICQoL", "hash is missing"),
            ("$6$AAEC$AAEC", "neither 12 nor 64"),
            ("$6$AAEC{wQFBgcICQoL$AAEC", "salt is not base64"),
            ("$6$AAECAwQFBgcICQoL$AAEC", "not 64 bytes"),
            ("$7$0$AAECAwQFBgcICQoL$AAEC", "must be 1 to"),
            ("$7$4294967295$AAECAwQFBgcICQoL$AAEC", "must be 1 to"),
            ("$7$-1$AAECAwQFBgcICQoL$AAEC", "no number"),
            ("$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAEC", "only argon2id"),
            ("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAEC", "out of bounds"),
            ("$argon2id$v=19$m=65536,t=2,p=1999999999$c29tZXNhbHQ$AAEC", "out of bounds"),
            ("$argon2id$v=19$m=8,t=1$c29tZXNhbHQ$AAEC", "must read"),
            ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAEC", "too short"),
        ] {
            let error = PasswordHash::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_hash_is_not_printed_for_debugging() {
        let hash = PasswordHash::parse(SHA512).expect("a legal hash");
        assert!(!format!("{hash:?}").contains("Jqsx"));
    }
}

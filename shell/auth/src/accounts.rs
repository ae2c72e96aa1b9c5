//! Who may enter, by what password.
//!
//! Dynamic security is asked first, and whom it does not know the password file. Where neither is configured there are
//! no passwords, and everybody is as welcome as the anonymous.
//!
//! The one rule: whoever names a user costs exactly one hash, of the same kind whether that user is known, unknown or
//! disabled, so that the time of an answer tells nothing but its outcome.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::dynamic_security::{Member, Members};
use crate::{PasswordFile, PasswordHash, Scheme, Secret};

/// Who may enter: a snapshot of what the configuration, the password file and dynamic security say.
#[derive(Debug, Default)]
pub struct Accounts {
    allow_anonymous: bool,
    members: Option<Arc<Members>>,
    passwords: Option<Arc<PasswordFile>>,
    /// The schemes of all hashes, each with how many there are up to it.
    schemes: Vec<(Scheme, u64)>,
}

/// What a Client said about itself.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its Client Identifier.
    pub client_id: Box<str>,
    /// Its username. An empty one is none.
    pub username: Option<Box<str>>,
    /// Its password. An empty one is none.
    pub password: Option<Secret>,
}

/// Whether a Client may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Welcome,
    /// It gave no username, and must.
    Anonymous,
    /// Nobody has this username.
    UnknownUser,
    /// The password is missing or wrong.
    WrongPassword,
    /// The user was disabled.
    Disabled,
    /// The user may not use this Client Identifier.
    OtherClientId,
}

impl Verdict {
    /// Whether the Client may enter.
    pub fn is_welcome(self) -> bool {
        self == Self::Welcome
    }
}

/// For the log: a Client is told none of it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Welcome => "welcome",
            Self::Anonymous => "it gave no username, and anonymous clients are not allowed",
            Self::UnknownUser => "the user is not known",
            Self::WrongPassword => "the password is missing or wrong",
            Self::Disabled => "the user is disabled",
            Self::OtherClientId => "the user may not use this client identifier",
        })
    }
}

/// What was hashed so far, to prove that it is the same for everybody.
#[derive(Debug, Default)]
pub struct Tally {
    hashes: AtomicU64,
    cost: AtomicU64,
}

impl Tally {
    /// How many passwords were hashed.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// What they cost together, in rounds of what their schemes go through.
    pub fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    fn add(&self, scheme: Scheme) {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        self.cost.fetch_add(scheme.cost(), Ordering::Relaxed);
    }
}

impl Accounts {
    /// Who may enter by these sources.
    pub fn new(
        allow_anonymous: bool,
        members: Option<Arc<Members>>,
        passwords: Option<Arc<PasswordFile>>,
    ) -> Self {
        let of_members = members.iter().flat_map(|members| members.hashes());
        let of_file = passwords.iter().flat_map(|file| file.hashes());
        let schemes = counted(of_members.chain(of_file).map(PasswordHash::scheme));
        Self { allow_anonymous, members, passwords, schemes }
    }

    /// Whether there is anything to ask: if not, every Client gets the same answer, at no cost.
    pub fn has_passwords(&self) -> bool {
        self.members.is_some() || self.passwords.is_some()
    }

    /// What is kept of this user's password, where it is looked up first: to see whether it changed.
    pub fn hash_of(&self, username: &str) -> Option<&PasswordHash> {
        let member = self.members.as_ref().and_then(|members| members.find(username));
        let of_member = member.and_then(|member| member.hash.as_ref());
        of_member.or_else(|| self.passwords.as_ref()?.hash_of(username))
    }

    /// Whether there is a user of this name.
    pub fn knows(&self, username: &str) -> bool {
        let is_member = self.members.as_ref().is_some_and(|members| members.find(username).is_some());
        is_member || self.passwords.as_ref().is_some_and(|file| file.hash_of(username).is_some())
    }

    /// Whether this Client may enter. Hashes its password, so this takes its time; for that there is
    /// [`crate::Verifier`].
    pub fn check(&self, credentials: &Credentials, tally: &Tally) -> Verdict {
        let username = credentials.username.as_deref().filter(|name| !name.is_empty());
        let password = credentials.password.as_ref().filter(|password| !password.is_empty());
        let Some(username) = username.filter(|_| self.has_passwords()) else {
            return if self.allow_anonymous { Verdict::Welcome } else { Verdict::Anonymous };
        };
        let (claim, objection) = self.claim(username, &credentials.client_id, password.is_some());
        let nobody;
        let hash = match claim {
            Some(hash) => hash,
            None => {
                nobody = PasswordHash::of_nobody(self.scheme_for(username));
                &nobody
            }
        };
        tally.add(hash.scheme());
        let is_right = hash.is_of(password.unwrap_or(&Secret::default()));
        match objection {
            Some(objection) => objection,
            None if is_right && password.is_some() => Verdict::Welcome,
            None => Verdict::WrongPassword,
        }
    }

    /// The hash that a password must fit, and what is in the way even if it does.
    fn claim(
        &self,
        username: &str,
        client_id: &str,
        has_password: bool,
    ) -> (Option<&PasswordHash>, Option<Verdict>) {
        let member = self.members.as_ref().and_then(|members| members.find(username));
        if let Some(Member { is_disabled, client_id: only, hash }) = member.filter(|_| has_password) {
            if *is_disabled {
                return (hash.as_ref(), Some(Verdict::Disabled));
            }
            if only.as_ref().is_some_and(|only| **only != *client_id) {
                return (hash.as_ref(), Some(Verdict::OtherClientId));
            }
            if hash.is_some() {
                return (hash.as_ref(), None);
            }
        }
        match self.passwords.as_ref().and_then(|file| file.hash_of(username)) {
            Some(hash) => (Some(hash), None),
            None if member.is_some() => {
                (member.and_then(|member| member.hash.as_ref()), Some(Verdict::WrongPassword))
            }
            None => (None, Some(Verdict::UnknownUser)),
        }
    }

    /// How to hash for a user without a hash: always alike for one name, and among many names as often one way or the
    /// other as for those that are known.
    fn scheme_for(&self, username: &str) -> Scheme {
        static SEED: OnceLock<RandomState> = OnceLock::new();
        let Some((_, total)) = self.schemes.last() else { return Scheme::DEFAULT };
        let place = SEED.get_or_init(RandomState::new).hash_one(username) % total;
        let found = self.schemes.iter().find(|(_, up_to)| place < *up_to);
        found.map_or(Scheme::DEFAULT, |(scheme, _)| *scheme)
    }
}

/// Each scheme with how many there are up to it.
fn counted(schemes: impl Iterator<Item = Scheme>) -> Vec<(Scheme, u64)> {
    let mut counted: Vec<(Scheme, u64)> = Vec::new();
    for scheme in schemes {
        match counted.iter_mut().find(|(known, _)| *known == scheme) {
            Some((_, count)) => *count += 1,
            None => counted.push((scheme, 1)),
        }
    }
    let mut sum = 0;
    for (_, count) in &mut counted {
        sum += *count;
        *count = sum;
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASHED: Scheme = Scheme::DEFAULT;

    fn member(is_disabled: bool, client_id: Option<&str>, password: Option<&str>) -> Member {
        let hash = password.map(|text| PasswordHash::with_salt(&text.into(), HASHED, &[1; 12]));
        Member { is_disabled, client_id: client_id.map(Into::into), hash }
    }

    fn members() -> Arc<Members> {
        Arc::new(Members::new([
            ("ada".into(), member(false, None, Some("secret"))),
            ("off".into(), member(true, None, Some("secret"))),
            ("tied".into(), member(false, Some("c1"), Some("secret"))),
            ("bare".into(), member(false, None, None)),
            ("offbare".into(), member(true, None, None)),
        ]))
    }

    fn file() -> Arc<PasswordFile> {
        let hash = PasswordHash::with_salt(&"filed".into(), HASHED, &[1; 12]);
        let text = format!("ada:{hash}\nbob:{hash}\nbare:{hash}\n");
        Arc::new(PasswordFile::parse(text.as_bytes()).0)
    }

    fn credentials(username: Option<&str>, password: Option<&str>) -> Credentials {
        Credentials {
            client_id: "c1".into(),
            username: username.map(Into::into),
            password: password.map(Into::into),
        }
    }

    #[track_caller]
    fn check(accounts: &Accounts, username: &str, password: &str) -> Verdict {
        let tally = Tally::default();
        let verdict = accounts.check(&credentials(Some(username), Some(password)), &tally);
        assert_eq!((tally.hashes(), tally.cost()), (1, HASHED.cost()), "{username}");
        verdict
    }

    #[test]
    fn everybody_who_names_a_user_costs_one_hash_of_one_kind() {
        let accounts = Accounts::new(true, Some(members()), Some(file()));
        for (username, password, expected) in [
            ("ada", "secret", Verdict::Welcome),
            ("ada", "filed", Verdict::WrongPassword),
            ("ada", "", Verdict::WrongPassword),
            ("off", "secret", Verdict::Disabled),
            ("off", "wrong", Verdict::Disabled),
            ("offbare", "x", Verdict::Disabled),
            ("tied", "secret", Verdict::Welcome),
            ("bob", "filed", Verdict::Welcome),
            ("bob", "wrong", Verdict::WrongPassword),
            ("bare", "filed", Verdict::Welcome),
            ("nobody", "secret", Verdict::UnknownUser),
            ("nobody", "", Verdict::UnknownUser),
        ] {
            assert_eq!(check(&accounts, username, password), expected, "{username} {password}");
        }
    }

    #[test]
    fn a_user_may_be_tied_to_a_client_identifier() {
        let accounts = Accounts::new(false, Some(members()), None);
        let elsewhere = Credentials { client_id: "c2".into(), ..credentials(Some("tied"), Some("secret")) };
        assert_eq!(accounts.check(&elsewhere, &Tally::default()), Verdict::OtherClientId);
    }

    #[test]
    fn the_anonymous_are_welcome_where_the_configuration_says_so() {
        for (allow, expected) in [(true, Verdict::Welcome), (false, Verdict::Anonymous)] {
            let tally = Tally::default();
            let with_file = Accounts::new(allow, None, Some(file()));
            for (username, password) in [(None, None), (Some(""), None), (None, Some("pw"))] {
                assert_eq!(with_file.check(&credentials(username, password), &tally), expected);
            }
            // Where nobody has a password, a username is only a name.
            let open = Accounts::new(allow, None, None);
            assert_eq!(open.check(&credentials(Some("ada"), Some("pw")), &tally), expected);
            assert_eq!(tally.hashes(), 0);
        }
    }

    #[test]
    fn an_empty_password_is_none_even_where_it_was_hashed() {
        let hash = PasswordHash::with_salt(&"".into(), HASHED, &[1; 12]);
        let file = PasswordFile::parse(format!("ada:{hash}").as_bytes()).0;
        let accounts = Accounts::new(true, None, Some(Arc::new(file)));
        assert_eq!(check(&accounts, "ada", ""), Verdict::WrongPassword);
        let without = credentials(Some("ada"), None);
        assert_eq!(accounts.check(&without, &Tally::default()), Verdict::WrongPassword);
    }

    #[test]
    fn unknown_users_cost_what_known_ones_do_where_costs_differ() {
        let [cheap, dear] = [Scheme::Sha512, Scheme::DEFAULT]
            .map(|scheme| PasswordHash::with_salt(&"pw".into(), scheme, &[1; 12]).to_string());
        let file = PasswordFile::parse(format!("a:{cheap}\nb:{dear}\nc:{dear}\n").as_bytes()).0;
        let accounts = Accounts::new(false, None, Some(Arc::new(file)));
        let cost_of = |name: &str| {
            let tally = Tally::default();
            accounts.check(&credentials(Some(name), Some("x")), &tally);
            assert_eq!(tally.hashes(), 1);
            tally.cost()
        };
        let costs: Vec<u64> = (0..300).map(|number| cost_of(&format!("u{number}"))).collect();
        let again: Vec<u64> = (0..300).map(|number| cost_of(&format!("u{number}"))).collect();
        assert_eq!(costs, again, "one name always costs the same");
        let dear = costs.iter().filter(|cost| **cost == Scheme::DEFAULT.cost()).count();
        let cheap = costs.iter().filter(|cost| **cost == Scheme::Sha512.cost()).count();
        assert_eq!(dear + cheap, 300);
        // Two in three; outside these bounds once in 10^9 seeds.
        assert!((145..=255).contains(&dear), "{dear} of 300");
    }
}

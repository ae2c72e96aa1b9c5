//! Who is this Client, and what was written down about what it may do?
//!
//! Password files, PSK files, access control files and dynamic security, as Mosquitto has them, and the threads that
//! hash passwords. What the files say becomes values of `martlet-access`, which decide.
//!
//! The one rule: a secret is never printed, and what it costs to turn somebody away does not tell why.

mod verifier;

mod accounts;

mod dynamic_security;

pub mod passwd;
mod password_file;
mod password_hash;

mod psk_file;

mod acl_file;
mod acl_lint;

mod atomic_file;
mod error;
mod problem;
mod secret;
mod secret_file;

pub use accounts::{Accounts, Credentials, Tally, Verdict};
pub use acl_file::AclFile;
pub use dynamic_security::{Admin, DynamicSecurity, Effects, Handled, Members};
pub use error::Error;
pub use password_file::PasswordFile;
pub use password_hash::{PasswordHash, Scheme};
pub use problem::{Problem, Severity};
pub use psk_file::PskFile;
pub use secret::Secret;
pub use verifier::{Busy, Verifier};

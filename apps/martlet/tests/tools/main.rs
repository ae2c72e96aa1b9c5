//! The tools under Mosquitto's names, as processes: what they publish and print, what they say when something is wrong,
//! and how they end. Where Debian's programs are installed the two are compared; where not, that is said.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod control;
mod formats;
mod misuse;
mod options_file;
mod passwords;
mod publish;
mod request;
mod subscribe;
mod support;

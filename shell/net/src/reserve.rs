//! One descriptor that nobody uses, for the moment when there are no others.

use std::fs::File;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beyond this a node has other limits than descriptors.
const LIMIT_MAX: u64 = 1 << 20;

/// A descriptor held back: given up, it lets one more connection be accepted, and refused in words.
#[derive(Debug)]
pub(crate) struct Reserve(Option<File>);

impl Reserve {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Some(open()?)))
    }

    /// Frees a descriptor; false when it was given up before and could not be had back.
    pub(crate) fn give_up(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Takes it back as soon as there is one again.
    pub(crate) fn restore(&mut self) {
        if self.0.is_none() {
            self.0 = open().ok();
        }
    }
}

fn open() -> io::Result<File> {
    File::open("/dev/null")
}

/// How many descriptors this process may have.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(LIMIT_MAX).min(LIMIT_MAX)
}

/// Raises the limit as far as the system allows without a privilege. Where it does not, the limit stays as it was.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    if limit.current.is_some_and(|current| current < wanted) {
        let _stays_on_error =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

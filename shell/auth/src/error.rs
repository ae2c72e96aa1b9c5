//! What keeps a file from being read or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::Problem;

/// Why a file cannot be used. Its text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}{hint}", path = path.display(), hint = hint(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it is not what it should be.
    #[error("{}", each(path, problems))]
    Content {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// It cannot be replaced by a new version.
    #[error(
        "{path} cannot be saved: {source}. New versions are written beside it and then take its place, so the folder \
         {folder} must be writable for the user that runs martlet: `chown` it, or name a file in another folder",
        path = path.display(), folder = folder.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The folder it is in.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// What was asked for cannot be done to the file.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn content(path: &Path, problems: Vec<Problem>) -> Self {
        Self::Content { path: path.to_owned(), problems }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            ". The user that runs martlet must be able to read it: `chown` or `chmod` it"
        }
        io::ErrorKind::NotFound => {
            ". `martlet passwd -c` makes a password file, `martlet ctrl dynsec init` one of dynamic security"
        }
        _ => "",
    }
}

fn each(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("{}, {problem}", path.display())).collect();
    lines.join("\n")
}

impl From<getrandom::Error> for Error {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}

//! The secrets of connections, in a file for programs that decrypt captures. For finding faults only.
//!
//! The rule: the file is its owner's alone.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use parking_lot::Mutex;
use rustls::KeyLog;

use super::TlsError;

/// A file as `SSLKEYLOGFILE` names one.
#[derive(Debug)]
pub(super) struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    pub(super) fn open(path: &Path) -> Result<Self, TlsError> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        file.map(|file| Self(Mutex::new(file))).map_err(|error| TlsError::read(path, error))
    }

    /// Writes one line, whole.
    pub(super) fn write(&self, line: &str) {
        // A capture that cannot be decrypted is no reason to end a connection.
        let _ = self.0.lock().write_all(format!("{line}\n").as_bytes());
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.write(&format!("{label} {} {}", digits(client_random), digits(secret)));
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The file with the number of the process, as long as it runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file with the number of this process; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file.
    pub(crate) fn write(path: &Path) -> Result<Self> {
        let number = std::process::id();
        fs::write(path, format!("{number}\n")).with_context(|| {
            format!("the file {} for the number of the process cannot be written", path.display())
        })?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever finds it left behind finds no such process either.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_number_while_the_process_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        assert!(PidFile::write(&folder.path().join("none/broker.pid")).is_err());
    }
}

//! Files that are looked at now and then, to see whether they changed.
//!
//! The rule: a file that changes is left alone until it stays as it is, so that one that is half written is not read.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Some files, as they were.
#[derive(Debug, Default)]
pub(super) struct Watch {
    files: Vec<(PathBuf, Stamp)>,
    /// They have changed since they were read, and may go on changing.
    is_changing: bool,
}

/// What differs when a file was written or another took its place; `None`: it is not there.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

impl Watch {
    pub(super) fn over(files: Vec<PathBuf>) -> Self {
        let files = files.into_iter().map(|path| {
            let stamp = stamp(&path);
            (path, stamp)
        });
        Self { files: files.collect(), is_changing: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Have they changed, and come to rest?
    pub(super) fn has_changed(&mut self) -> bool {
        let mut has_moved = false;
        for (path, known) in &mut self.files {
            let current = stamp(path);
            has_moved |= current != *known;
            *known = current;
        }
        let rests = self.is_changing && !has_moved;
        self.is_changing = has_moved;
        rests
    }
}

fn stamp(path: &PathBuf) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_is_told_once_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::over(vec![file.clone(), other.clone()]);
        assert!(!watch.has_changed());
        fs::write(&file, "three").unwrap();
        assert!(!watch.has_changed(), "it may be half written");
        fs::write(&file, "three and more").unwrap();
        assert!(!watch.has_changed(), "it was");
        assert!(watch.has_changed());
        assert!(!watch.has_changed(), "it is told once");
        fs::write(&other, "new").unwrap();
        fs::rename(&other, &file).unwrap();
        assert!(!watch.has_changed());
        assert!(watch.has_changed());
    }
}

//! A copy of the tracked files, where lines may be disabled. The rule kept here: the checkout is
//! never written to, and the copy holds at most one mutation at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::mutation::{Edit, Mutation};
use crate::process;

/// The copy, held by one run at a time.
pub(super) struct Copy {
    root: PathBuf,
    _lock: File,
}

impl Copy {
    /// Brings the copy up to date. What did not change keeps its time, so that only what did
    /// change is built anew: this is why the copy stays when the run ends.
    pub(super) fn of(checkout: &Path) -> Result<Self> {
        let folder = target_folder(checkout).join("mutants");
        let root = folder.join("copy");
        fs::create_dir_all(&root).with_context(|| format!("cannot make the folder {}", root.display()))?;
        let lock = File::create(folder.join("lock")).context("cannot make the lock of the copy")?;
        lock.lock().context("cannot lock the copy")?;
        let wanted: BTreeSet<PathBuf> = tracked_files()?.into_iter().map(PathBuf::from).collect();
        remove_others(&root, Path::new(""), &wanted)?;
        for path in &wanted {
            let from = checkout.join(path);
            // Deleted and not committed yet.
            if from.is_file() {
                let content = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
                write_if_changed(&root.join(path), &content)?;
            }
        }
        Ok(Self { root, _lock: lock })
    }

    /// The root of the copied project.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the copy is built: apart from the checkout's own, so neither rebuilds the other's.
    pub(super) fn target(&self) -> PathBuf {
        self.root.with_file_name("target")
    }

    /// Does something while a rule is disabled.
    pub(super) fn with<T>(&self, mutation: &Mutation, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut originals = BTreeMap::new();
        for Edit { file, .. } in &mutation.edits {
            let path = self.root.join(file);
            let original = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
            originals.insert(path, original);
        }
        let result = self.disable(mutation).and_then(|()| act());
        for (path, original) in &originals {
            write(path, original.as_bytes())?;
        }
        result
    }

    fn disable(&self, mutation: &Mutation) -> Result<()> {
        for edit in &mutation.edits {
            let path = self.root.join(&edit.file);
            let edited = edit.apply(&fs::read_to_string(&path)?)?;
            write(&path, edited.text.as_bytes())?;
        }
        Ok(())
    }
}

fn target_folder(checkout: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout.join("target"), |set| checkout.join(set))
}

/// What was committed or is about to be: as it stands in the checkout now.
fn tracked_files() -> Result<Vec<String>> {
    let list = process::output_of(process::program_at_root("git").args(["ls-files", "-z"]))?;
    Ok(list.split_terminator('\0').map(str::to_owned).collect())
}

/// A test that was deleted must not go on in the copy.
fn remove_others(root: &Path, below: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(root, &path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(root.join(&path))?;
        }
    }
    Ok(())
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write(path, content)
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_goes_and_what_did_not_change_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write_new = |name: &str| write_if_changed(&root.join(name), b"text").unwrap();
        write_new("a/kept.rs");
        write_new("a/gone.rs");
        let changed = |name: &str| fs::metadata(root.join(name)).unwrap().modified().unwrap();
        let before = changed("a/kept.rs");

        remove_others(root, Path::new(""), &BTreeSet::from([PathBuf::from("a/kept.rs")])).unwrap();
        write_new("a/kept.rs");

        assert!(!root.join("a/gone.rs").exists());
        assert_eq!(changed("a/kept.rs"), before);
    }
}

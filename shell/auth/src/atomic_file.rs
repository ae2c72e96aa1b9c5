//! Files that are there as a whole or not at all: a new version is written beside the old one, made durable, and then
//! takes its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::Error;

/// Whom a file that is new belongs to: to its owner alone.
const PRIVATE: u32 = 0o600;

/// Replaces what is in `path`, so that a crash at any moment leaves the old content or the new. Owner and mode stay as
/// they are, as far as the system allows; a file that is new can be read by its owner alone.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let path = &target(path);
    let folder = folder_of(path);
    let beside = beside(path);
    let write = || -> io::Result<()> {
        let mut file = create(&beside)?;
        if let Ok(old) = fs::metadata(path) {
            keep_owner_and_mode(&file, &old)?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| {
        // What is left of it, if anything, is of no use; that it cannot be removed either tells nothing new.
        let _ = fs::remove_file(&beside);
        Error::Write { path: path.clone(), folder: folder.to_owned(), source }
    })
}

/// Whether [`replace`] would find a folder to write to, without touching the file itself.
pub(crate) fn check_writable(path: &Path) -> Result<(), Error> {
    let path = &target(path);
    let beside = beside(path);
    let try_it = || -> io::Result<()> {
        create(&beside)?.sync_all()?;
        fs::remove_file(&beside)
    };
    try_it().map_err(|source| Error::Write { path: path.clone(), folder: folder_of(path).to_owned(), source })
}

/// Where a symbolic link leads: the link stays, and what it names is replaced.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The name of the new version, which no other process of ours uses at the same time.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn create(path: &Path) -> io::Result<File> {
    // What a crashed run left under this name is not ours to append to, nor is a link somebody put there.
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)
}

/// Only the superuser may give a file away. Anybody else keeps what is written to himself, and the group if he is in it.
fn keep_owner_and_mode(file: &File, old: &fs::Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if new.uid() != old.uid() {
        unless_forbidden(fchown(file, Some(old.uid()), None))?;
    }
    if new.gid() != old.gid() {
        unless_forbidden(fchown(file, None, Some(old.gid())))?;
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))
}

fn unless_forbidden(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        replace(&path, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o640, b"two".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_the_system_forbids_is_no_reason_not_to_save() {
        let forbidden = || io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(unless_forbidden(Err(forbidden())).is_ok());
        assert!(unless_forbidden(Err(io::Error::from(io::ErrorKind::StorageFull))).is_err());
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/passwd");
        let named = folder.path().join("no/such").display().to_string();
        for refused in [replace(&path, b""), check_writable(&path)] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains(&format!("the folder {named} must be writable")), "{text}");
        }
    }

    #[test]
    fn checking_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("state.json")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

//! The file that stands for the store where Mosquitto has its database: whoever removes it wants to begin with nothing.
//!
//! The rule: nothing is deleted. What was kept is set aside, and the log says where.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use martlet_disk::{Folder, OpenError};

use crate::StoreConfig;

/// What stands in the file.
const WORDS: &str = "This file stands for the store of martlet, which is the folder of the same name with .martlet \
                     behind it. Without this file the broker sets that folder aside and begins with nothing.\n";

/// Takes the folder of a store, or a new one where the operator removed the file that stands for it.
pub(crate) fn take(store: &StoreConfig) -> Result<Folder, OpenError> {
    let take = || Folder::take(&store.folder, store.takes_network_folders);
    let Some(token) = &store.token else { return take() };
    let was_there = store.folder.exists();
    let folder = take()?;
    if token.exists() {
        return Ok(folder);
    }
    if was_there {
        // Nobody else has it: it was ours for a moment.
        drop(folder);
        set_aside(&store.folder, token);
        write(token);
        return take();
    }
    write(token);
    Ok(folder)
}

fn set_aside(folder: &Path, token: &Path) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{seconds}"));
    let aside = PathBuf::from(name);
    match fs::rename(folder, &aside) {
        Ok(()) => tracing::warn!(
            "{} was removed, so the broker begins with nothing. What was kept lies in {}; move it back to have it again.",
            token.display(),
            aside.display()
        ),
        Err(error) => tracing::error!("{} cannot be set aside: {error}.", folder.display()),
    }
}

fn write(token: &Path) {
    if let Err(error) = fs::write(token, WORDS) {
        tracing::warn!("{} cannot be written: {error}.", token.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_removes_the_file_begins_with_nothing_and_finds_the_rest_aside() {
        let place = tempfile::tempdir().unwrap();
        let mut store = StoreConfig::new(place.path().join("m.db.martlet"));
        store.token = Some(place.path().join("m.db"));
        drop(take(&store).unwrap());
        fs::write(store.folder.join("kept"), "a session").unwrap();
        drop(take(&store).unwrap());
        assert!(store.folder.join("kept").exists(), "the file is there, so the store is as it was");
        fs::remove_file(place.path().join("m.db")).unwrap();
        drop(take(&store).unwrap());
        assert!(!store.folder.join("kept").exists() && place.path().join("m.db").exists());
        let aside = fs::read_dir(place.path()).unwrap().filter_map(Result::ok).map(|entry| entry.path());
        assert_eq!(aside.filter(|path| path.join("kept").exists()).count(), 1, "nothing is deleted");
    }
}

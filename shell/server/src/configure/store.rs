//! What is kept, where and how safely.

use std::path::{Path, PathBuf};

use martlet_config as written;
use martlet_record::Need;

use crate::StoreConfig;

pub(super) fn of(from: &written::Config) -> Option<StoreConfig> {
    let persistence = &from.persistence;
    if !persistence.enabled {
        return None;
    }
    let mut store = StoreConfig::new(folder(from));
    store.token = (from.dialect != written::Dialect::Native).then(|| store.folder.with_extension(""));
    store.takes_network_folders = persistence.allow_network_folder;
    store.log.sync_interval = persistence.sync_interval;
    store.log.disk_max = persistence.disk_max;
    store.log.free_min = persistence.disk_free_min;
    store.log.checkpoint_interval = persistence.checkpoint_interval.unwrap_or(store.log.checkpoint_interval);
    store.log.segment_bytes = persistence.segment_size.unwrap_or(store.log.segment_bytes);
    Some(store)
}

/// The folder of the store. Beside Mosquitto's database it has its name and one of our own behind it, so that several
/// brokers share a place as they do there.
fn folder(from: &written::Config) -> PathBuf {
    let persistence = &from.persistence;
    match (&persistence.location, from.dialect) {
        (Some(location), written::Dialect::Native) => location.clone(),
        (None, written::Dialect::Native) => default_data_dir(),
        (location, _) => {
            let location = location.as_deref().unwrap_or(Path::new(""));
            location.join(format!("{}.martlet", persistence.file))
        }
    }
}

/// Where a user's programs keep their data.
fn default_data_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from("/var/lib")).join("martlet")
}

pub(super) fn need(from: written::Durability) -> Need {
    match from {
        written::Durability::Always => Need::Synced,
        written::Durability::Interval => Need::SyncedSoon,
        written::Durability::Never => Need::Written,
    }
}

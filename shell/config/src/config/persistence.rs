//! What outlasts the process, where and how safely.

use std::path::PathBuf;
use std::time::Duration;

use super::Dialect;

/// What outlasts the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// Sessions, Messages and Retained Messages are kept at all.
    pub enabled: bool,
    /// The folder; `None`: the working directory in Mosquitto's dialects, else the usual place for a user's data.
    pub location: Option<PathBuf>,
    /// The name of Mosquitto's database in that folder, which is imported.
    pub file: String,
    /// How safe what is acknowledged must be.
    pub durability: Durability,
    /// How safe Messages must be, by topic; the first filter that matches counts.
    pub topic_durability: Vec<TopicDurability>,
    /// Under [`Durability::Interval`]: how long a power cut may reach back.
    pub sync_interval: Duration,
    /// How often the store writes down where everything is; `None`: the default of the store.
    pub checkpoint_interval: Option<Duration>,
    /// Mosquitto's time, or number of changes, between dumps: the longest a snapshot may lag behind. Zero: only at the
    /// end. Nothing acknowledged depends on it.
    pub autosave_interval: u64,
    /// [`Persistence::autosave_interval`] counts changes instead of seconds.
    pub autosave_on_changes: bool,
    /// Bytes the store may take.
    pub disk_max: Option<u64>,
    /// Bytes of the disk that stay free for others; `None`: 5 % of it, 2 GiB at most.
    pub disk_free_min: Option<u64>,
    /// Bytes of one file of the log; `None`: the default of the store.
    pub segment_size: Option<u32>,
    /// The folder may lie on a network file system.
    pub allow_network_folder: bool,
}

/// How safe what is acknowledged must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It is on the disk: it survives a power cut.
    #[default]
    Always,
    /// The system has it, and brings it to the disk within the sync interval.
    Interval,
    /// The system has it: it survives the end of the broker.
    Never,
}

/// How safe Messages of some topics must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDurability {
    /// The Topic Filter, as it was written.
    pub filter: String,
    /// How safe.
    pub durability: Durability,
}

impl Persistence {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            enabled: dialect == Dialect::Native,
            location: None,
            file: "mosquitto.db".to_owned(),
            durability: Durability::default(),
            topic_durability: Vec::new(),
            sync_interval: Duration::from_millis(100),
            checkpoint_interval: None,
            autosave_interval: 1800,
            autosave_on_changes: false,
            disk_max: None,
            disk_free_min: None,
            segment_size: None,
            allow_network_folder: false,
        }
    }
}

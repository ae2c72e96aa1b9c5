//! Flags that say what is kept, where, and how safely.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use martlet_server::{Config, Limits, Need, Overflow, StoreConfig, TopicFilter};

/// What is kept, where, and how safely.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreOptions {
    /// Where sessions and messages are kept. [default: ~/.local/share/martlet, or /var/lib/martlet]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// What an acknowledgement promises.
    #[arg(long, value_enum, default_value_t = Durability::Always, verbatim_doc_comment)]
    durability: Durability,

    /// A promise for the topics of a filter, as FILTER=always, FILTER=interval or FILTER=never. May be repeated; the
    /// first filter that matches counts. Where the listener names one too, the stricter counts.
    #[arg(long, value_name = "FILTER=PROMISE", value_parser = parse_topic_durability)]
    topic_durability: Vec<(TopicFilter, Need)>,

    /// Under the promise `interval`: how long a power cut may reach back, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    sync_interval: u64,

    /// How often the store may write down where everything is, in seconds, so that space can be given back and a start
    /// is quick. A log that grew much is not waited for. [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_interval: Option<u64>,

    /// Bytes the store may take, five segments at least; beyond it publishers are refused until something is read. An
    /// empty store takes three segments. [default: no limit]
    #[arg(long, value_name = "BYTES")]
    disk_max: Option<u64>,

    /// Bytes of the disk that stay free for others. [default: 5 % of it, 2 GiB at most]
    #[arg(long, value_name = "BYTES")]
    disk_free_min: Option<u64>,

    /// Bytes of one file of the log. [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    segment_size: Option<u32>,

    /// What happens when more waits for a session than it may hold.
    #[arg(long, visible_alias = "queue-overflow", value_enum, help_heading = "Limits")]
    overflow: Option<OverflowName>,

    /// Bytes of messages held in memory for one session that the store knows; the rest is read back when it is time.
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    queue_memory_max: Option<usize>,

    /// Messages that may wait on disk for one session; beyond it publishers are refused. [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    queue_quota_messages: Option<usize>,

    /// Bytes that may wait on disk for one session; beyond it publishers are refused. [default: no limit]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    queue_quota_bytes: Option<usize>,

    /// Keep QoS 0 messages for sessions whose clients are not there.
    #[arg(long, help_heading = "Behaviour")]
    queue_qos0: bool,
}

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Durability {
    /// It is on the disk: it survives a power cut.
    #[value(alias = "durable")]
    Always,
    /// The system has it, and brings it to the disk within the sync interval: it survives the end of the broker, and a
    /// power cut but for the last moment.
    #[value(alias = "fast")]
    Interval,
    /// The system has it: it survives the end of the broker. A power cut may cost the last half minute.
    Never,
    /// Nothing is kept: all ends with the broker.
    Memory,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OverflowName {
    /// It waits on disk; a session that is not kept drops the newest.
    Spill,
    /// The message that finds no room is dropped.
    DropNewest,
    /// The message that waited longest is dropped.
    DropOldest,
    /// The publisher is refused.
    RejectPublisher,
    /// The client that does not read is disconnected.
    Disconnect,
}

impl StoreOptions {
    /// Puts into a configuration what was said, and the defaults of what was not.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.store = self.store();
        let settings = &mut config.settings;
        settings.need = self.durability.need().unwrap_or(settings.need);
        settings.topic_needs = self.topic_durability.as_slice().into();
        settings.keeps_qos0 = self.queue_qos0;
        let queue = &mut settings.queue;
        queue.overflow = self.overflow.map_or(queue.overflow, OverflowName::policy);
        queue.memory_bytes = self.queue_memory_max.unwrap_or(queue.memory_bytes);
        queue.quota_messages = self.queue_quota_messages.unwrap_or(queue.quota_messages);
        queue.quota_bytes = self.queue_quota_bytes.unwrap_or(queue.quota_bytes);
    }

    fn store(&self) -> Option<StoreConfig> {
        if self.durability == Durability::Memory {
            return None;
        }
        let mut store = StoreConfig::new(self.data_dir.clone().unwrap_or_else(default_data_dir));
        store.log.sync_interval = Duration::from_millis(self.sync_interval);
        store.log.disk_max = self.disk_max;
        store.log.free_min = self.disk_free_min;
        if let Some(seconds) = self.checkpoint_interval {
            store.log.checkpoint_interval = Duration::from_secs(seconds);
        }
        if let Some(bytes) = self.segment_size {
            store.log.segment_bytes = bytes;
        }
        Some(store)
    }
}

impl Durability {
    /// How safe what is promised must be; `None` when nothing is kept.
    fn need(self) -> Option<Need> {
        match self {
            Self::Always => Some(Need::Synced),
            Self::Interval => Some(Need::SyncedSoon),
            Self::Never => Some(Need::Written),
            Self::Memory => None,
        }
    }
}

impl OverflowName {
    fn policy(self) -> Overflow {
        match self {
            Self::Spill => Overflow::Spill,
            Self::DropNewest => Overflow::DropNewest,
            Self::DropOldest => Overflow::DropOldest,
            Self::RejectPublisher => Overflow::RejectPublisher,
            Self::Disconnect => Overflow::Disconnect,
        }
    }
}

/// The promise with this name, as listeners and topics may have it.
pub(crate) fn parse_durability(text: &str) -> Result<Need> {
    let named = Durability::from_str(text, false).ok().and_then(Durability::need);
    named.with_context(|| format!("\"{text}\" is none of always, interval and never"))
}

fn parse_topic_durability(text: &str) -> Result<(TopicFilter, Need)> {
    let (filter, promise) =
        text.rsplit_once('=').context("expected FILTER=PROMISE, such as alarms/#=always")?;
    let filter = TopicFilter::parse(filter, &Limits::default()).context("this is no topic filter")?;
    Ok((filter, parse_durability(promise)?))
}

/// Where a user's programs keep their data.
pub(crate) fn default_data_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from("/var/lib")).join("martlet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use martlet_server::Dialect;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: StoreOptions,
    }

    fn config(words: &[&str]) -> Config {
        let mut config = Config::new(Dialect::NATIVE);
        Line::try_parse_from([&["broker"], words].concat()).unwrap().options.apply(&mut config);
        config
    }

    #[test]
    fn what_is_acknowledged_is_on_the_disk_unless_told_otherwise() {
        let usual = config(&[]);
        assert!(usual.store.is_some());
        assert_eq!((usual.settings.need, usual.settings.queue.overflow), (Need::Synced, Overflow::Spill));
        assert_eq!(config(&["--durability", "durable"]).settings.need, Need::Synced);
        assert_eq!(config(&["--durability", "fast"]).settings.need, Need::SyncedSoon);
        assert_eq!(config(&["--durability", "never"]).settings.need, Need::Written);
        assert!(config(&["--durability", "memory"]).store.is_none());
    }

    #[test]
    fn a_topic_can_have_a_promise_of_its_own() {
        let mixed = config(&["--topic-durability", "alarms/#=always", "--topic-durability", "a=b/c=fast"]);
        let named: Vec<_> =
            mixed.settings.topic_needs.iter().map(|(filter, need)| (filter.as_str(), *need)).collect();
        assert_eq!(named, [("alarms/#", Need::Synced), ("a=b/c", Need::SyncedSoon)]);
        for wrong in ["alarms/#", "alarms/#=memory", "a/#/b=always"] {
            assert!(Line::try_parse_from(["broker", "--topic-durability", wrong]).is_err(), "{wrong}");
        }
    }
}

//! What a node is started with.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use martlet_broker::{Dialect, Settings};
use martlet_net::{ListenerOptions, TcpOptions, descriptor_limit};
use martlet_record::Need;
use martlet_session::Terms;

use crate::entrance::Entrance;
use crate::shared::SURPLUS_MAX;

/// Descriptors that are not for Clients: standard streams, the reserve, files that are open for a moment.
const DESCRIPTORS_HELD_BACK: usize = 16;
/// What each runner polls and is woken by.
const DESCRIPTORS_OF_A_RUNNER: usize = 2;

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens. Port 0 takes a free one.
    pub listen: Vec<Listen>,
    /// An address that this machine does not have is left out, as long as there is another.
    pub skips_missing_addresses: bool,
    /// What TCP is asked for at all listeners.
    pub tcp: TcpOptions,
    /// What the core is asked for.
    pub settings: Settings,
    /// Threads that serve connections: at most one for each of the 64 shards.
    pub runners: NonZeroUsize,
    /// Network Connections at once; one more is refused with Server busy. `None`: as many as there are descriptors.
    pub connections_max: Option<usize>,
    /// How long a Network Connection may take until its CONNECT is whole; then it is closed.
    pub connect_timeout: Duration,
    /// Where everything persistent is kept; `None`: nothing outlasts the process.
    pub store: Option<StoreConfig>,
    /// The file of dynamic security, for the listeners that ask it; `None`: there is none.
    pub dynamic_security: Option<PathBuf>,
    /// How often `$SYS` topics are published; zero turns them off.
    pub sys_interval: Duration,
    /// Bytes of Messages that may wait for one runner; beyond it Clients that publish are not read until it caught up.
    pub mailbox_bytes_max: usize,
}

/// Where a node listens, on which terms, and who may enter there.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Where, and what lies between its sockets and MQTT.
    pub options: ListenerOptions,
    /// What its Clients are granted.
    pub terms: Terms,
    /// Who may enter.
    pub entrance: Entrance,
}

/// Where everything persistent is kept, and how.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The folder; it is made if it is not there.
    pub folder: PathBuf,
    /// A file beside it that stands for it: when it is gone the node begins with nothing.
    pub token: Option<PathBuf>,
    /// The folder may lie on a network file system, which may not keep what it acknowledged.
    pub takes_network_folders: bool,
    /// How the log behaves.
    pub log: martlet_disk::Settings,
}

impl Listen {
    /// An address without terms of its own, where everybody may enter.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            options: ListenerOptions::new(address),
            terms: Terms::default(),
            entrance: Entrance { allows_anonymous: true, ..Entrance::default() },
        }
    }

    /// The same, where Clients are promised something else than elsewhere.
    #[must_use]
    pub fn promising(mut self, need: Option<Need>) -> Self {
        self.terms.need = need;
        self
    }
}

impl StoreConfig {
    /// A store in this folder, with the defaults.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, token: None, takes_network_folders: false, log: martlet_disk::Settings::default() }
    }
}

impl Config {
    /// The defaults of a dialect, listening nowhere yet.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            listen: Vec::new(),
            skips_missing_addresses: false,
            tcp: TcpOptions::default(),
            settings: Settings::new(dialect),
            runners: default_runners(),
            connections_max: None,
            connect_timeout: Duration::from_secs(10),
            store: None,
            dynamic_security: None,
            sys_interval: Duration::from_secs(10),
            mailbox_bytes_max: 8 * 1024 * 1024,
        }
    }

    /// Network Connections at once, whoever set the limit.
    pub(crate) fn connections_max(&self) -> usize {
        let ours = DESCRIPTORS_HELD_BACK
            + DESCRIPTORS_OF_A_RUNNER * self.runners.get()
            + self.listen.len()
            + SURPLUS_MAX;
        let descriptors = usize::try_from(descriptor_limit()).unwrap_or(usize::MAX);
        let possible = descriptors.saturating_sub(ours).max(1);
        self.connections_max.map_or(possible, |wanted| wanted.min(possible))
    }
}

/// One runner where there are two cores or fewer, because waking another costs more than it brings; else half as many
/// as there are cores, so that the kernel's part of the work has the other half.
pub fn default_runners() -> NonZeroUsize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(if cores <= 2 { 1 } else { cores / 2 }).unwrap_or(NonZeroUsize::MIN)
}

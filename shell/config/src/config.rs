//! The configuration of a node: plain data without a decision in it.
//!
//! The one rule: nothing here depends on the file it came from. Both readers fill the same fields, and what a field
//! means is said where it stands.

mod behaviour;
mod bridge;
mod dialect;
mod limits;
mod listener;
mod log;
mod persistence;
mod secret;
mod security;

use std::path::PathBuf;
use std::time::Duration;

pub use behaviour::{Behaviour, SharedStrategy};
pub use bridge::{Bridge, BridgeTopic, Direction, ProtocolVersion, ReloadType, StartType};
pub use dialect::Dialect;
pub use limits::{Limits, QueuePolicy};
pub use listener::{
    AcceptedVersion, IpFamily, Listener, Protocol, ProxyProtocol, Tls, TlsVersion, WebSocket,
};
pub use log::{Log, LogDestination, LogType};
pub use persistence::{Durability, Persistence, TopicDurability};
pub use secret::Secret;
pub use security::{Plugin, Security};

/// The configuration of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How the node words what the specification leaves open; it also chose the defaults of what is not written.
    pub dialect: Dialect,
    /// Nothing says where to listen: [`Config::listeners`] is then one listener on `localhost`, and everybody on this
    /// machine is let in.
    pub local_only: bool,
    /// Each listener has a [`Security`] of its own, and the global one is not asked.
    pub per_listener_settings: bool,
    /// Where the node listens; never empty once a reader is done.
    pub listeners: Vec<Listener>,
    /// Who may enter and do what, unless listeners say it themselves.
    pub security: Security,
    /// What has a limit.
    pub limits: Limits,
    /// What the specification leaves open.
    pub behaviour: Behaviour,
    /// What outlasts the process.
    pub persistence: Persistence,
    /// What is said to the operator, and where.
    pub log: Log,
    /// What is published under `$SYS`, and the interface under `$CONTROL`.
    pub sys: Sys,
    /// What TCP is asked for.
    pub tcp: Tcp,
    /// The process itself.
    pub process: Process,
    /// Connections to other brokers.
    pub bridges: Vec<Bridge>,
}

/// What the node tells about itself by MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sys {
    /// How often `$SYS` topics are published; zero: never.
    pub interval: Duration,
    /// `$CONTROL/broker/v1` answers.
    pub control_api: bool,
}

/// What TCP is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Small packets leave at once (`TCP_NODELAY`).
    pub no_delay: bool,
    /// Connections the kernel completes before they are accepted.
    pub backlog: u16,
    /// Silence before TCP asks whether the peer is still there; `None`: it never asks.
    pub keep_alive_idle: Option<Duration>,
    /// Time between two such questions.
    pub keep_alive_interval: Duration,
    /// Unanswered questions after which the peer is given up.
    pub keep_alive_count: u32,
    /// A peer that acknowledges nothing for so long is given up; `None`: as the kernel sees fit.
    pub user_timeout: Option<Duration>,
}

/// The process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Whom the process becomes when it was started as root; an empty name or `root`: it stays root.
    pub user: Option<String>,
    /// Where the number of the process is written.
    pub pid_file: Option<PathBuf>,
    /// Threads that serve connections; `None`: as many as suit the machine.
    pub runners: Option<u16>,
}

impl Config {
    /// The defaults of a dialect: listening on this machine only, or everywhere as Mosquitto 1.6 did.
    pub fn new(dialect: Dialect) -> Self {
        let mut config = Self {
            dialect,
            local_only: dialect != Dialect::Mosquitto1,
            per_listener_settings: false,
            listeners: Vec::new(),
            security: Security::default(),
            limits: Limits::new(dialect),
            behaviour: Behaviour::new(dialect),
            persistence: Persistence::new(dialect),
            log: Log::default(),
            sys: Sys { interval: Duration::from_secs(10), control_api: false },
            tcp: Tcp::new(dialect),
            process: Process::new(dialect),
            bridges: Vec::new(),
        };
        config.listeners.push(Listener::unasked(dialect));
        config
    }

    /// Who may enter by this listener and do what.
    pub fn security_of<'a>(&'a self, listener: &'a Listener) -> &'a Security {
        if self.per_listener_settings { &listener.security } else { &self.security }
    }

    /// May a Client without a user name enter by this listener? What nobody said is no, but in a node for this machine
    /// only, and in the dialect of Mosquitto 1.6 where nothing else says who may enter.
    pub fn allows_anonymous(&self, listener: &Listener) -> bool {
        let security = self.security_of(listener);
        let unsaid = self.dialect == Dialect::Mosquitto1 && !security.says_who_may_enter();
        self.local_only || listener.allow_anonymous.or(security.allow_anonymous).unwrap_or(unsaid)
    }

    /// What Client Identifiers begin with that this listener generates.
    pub fn auto_id_prefix<'a>(&'a self, listener: &'a Listener) -> &'a str {
        listener.auto_id_prefix.as_deref().unwrap_or(&self.security_of(listener).auto_id_prefix)
    }
}

impl Tcp {
    fn new(dialect: Dialect) -> Self {
        Self {
            no_delay: dialect == Dialect::Native,
            backlog: 1024,
            keep_alive_idle: Some(Duration::from_secs(120)),
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_count: 4,
            user_timeout: None,
        }
    }
}

impl Process {
    fn new(dialect: Dialect) -> Self {
        let user = (dialect != Dialect::Native).then(|| "mosquitto".to_owned());
        Self { user, pid_file: None, runners: None }
    }
}

//! From what the operator wrote to what a node is started with.
//!
//! The rule: nothing that was written is passed over in silence: it has an effect, a warning, or stops the start.

mod listeners;
mod security;
mod settings;
mod store;

use std::num::NonZeroUsize;
use std::time::Duration;

use martlet_config as written;
use martlet_net::{KeepAliveProbes, TcpOptions};

use crate::{Config, default_runners};

/// What a node is started with, and what the operator should know of it.
#[derive(Debug)]
pub struct Configured {
    /// What a node is started with.
    pub config: Config,
    /// What was written and has no effect, or another than it had.
    pub warnings: Vec<String>,
}

/// Why nothing can be made of what was written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub(crate) String);

impl Unusable {
    fn of(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// Makes a configuration of a node from what was written; reads the files it names.
pub fn configure(from: &written::Config) -> Result<Configured, Unusable> {
    let mut config = Config::new(settings::dialect(from.dialect));
    let mut warnings = Vec::new();
    settings::apply(from, &mut config.settings, &mut warnings)?;
    config.tcp = tcp(&from.tcp);
    let runners = from.process.runners.and_then(|count| NonZeroUsize::new(count.into()));
    config.runners = runners.unwrap_or_else(default_runners);
    config.connections_max = from.limits.connections_max.map(as_usize);
    config.connect_timeout = from.limits.connect_timeout;
    config.sys_interval = from.sys.interval;
    config.store = store::of(from);
    config.skips_missing_addresses = from.local_only;
    config.dynamic_security = security::dynamic(from)?;
    config.settings.takes_control = config.dynamic_security.is_some();
    let tells = |kind| from.log.types.contains(&kind);
    config.settings.notices_subscriptions =
        tells(written::LogType::Subscribe) || tells(written::LogType::Unsubscribe);
    config.listen = listeners::all(from, &config, &mut warnings)?;
    no_effect(from, &mut warnings);
    Ok(Configured { config, warnings })
}

fn tcp(from: &written::Tcp) -> TcpOptions {
    let probes =
        |idle| KeepAliveProbes { idle, interval: from.keep_alive_interval, count: from.keep_alive_count };
    TcpOptions {
        backlog: from.backlog,
        no_delay: from.no_delay,
        keep_alive: from.keep_alive_idle.map(probes),
        user_timeout: from.user_timeout,
    }
}

/// What is accepted because Mosquitto's files have it, and changes nothing here.
fn no_effect(from: &written::Config, warnings: &mut Vec<String>) {
    if !from.bridges.is_empty() {
        let names: Vec<_> = from.bridges.iter().map(|bridge| bridge.name.as_str()).collect();
        warnings.push(format!("bridges are read and checked, but not connected yet: {}", names.join(", ")));
    }
    if from.sys.control_api {
        warnings.push("enable_control_api has no effect: $CONTROL/broker/v1 does not answer".to_owned());
    }
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

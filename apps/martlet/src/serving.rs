//! A broker that a configuration file describes: from the file to a node that runs, and again when it changes.

mod log_settings;
mod origin;

use std::process::ExitCode;

use anyhow::Result;
use martlet_server::{Address, Config, Source, raise_descriptor_limit, serve_until_signalled};

use crate::broker::start;
use crate::log::Log;
use crate::process::{PidFile, State, become_user, go_on_alone, is_in_background, tell_manager};

pub(crate) use log_settings::Volume;
pub(crate) use origin::{Broken, Origin, Read};

/// The version, as Mosquitto says it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Mosquitto's status for a configuration that cannot be used.
const STATUS_OF_BAD_CONFIG: u8 = 3;

/// Runs the broker until a signal ends it.
pub(crate) fn serve(origin: Origin) -> Result<ExitCode> {
    let read = match origin.read() {
        Ok(read) => read,
        Err(error) => return Ok(refuse(&error)),
    };
    if is_in_background() {
        go_on_alone();
    }
    let process = &read.written.process;
    let user = process.user.as_deref().map(become_user).transpose()?.flatten();
    let pid_file = process.pid_file.as_deref().map(PidFile::write).transpose()?;
    let log = Log::start(&log_settings::of(&read.written, origin.volume))?;
    let ended = run(origin, read, user.as_deref(), &log);
    if let Err(error) = &ended {
        tracing::error!("Error: {error:#}.");
    }
    log.finish();
    drop(pid_file);
    // It was said in the log.
    Ok(ended.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

/// Says whether a configuration can be used, and runs nothing.
pub(crate) fn test(origin: &Origin) -> ExitCode {
    match origin.read() {
        Ok(read) => {
            #[expect(clippy::print_stderr, reason = "the answer to what was asked, where Mosquitto gives it")]
            {
                read.warnings.iter().for_each(|warning| eprintln!("Warning: {warning}"));
                eprintln!("Configuration file is OK.");
            }
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

fn run(origin: Origin, read: Read, user: Option<&str>, log: &Log) -> Result<()> {
    raise_descriptor_limit();
    tracing::info!("martlet version {VERSION} starting");
    match &origin.file {
        Some(file) => tracing::info!("Config loaded from {}.", file.display()),
        None => tracing::info!("Using default config."),
    }
    if let Some(user) = user {
        tracing::info!("The process belongs to the user {user} now.");
    }
    read.warnings.iter().for_each(|warning| tracing::warn!("Warning: {warning}"));
    if read.written.local_only {
        tracing::warn!(
            "Starting in local only mode. Connections will only be possible from clients running on this machine."
        );
        tracing::warn!("Create a configuration file which defines a listener to allow remote access.");
    }
    let node = start(&read.config)?;
    announce(&read.config, node.addresses());
    let stopper = node.stopper();
    log.publish_with(move |topic, line| stopper.publish_log(topic, line));
    tracing::info!("martlet version {VERSION} running");
    tell_manager(State::Ready);
    let source = origin.into_source(log.clone(), read.files);
    serve_until_signalled(node, source.map(|source| Box::new(source) as Box<dyn Source>))?;
    tracing::info!("martlet version {VERSION} terminating");
    Ok(())
}

fn announce(config: &Config, addresses: &[std::net::SocketAddr]) {
    for address in addresses {
        let version = if address.is_ipv6() { "ipv6" } else { "ipv4" };
        tracing::info!("Opening {version} listen socket on port {}.", address.port());
    }
    for listen in &config.listen {
        if let Address::Unix { path } = &listen.options.address {
            tracing::info!("Opening unix listen socket on path {}.", path.display());
        }
    }
}

fn refuse(broken: &Broken) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "there is no log yet: it is configured in the file")]
    {
        eprintln!("{}", broken.explained);
    }
    ExitCode::from(STATUS_OF_BAD_CONFIG)
}

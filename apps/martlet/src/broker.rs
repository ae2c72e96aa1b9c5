//! `martlet broker`: runs the broker until a signal ends it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use martlet_server::{
    Config, Dialect, Error, Handle, KeepAliveProbes, Limits, Listen, ListenError, Need, Server,
    SharedStrategy, TcpOptions, TopicFilter, default_runners, raise_descriptor_limit, serve_until_signalled,
};

use crate::log::{Log, LogSettings};
use crate::port_owner;
use crate::process::{State, tell_manager};
use crate::serving::{Origin, serve};
use crate::store_options::{StoreOptions, parse_durability};

/// Run the broker.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read everything from this file, martlet.toml or mosquitto.conf; it is read again when it changes and on SIGHUP.
    /// No other option can be given with it.
    #[arg(short, long, value_name = "FILE", exclusive = true)]
    config: Option<PathBuf>,

    /// TCP port; 0 takes a free one.
    #[arg(short, long, value_name = "PORT", default_value_t = 1883)]
    pub(crate) port: u16,

    /// Address to listen on, with a port of its own if it needs one (0.0.0.0, ::, 192.168.1.5:8883). May be
    /// repeated. Without it: 127.0.0.1 and ::1, so that only this machine reaches the broker. With =always, =interval
    /// or =never behind it, that is what acknowledgements promise there (see --durability).
    #[arg(long, value_name = "ADDRESS", value_parser = parse_bind)]
    bind: Vec<Bind>,

    /// Say more in the log. The variable MARTLET_LOG (off, error, warn, info, debug, trace) says it finer.
    #[arg(short, long)]
    verbose: bool,

    /// How answers are worded where the specification leaves it open.
    #[arg(long, value_enum, default_value_t = DialectName::Native)]
    dialect: DialectName,

    /// Threads that serve connections, 1 to 64. [default: 1 on one or two cores, else half the cores]
    #[arg(long, value_name = "N")]
    runners: Option<NonZeroUsize>,

    /// Connections at once; one more is refused with "Server busy". [default: what the limit on descriptors allows]
    #[arg(long, value_name = "N")]
    max_connections: Option<NonZeroUsize>,

    /// Messages that may wait for one session; 0: no limit. [default: 100000; dialect mosquitto: 1000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    queue_messages_max: Option<usize>,

    /// Bytes of messages that may wait for one session; 0: no limit. [default: 16777216; dialect mosquitto: no limit]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    queue_bytes_max: Option<usize>,

    /// QoS 1 and 2 messages sent to one client and not yet acknowledged. [default: 1024; dialect mosquitto: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    in_flight_max: Option<u16>,

    /// Longest keep alive, in seconds: MQTT 5 clients that ask for more, or for none, are given this. [default: none]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    keep_alive_max: Option<u16>,

    /// How long the session of an MQTT 5 client that keeps it (Clean Start 0) but names no time is kept, in seconds;
    /// CONNACK tells the client. 0: it ends with its connection. [default: 7200; dialect mosquitto: 0]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    default_session_expiry: Option<u32>,

    /// Longest time a session is kept without a connection, in seconds. [default: for ever]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    session_expiry_max: Option<u32>,

    /// Largest packet a client may send, in bytes; a larger one ends its connection. [default: 16777216; dialect
    /// mosquitto: 268435460]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..), help_heading = "Limits")]
    max_packet_size: Option<u32>,

    /// How long a connection may take to send its CONNECT, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    connect_timeout: u64,

    /// Topic filter nobody may subscribe to, as clients write it. May be repeated.
    #[arg(long, value_name = "FILTER", value_parser = parse_filter, help_heading = "Rules")]
    deny_subscribe: Vec<TopicFilter>,

    /// Topic filter of the topics nobody may publish to. May be repeated.
    #[arg(long, value_name = "FILTER", value_parser = parse_filter, help_heading = "Rules")]
    deny_publish: Vec<TopicFilter>,

    /// Do not tell clients which rule denies what they ask for: they hear 0x80 instead of 0x87, and no words.
    #[arg(long, help_heading = "Rules")]
    conceal_denials: bool,

    /// Which member of a shared subscription ($share/GROUP/FILTER) gets a message.
    #[arg(long, value_enum, default_value_t = Strategy::RoundRobin, help_heading = "Behaviour")]
    shared_strategy: Strategy,

    /// How often the topics $SYS/broker/... are published, in seconds; 0: never.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, help_heading = "Behaviour")]
    sys_interval: u64,

    /// Count bytes that a client takes as a sign of life: it need not send while it reads.
    #[arg(long, help_heading = "Behaviour")]
    taking_is_life: bool,

    #[command(flatten)]
    store: StoreOptions,

    /// Connections the kernel completes before the broker accepts them.
    #[arg(long, value_name = "N", default_value_t = 1024, help_heading = "TCP")]
    tcp_backlog: u16,

    /// Let the kernel hold small packets back to gather more (Nagle): fewer packets, later.
    #[arg(long, help_heading = "TCP")]
    tcp_delay: bool,

    /// Silence before TCP asks whether the peer is still there, in seconds; 0: it never asks.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, help_heading = "TCP")]
    tcp_keep_alive_idle: u64,

    /// Time between two such questions, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..), help_heading = "TCP")]
    tcp_keep_alive_interval: u64,

    /// Unanswered questions after which the peer is given up.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..), help_heading = "TCP")]
    tcp_keep_alive_count: u32,

    /// Give up a peer that acknowledges or reads nothing for so many seconds. [default: as long as the kernel sees fit]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..), help_heading = "TCP")]
    tcp_user_timeout: Option<u64>,
}

/// An address, with or without a port and a promise of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bind {
    address: IpAddr,
    port: Option<u16>,
    need: Option<Need>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DialectName {
    /// Martlet's own: every refusal explains itself.
    Native,
    /// As Mosquitto 2.0 answers, byte for byte.
    Mosquitto,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Strategy {
    /// Each in turn.
    RoundRobin,
    /// Any.
    Random,
    /// The same one until it is gone.
    Sticky,
    /// All messages of a publisher to the same one.
    HashClient,
    /// All messages of a topic to the same one.
    HashTopic,
}

/// Runs the broker.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(file) = &args.config {
        return serve(Origin::of_file(file.clone()));
    }
    let log = Log::start(&LogSettings::native(args.verbose))?;
    raise_descriptor_limit();
    let config = args.config();
    let node = start(&config)?;
    let addresses = list(node.addresses());
    if args.bind.is_empty() {
        tracing::info!(
            "Listening on {addresses}, for clients on this machine only; --bind 0.0.0.0 --bind :: opens it to all."
        );
    } else {
        tracing::info!("Listening on {addresses}. No client is asked for a password.");
    }
    match &config.store {
        Some(store) => tracing::info!("Sessions and messages are kept in {}.", store.folder.display()),
        None => tracing::info!("Everything is in memory: nothing is kept over a restart."),
    }
    tell_manager(State::Ready);
    serve_until_signalled(node, None)?;
    tracing::info!("Shut down.");
    log.finish();
    Ok(ExitCode::SUCCESS)
}

/// Starts a node, or says who is in the way and what to do about it.
pub(crate) fn start(config: &Config) -> Result<Handle> {
    Server::start(config).map_err(|error| match &error {
        Error::Listen(ListenError::InUse { address }) => {
            let owner = port_owner::of(address.port()).unwrap_or_else(|| "another program".to_owned());
            anyhow::anyhow!("{address} is in use by {owner}: stop it, or choose another port with -p")
        }
        Error::Listen(ListenError::NoSuchAddress { address }) => {
            anyhow::anyhow!("this machine has no address {}; `ip address` lists those it has", address.ip())
        }
        Error::Listen(ListenError::Refused { address, .. }) if address.port() < 1024 => {
            let hint = "ports below 1024 need a privilege; choose another with -p";
            anyhow::Error::new(error).context(hint)
        }
        Error::Store(_) => {
            let folder =
                config.store.as_ref().map(|store| store.folder.display().to_string()).unwrap_or_default();
            anyhow::Error::new(error)
                .context(format!("the store in {folder} cannot be used (--data-dir names another)"))
        }
        _ => anyhow::Error::new(error),
    })
}

/// Where clients on this machine, and nobody else, reach a port.
fn loopback(port: u16) -> Vec<Listen> {
    let addresses: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    addresses.map(Listen::at).into()
}

/// Addresses as people write them.
fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

impl Args {
    fn config(&self) -> Config {
        let dialect = match self.dialect {
            DialectName::Native => Dialect::NATIVE,
            DialectName::Mosquitto => Dialect::MOSQUITTO,
        };
        let mut config = Config::new(dialect);
        config.listen = self.listen();
        config.skips_missing_addresses = self.bind.is_empty();
        config.tcp = self.tcp();
        config.runners = self.runners.unwrap_or_else(default_runners);
        config.connections_max = self.max_connections.map(NonZeroUsize::get);
        config.connect_timeout = Duration::from_secs(self.connect_timeout);
        config.sys_interval = Duration::from_secs(self.sys_interval);
        self.apply_limits(&mut config);
        self.store.apply(&mut config);
        let settings = &mut config.settings;
        settings.rules.deny_subscribe.clone_from(&self.deny_subscribe);
        settings.rules.deny_publish.clone_from(&self.deny_publish);
        settings.explains_denials = !self.conceal_denials;
        settings.shared_strategy = self.shared_strategy.into();
        settings.taking_is_life = self.taking_is_life;
        config
    }

    fn apply_limits(&self, config: &mut Config) {
        let settings = &mut config.settings;
        let unless_zero = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        set(&mut settings.queue.messages, self.queue_messages_max.map(unless_zero));
        set(&mut settings.queue.bytes, self.queue_bytes_max.map(unless_zero));
        set(&mut settings.send.in_flight, self.in_flight_max);
        settings.keep_alive_max = self.keep_alive_max;
        set(&mut settings.default_session_expiry, self.default_session_expiry);
        set(&mut settings.session_expiry_max, self.session_expiry_max);
        set(&mut settings.maximum_packet_size, self.max_packet_size);
    }

    fn listen(&self) -> Vec<Listen> {
        if self.bind.is_empty() {
            return loopback(self.port);
        }
        let listen = |bind: &Bind| {
            let address = SocketAddr::new(bind.address, bind.port.unwrap_or(self.port));
            Listen::at(address).promising(bind.need)
        };
        self.bind.iter().map(listen).collect()
    }

    fn tcp(&self) -> TcpOptions {
        let probes = KeepAliveProbes {
            idle: Duration::from_secs(self.tcp_keep_alive_idle),
            interval: Duration::from_secs(self.tcp_keep_alive_interval),
            count: self.tcp_keep_alive_count,
        };
        TcpOptions {
            backlog: self.tcp_backlog,
            no_delay: !self.tcp_delay,
            keep_alive: (self.tcp_keep_alive_idle > 0).then_some(probes),
            user_timeout: self.tcp_user_timeout.map(Duration::from_secs),
        }
    }
}

fn set<T>(setting: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *setting = wanted;
    }
}

fn parse_bind(text: &str) -> Result<Bind> {
    let (address, promise) =
        text.split_once('=').map_or((text, None), |(address, promise)| (address, Some(promise)));
    let need = promise.map(parse_durability).transpose()?;
    if let Ok(address) = address.parse() {
        return Ok(Bind { address, port: None, need });
    }
    let socket: SocketAddr = address.parse().ok().context(
        "expected an address such as 0.0.0.0, ::, 192.168.1.5 or, with a port of its own, [::]:8883",
    )?;
    Ok(Bind { address: socket.ip(), port: Some(socket.port()), need })
}

fn parse_filter(text: &str) -> Result<TopicFilter> {
    TopicFilter::parse(text, &Limits::default()).context("this is no topic filter")
}

impl From<Strategy> for SharedStrategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::RoundRobin => Self::RoundRobin,
            Strategy::Random => Self::Random,
            Strategy::Sticky => Self::Sticky,
            Strategy::HashClient => Self::HashClient,
            Strategy::HashTopic => Self::HashTopic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn config(words: &[&str]) -> Config {
        Line::try_parse_from([&["broker"], words].concat()).unwrap().args.config()
    }

    #[test]
    fn nobody_but_this_machine_is_let_in_unless_asked_for() {
        let addresses = |config: &Config| -> Vec<String> {
            config.listen.iter().map(|it| it.options.address.to_string()).collect()
        };
        assert_eq!(addresses(&config(&[])), ["127.0.0.1:1883", "[::1]:1883"]);
        let wide = config(&["-p", "1999", "--bind", "0.0.0.0", "--bind", "[::]:8883"]);
        assert_eq!(addresses(&wide), ["0.0.0.0:1999", "[::]:8883"]);
        assert!(Line::try_parse_from(["broker", "--bind", "everywhere"]).is_err());
    }

    #[test]
    fn a_listener_can_have_a_promise_of_its_own() {
        let mixed = config(&["--bind", "127.0.0.1", "--bind", "127.0.0.1:1884=fast"]);
        let needs: Vec<_> = mixed.listen.iter().map(|it| it.terms.need).collect();
        assert_eq!(needs, [None, Some(Need::SyncedSoon)]);
        assert!(Line::try_parse_from(["broker", "--bind", "127.0.0.1=perhaps"]).is_err());
    }

    #[test]
    fn limits_that_are_not_named_are_those_of_the_dialect() {
        let native = config(&["--queue-messages-max", "0"]);
        assert_eq!(native.settings.queue.messages, usize::MAX);
        assert_eq!(native.settings.queue.bytes, Dialect::NATIVE.queue_bytes_max);
        let mosquitto = config(&["--dialect", "mosquitto", "--in-flight-max", "5"]);
        assert_eq!(mosquitto.settings.dialect.name, "mosquitto");
        assert_eq!(mosquitto.settings.send.in_flight, 5);
        assert_eq!(mosquitto.settings.queue.messages, Dialect::MOSQUITTO.queue_messages_max);
    }

    #[test]
    fn a_rule_must_be_a_topic_filter() {
        assert_eq!(config(&["--deny-publish", "cmd/#"]).settings.rules.deny_publish.len(), 1);
        assert!(Line::try_parse_from(["broker", "--deny-publish", "cmd/#/x"]).is_err());
    }

    #[test]
    fn keep_alive_questions_can_be_turned_off() {
        assert!(config(&["--tcp-keep-alive-idle", "0"]).tcp.keep_alive.is_none());
        assert_eq!(config(&[]).tcp, TcpOptions::default());
    }
}

//! The flags that `martlet pub`, `sub`, `rr` and `ctrl` share: where to connect, as whom, and how to say what failed. The
//! one rule: a flag that works in Mosquitto's tools means the same here. Under the program's own name a flag that MQTT
//! 5.0 alone understands turns MQTT 5.0 on.

mod arguments;
mod failure;
mod manner;
mod property;
mod proxy;
mod tls;
mod url;
mod will;

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use martlet_client::service::services_of;
use martlet_client::topic::{Limits, SubscriptionFilter, TopicName};
use martlet_client::{Address, Client, ConnectOptions, Endpoint, Error, Proxy, QoS, Version};

pub(crate) use self::arguments::expand;
pub(crate) use self::failure::{Failure, complain};
pub(crate) use self::manner::{Manner, parse, refuse};
pub(crate) use self::property::{PacketName, PropertyArgs};
use self::tls::TlsArgs;
use self::url::Url;
use self::will::WillArgs;

const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// No doc comment: its brackets are no links.
const URL_HELP: &str =
    "User, password, broker and topic at once: mqtt(s)://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC";

/// How to connect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// The broker's name or address [default: localhost]
    #[arg(short = 'h', long, allow_hyphen_values = true)]
    host: Option<String>,
    /// The broker's port [default: 1883, and 8883 with certificates or a key]
    #[arg(short, long)]
    port: Option<u16>,
    #[arg(short = 'L', long, help = URL_HELP)]
    url: Option<Url>,
    /// The path of the broker's Unix socket, in place of a name and a port
    #[arg(long, value_name = "SOCKET PATH")]
    unix: Option<PathBuf>,
    /// Ask DNS where the domain given with -h has its brokers (SRV records of _mqtt._tcp or _secure-mqtt._tcp)
    #[arg(short = 'S')]
    srv: bool,
    /// The name or address of this machine to connect from
    #[arg(short = 'A', value_name = "ADDRESS")]
    bind: Option<String>,
    /// Connect through a SOCKS5 proxy: `socks5h://[USER[:PASSWORD]@]HOST[:PORT]`
    #[arg(long, value_name = "PROXY URL", value_parser = proxy::parse)]
    proxy: Option<Proxy>,
    /// The Client Identifier; without one the broker chooses
    #[arg(short, long, allow_hyphen_values = true)]
    id: Option<String>,
    /// A Client Identifier made of this and the process id
    #[arg(short = 'I', long, value_name = "ID PREFIX", allow_hyphen_values = true, conflicts_with = "id")]
    id_prefix: Option<String>,
    /// The User Name
    #[arg(short, long, value_name = "USERNAME", allow_hyphen_values = true)]
    username: Option<String>,
    /// The Password
    #[arg(short = 'P', long = "pw", alias = "password", value_name = "PASSWORD", allow_hyphen_values = true)]
    password: Option<String>,
    /// The version of MQTT: 31, 311 or 5 [default: 311, or 5 if another flag needs it]
    #[arg(short = 'V', long, value_name = "VERSION", hide_possible_values = true)]
    protocol_version: Option<ProtocolVersion>,
    /// Seconds of silence after which the connection is tested; 0 turns it off
    #[arg(short, long, value_name = "KEEPALIVE", default_value_t = 60)]
    keepalive: u16,
    /// Keep the Session: what comes while we are away waits for the next time (needs -i)
    #[arg(short = 'c', long)]
    disable_clean_session: bool,
    /// Seconds the Session lasts after we leave; -1 is for ever (turns MQTT 5.0 on) [default: 0, with -c for ever]
    #[arg(
        short = 'x', long, value_name = "SECONDS", allow_hyphen_values = true, value_parser = parse_session_expiry
    )]
    session_expiry: Option<u32>,
    #[command(flatten)]
    pub(crate) properties: PropertyArgs,
    /// Send packets at once, even small ones: always so, and accepted for habit's sake
    #[arg(long)]
    nodelay: bool,
    /// Read options from this file, one in each line, in place of the usual one
    /// (mosquitto_pub, mosquitto_sub ... in $XDG_CONFIG_HOME or ~/.config)
    #[arg(short = 'o', value_name = "OPTIONS FILE")]
    options_file: Option<PathBuf>,

    /// Say every packet that comes and goes
    #[arg(short, long, help_heading = "Output")]
    pub(crate) debug: bool,
    /// Say nothing of what fails: the exit code tells
    #[arg(long, help_heading = "Output")]
    pub(crate) quiet: bool,

    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    will: WillArgs,

    /// As whom the program speaks.
    #[arg(skip)]
    pub(crate) manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolVersion {
    #[value(name = "31", alias = "mqttv31")]
    V3_1,
    #[value(name = "311", alias = "mqttv311")]
    V3_1_1,
    #[value(name = "5", alias = "mqttv5")]
    V5,
}

/// What a subcommand makes of the version when none is given.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants {
    /// MQTT 5.0 unless an older version is asked for.
    pub(crate) v5: bool,
    /// A flag of the subcommand that MQTT 5.0 alone understands.
    pub(crate) v5_because: Option<&'static str>,
}

impl ConnectArgs {
    /// Refuses what is wrong with the flags, before anything is done.
    pub(crate) fn check(&self) -> Result<()> {
        self.tls.check()?;
        self.will.check()?;
        if self.manner == Manner::Mosquitto && self.keepalive < 5 {
            bail!("Invalid keepalive given, it must be between 5 and 65535 inclusive.\n");
        }
        Ok(())
    }

    /// What CONNECT shall say.
    pub(crate) fn options(&self, wants: Wants) -> Result<ConnectOptions> {
        let version = self.version(wants)?;
        let client_id = self.client_id(version)?;
        let url = self.url.as_ref();
        let text = |flag: &Option<String>, of_url: Option<&String>| flag.as_ref().or(of_url).cloned();
        let mut options = ConnectOptions {
            version,
            clean_start: !self.disable_clean_session,
            keep_alive: self.keepalive,
            user_name: text(&self.username, url.and_then(|url| url.user.as_ref())),
            password: text(&self.password, url.and_then(|url| url.password.as_ref())).map(String::into_bytes),
            will: self.will.will(&self.properties),
            session_expiry: self.session_expiry.unwrap_or(if self.disable_clean_session {
                u32::MAX
            } else {
                0
            }),
            ..ConnectOptions::new(client_id)
        };
        self.properties.apply_to_connect(&mut options);
        Ok(options)
    }

    /// Connects to the broker the flags name.
    pub(crate) fn connect(&self, options: ConnectOptions) -> Result<Client> {
        let endpoint = self.endpoint();
        if self.srv {
            return connect_to_first(endpoint, options);
        }
        Ok(Client::connect_to(endpoint, options)?)
    }

    /// The topic of the URL.
    pub(crate) fn url_topic(&self) -> Option<&str> {
        self.url.as_ref().map(|url| url.topic.as_str())
    }

    /// Whether nobody on the way can read what is said. Mosquitto's tools count on certificates alone.
    pub(crate) fn is_hidden(&self) -> bool {
        match self.manner {
            Manner::Native => self.unix.is_some() || self.endpoint().tls.is_some(),
            Manner::Mosquitto => self.tls.names_certificates(),
        }
    }

    /// The User Name, when no Password is given with it.
    pub(crate) fn lacks_password(&self) -> Option<&str> {
        let url = self.url.as_ref();
        let has_password = self.password.is_some() || url.is_some_and(|url| url.password.is_some());
        let name = self.username.as_ref().or(url.and_then(|url| url.user.as_ref()));
        name.filter(|_| !has_password).map(String::as_str)
    }

    /// Takes a Password that was asked for.
    pub(crate) fn set_password(&mut self, password: String) {
        self.password = Some(password);
    }

    /// Starts what the flags on output ask for. The log may be in use already; then it stays as it is.
    pub(crate) fn start_log(&self) {
        if !self.debug {
            return;
        }
        let lines = tracing_subscriber::fmt().with_target(false).with_max_level(tracing::Level::DEBUG);
        let _in_use = match self.manner {
            Manner::Native => lines.with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).try_init(),
            // Nothing but the words, among the output.
            Manner::Mosquitto => {
                lines.with_writer(io::stdout).with_ansi(false).without_time().with_level(false).try_init()
            }
        };
    }

    /// Says something that went wrong, unless nobody wants to hear it.
    pub(crate) fn complain(&self, line: impl Display) {
        if !self.quiet {
            complain(format_args!("{line}"));
        }
    }

    /// Says something that Mosquitto's tools keep to themselves.
    pub(crate) fn explain(&self, line: impl Display) {
        if self.manner == Manner::Native {
            self.complain(line);
        }
    }

    /// Says what failed, and turns it into the exit code.
    pub(crate) fn conclude(&self, result: Result<ExitCode>) -> ExitCode {
        result.unwrap_or_else(|error| {
            let failure = Failure::of(&error);
            match self.manner {
                Manner::Mosquitto => {
                    manner::words_of_failure(&error).iter().for_each(|line| self.complain(line));
                }
                Manner::Native => {
                    self.complain(format_args!("Error: {error:#}"));
                    failure.cure.iter().for_each(|cure| self.complain(cure));
                }
            }
            failure.code.into()
        })
    }

    /// Where the broker is, and how to get there.
    fn endpoint(&self) -> Endpoint {
        let url = self.url.as_ref();
        let host = self.host.as_deref().or(url.map(|url| url.host.as_str())).unwrap_or("localhost");
        let default = if self.tls.names_trust() { TLS_PORT } else { PORT };
        let of_url = url.map(|url| url.port.unwrap_or(if url.is_tls { TLS_PORT } else { PORT }));
        let port = self.port.or(of_url).unwrap_or(default);
        let place = self.unix.as_ref().map_or_else(|| Endpoint::tcp(host, port), Endpoint::unix);
        let implies_tls = url.is_some_and(|url| url.is_tls) || port == TLS_PORT && self.unix.is_none();
        Endpoint {
            bind: self.bind.clone(),
            proxy: self.proxy.clone(),
            tls: self.tls.options(implies_tls),
            ..place
        }
    }

    fn version(&self, wants: Wants) -> Result<Version> {
        let of_property = (!self.properties.is_empty()).then_some("-D");
        let needs_v5 = match self.manner {
            Manner::Native => wants.v5_because.or(self.session_expiry.map(|_| "-x")).or(of_property),
            // There the rest is left out in silence.
            Manner::Mosquitto => of_property,
        };
        Ok(match (self.protocol_version, needs_v5) {
            (Some(ProtocolVersion::V5), _) | (None, Some(_)) => Version::V5,
            (Some(_), Some(_)) if self.manner == Manner::Mosquitto => Version::V5,
            (Some(_), Some(flag)) => bail!("{flag} needs MQTT 5.0: leave -V out, or say -V 5"),
            (Some(ProtocolVersion::V3_1), None) => Version::V3_1,
            (Some(ProtocolVersion::V3_1_1), None) => Version::V3_1_1,
            (None, None) if wants.v5 => Version::V5,
            (None, None) => Version::V3_1_1,
        })
    }

    fn client_id(&self, version: Version) -> Result<String> {
        let process = std::process::id();
        match (&self.id, &self.id_prefix) {
            (None, _) if self.keeps_session_for_ever(version) => bail!(match self.manner {
                Manner::Native => "a Session is found again by its Client Identifier: give one with -i",
                Manner::Mosquitto if version == Version::V5 => {
                    "You must provide a client id if you are using an infinite session expiry interval."
                }
                Manner::Mosquitto => "You must provide a client id if you are using the -c option.",
            }),
            (Some(id), _) => Ok(id.clone()),
            (None, Some(prefix)) => Ok(format!("{prefix}{process}")),
            // MQTT 3.1 wants the Client to choose.
            (None, None) if version == Version::V3_1 => Ok(format!("martlet-{process}")),
            (None, None) => Ok(String::new()),
        }
    }

    fn keeps_session_for_ever(&self, version: Version) -> bool {
        match self.session_expiry {
            Some(seconds) if version == Version::V5 => seconds == u32::MAX,
            _ => self.disable_clean_session,
        }
    }
}

/// Connects to the first broker of a domain that can be reached.
fn connect_to_first(endpoint: Endpoint, options: ConnectOptions) -> Result<Client> {
    let Address::Tcp { host: domain, .. } = &endpoint.address else {
        bail!("-S needs a domain, not a Unix socket")
    };
    let unknown = |source| Error::Unreachable { server: format!("the brokers of {domain}"), source };
    let services = services_of(domain, endpoint.tls.is_some()).map_err(unknown)?;
    let mut services = services.into_iter().peekable();
    loop {
        let service = services.next().context("a domain without brokers is an error already")?;
        let address = Address::Tcp { host: service.host, port: service.port };
        match Client::connect_to(Endpoint { address, ..endpoint.clone() }, options.clone()) {
            Err(Error::Unreachable { .. }) if services.peek().is_some() => {}
            result => return Ok(result?),
        }
    }
}

/// A QoS as flags spell it.
pub(crate) fn parse_qos(text: &str) -> Result<QoS, String> {
    let number = text.parse::<u8>().ok().and_then(|number| QoS::try_from(number).ok());
    number.ok_or_else(|| "a QoS is 0, 1 or 2".to_owned())
}

/// A topic that can be published to.
pub(crate) fn parse_topic(text: &str) -> Result<String, String> {
    TopicName::parse(text, &Limits::default())
        .map_err(|error| format!("nothing can be published there: {error}"))?;
    Ok(text.to_owned())
}

/// A topic that can be subscribed to.
pub(crate) fn parse_subscription(text: &str) -> Result<String, String> {
    SubscriptionFilter::parse(text, &Limits::default())
        .map_err(|error| format!("nobody can subscribe to it: {error}"))?;
    Ok(text.to_owned())
}

/// Seconds, whole or not, and not none.
pub(crate) fn parse_timeout(text: &str) -> Result<std::time::Duration, String> {
    let seconds = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    let timeout = std::time::Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if timeout.is_zero() { Err("a time of nothing is none".to_owned()) } else { Ok(timeout) }
}

fn parse_session_expiry(text: &str) -> Result<u32, String> {
    const WRONG: &str = "give seconds from 0 to 4294967295, or -1 for ever";
    let hexadecimal = text.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16));
    match text {
        "-1" | "∞" => Ok(u32::MAX),
        _ => hexadecimal.unwrap_or_else(|| text.parse()).map_err(|_| WRONG.to_owned()),
    }
}

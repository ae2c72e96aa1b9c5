//! The flags that `martlet pub` and `martlet sub` share: where to connect, as whom, and how to say what failed. The one
//! rule: a flag that works in `mosquitto_pub` means the same here, and one that MQTT 5.0 alone understands turns MQTT
//! 5.0 on.

mod failure;
mod property;
mod url;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use martlet_client::{Client, ConnectOptions, Message, QoS, Version, Will};

pub(crate) use self::failure::{Failure, complain};
pub(crate) use self::property::{PacketName, PropertyArgs};
use self::url::Url;

/// No doc comment: its brackets are no links.
const URL_HELP: &str = "User, password, broker and topic at once: mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC";

/// How to connect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// The broker's name or address [default: localhost]
    #[arg(short = 'h', long, allow_hyphen_values = true)]
    host: Option<String>,
    /// The broker's port [default: 1883]
    #[arg(short, long)]
    port: Option<u16>,
    #[arg(short = 'L', long, help = URL_HELP)]
    url: Option<Url>,
    /// The Client Identifier; without one the broker chooses
    #[arg(short, long, allow_hyphen_values = true)]
    id: Option<String>,
    /// A Client Identifier made of this and the process id
    #[arg(short = 'I', long, value_name = "PREFIX", allow_hyphen_values = true, conflicts_with = "id")]
    id_prefix: Option<String>,
    /// The User Name
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    username: Option<String>,
    /// The Password
    #[arg(short = 'P', long = "pw", alias = "password", value_name = "PASSWORD", allow_hyphen_values = true)]
    password: Option<String>,
    /// The version of MQTT: 31, 311 or 5 [default: 311, or 5 if another flag needs it]
    #[arg(short = 'V', long, value_name = "VERSION", hide_possible_values = true)]
    protocol_version: Option<ProtocolVersion>,
    /// Seconds of silence after which the connection is tested; 0 turns it off
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
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

    /// Say every packet that comes and goes, on standard error
    #[arg(short, long, help_heading = "Output")]
    pub(crate) debug: bool,
    /// Say nothing of what fails: the exit code tells
    #[arg(long, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Where the broker publishes our Will when the connection breaks
    #[arg(long, value_name = "TOPIC", help_heading = "Will", allow_hyphen_values = true)]
    will_topic: Option<String>,
    /// What the Will says [default: nothing]
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Will",
        requires = "will_topic",
        allow_hyphen_values = true
    )]
    will_payload: Option<String>,
    /// The QoS of the Will
    #[arg(long, value_name = "QOS", help_heading = "Will", default_value = "0", value_parser = parse_qos)]
    will_qos: QoS,
    /// Whether the Will is retained
    #[arg(long, help_heading = "Will", requires = "will_topic")]
    will_retain: bool,
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

impl ConnectArgs {
    /// What CONNECT shall say. `needs_v5` names a flag of the subcommand that MQTT 5.0 alone understands.
    pub(crate) fn options(&self, needs_v5: Option<&'static str>) -> Result<ConnectOptions> {
        let version = self.version(needs_v5)?;
        let client_id = self.client_id(version)?;
        let url = self.url.as_ref();
        let text = |flag: &Option<String>, of_url: Option<&String>| flag.as_ref().or(of_url).cloned();
        let mut options = ConnectOptions {
            version,
            clean_start: !self.disable_clean_session,
            keep_alive: self.keepalive,
            user_name: text(&self.username, url.and_then(|url| url.user.as_ref())),
            password: text(&self.password, url.and_then(|url| url.password.as_ref())).map(String::into_bytes),
            will: self.will(),
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
        let (host, port) = self.address();
        Ok(Client::connect(host, port, options)?)
    }

    /// The topic of the URL.
    pub(crate) fn url_topic(&self) -> Option<&str> {
        self.url.as_ref().map(|url| url.topic.as_str())
    }

    /// Starts what the flags on output ask for. The log may be in use already; then it stays as it is.
    pub(crate) fn start_log(&self) {
        if self.debug {
            let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
            let lines = lines.with_ansi(io::stderr().is_terminal());
            let _in_use = lines.with_max_level(tracing::Level::DEBUG).try_init();
        }
    }

    /// Says what failed, and turns it into the exit code.
    pub(crate) fn conclude(&self, result: Result<ExitCode>) -> ExitCode {
        result.unwrap_or_else(|error| {
            let failure = Failure::of(&error);
            if !self.quiet {
                complain(format_args!("Error: {error:#}"));
                if let Some(cure) = failure.cure {
                    complain(format_args!("{cure}"));
                }
            }
            failure.code.into()
        })
    }

    fn address(&self) -> (&str, u16) {
        let url = self.url.as_ref();
        let host = self.host.as_deref().or(url.map(|url| url.host.as_str())).unwrap_or("localhost");
        (host, self.port.or(url.and_then(|url| url.port)).unwrap_or(1883))
    }

    fn version(&self, needs_v5: Option<&'static str>) -> Result<Version> {
        let of_session = self.session_expiry.map(|_| "-x");
        let of_property = (!self.properties.is_empty()).then_some("-D");
        let needs_v5 = needs_v5.or(of_session).or(of_property);
        Ok(match (self.protocol_version, needs_v5) {
            (Some(ProtocolVersion::V5), _) | (None, Some(_)) => Version::V5,
            (Some(_), Some(flag)) => bail!("{flag} needs MQTT 5.0: leave -V out, or say -V 5"),
            (Some(ProtocolVersion::V3_1), None) => Version::V3_1,
            (Some(ProtocolVersion::V3_1_1) | None, None) => Version::V3_1_1,
        })
    }

    fn client_id(&self, version: Version) -> Result<String> {
        let process = std::process::id();
        match (&self.id, &self.id_prefix) {
            (None, _) if self.keeps_session_for_ever() => {
                bail!("a Session is found again by its Client Identifier: give one with -i")
            }
            (Some(id), _) => Ok(id.clone()),
            (None, Some(prefix)) => Ok(format!("{prefix}{process}")),
            // MQTT 3.1 wants the Client to choose.
            (None, None) if version == Version::V3_1 => Ok(format!("martlet-{process}")),
            (None, None) => Ok(String::new()),
        }
    }

    fn keeps_session_for_ever(&self) -> bool {
        match self.session_expiry {
            Some(seconds) => seconds == u32::MAX,
            None => self.disable_clean_session,
        }
    }

    fn will(&self) -> Option<Will> {
        let payload = self.will_payload.clone().unwrap_or_default();
        let message = Message::new(self.will_topic.clone()?, payload).qos(self.will_qos);
        let mut will = Will { message: Message { retain: self.will_retain, ..message }, delay: 0 };
        self.properties.apply_to_will(&mut will);
        Some(will)
    }
}

/// A QoS as flags spell it.
pub(crate) fn parse_qos(text: &str) -> Result<QoS, String> {
    let number = text.parse::<u8>().ok().and_then(|number| QoS::try_from(number).ok());
    number.ok_or_else(|| "a QoS is 0, 1 or 2".to_owned())
}

fn parse_session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" => Ok(u32::MAX),
        _ => text.parse().map_err(|_| "give seconds from 0 to 4294967295, or -1 for ever".to_owned()),
    }
}

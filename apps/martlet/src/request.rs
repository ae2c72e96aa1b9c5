//! `martlet rr`: publishes a request and prints the first response to it.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use martlet_client::{
    Client, Event, Message, Property, QoS, ReasonCode, Received, RetainHandling, SubscriptionOptions, Version,
};

use crate::connect_options::{
    ConnectArgs, Failure, Manner, PacketName, Wants, parse_qos, parse_timeout, parse_topic, refuse,
};
use crate::publish::Source;
use crate::subscribe::{Output, Signals, Style};

const EXAMPLES: &str = "\
Examples:
  Ask, and print the answer:         martlet rr -t time/get -e time/answer -n
  Or give up after 5 seconds:        martlet rr -t time/get -e time/answer -n -W 5
  With something to tell them apart: martlet rr -t sum -e sum/7 -m '2 3' -D publish correlation-data 7
  How long does an answer take?      martlet rr -t ping -e pong -n --latency

Exit code:
  0  the response was printed
  27 the time of -W was over
  Else the broker's Reason Code when it refused, and for everything else the number mosquitto_rr
  exits with.";

/// Publish a request and print the response
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The Topic Name of the request
    #[arg(short, long, value_name = "TOPIC", allow_hyphen_values = true, value_parser = parse_topic)]
    topic: Option<String>,
    /// The Topic Name the response comes to; MQTT 5.0 tells it to whoever responds
    #[arg(short = 'e', value_name = "RESPONSE TOPIC", allow_hyphen_values = true, value_parser = parse_topic)]
    response_topic: Option<String>,
    #[command(flatten)]
    source: Source,
    /// The QoS: 0 (at most once), 1 (at least once) or 2 (exactly once)
    #[arg(short, long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Take no retained message for the response
    #[arg(short = 'R', long)]
    no_retained: bool,
    /// Leave after so many seconds, with exit code 27
    #[arg(short = 'W', long, value_name = "TIMEOUT", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Let the response keep the RETAIN flag it was published with
    #[arg(long)]
    retain_as_published: bool,
    /// Print how long the response took, in seconds, in place of it
    #[arg(long, help_heading = "Output")]
    latency: bool,
    /// How many messages of QoS 1 and 2 may be unacknowledged at a time: there is one
    #[arg(short = 'M', value_name = "MAX INFLIGHT", hide = true, value_parser = clap::value_parser!(u16).range(1..))]
    max_inflight: Option<u16>,
    #[command(flatten)]
    style: Style,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print this help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Asks, and says what fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.connect.start_log();
    Ok(args.connect.conclude(ask(args)))
}

/// The same as `mosquitto_rr`.
pub(crate) fn run_as(tool: &str, mut args: Args) -> Result<ExitCode> {
    args.connect.manner = Manner::Mosquitto;
    if let Err(error) = args.check() {
        return Ok(refuse(tool, &format!("Error: {error}")));
    }
    run(&args)
}

fn ask(args: &Args) -> Result<ExitCode> {
    args.check()?;
    let until = args.timeout.map(|timeout| Instant::now() + timeout);
    let mut options = args.connect.options(Wants { v5: true, ..Wants::default() })?;
    if let Some(timeout) = args.timeout {
        options.answer_timeout = options.answer_timeout.min(timeout);
    }
    let message = args.request(options.version)?;
    let mut requester =
        Requester { client: args.connect.connect(options)?, signals: Signals::new()?, until, asked: None };
    let end = requester.await_response(args, &message)?;
    let reason = match end {
        End::TimedOut | End::Interrupted if requester.client.version() == Version::V5 => {
            ReasonCode::DisconnectWithWillMessage
        }
        _ => ReasonCode::NormalDisconnection,
    };
    let properties = args.connect.properties.block(PacketName::Disconnect);
    requester.client.disconnect_with(reason, properties.as_properties())?;
    match end {
        End::Answered(received, latency) => args.print(&received, latency),
        End::Interrupted => Ok(ExitCode::SUCCESS),
        End::Denied(reason) => {
            args.connect.complain(reason);
            Ok(match args.connect.manner {
                Manner::Native => u8::from(reason).into(),
                // There saying so is enough.
                Manner::Mosquitto => ExitCode::SUCCESS,
            })
        }
        End::TimedOut => {
            args.connect.complain("Timed out");
            Ok(Failure::TIMED_OUT.into())
        }
    }
}

impl Args {
    fn check(&self) -> Result<()> {
        self.connect.check()?;
        if self.topic().is_none() || self.response_topic.is_none() || !self.source.is_given() {
            bail!("All of topic, message, and response topic must be supplied.");
        }
        Ok(())
    }

    fn topic(&self) -> Option<&str> {
        self.topic.as_deref().or(self.connect.url_topic())
    }

    fn request(&self, version: Version) -> Result<Message> {
        let mut message = Message::new(self.topic().unwrap_or_default(), self.source.read()?).qos(self.qos);
        self.connect.properties.apply_to_message(&mut message);
        if version == Version::V5 {
            if message.properties.as_properties().response_topic().is_some() {
                bail!("Error in PUBLISH properties: Duplicate response topic.");
            }
            let response_topic = self.response_topic.as_deref().unwrap_or_default();
            message.properties.push(Property::ResponseTopic(response_topic));
        }
        Ok(message)
    }

    fn print(&self, received: &Received, latency: Duration) -> Result<ExitCode> {
        use std::io::Write;
        let mut output = Output::new(&self.style);
        if self.latency {
            writeln!(output.raw(), "{:.6}", latency.as_secs_f64())?;
        } else if let Err(fault) = output.print(received)? {
            self.connect.complain(format_args!("Error: the response {fault}"));
        }
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A Client with a question.
struct Requester {
    client: Client,
    signals: Signals,
    until: Option<Instant>,
    /// When the request was sent.
    asked: Option<Instant>,
}

enum End {
    Answered(Received, Duration),
    Denied(ReasonCode),
    TimedOut,
    Interrupted,
}

impl Requester {
    /// Subscribes, asks once that is granted, and waits.
    fn await_response(&mut self, args: &Args, request: &Message) -> Result<End> {
        let options = SubscriptionOptions {
            retain_as_published: args.retain_as_published,
            retain_handling: if args.no_retained {
                RetainHandling::DoNotSend
            } else {
                RetainHandling::SendOnSubscribe
            },
            ..SubscriptionOptions::new(args.qos)
        };
        let filter = args.response_topic.as_deref().unwrap_or_default();
        let properties = &args.connect.properties;
        let block = properties.block(PacketName::Subscribe);
        self.client.start_subscribe(
            &[(filter, options)],
            properties.subscription_id(),
            block.as_properties(),
        )?;
        loop {
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.client.poll_or(left, &[self.signals.as_fd()])? {
                Some(Event::Subscribed { reasons, .. }) => {
                    if let Some(reason) = reasons.into_iter().find(|reason| reason.is_error()) {
                        return Ok(End::Denied(reason));
                    }
                    self.client.publish(request.clone())?;
                    self.asked = Some(Instant::now());
                }
                Some(Event::Received(received)) if !(received.message.retain && args.no_retained) => {
                    let latency = self.asked.map_or(Duration::ZERO, |asked| asked.elapsed());
                    return Ok(End::Answered(received, latency));
                }
                Some(_) => {}
                None if self.signals.came() => return Ok(End::Interrupted),
                None if self.until.is_some_and(|until| Instant::now() >= until) => return Ok(End::TimedOut),
                None => {}
            }
        }
    }
}

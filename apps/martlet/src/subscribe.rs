//! `martlet sub`: prints what comes. A message is written out before its acknowledgement leaves, so that what was
//! acknowledged was printed.

mod format;
mod json;
mod output;
mod rate;
mod signals;
mod watch;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{ArgAction, ValueEnum};
use martlet_client::topic::{Limits, TopicFilter, TopicName};
use martlet_client::{
    Client, Error, Event, Message, PacketId, QoS, ReasonCode, Received, RetainHandling, SubscriptionOptions,
};

pub(crate) use self::output::{Output, Style};
use self::rate::Rate;
pub(crate) use self::signals::Signals;
use crate::connect_options::{
    ConnectArgs, Failure, Manner, PacketName, Wants, parse_qos, parse_subscription, parse_timeout, refuse,
};

const EXAMPLES: &str = "\
Examples:
  Everything about lights:           martlet sub -t 'lights/#' -v
  One message, or give up in 5 s:    martlet sub -t lights/hall -C 1 -W 5
  What is retained, and no more:     martlet sub -t '#' -v --retained-only -W 1
  All but the noise:                 martlet sub -t '#' -T 'sensors/#'
  As JSON, for other programs:       martlet sub -t 'sensors/#' -F %j | jq .payload
  With time, QoS and length:         martlet sub -t '#' -F '%I %t q%q r%r %l bytes: %p'
  Miss nothing while away:           martlet sub -i logger -c -q 1 -t 'log/#'

Formats (-F):
  %t topic             %j JSON, the payload as text    MQTT 5.0:
  %p payload           %J JSON, the payload as JSON    %A Topic Alias
  %x payload in hex    %I time, as ISO 8601            %C Content Type
  %X the same, upper   %U seconds since 1970           %D Correlation Data
  %l length            %% a percent sign               %E Message Expiry Interval
  %q QoS               @Y @H ... a time by strftime    %F Payload Format Indicator
  %r retained: 0, 1    @N nanoseconds                  %P User Properties
  %m Packet            @@ an at sign                   %R Response Topic
     Identifier        \\\\ \\0 \\a \\e \\n \\r \\t \\v         %S Subscription Identifiers
  Width, padding and length stand behind the %: %-20t %08l %.5t

Exit code:
  0  what was asked for came, or someone ended it
  27 the time of -W was over
  Else the broker's Reason Code when it refused the connection or all topics, and for
  everything else the number mosquitto_sub exits with.";

/// Subscribe and print what comes
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A Topic Filter; may be repeated
    #[arg(short, long, value_name = "TOPIC", allow_hyphen_values = true, value_parser = parse_subscription)]
    #[arg(action = ArgAction::Append)]
    topic: Vec<String>,
    /// The highest QoS wanted
    #[arg(short, long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Leave out topics that match this Topic Filter; may be repeated
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true, value_parser = parse_filter)]
    #[arg(action = ArgAction::Append)]
    filter_out: Vec<TopicFilter>,
    /// Unsubscribe from this Topic Filter; may be repeated
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true, value_parser = parse_subscription)]
    #[arg(action = ArgAction::Append)]
    unsubscribe: Vec<String>,
    /// Leave after so many messages
    #[arg(short = 'C', long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Leave after so many seconds, with exit code 27
    #[arg(short = 'W', long, value_name = "TIMEOUT", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Leave as soon as the Subscriptions are there
    #[arg(short = 'E', long)]
    exit_after_subscribe: bool,
    /// Print no message that was retained
    #[arg(short = 'R', long, conflicts_with = "retained_only")]
    no_retained: bool,
    /// Print retained messages, and leave at the first other one
    #[arg(long)]
    retained_only: bool,
    /// Let messages keep the RETAIN flag they were published with (turns MQTT 5.0 on)
    #[arg(long)]
    retain_as_published: bool,
    /// When the broker sends what is retained: always, new (only for a new Subscription) or never (turns MQTT 5.0 on)
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    retain_handling: Option<Handling>,
    /// Remove each retained message that is printed from the broker
    #[arg(long)]
    remove_retained: bool,
    /// Print no messages but how many come in each second
    #[arg(long, help_heading = "Output")]
    message_rate: bool,
    #[command(flatten)]
    style: Style,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print this help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// When retained messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Handling {
    #[value(alias = "0")]
    Always,
    #[value(alias = "1")]
    New,
    #[value(alias = "2")]
    Never,
}

/// Subscribes, and says what fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.connect.start_log();
    Ok(args.connect.conclude(subscribe(args)))
}

/// The same as `mosquitto_sub`.
pub(crate) fn run_as(tool: &str, mut args: Args) -> Result<ExitCode> {
    args.connect.manner = Manner::Mosquitto;
    if let Err(error) = args.check() {
        return Ok(refuse(tool, &format!("Error: {error}")));
    }
    run(&args)
}

fn subscribe(args: &Args) -> Result<ExitCode> {
    args.check()?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let signals = Signals::new()?;
    let output = Output::new(&args.style);
    let rate = args.message_rate.then(Rate::new);
    let mut subscriber =
        Subscriber { client: args.connect()?, args, output, rate, signals, deadline, printed: 0 };
    let end = match subscriber.listen() {
        Err(error) if is_broken_pipe(&error) => End::Done,
        end => end?,
    };
    subscriber.leave(end)?;
    Ok(match end {
        End::Done => ExitCode::SUCCESS,
        End::TimedOut => {
            args.connect.complain("Timed out");
            Failure::TIMED_OUT.into()
        }
        End::Denied(_) if args.connect.manner == Manner::Mosquitto => {
            args.connect.complain("All subscription requests were denied.");
            ExitCode::SUCCESS
        }
        End::Denied(reason) => {
            args.connect.complain(format_args!("Error: the broker denied all Subscriptions: {reason}"));
            u8::from(reason).into()
        }
        End::Interrupted => ExitCode::SUCCESS,
    })
}

/// Why the subscriber leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All that was asked for came, or nobody reads the output any more.
    Done,
    TimedOut,
    Interrupted,
    Denied(ReasonCode),
}

impl Args {
    fn check(&self) -> Result<()> {
        self.connect.check()?;
        if self.topic.is_empty() && self.connect.url_topic().is_none() {
            bail!("You must specify a topic to subscribe to.");
        }
        Ok(())
    }

    fn connect(&self) -> Result<Client> {
        // That of a URL is not yet checked.
        if let Some(filter) = self.connect.url_topic() {
            parse_subscription(filter).map_err(|why| anyhow::anyhow!("{filter:?}: {why}"))?;
        }
        let v5_because = match self.retain_handling {
            Some(_) => Some("--retain-handling"),
            None => self.retain_as_published.then_some("--retain-as-published"),
        };
        let mut options = self.connect.options(Wants { v5: false, v5_because })?;
        if let Some(count) = self.count {
            // The broker need not send what nobody will print.
            options.receive_maximum = options.receive_maximum.min(count.try_into().unwrap_or(u16::MAX));
        }
        if let Some(timeout) = self.timeout {
            options.answer_timeout = options.answer_timeout.min(timeout);
        }
        self.connect.connect(options)
    }

    fn filters(&self) -> Vec<(&str, SubscriptionOptions)> {
        let options = SubscriptionOptions {
            retain_as_published: self.retain_as_published,
            retain_handling: match self.retain_handling {
                Some(Handling::Always) => RetainHandling::SendOnSubscribe,
                Some(Handling::New) => RetainHandling::SendIfNew,
                None if !self.no_retained => RetainHandling::SendOnSubscribe,
                Some(Handling::Never) | None => RetainHandling::DoNotSend,
            },
            ..SubscriptionOptions::new(self.qos)
        };
        let topics = self.topic.iter().map(String::as_str).chain(self.connect.url_topic());
        topics.map(|filter| (filter, options)).collect()
    }
}

/// A Client that prints.
struct Subscriber<'a> {
    client: Client,
    args: &'a Args,
    output: Output,
    /// In place of the messages their number is printed.
    rate: Option<Rate>,
    signals: Signals,
    deadline: Option<Instant>,
    printed: u32,
}

impl Subscriber<'_> {
    /// Subscribes and prints until there is an end, over as many connections as it takes.
    fn listen(&mut self) -> Result<End> {
        let mut outcome = self.listen_once(true);
        loop {
            self.output.flush()?;
            match outcome {
                Err(error) if error.downcast_ref().is_some_and(Error::is_passing) => {
                    self.args.connect.explain(format_args!("{error:#}; connecting again"));
                }
                ended => return ended,
            }
            let session_present = match self.reconnect()? {
                Reconnected::Found { session_present } => session_present,
                Reconnected::Ended(end) => return Ok(end),
            };
            outcome = self.listen_once(!session_present);
        }
    }

    /// The same over one connection.
    fn listen_once(&mut self, subscribes: bool) -> Result<End> {
        if subscribes {
            self.start_subscribe()?;
        }
        loop {
            if let Some(event) = self.next_event()? {
                if let Some(end) = self.take(event)? {
                    return Ok(end);
                }
            } else if self.signals.came() {
                return Ok(End::Interrupted);
            } else if self.is_late() {
                return Ok(End::TimedOut);
            }
        }
    }

    fn start_subscribe(&mut self) -> Result<()> {
        let properties = &self.args.connect.properties;
        let block = properties.block(PacketName::Subscribe);
        let id = properties.subscription_id();
        self.client.start_subscribe(&self.args.filters(), id, block.as_properties())?;
        let block = properties.block(PacketName::Unsubscribe);
        for filter in &self.args.unsubscribe {
            self.client.start_unsubscribe(&[filter], block.as_properties())?;
        }
        Ok(())
    }

    /// The next event; none when a signal came or time is over. Waits only when everything is printed: waiting sends
    /// the acknowledgements.
    fn next_event(&mut self) -> Result<Option<Event>> {
        if let Some(event) = self.client.next_event()? {
            return Ok(Some(event));
        }
        if let Some(rate) = &mut self.rate {
            rate.tell(self.output.raw())?;
        }
        self.output.flush()?;
        let until = self.deadline.into_iter().chain(self.rate.as_ref().map(Rate::due)).min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        Ok(self.client.poll_or(left, &[self.signals.as_fd()])?)
    }

    fn take(&mut self, event: Event) -> Result<Option<End>> {
        Ok(match event {
            Event::Received(received) => self.print(&received)?,
            Event::Subscribed { packet_id, reasons } => self.subscribed(packet_id, &reasons)?,
            Event::Published { .. } | Event::Unsubscribed { .. } | Event::Connected(_) => None,
        })
    }

    fn subscribed(&mut self, packet_id: PacketId, reasons: &[ReasonCode]) -> Result<Option<End>> {
        if self.args.connect.debug
            && !self.args.connect.quiet
            && self.args.connect.manner == Manner::Mosquitto
        {
            let granted: Vec<_> = reasons.iter().map(|reason| u8::from(*reason).to_string()).collect();
            writeln!(self.output.raw(), "Subscribed (mid: {packet_id}): {}", granted.join(", "))?;
        }
        let denied = reasons.iter().copied().filter(|reason| reason.is_error());
        if let Some(reason) = denied.clone().next()
            && denied.count() == reasons.len()
        {
            return Ok(Some(End::Denied(reason)));
        }
        for ((filter, _), reason) in self.args.filters().iter().zip(reasons) {
            if reason.is_error() {
                self.args.connect.complain(format_args!("Warning: the broker denied {filter:?}: {reason}"));
            }
        }
        Ok(self.args.exit_after_subscribe.then_some(End::Done))
    }

    fn print(&mut self, received: &Received) -> Result<Option<End>> {
        let message = &received.message;
        if self.args.retained_only && !message.retain {
            return Ok(Some(End::Done));
        }
        if self.args.no_retained && message.retain || self.is_filtered_out(&message.topic) {
            return Ok(None);
        }
        if self.args.remove_retained && message.retain {
            let nothing = Message::new(message.topic.as_str(), "").qos(QoS::AtLeastOnce).retained();
            self.client.publish(nothing)?;
        }
        match &mut self.rate {
            Some(rate) => rate.count(),
            None => self.show(received)?,
        }
        self.printed += 1;
        Ok((self.args.count == Some(self.printed)).then_some(End::Done))
    }

    fn show(&mut self, received: &Received) -> Result<()> {
        let topic = &received.message.topic;
        if let Err(fault) = self.output.print(received)? {
            match self.args.connect.manner {
                Manner::Native => {
                    self.args.connect.complain(format_args!("Error: the message on {topic:?} {fault}"));
                }
                Manner::Mosquitto => self
                    .args
                    .connect
                    .complain(format_args!("Error: Message payload is not valid JSON on topic {topic}.")),
            }
        }
        Ok(())
    }

    fn is_filtered_out(&self, topic: &str) -> bool {
        const LIMITS: Limits = Limits { bytes: usize::MAX, levels: usize::MAX };
        let Ok(name) = TopicName::parse(topic, &LIMITS) else { return false };
        self.args.filter_out.iter().any(|filter| filter.matches(name))
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Connects again, as often as it takes.
    fn reconnect(&mut self) -> Result<Reconnected> {
        const WAIT: Duration = Duration::from_secs(1);
        loop {
            let left =
                self.deadline.map_or(WAIT, |deadline| deadline.saturating_duration_since(Instant::now()));
            if self.signals.wait(left.min(WAIT))? {
                return Ok(Reconnected::Ended(End::Interrupted));
            }
            if self.is_late() {
                return Ok(Reconnected::Ended(End::TimedOut));
            }
            match self.client.reconnect() {
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error.into()),
                Ok(connected) => {
                    return Ok(Reconnected::Found { session_present: connected.session_present });
                }
            }
        }
    }

    /// Says goodbye. Who is interrupted lets the broker publish the Will, as far as MQTT can say so.
    fn leave(&mut self, end: End) -> Result<()> {
        if self.args.remove_retained {
            self.client.finish()?;
        }
        let is_cut_short = matches!(end, End::TimedOut | End::Interrupted);
        let reason = if is_cut_short && self.client.version().is_v5() {
            ReasonCode::DisconnectWithWillMessage
        } else {
            ReasonCode::NormalDisconnection
        };
        let properties = self.args.connect.properties.block(PacketName::Disconnect);
        match self.client.disconnect_with(reason, properties.as_properties()) {
            // Interrupted between two connections.
            Err(Error::NotConnected) => Ok(()),
            result => Ok(result?),
        }
    }
}

/// What came of connecting again.
enum Reconnected {
    Found { session_present: bool },
    Ended(End),
}

/// Whether nobody reads the output any more; a broken Connection is another error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn parse_filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::parse(text, &Limits::default()).map_err(|error| error.to_string())
}

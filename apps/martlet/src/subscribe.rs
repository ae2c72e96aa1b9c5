//! `martlet sub`: prints what comes. A message is written out before its acknowledgement leaves, so that what was
//! acknowledged was printed.

mod format;
mod json;
mod output;
mod signals;

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ArgAction;
use martlet_client::topic::{Limits, SubscriptionFilter, TopicFilter, TopicName};
use martlet_client::{
    Client, Error, Event, Message, QoS, ReasonCode, Received, RetainHandling, SubscriptionOptions,
};

use self::format::Format;
use self::output::Output;
use self::signals::Signals;
use crate::connect_options::{ConnectArgs, Failure, PacketName, complain, parse_qos};

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
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true, required_unless_present = "url")]
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
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true, action = ArgAction::Append)]
    unsubscribe: Vec<String>,
    /// Leave after so many messages
    #[arg(short = 'C', long, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Leave after so many seconds, with exit code 27
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
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
    /// Remove each retained message that is printed from the broker
    #[arg(long)]
    remove_retained: bool,
    #[command(flatten)]
    style: Style,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print this help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// How messages are printed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Style {
    /// Print the topic before the payload
    #[arg(short, long)]
    verbose: bool,
    /// Print messages like this
    #[arg(short = 'F', long, allow_hyphen_values = true)]
    format: Option<Format>,
    /// Put no end of line behind a message
    #[arg(short = 'N', long)]
    no_newline: bool,
}

/// Subscribes, and says what fails.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    args.connect.start_log();
    Ok(args.connect.conclude(subscribe(&args)))
}

fn subscribe(args: &Args) -> Result<ExitCode> {
    let deadline = args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    let signals = Signals::new()?;
    let output = Output::new(&args.style);
    let mut subscriber = Subscriber { client: args.connect()?, args, output, signals, deadline, printed: 0 };
    let end = match subscriber.listen() {
        Err(error) if is_broken_pipe(&error) => End::Done,
        end => end?,
    };
    subscriber.leave(end)?;
    Ok(match end {
        End::Done => ExitCode::SUCCESS,
        End::TimedOut => {
            args.complain("Timed out");
            Failure::TIMED_OUT.into()
        }
        End::Denied(reason) => {
            args.complain(&format!("Error: the broker denied all Subscriptions: {reason}"));
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
    fn connect(&self) -> Result<Client> {
        let topics = self.filters().into_iter().map(|(filter, _)| filter);
        for filter in topics.chain(self.unsubscribe.iter().map(String::as_str)) {
            SubscriptionFilter::parse(filter, &Limits::default())
                .with_context(|| format!("nobody can subscribe to {filter:?}"))?;
        }
        let mut options =
            self.connect.options(self.retain_as_published.then_some("--retain-as-published"))?;
        if let Some(count) = self.count {
            // The broker need not send what nobody will print.
            options.receive_maximum = options.receive_maximum.min(count.try_into().unwrap_or(u16::MAX));
        }
        if let Some(seconds) = self.timeout {
            options.answer_timeout = options.answer_timeout.min(Duration::from_secs(seconds.into()));
        }
        self.connect.connect(options)
    }

    fn filters(&self) -> Vec<(&str, SubscriptionOptions)> {
        let options = SubscriptionOptions {
            retain_as_published: self.retain_as_published,
            retain_handling: if self.no_retained {
                RetainHandling::DoNotSend
            } else {
                RetainHandling::SendOnSubscribe
            },
            ..SubscriptionOptions::new(self.qos)
        };
        let topics = self.topic.iter().map(String::as_str).chain(self.connect.url_topic());
        topics.map(|filter| (filter, options)).collect()
    }

    fn complain(&self, line: &str) {
        if !self.connect.quiet {
            complain(format_args!("{line}"));
        }
    }
}

/// A Client that prints.
struct Subscriber<'a> {
    client: Client,
    args: &'a Args,
    output: Output,
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
                    self.args.complain(&format!("{error:#}; connecting again"));
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
        self.output.flush()?;
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Ok(self.client.poll_or(left, &[self.signals.as_fd()])?)
    }

    fn take(&mut self, event: Event) -> Result<Option<End>> {
        Ok(match event {
            Event::Received(received) => self.print(&received)?,
            Event::Subscribed { reasons, .. } => self.subscribed(&reasons),
            Event::Published { .. } | Event::Unsubscribed { .. } | Event::Connected(_) => None,
        })
    }

    fn subscribed(&self, reasons: &[ReasonCode]) -> Option<End> {
        let denied = reasons.iter().copied().filter(|reason| reason.is_error());
        if let Some(reason) = denied.clone().next()
            && denied.count() == reasons.len()
        {
            return Some(End::Denied(reason));
        }
        for ((filter, _), reason) in self.args.filters().iter().zip(reasons) {
            if reason.is_error() {
                self.args.complain(&format!("Warning: the broker denied {filter:?}: {reason}"));
            }
        }
        self.args.exit_after_subscribe.then_some(End::Done)
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
        if let Err(fault) = self.output.print(received)? {
            self.args.complain(&format!("Error: the message on {:?} {fault}", message.topic));
        }
        self.printed += 1;
        Ok((self.args.count == Some(self.printed)).then_some(End::Done))
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

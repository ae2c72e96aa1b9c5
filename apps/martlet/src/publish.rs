//! `martlet pub`: publishes what it is given and leaves. It leaves with 0 only when everything was written, and for QoS
//! 1 and 2 acknowledged.

mod source;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use martlet_client::{Client, Event, Message, QoS, ReasonCode};

pub(crate) use self::source::Source;
use crate::connect_options::{ConnectArgs, Manner, PacketName, Wants, parse_qos, parse_topic, refuse};

const EXAMPLES: &str = "\
Examples:
  Say one thing:                     martlet pub -t lights/hall -m on
  Leave it for who comes later:      martlet pub -t lights/hall -m on -r
  Take back what was left:           martlet pub -t lights/hall -n -r
  Each line of a program, surely:    vmstat 1 | martlet pub -t host/vmstat -l -q 1
  A file, to a broker elsewhere:     martlet pub -h broker.example -t maps/north -f north.png
  With properties of MQTT 5.0:       martlet pub -t a -m b -D publish content-type text/plain

Exit code:
  0  everything was sent, and for -q 1 and 2 acknowledged
  Else the broker's Reason Code when it refused the connection or a message, and for
  everything else the number mosquitto_pub exits with.";

/// Publish messages
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The Topic Name to publish to
    #[arg(short, long, value_name = "TOPIC", allow_hyphen_values = true, value_parser = parse_topic)]
    topic: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Standard input, each line a message
    #[arg(short = 'l', long, conflicts_with_all = Source::FLAGS)]
    stdin_line: bool,
    /// The QoS: 0 (at most once), 1 (at least once) or 2 (exactly once)
    #[arg(short, long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Let the broker keep the message for who subscribes later
    #[arg(short, long)]
    retain: bool,
    /// Publish so many times
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Wait so many seconds between the times, as in 0.5
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    repeat_delay: Duration,
    /// How many messages of QoS 1 and 2 may be unacknowledged at a time
    #[arg(short = 'M', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    max_inflight: u16,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print this help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Publishes, and says what fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.connect.start_log();
    Ok(args.connect.conclude(publish(args)))
}

/// The same as `mosquitto_pub`.
pub(crate) fn run_as(tool: &str, mut args: Args) -> Result<ExitCode> {
    args.connect.manner = Manner::Mosquitto;
    if let Err(error) = args.check() {
        return Ok(refuse(tool, &format!("Error: {error}")));
    }
    run(&args)
}

fn publish(args: &Args) -> Result<ExitCode> {
    args.check()?;
    let message = args.message()?;
    let mut options = args.connect.options(Wants::default())?;
    options.in_flight_maximum = args.max_inflight;
    let mut publisher = Publisher { client: args.connect.connect(options)?, args, refused: None };
    if args.stdin_line {
        publisher.publish_lines(&message)?;
    } else {
        publisher.publish_repeatedly(&message)?;
    }
    let properties = args.connect.properties.block(PacketName::Disconnect);
    publisher.client.disconnect_with(ReasonCode::NormalDisconnection, properties.as_properties())?;
    Ok(match (publisher.refused, args.connect.manner) {
        (Some(reason), Manner::Native) => ExitCode::from(u8::from(reason)),
        // There a message that was refused is a warning.
        (Some(_), Manner::Mosquitto) | (None, _) => ExitCode::SUCCESS,
    })
}

impl Args {
    fn check(&self) -> Result<()> {
        self.connect.check()?;
        if self.topic().is_none() || !(self.source.is_given() || self.stdin_line) {
            bail!("Both topic and message must be supplied.");
        }
        Ok(())
    }

    fn topic(&self) -> Option<&str> {
        self.topic.as_deref().or(self.connect.url_topic())
    }

    /// The message, but for what `-l` has yet to read.
    fn message(&self) -> Result<Message> {
        let topic = self.topic().unwrap_or_default();
        // That of a URL is not yet checked.
        let topic = parse_topic(topic).map_err(|why| anyhow::anyhow!("{topic:?}: {why}"))?;
        let mut message = Message::new(topic, self.source.read()?).qos(self.qos);
        message.retain = self.retain;
        self.connect.properties.apply_to_message(&mut message);
        Ok(message)
    }
}

/// A Client on its way through what there is to publish.
struct Publisher<'a> {
    client: Client,
    args: &'a Args,
    /// The last refusal of a message.
    refused: Option<ReasonCode>,
}

impl Publisher<'_> {
    /// The next time begins when the last one is done.
    fn publish_repeatedly(&mut self, message: &Message) -> Result<()> {
        for time in 0..self.args.repeat {
            if time > 0 {
                self.pause()?;
            }
            self.client.publish(message.clone())?;
            self.client.finish()?;
            self.take_events()?;
        }
        Ok(())
    }

    /// Waits while the connection lives on.
    fn pause(&mut self) -> Result<()> {
        let delay = self.args.repeat_delay;
        if !delay.is_zero()
            && let Some(event) = self.client.poll(Some(delay))?
        {
            self.note(&event);
        }
        Ok(())
    }

    /// Publishes the lines of standard input, over as many connections as it takes.
    fn publish_lines(&mut self, message: &Message) -> Result<()> {
        let input = io::stdin().as_fd().try_clone_to_owned().context("cannot use standard input")?;
        let mut lines = Lines::new(input.into());
        let mut next = None;
        loop {
            match self.publish_lines_once(message, &mut lines, &mut next) {
                Err(error) if error.downcast_ref().is_some_and(martlet_client::Error::is_passing) => {
                    self.reconnect(&error)?;
                }
                result => return result,
            }
        }
    }

    /// The same over one connection. `next` is a line that was read and not taken.
    fn publish_lines_once(
        &mut self,
        message: &Message,
        lines: &mut Lines,
        next: &mut Option<Vec<u8>>,
    ) -> Result<()> {
        loop {
            while let Some(line) = next.take().or_else(|| lines.next()) {
                if let Err(error) =
                    self.client.publish(Message { payload: line.clone().into(), ..message.clone() })
                {
                    *next = Some(line);
                    return Err(error.into());
                }
                self.take_events()?;
            }
            if lines.is_over {
                self.client.finish()?;
                return self.take_events();
            }
            match self.client.poll_or(None, &[lines.input.as_fd()])? {
                Some(event) => self.note(&event),
                None => lines.read()?,
            }
        }
    }

    fn reconnect(&mut self, error: &anyhow::Error) -> Result<()> {
        const WAIT: Duration = Duration::from_secs(1);
        self.args.connect.explain(format_args!("{error:#}; connecting again"));
        loop {
            thread::sleep(WAIT);
            match self.client.reconnect() {
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    fn take_events(&mut self) -> Result<()> {
        while let Some(event) = self.client.next_event()? {
            self.note(&event);
        }
        Ok(())
    }

    /// A message that was refused is said, and remembered for the exit code.
    fn note(&mut self, event: &Event) {
        let Event::Published { packet_id, reason, reason_string } = event else { return };
        if !reason.is_error() {
            return;
        }
        self.refused = Some(*reason);
        let connect = &self.args.connect;
        match connect.manner {
            Manner::Native => {
                let words = reason_string.as_deref().map_or_else(String::new, |words| format!(": {words}"));
                connect.complain(format_args!("Error: the broker refused the message: {reason}{words}"));
            }
            Manner::Mosquitto => {
                connect.complain(format_args!("Warning: Publish {packet_id} failed: {reason}."));
                reason_string.iter().for_each(|words| connect.complain(words));
            }
        }
    }
}

/// Input by lines, read only when there is something to read.
struct Lines {
    input: File,
    bytes: Vec<u8>,
    /// How many of `bytes` are known to hold no end of line.
    searched: usize,
    is_over: bool,
}

impl Lines {
    const CHUNK_BYTES: usize = 64 * 1024;

    const fn new(input: File) -> Self {
        Self { input, bytes: Vec::new(), searched: 0, is_over: false }
    }

    /// Takes the next line that is there. The last one may lack its end.
    fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.bytes.len();
            if self.is_over && !self.bytes.is_empty() {
                self.searched = 0;
                return Some(std::mem::take(&mut self.bytes));
            }
            return None;
        };
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }

    /// Reads once.
    fn read(&mut self) -> Result<()> {
        let before = self.bytes.len();
        self.bytes.resize(before + Self::CHUNK_BYTES, 0);
        let read = self.input.read(&mut self.bytes[before..]);
        self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => self.is_over = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read standard input"),
        }
        Ok(())
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn lines_come_as_their_ends_do() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::new(OwnedFd::from(reader).into());
        let mut write = |text: &str| {
            writer.write_all(text.as_bytes()).unwrap();
            lines.read().unwrap();
            std::iter::from_fn(|| lines.next())
                .map(|line| String::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(write("one\ntw"), ["one"]);
        assert!(write("o").is_empty());
        assert_eq!(write("\n\n\r\nlast"), ["two", "", "\r"]);
        drop(writer);
        lines.read().unwrap();
        assert_eq!(lines.next(), Some(b"last".to_vec()));
        assert_eq!(lines.next(), None);
        assert!(lines.is_over);
    }

    #[test]
    fn delays_are_seconds() {
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert!(["-1", "x", "inf", "NaN"].iter().all(|text| parse_seconds(text).is_err()));
    }
}

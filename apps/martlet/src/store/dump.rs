//! `martlet store dump`: the log, a line a record.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use martlet_server::tools::{Kind, Line, Wanted};
use martlet_server::{Limits, TopicFilter};

use super::Folder;
use super::progress::Bar;
use super::words::{clock, forgive};

const HELP: &str = "\
Each line: position in the log, segment:byte, time, shard (- is the log itself), what happened.
#NUMBER counts the messages of one session. Everything that is still on the disk is printed, also
what the newest checkpoint has made needless; damage is passed over, and said.";

/// Print the log, a line a record
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Only what the session of this client is concerned by
    #[arg(long, value_name = "CLIENT-ID")]
    client: Option<String>,
    /// Only messages whose topic matches this filter
    #[arg(long, value_name = "FILTER", value_parser = parse_filter)]
    topic: Option<TopicFilter>,
    /// Only records of this kind; may be repeated
    #[arg(long, value_enum)]
    kind: Vec<KindName>,
    /// What messages carry, too
    #[arg(long)]
    payloads: bool,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindName {
    /// A session begins, goes on, is left, ends
    Session,
    /// A subscription is made or deleted
    Subscription,
    /// A message is accepted, now or for later
    Message,
    /// A retained message is replaced or deleted
    Retained,
    /// A message is sent, received, finished
    Progress,
    /// What a checkpoint writes down
    Checkpoint,
    /// The log's own: parts of large messages, what was moved, what is damaged
    Log,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let store = args.folder.open()?;
    let wanted = Wanted {
        client: args.client.clone(),
        topic: args.topic.clone(),
        kinds: args.kind.iter().map(|name| name.kind()).collect(),
        payloads: args.payloads,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printed = Ok(());
    let mut bar = Some(Bar::default());
    let dumped = store.dump(
        &wanted,
        &mut |line| {
            printed = out.write_all(text(line).as_bytes());
            if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
        &mut |stage, done, total| {
            // The lines come next, where the bar is.
            match &mut bar {
                Some(shown) if done < total => shown.show(stage, done, total),
                shown => *shown = None,
            }
        },
    );
    forgive(printed.and_then(|()| out.flush()))?;
    dumped.map_err(|error| args.folder.explain(error))?;
    Ok(ExitCode::SUCCESS)
}

fn text(line: &Line) -> String {
    let Line { place, position, wall, shard, words, payload, .. } = line;
    let place = format!("{}:{}", place.segment(), place.offset());
    let shard = shard.map_or_else(|| "-".to_owned(), |shard| shard.to_string());
    let time = clock(*wall, "%Y-%m-%d %H:%M:%S%.3f");
    let mut text = format!("{:>8} {place:<14} {time} {shard:>2} {words}", position.0);
    if let Some(payload) = payload {
        let _ = match std::str::from_utf8(payload) {
            Ok(payload) => write!(text, ": {payload:?}"),
            Err(_) => write!(text, ": {}", payload.escape_ascii()),
        };
    }
    text.push('\n');
    text
}

fn parse_filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::parse(text, &Limits::default()).map_err(|error| error.to_string())
}

impl KindName {
    fn kind(self) -> Kind {
        match self {
            Self::Session => Kind::Session,
            Self::Subscription => Kind::Subscription,
            Self::Message => Kind::Message,
            Self::Retained => Kind::Retained,
            Self::Progress => Kind::Progress,
            Self::Checkpoint => Kind::Checkpoint,
            Self::Log => Kind::Log,
        }
    }
}

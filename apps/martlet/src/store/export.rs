//! `martlet store export`: what is kept, for other programs.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use martlet_server::tools::{Exported, Unreadable, Why};

use super::Folder;
use super::progress::Bar;
use super::words::forgive;

const HELP: &str = "\
A line is an object:
  client                    whose queue it waits in; null for retained and delayed messages
  topic, qos, retain        as it will be sent
  payload, payload_base64   as text where it is text, else in base64
  properties                of MQTT 5: content_type, response_topic, user_properties, ...
  expires                   when it is worth nothing any more, in milliseconds since 1970, or null
  due                       of a delayed message: when it is published, likewise
  may_have_arrived          of a queued one: it was sent, and not answered
  subscription_identifiers  of a queued one, where there are any

Retained messages come first, then delayed ones, then the queues, each in its order.
Exit status 1 if a message could not be read; it is named, and all others are printed.";

/// Print retained, delayed and queued messages as JSON, a line each
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let store = args.folder.open()?;
    let mut bar = (!io::stdout().is_terminal()).then(Bar::default);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut unreadable = 0;
    let mut printed = Ok(());
    let exported = store.export(
        &mut |message| {
            match message {
                Ok(message) => printed = print(&message, &mut out),
                Err(message) => {
                    unreadable += 1;
                    complain(&message);
                }
            }
            if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
        &mut |stage, done, total| bar.iter_mut().for_each(|bar| bar.show(stage, done, total)),
    );
    drop(bar);
    forgive(printed.and_then(|()| out.flush()))?;
    exported.map_err(|error| args.folder.explain(error))?;
    Ok(if unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(message: &Exported<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", message.to_json())
}

#[expect(clippy::print_stderr, reason = "standard output is for the messages")]
fn complain(message: &Unreadable<'_>) {
    let whose = match message.why {
        Why::Retained => "a retained message".to_owned(),
        Why::Delayed(_) => "a delayed message".to_owned(),
        Why::Queued { client_id, .. } => format!("a message for {client_id:?}"),
    };
    eprintln!("martlet: {whose} is left out: {}", message.error);
}

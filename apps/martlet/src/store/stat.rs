//! `martlet store stat`: figures, and who holds what.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use martlet_server::tools::{Amount, Oldest, QueueStat, Stat};

use super::progress::Bar;
use super::words::{self, BOLD, age, bytes, clock, count, many, moment, styled};
use super::{Folder, report};

const HELP: &str = "\
live     messages that somebody needs, each once
dead     what was written and nobody needs; checkpoints of a running broker give it back
waiting  copies of messages, one for each session that is to get it; those in flight were sent,
         and are not finished";

/// Figures: sizes, sessions, what waits for whom, and who holds the oldest message
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// As one object of JSON; times are milliseconds since 1970
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let store = args.folder.open()?;
    let mut bar = Bar::default();
    let stat = store.stat(&mut |stage, done, total| bar.show(stage, done, total));
    bar.clear();
    let stat = stat.map_err(|error| args.folder.explain(error))?;
    let text = if args.json {
        format!("{}\n", stat.to_json())
    } else {
        let folder = styled(BOLD, &store.folder().display().to_string());
        let made = clock(stat.created, "%Y-%m-%d %H:%M:%S");
        format!("{folder}: format {}, made {made}\n\n{}", stat.format, figures(&stat, Timestamp::now()))
    };
    words::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn figures(stat: &Stat, now: Timestamp) -> String {
    let Stat { sizes, totals, recovered, .. } = stat;
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let segments = many(sizes.segments, "segment", "segments");
    row("on disk", format!("{}: {} in {segments}", bytes(sizes.bytes()), bytes(sizes.log_bytes)));
    if sizes.spares > 0 {
        row("", format!("{} set aside for {}", bytes(sizes.spare_bytes), many(sizes.spares, "more", "more")));
    }
    if sizes.quarantined > 0 {
        row(
            "",
            format!(
                "{} in quarantine, from repairs; delete it when you need it no more",
                bytes(sizes.quarantined_bytes)
            ),
        );
    }
    row(
        "live",
        format!("{} in {}", bytes(totals.live.bytes), many(totals.live.messages, "message", "messages")),
    );
    row("dead", bytes(stat.dead_bytes()));
    let from = if stat.begins_at_checkpoint { "from the newest checkpoint on" } else { "from the beginning" };
    row("a start", format!("reads {} {from}", bytes(recovered.bytes)));
    for note in report::notes(recovered.torn, &recovered.lost) {
        row("", note);
    }
    row("sessions", sessions(totals.connected, totals.absent));
    let in_flight =
        if totals.in_flight > 0 { format!(", {} in flight", count(totals.in_flight)) } else { String::new() };
    row("waiting", format!("{}{in_flight}", amount(totals.waiting)));
    row("retained", amount(totals.retained));
    let due = totals.next_due.map(|due| format!(", the next due {}", moment(due, now)));
    row("delayed", format!("{}{}", amount(totals.delayed), due.unwrap_or_default()));
    stat.oldest.iter().for_each(|oldest| self::oldest(oldest, now, &mut row));
    if !stat.queues.is_empty() {
        text.push('\n');
        queues(&stat.queues, now, &mut text);
    }
    text
}

fn sessions(connected: u64, absent: u64) -> String {
    let all = count(connected + absent);
    format!("{all}: {} connected when the log ended, {} not", count(connected), count(absent))
}

fn amount(amount: Amount) -> String {
    let messages = many(amount.messages, "message", "messages");
    if amount.messages == 0 { messages } else { format!("{messages}, {}", bytes(amount.bytes)) }
}

fn oldest(oldest: &Oldest, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    let others = match oldest.others {
        0 => String::new(),
        others => format!(" and {}", many(others, "other", "others")),
    };
    row("oldest", format!("waits for {:?}{others}", oldest.client_id));
    row(
        "",
        match &oldest.topic {
            Some(topic) => format!("topic {}", topic.escape_debug()),
            None => "its topic cannot be read: see `martlet store check`".to_owned(),
        },
    );
    let place = format!("segment {}, byte {}", oldest.place.segment(), oldest.place.offset());
    row(
        "",
        match oldest.written {
            Some(at) => format!("written {} ({place})", moment(at, now)),
            None => format!("first written to {place}, which is gone; moved since"),
        },
    );
}

/// The longest queues, a line each.
fn queues(queues: &[QueueStat], now: Timestamp, text: &mut String) {
    let head = format!("{:>12} {:>12} {:>12} {:>8}  client", "waiting", "in flight", "bytes", "oldest");
    let _ = writeln!(text, "{}", styled(BOLD, &head));
    for queue in queues {
        let gone = if queue.is_connected { "" } else { " (not connected)" };
        let _ = writeln!(
            text,
            "{:>12} {:>12} {:>12} {:>8}  {:?}{gone}",
            count(queue.waiting.messages),
            count(queue.in_flight),
            bytes(queue.waiting.bytes),
            age(queue.oldest, now),
            queue.client_id,
        );
    }
}

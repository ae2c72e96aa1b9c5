//! What a check found, in words.

use std::fmt::Write;
use std::ops::Range;

use martlet_server::tools::{Checked, Concerned, Problem, Torn};

use super::words::{GREEN, RED, bytes, clock, count, many, styled};

/// Names that are listed of many.
const NAMES_MAX: usize = 10;

/// What a check found.
pub(super) fn report(checked: &Checked) -> String {
    let mut text = String::new();
    checked.problems.iter().for_each(|problem| self::problem(problem, &mut text));
    losses(checked, &mut text);
    for note in notes(checked.torn, &checked.lost) {
        let _ = writeln!(text, "note: {note}");
    }
    let read = format!(
        "read {} of log in {}, and {} that somebody needs",
        bytes(checked.log_bytes),
        many(checked.frames, "frame", "frames"),
        many(checked.messages, "message", "messages"),
    );
    let verdict = if checked.needs_repair() {
        styled(RED, "damaged, a broker does not start on it")
    } else if !checked.is_sound() {
        styled(RED, "damaged, a broker starts on it without what is named above")
    } else {
        styled(GREEN, "sound")
    };
    let _ = writeln!(text, "{read}: {verdict}");
    text
}

fn problem(problem: &Problem, text: &mut String) {
    let Problem { place, fault, concerned } = problem;
    let place = format!("segment {}, byte {}:", place.segment(), place.offset());
    let place = if fault.is_harmless() { place } else { styled(RED, &place) };
    let _ = writeln!(text, "{place} {fault}");
    if !fault.is_harmless() {
        let _ = writeln!(text, "  concerns  {}", names(concerned));
    }
    let _ = writeln!(text, "  cure      {}\n", fault.cure());
}

fn names(concerned: &[Concerned]) -> String {
    let mut names: Vec<_> = concerned.iter().take(NAMES_MAX).map(name).collect();
    let others = concerned.len().saturating_sub(NAMES_MAX) as u64;
    if others > 0 {
        names.push(many(others, "other", "others"));
    }
    if names.is_empty() { "nobody can tell whom".to_owned() } else { names.join(", ") }
}

fn name(concerned: &Concerned) -> String {
    match concerned {
        Concerned::Client(client_id) => format!("client {client_id:?}"),
        Concerned::Retained(topic) => {
            format!("whoever subscribes to {}, where it is retained", topic.escape_debug())
        }
        Concerned::Delayed(due) => format!("a delayed message due {}", clock(*due, "%Y-%m-%d %H:%M:%S")),
    }
}

/// What is lost, client by client.
fn losses(checked: &Checked, text: &mut String) {
    let losses = checked.losses();
    if losses.is_empty() {
        return;
    }
    text.push_str("without a copy of the store is lost:\n");
    for (client_id, loss) in losses.iter().take(NAMES_MAX) {
        let messages = (loss.messages > 0).then(|| many(loss.messages, "message", "messages"));
        let gaps = (loss.gaps > 0).then(|| format!("records in {}", many(loss.gaps, "gap", "gaps")));
        let what: Vec<_> = messages.into_iter().chain(gaps).collect();
        let _ = writeln!(text, "  client {client_id:?}: {}", what.join(", "));
    }
    if losses.len() > NAMES_MAX {
        let _ = writeln!(
            text,
            "  and of {} other clients (--json names all)",
            count((losses.len() - NAMES_MAX) as u64)
        );
    }
    text.push('\n');
}

/// What is no damage, and worth a word.
pub(super) fn notes(torn: Option<Torn>, lost: &[Range<u64>]) -> Vec<String> {
    let torn = torn.map(|torn| {
        format!(
            "the last {} are not whole: the broker was killed while it wrote them, and nobody had been told that they were safe",
            bytes(torn.bytes)
        )
    });
    let lost = lost.iter().map(|lost| {
        format!("positions {} to {} were taken out by a repair", lost.start, lost.end.saturating_sub(1))
    });
    torn.into_iter().chain(lost).collect()
}
